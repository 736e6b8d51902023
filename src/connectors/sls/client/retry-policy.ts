import { type BackoffOptions, backoffMs } from '../../../core/index.ts'
import type { SlsError } from './sls-error.ts'

/** Whether a call may be carried out twice: `once` stands for calls that change something each time. */
export type Repeat = 'safe' | 'once'

/** Whether the same request may help. What may have been done is not repeated when it must be done only once. */
export const isRetriable = (error: SlsError, repeat: Repeat): boolean => {
  if (error.class === 'throttled' || error.notSent) return error.remedy === 'retry'
  const passing = error.class === 'unavailable' || error.class === 'unreachable' || error.class === 'answer-invalid'
  return passing && repeat === 'safe'
}

/** The longest wait that an answer can ask for. */
const retryAfterMsMax = 60_000

/** Before the next try: full jitter, and no less than the service asks for. */
export const waitMs = (
  options: Omit<BackoffOptions, 'jitter' | 'multiplier'>,
  attempt: number,
  uniform: number,
  error: SlsError,
): number =>
  Math.max(
    backoffMs({ ...options, multiplier: 2, jitter: 1 }, attempt, uniform),
    Math.min(error.retryAfterMs ?? 0, retryAfterMsMax),
  )

const tokensMax = 100
const tokensPerSuccess = 0.2

/**
 * Repetitions that all calls of a client may make together. Each takes a token, each success gives back a part of one: when
 * nearly everything fails, the service is spared, and callers hear of it sooner.
 */
export class RetryBudget {
  #tokens = tokensMax

  /** False when nothing is left. */
  take(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  succeeded(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + tokensPerSuccess)
  }
}
