/** How long to wait before the next try. */
export interface BackoffOptions {
  /** Wait before the second try, in milliseconds. */
  readonly initialMs: number
  /** Longest wait, in milliseconds. */
  readonly maxMs: number
  /** Growth from one wait to the next; at least 1. */
  readonly multiplier: number
  /** Part of the wait that is drawn at random: 0 none, 1 full jitter (anything between zero and the wait). */
  readonly jitter: number
}

/** The wait before try `attempt + 1`, where `attempt` counts failures from 1; `uniform` is drawn from [0, 1). */
export const backoffMs = (options: BackoffOptions, attempt: number, uniform: number): number => {
  const exponent = Math.min(Math.max(attempt, 1) - 1, 64)
  const base = Math.min(options.maxMs, options.initialMs * options.multiplier ** exponent)
  return base * (1 - options.jitter) + base * options.jitter * uniform
}
