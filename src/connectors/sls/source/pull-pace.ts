import type { SlsReadSettings } from './source-options.ts'

/** What the pace of a shard follows. */
export type PaceRules = Pick<SlsReadSettings, 'pullsPerSecondMax' | 'tailWaitMs' | 'idleWaitMs' | 'pullBytes'>

/** What a pull found. */
export interface PullOutcome {
  readonly groups: number
  readonly bytes: number
  readonly atEnd: boolean
  /** How long the pull took. */
  readonly tookMs: number
}

const throttledMinMs = 100
const throttledMaxMs = 30_000
/** What a pull that was not throttled leaves of the distance that throttling made. */
const recovery = 0.9
/** Part of a quiet wait that is drawn at random. */
const jitter = 0.25
const fetchBytesMin = 64 * 1024
const smallBytes = 256 * 1024

/**
 * When a shard is asked next. Each shard has its own: one that is throttled or quiet is asked less often, the others are
 * not. Throttling doubles the distance between pulls, every success takes a tenth of it back.
 */
export class PullPace {
  readonly #rules: PaceRules
  readonly #distanceMinMs: number
  /** Between the starts of two pulls. */
  #distanceMs: number
  /** Pulls in a row that found nothing. */
  #quiet = 0
  /** Undefined before the first pull. */
  #bytesExpected: number | undefined

  constructor(rules: PaceRules) {
    this.#rules = rules
    this.#distanceMinMs = 1000 / rules.pullsPerSecondMax
    this.#distanceMs = this.#distanceMinMs
  }

  /** Between the starts of two pulls, in milliseconds: how much the shard is throttled. */
  get distanceMs(): number {
    return this.#distanceMs
  }

  /** Bytes to reserve for the next pull; undefined before the first one. */
  get bytesExpected(): number | undefined {
    return this.#bytesExpected
  }

  /**
   * How long to wait after a pull, in milliseconds.
   * @param idleShareMs the least wait of a quiet shard, so that all quiet shards together stay within their share
   * @param uniform from [0, 1): quiet shards that began together do not go on together
   */
  waitMs(outcome: PullOutcome, idleShareMs: number, uniform: number): number {
    const { tailWaitMs, idleWaitMs, pullBytes } = this.#rules
    this.#distanceMs = Math.max(this.#distanceMinMs, this.#distanceMs * recovery)
    this.#bytesExpected = Math.min(pullBytes, Math.max(fetchBytesMin, outcome.bytes * 2))
    const paceMs = Math.max(0, this.#distanceMs - outcome.tookMs)
    if (outcome.groups > 0) {
      this.#quiet = 0
      return outcome.atEnd && outcome.bytes < smallBytes ? Math.max(paceMs, tailWaitMs) : paceMs
    }
    this.#quiet++
    // In a crowd the first waits are long already: to come down by doubling alone would take minutes.
    const firstMs = Math.max(tailWaitMs, idleShareMs / 4)
    const quietMs = firstMs * 2 ** Math.min(this.#quiet - 1, 30)
    const limitMs = Math.max(idleWaitMs, idleShareMs / (1 - jitter / 2))
    return Math.max(paceMs, Math.min(quietMs, limitMs) * (1 - jitter * uniform))
  }

  /** The service said that the shard was asked too often. Gives how long to wait, in milliseconds; `uniform` from [0, 1). */
  throttledMs(uniform: number): number {
    this.#distanceMs = Math.min(throttledMaxMs, Math.max(throttledMinMs, this.#distanceMs * 2))
    return this.#distanceMs * (0.5 + uniform)
  }
}
