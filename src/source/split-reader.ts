import type { DeadLetter, MillraceError, Origin } from '../core/index.ts'
import type { Split } from './source.ts'

/** What could not be read, and where among the records of its fetch it lies. */
export interface FetchedDeadLetter {
  /** It lies before this record; behind all of them when it is their number. */
  readonly before: number
  /** Called once, when the position moves past it; before `release`. */
  letter(): DeadLetter
}

/** Records that may be made only when they are given out: of many answers that wait, few are looked at. An array is one. */
export interface RecordList<out Item> {
  readonly length: number
  /** Those from `from` up to `to`. Asked for in order, each once; any other way must work, and may cost more. */
  slice(from: number, to: number): readonly Item[]
}

/**
 * What one round trip gave: records of one split, and the position after each of them, so that a barrier can fall between
 * any two. It may have no records and still move the position on.
 */
export interface Fetched<out Item, out SplitT extends Split> {
  readonly records: RecordList<Item>
  /** Memory the records keep alive, in bytes; what the byte budget is charged until they are given out. */
  readonly bytes: number
  /** Event times in milliseconds since 1970, one per record, when the service knows them. */
  readonly timestamps?: RecordList<number> | undefined
  /**
   * In the order of `before`. One is given out together with the record it lies before, those behind all records with the
   * last one: `splitAfter(n)` lies before a letter with `before: n`, or with n = records.length behind it.
   */
  readonly deadLetters?: readonly FetchedDeadLetter[] | undefined
  /**
   * How long the next fetch of this split should wait, in milliseconds; 0 or absent: not at all. For a split that has
   * nothing new, and for one that has to be asked less often.
   */
  readonly waitMs?: number | undefined
  /** Estimated size of one record in bytes; what the limit of a batch counts. */
  recordBytes(index: number): number
  /**
   * The split after the first `count` records, 0 ≤ count ≤ records.length. With `count` = records.length it is where the
   * next fetch goes on. Pure: asked for any count, in any order, any number of times.
   */
  splitAfter(count: number): SplitT
  /** Where record `index` came from, for dead letters. Only the split when absent. */
  originOf?(index: number): Origin
  /** Called once when no record is in use any more: the batch after the last one was asked for, or all were dropped. */
  release?(): void
}

/**
 * The part of a source most connectors write: one round trip for one split. `FetchingSourceReader` does the rest:
 * prefetch, fairness, budget, back-off, batches, positions, checkpoints, pause and close.
 */
export interface SplitReader<out Item, SplitT extends Split> {
  /**
   * Reads on from the position of `split`. Never called twice at a time for one split; different splits overlap.
   * The position may be one this reader has read past already: what was fetched ahead may be dropped and asked for again.
   * Settles promptly after `signal` aborted; what it then gives is dropped.
   *
   * Rejects with an error of remedy `retry` to be asked again with back-off, for as long as it takes; any other error ends
   * the reader.
   */
  fetch(split: SplitT, signal: AbortSignal): Promise<Fetched<Item, SplitT>>
  /** True when nothing follows the position of `split`, ever. */
  isFinished(split: SplitT): boolean
  /** Bytes to take from the budget before the request: what the answer may hold at most. Default 1 MiB. */
  fetchBytes?(split: SplitT): number
  /** How long to wait after the n-th failure in a row, in milliseconds, when the service said so; else undefined. */
  retryWaitMs?(error: MillraceError, failures: number): number | undefined
  /**
   * The last record of a split was given out, or a split came finished from a checkpoint. Synchronous, in the same step.
   * May be told again after a restore.
   */
  onFinished?(split: SplitT): void
  /**
   * Hears what the enumerator has to say.
   * @param hurry has a split fetched now that was to wait after an answer; one that waits after a failure goes on waiting
   */
  handleSourceEvent?(event: unknown, hurry: (splitId: string) => void): void
  /** Frees what is held; no fetch is under way. May be called twice. */
  close?(): Promise<void>
}

/** Neither a record nor a dead letter. */
export const isEmpty = ({ records, deadLetters = [] }: Fetched<unknown, Split>): boolean =>
  records.length === 0 && deadLetters.length === 0

/** Records with all that `Fetched` wants, for readers that keep one position per record. */
export const fetchedRecords = <Item, SplitT extends Split>(
  records: readonly Item[],
  /** `splits[i]` is the split after record `i`. */
  splits: readonly SplitT[],
  /** The split after an answer without records. */
  start: SplitT,
  options: { readonly recordBytes: (record: Item) => number; readonly waitMs?: number },
): Fetched<Item, SplitT> => ({
  records,
  bytes: records.reduce((total, record) => total + options.recordBytes(record), 0),
  waitMs: options.waitMs,
  recordBytes: (index) => {
    const record = records[index]
    return record === undefined ? 0 : options.recordBytes(record)
  },
  splitAfter: (count) => splits[count - 1] ?? start,
})
