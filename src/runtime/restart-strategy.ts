import { backoffMs, isMillraceError } from '../core/index.ts'
import type { RestartSettings } from './job-graph.ts'

/** A failure, and when it happened on the monotonic clock. */
export interface PastFailure {
  readonly atMs: number
}

/** Failures in a row after which an exponential delay is at its longest, whatever its options. */
const exponentialMax = 1_000

/** Forgets failures that cannot matter any more, so that a job that fails for ever does not remember for ever. */
export const forgetFailures = (settings: RestartSettings, failures: PastFailure[]): void => {
  if (settings.kind === 'rate') {
    const newest = failures.at(-1)?.atMs ?? 0
    while (newest - (failures[0]?.atMs ?? newest) >= settings.windowMs) failures.shift()
  } else if (settings.kind === 'exponential') {
    failures.splice(0, failures.length - exponentialMax)
  }
}

export type RestartDecision = { readonly restart: true; readonly delayMs: number } | { readonly restart: false }

/** Whether a failure may be cured by going back to the last checkpoint at all. */
export const isRecoverable = (error: Error): boolean =>
  !isMillraceError(error) || error.remedy === 'retry' || error.remedy === 'restart'

/**
 * Whether, and after what delay, to start again. `failures` are all failures so far, the newest last; `uniform` is drawn
 * from [0, 1). Pure.
 */
export const decideRestart = (
  settings: RestartSettings,
  failures: readonly PastFailure[],
  uniform: number,
): RestartDecision => {
  const newest = failures.at(-1)
  if (newest === undefined) return { restart: false }
  switch (settings.kind) {
    case 'none':
      return { restart: false }
    case 'fixed':
      return failures.length <= settings.attempts ? { restart: true, delayMs: settings.delayMs } : { restart: false }
    case 'rate': {
      const recent = failures.filter((failure) => newest.atMs - failure.atMs < settings.windowMs)
      return recent.length <= settings.failures ? { restart: true, delayMs: settings.delayMs } : { restart: false }
    }
    case 'exponential': {
      const inRow = failuresInRow(failures, settings.resetAfterMs)
      const { initialMs, maxMs, multiplier, jitter } = settings
      const base = backoffMs({ initialMs, maxMs, multiplier, jitter: 0 }, inRow, 0)
      return { restart: true, delayMs: Math.min(maxMs, base * (1 + jitter * (2 * uniform - 1))) }
    }
  }
}

/** How many failures came without a quiet time of `resetAfterMs` between them, counted from the newest. */
const failuresInRow = (failures: readonly PastFailure[], resetAfterMs: number): number => {
  let count = 1
  for (let index = failures.length - 1; index > 0; index--) {
    const gap = (failures[index]?.atMs ?? 0) - (failures[index - 1]?.atMs ?? 0)
    if (gap >= resetAfterMs) break
    count++
  }
  return count
}
