/** How event time goes on in the splits of one reader. */
export interface EventTimeOptions {
  /** How much earlier than an earlier record of its split a record may be, in milliseconds, from 0. */
  readonly outOfOrdernessMs: number
  /** A split that gave nothing for so long is idle, in milliseconds, more than 0; undefined: none ever is. */
  readonly idleAfterMs: number | undefined
}

/** How far event time is in one split. */
export interface SplitEventTime {
  /** Highest event time given out, in milliseconds since 1970; undefined: none yet. */
  readonly eventTimeMs: number | undefined
  /** No record of an earlier or the same time is expected; undefined: nobody knows. */
  readonly watermarkMs: number | undefined
  readonly idle: boolean
}

interface TrackedSplit {
  eventTimeMs: number | undefined
  /** The watermark of what it follows. */
  startMs: number | undefined
  /** Since when it has given nothing, on the monotonic clock; moved on by the time it was held. */
  quietSinceMs: number
  /** Since when it could not have given anything. */
  heldSinceMs: number | undefined
}

/**
 * The watermark of one reader, by Flink's rules (flink-semantics paper, section D11): that of a split is its highest event
 * time so far less the out-of-orderness and 1 ms; that of the reader is the lowest of its splits that are not idle, and it
 * never goes back. While every split is idle it stands still. It is no state: after a restore it begins anew.
 *
 * A split is idle when it gave nothing for a while, and no longer as soon as it gives something. Only the time counts in
 * which it could have given something: a split that is paused, or whose records wait for their turn, is held, and does not
 * become idle by that, as in Flink since FLIP-471. It still holds the watermark back: what it holds will come.
 *
 * Flink has no rule for a split that follows others; here it starts at their final watermark, and so does not stop the
 * watermark of a reader until its first record.
 *
 * Times of events are in milliseconds since 1970, `nowMs` is of a monotonic clock. Pure: no time passes in between.
 */
export class SplitWatermarks {
  readonly #options: EventTimeOptions
  readonly #splits = new Map<string, TrackedSplit>()
  #watermarkMs: number | undefined

  constructor(options: EventTimeOptions) {
    this.#options = options
  }

  /** Takes a split that is held until `release`. */
  add(splitId: string, nowMs: number): void {
    this.#splits.set(splitId, {
      eventTimeMs: undefined,
      startMs: undefined,
      quietSinceMs: nowMs,
      heldSinceMs: nowMs,
    })
  }

  /** The split follows others, which ended at this watermark. */
  startAt(splitId: string, watermarkMs: number): void {
    const split = this.#splits.get(splitId)
    if (split !== undefined) split.startMs = higher(split.startMs, watermarkMs)
  }

  /** The split gave records out; undefined: their event times are not known. */
  give(splitId: string, eventTimeMs: number | undefined, nowMs: number): void {
    const split = this.#splits.get(splitId)
    if (split === undefined) return
    split.eventTimeMs = higher(split.eventTimeMs, eventTimeMs)
    split.quietSinceMs = nowMs
    if (split.heldSinceMs !== undefined) split.heldSinceMs = nowMs
  }

  /** From now on the split cannot give anything, whatever it has. May be told twice. */
  hold(splitId: string, nowMs: number): void {
    const split = this.#splits.get(splitId)
    if (split !== undefined) split.heldSinceMs ??= nowMs
  }

  /** The split gives what it has. May be told twice. */
  release(splitId: string, nowMs: number): void {
    const split = this.#splits.get(splitId)
    if (split?.heldSinceMs === undefined) return
    split.quietSinceMs += nowMs - split.heldSinceMs
    split.heldSinceMs = undefined
  }

  /** The split has ended. The last one leaves its watermark to the reader. */
  remove(splitId: string): void {
    const split = this.#splits.get(splitId)
    this.#splits.delete(splitId)
    if (split !== undefined && this.#splits.size === 0) {
      this.#watermarkMs = higher(this.#watermarkMs, this.#watermarkOf(split))
    }
  }

  /** Undefined for a split that is not here. */
  of(splitId: string, nowMs: number): SplitEventTime | undefined {
    const split = this.#splits.get(splitId)
    if (split === undefined) return undefined
    const { eventTimeMs } = split
    return { eventTimeMs, watermarkMs: this.#watermarkOf(split), idle: this.#isIdle(split, nowMs) }
  }

  /** Of all splits; undefined: nobody knows. Takes a look at every split. */
  watermarkMs(nowMs: number): number | undefined {
    let lowestMs: number | undefined
    for (const split of this.#splits.values()) {
      if (this.#isIdle(split, nowMs)) continue
      const ownMs = this.#watermarkOf(split)
      if (ownMs === undefined) return this.#watermarkMs
      lowestMs = lowestMs === undefined ? ownMs : Math.min(lowestMs, ownMs)
    }
    this.#watermarkMs = higher(this.#watermarkMs, lowestMs)
    return this.#watermarkMs
  }

  /** How many splits are idle. Takes a look at every split. */
  idleSplits(nowMs: number): number {
    let idle = 0
    for (const split of this.#splits.values()) if (this.#isIdle(split, nowMs)) idle++
    return idle
  }

  #watermarkOf({ eventTimeMs, startMs }: TrackedSplit): number | undefined {
    return higher(startMs, eventTimeMs === undefined ? undefined : eventTimeMs - this.#options.outOfOrdernessMs - 1)
  }

  #isIdle({ quietSinceMs, heldSinceMs }: TrackedSplit, nowMs: number): boolean {
    const { idleAfterMs } = this.#options
    return idleAfterMs !== undefined && (heldSinceMs ?? nowMs) - quietSinceMs >= idleAfterMs
  }
}

const higher = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.max(one, other)

/** The latest of the event times; undefined: there is none. */
export const latestOf = (timestamps: readonly number[]): number | undefined => {
  let latest = Number.NEGATIVE_INFINITY
  for (const timestamp of timestamps) if (timestamp > latest) latest = timestamp
  return Number.isFinite(latest) ? latest : undefined
}
