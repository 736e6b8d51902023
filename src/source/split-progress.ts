import type { Cancel, MillraceError } from '../core/index.ts'
import type { ByteLease } from './byte-budget.ts'
import type { Split } from './source.ts'
import type { Fetched } from './split-reader.ts'

/** An answer that waits to be given out, and the bytes it was charged. */
export interface BufferedFetch<Item, SplitT extends Split> {
  readonly fetched: Fetched<Item, SplitT>
  readonly lease: ByteLease
}

/** A split whose last fetches failed and will be tried again. */
export interface Degraded {
  readonly error: MillraceError
  readonly failures: number
  /** When the failures began, on the monotonic clock. */
  readonly sinceMs: number
}

/** What a `FetchingSourceReader` knows of one unfinished split. */
export class SplitProgress<Item, SplitT extends Split> {
  /** After the last record given out: what a snapshot stores. */
  given: SplitT
  /** After the last record fetched: where the next fetch goes on. */
  fetched: SplitT
  /** The first one may be given out in part. */
  readonly buffer: BufferedFetch<Item, SplitT>[] = []
  /** Records of the first buffered fetch that were given out. */
  givenOfFirst = 0
  /** Nothing is left to fetch. */
  drained = false
  paused = false
  /** Among the splits that are read at the same time. */
  active = false
  /** The fetch under way, or its wait for the budget. */
  request: AbortController | undefined
  waitsForBudget = false
  /** What the fetch under way answers may be old news: the next one does not wait. */
  hurried = false
  /** On the monotonic clock. */
  notBeforeMs = 0
  cancelTimer: Cancel | undefined
  degraded: Degraded | undefined

  constructor(split: SplitT) {
    this.given = split
    this.fetched = split
  }

  get splitId(): string {
    return this.given.splitId
  }

  /** One fetch ahead: a further one starts when nothing waits that was not begun to be given out. */
  get wantsFetch(): boolean {
    const untouched = this.buffer.length - (this.givenOfFirst > 0 ? 1 : 0)
    return (
      this.active &&
      !this.paused &&
      !this.drained &&
      untouched === 0 &&
      this.request === undefined &&
      this.cancelTimer === undefined
    )
  }

  get hasRecords(): boolean {
    return this.buffer.length > 0
  }

  /** Asks the request, if any, to end; its answer is dropped. No other one starts before it has settled. */
  abortRequest(reason: Error): void {
    this.request?.abort(reason)
  }

  clearTimer(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  /** Frees what was fetched and not given out; it will be fetched again. */
  dropBuffer(): void {
    for (const { fetched, lease } of this.buffer.splice(0)) freeFetch(fetched, lease)
    this.givenOfFirst = 0
    this.fetched = this.given
    this.drained = false
  }
}

/** Returns the memory of a fetch: first to the connector, then to the budget. */
export const freeFetch = (fetched: Fetched<unknown, Split>, lease: ByteLease): void => {
  fetched.release?.()
  lease.release()
}
