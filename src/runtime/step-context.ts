import type { Clock, Logger, Metric } from '../core/index.ts'
import { StepError } from '../core/index.ts'
import type { OperatorContext, Outputs } from './operator.ts'
import type { SubtaskStatus } from './subtask.ts'

export interface StepContextOptions {
  readonly job: string
  readonly step: string
  readonly subtask: number
  readonly parallelism: number
  readonly batchRecordsMax: number
  readonly warnMs: number
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly outputs: Outputs
  readonly errors: Metric
  readonly status: SubtaskStatus
}

/** What one step of one subtask sees of the runtime. */
export const stepContext = (options: StepContextOptions): OperatorContext => {
  const { job, step, subtask, parallelism, batchRecordsMax, clock, log, signal, outputs, errors, status } = options
  const waiting = (forWhat: string | undefined): void => {
    status.waitingFor = forWhat === undefined ? undefined : `${step}: ${forWhat}`
  }
  return {
    job,
    step,
    subtask,
    parallelism,
    batchRecordsMax,
    clock,
    log,
    signal,
    outputs,
    errors,
    waiting,
    awaitUser: (promise, what) => withDeadline(promise, what, options, waiting),
  }
}

/** Awaits a promise of the user's, which may never settle: warns, then fails the step; gives up when the attempt ends. */
const withDeadline = async <T>(
  promise: Promise<T>,
  what: string,
  { clock, log, signal, step, subtask, job, warnMs, timeoutMs }: StepContextOptions,
  waiting: (forWhat: string | undefined) => void,
): Promise<T> => {
  waiting(what)
  const start = clock.monoMs()
  let stop = (): void => {}
  const guard = new Promise<never>((_, reject) => {
    const warn = clock.timer(warnMs, () =>
      log.warn({ step, subtaskIndex: subtask, waitedMs: warnMs, what }, 'a step is slow'),
    )
    const fail = clock.timer(timeoutMs, () => {
      reject(
        new StepError('STEP_TIMED_OUT', {
          message: `waited ${Math.round(clock.monoMs() - start)} ms for ${what}`,
          place: { job, step, subtaskIndex: subtask },
          fix: 'settle the promise, or raise stepTimeout in the options of the job',
        }),
      )
    })
    const aborted = (): void => reject(signal.reason)
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    stop = () => {
      warn()
      fail()
      signal.removeEventListener('abort', aborted)
    }
  })
  try {
    return await Promise.race([promise, guard])
  } finally {
    stop()
    waiting(undefined)
  }
}
