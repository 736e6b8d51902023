import { type BackoffOptions, backoffMs } from '../../core/index.ts'
import type { AgainReason } from './send-result.ts'

/** How often and how fast a package is sent again. */
export interface RetryPolicy extends BackoffOptions {
  /** Attempts per package, at least 1; `Infinity` for as long as it takes. */
  readonly attemptsMax: number
  /** Attempts that may end as `unauthorized` or `unrecognized`, in a row. Then only a person can help. */
  readonly doubtfulMax: number
}

/** 100 ms doubling to 50 s like the official producers, but with full jitter and without an end. */
export const defaultRetryPolicy: RetryPolicy = {
  initialMs: 100,
  maxMs: 50_000,
  multiplier: 2,
  jitter: 1,
  attemptsMax: Number.POSITIVE_INFINITY,
  doubtfulMax: 3,
}

/** What happened to a package so far. */
export interface AttemptHistory {
  readonly attempts: number
  /** The latest attempts that all ended as `unauthorized` or `unrecognized`. */
  readonly doubtfulInRow: number
}

/** Whether a few more attempts will tell. */
export const isDoubtful = (why: AgainReason): boolean => why === 'unauthorized' || why === 'unrecognized'

/** The wait before the next attempt; undefined to give up. `uniform` is drawn from [0, 1). */
export const nextAttemptMs = (
  policy: RetryPolicy,
  why: AgainReason,
  history: AttemptHistory,
  uniform: number,
  afterMs = 0,
): number | undefined => {
  if (history.attempts >= policy.attemptsMax) return undefined
  if (isDoubtful(why) && history.doubtfulInRow >= policy.doubtfulMax) return undefined
  return Math.max(Math.min(afterMs, policy.maxMs), backoffMs(policy, history.attempts, uniform))
}
