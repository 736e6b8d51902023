import { asError, isMillraceError, type OriginColumn, StepError } from '../core/index.ts'

export interface StepPlace {
  readonly job: string
  readonly step: string
  readonly subtask: number
}

/** What a user's function threw, as an error that names step, split and position. Errors of ours pass unchanged. */
export const stepFailure = (
  thrown: unknown,
  place: StepPlace,
  origins?: OriginColumn | undefined,
  index?: number,
): Error => {
  if (isMillraceError(thrown)) return thrown
  const cause = asError(thrown)
  const origin = index === undefined ? undefined : origins?.at(index)
  return new StepError('STEP_FAILED', {
    message: `the function of the step threw ${cause.name}: ${cause.message}`,
    place: {
      job: place.job,
      step: place.step,
      subtaskIndex: place.subtask,
      split: origin?.split,
      position: origin?.position,
    },
    fix: 'correct the function, or let it handle such records; the cause has the stack',
    cause,
  })
}

/** The same of keyBy, where a key that cannot be used is told by those who do not know whose it is. */
export const keyFailure = (
  thrown: unknown,
  place: StepPlace,
  origins: OriginColumn | undefined,
  index: number,
): Error => {
  if (!(thrown instanceof StepError) || thrown.place.step !== undefined) {
    return stepFailure(thrown, place, origins, index)
  }
  const { code, fix, cause } = thrown
  const origin = origins?.at(index)
  return new StepError(code, {
    message: thrown.message.slice(`${code}: `.length, -`\n  fix: ${fix}`.length),
    place: {
      job: place.job,
      step: place.step,
      subtaskIndex: place.subtask,
      split: origin?.split,
      position: origin?.position,
    },
    fix,
    cause,
  })
}

/** A function of the user gave something the step cannot use. */
export const stepMisused = (place: StepPlace, message: string, fix: string): StepError =>
  new StepError('STEP_MISUSED', {
    message,
    place: { job: place.job, step: place.step, subtaskIndex: place.subtask },
    fix,
  })

/** True for promises and everything that looks like one. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/**
 * The same for every record of a batch, in the loop: only a real promise, which is what an async function gives. Looking for
 * a `then` on each record costs more than a chain of steps (bench: runtime, fused-chain).
 */
export const refusePromises = (place: StepPlace, step: string, value: unknown): void => {
  if (value instanceof Promise) refusePromise(place, step, value)
}

/** Refuses a promise where a step wants a value. Its rejection, if it comes to that, has then been heard. */
export const refusePromise = (place: StepPlace, step: string, value: unknown): void => {
  if (!isThenable(value)) return
  void Promise.resolve(value).catch(() => {})
  throw stepMisused(
    place,
    `the function of ${step} returned a promise`,
    `make it synchronous, or use .mapAsync(name, options, fn) for work that waits`,
  )
}
