import { type Clock, type Guarantee, OptionsError } from '../core/index.ts'
import {
  nothingToRead,
  type OpenSource,
  openSource,
  type PollResult,
  type Source,
  type SourceContext,
  type SourceReader,
  type Split,
} from './source.ts'

/** Half of the longest burst: what an idle source may save up. The readers hold the other half as turns. */
const savedMs = 50

/**
 * A source that gives out at most so many records a second, over all its readers: those with nothing to read leave their
 * share to the others. A burst is at most what the rate gives in 100 ms, or one record of each reader.
 *
 * Nothing is held back: the source is asked for records only when they may go on, so positions, splits and checkpoints are
 * its own, and a job may gain or lose its limit between two runs.
 *
 * @param recordsPerSecond from 0.001 to 1e9
 * @throws OptionsError `OPTIONS_INVALID` when the rate is out of range
 */
export const rateLimited = <T, G extends Guarantee, D extends boolean = false>(
  source: Source<T, G, D>,
  recordsPerSecond: number,
): Source<T, G, D> => {
  if (!(recordsPerSecond >= 0.001 && recordsPerSecond <= 1e9)) {
    throw new OptionsError('OPTIONS_INVALID', {
      message: `rateLimited: ${String(recordsPerSecond)} is not a number of records per second from 0.001 to 1e9`,
    })
  }
  const { kind, guarantee, boundedness, deadLetters } = source
  return {
    kind,
    guarantee,
    boundedness,
    deadLetters,
    open: (context) => openLimited(source, recordsPerSecond, context),
  }
}

const openLimited = <T>(
  source: Source<T, Guarantee, boolean>,
  recordsPerSecond: number,
  context: SourceContext,
): OpenSource<T> => {
  const { clock, parallelism } = context
  const perReaderMs = recordsPerSecond / 1000 / parallelism
  const batchRecordsMax = Math.max(1, Math.min(context.batchRecordsMax, Math.floor(perReaderMs * savedMs)))
  const opened = source.open({ ...context, batchRecordsMax })
  const permits = new RatePermits(clock)
  return openSource({
    splitSerializer: opened.splitSerializer,
    enumeratorSerializer: opened.enumeratorSerializer,
    createEnumerator: (enumerator, restored) => opened.createEnumerator(enumerator, restored),
    createReader: (reader) => {
      permits.addReader(perReaderMs)
      return new RateLimitedReader(opened.createReader(reader), { permits, clock, batchRecordsMax })
    },
  })
}

/** Deals out the rate of all readers of a process, in the order in which they ask. */
class RatePermits {
  readonly #clock: Pick<Clock, 'monoMs'>
  #perMs = 0
  /** When everything dealt out so far has been earned. */
  #earnedMs = Number.NEGATIVE_INFINITY

  constructor(clock: Pick<Clock, 'monoMs'>) {
    this.#clock = clock
  }

  addReader(perMs: number): void {
    this.#perMs += perMs
  }

  /** Takes permits for `records`; gives the moment at which they are earned and may be used. */
  take(records: number): number {
    const costMs = records / this.#perMs
    const from = Math.max(this.#earnedMs, this.#clock.monoMs() - Math.max(savedMs, costMs))
    this.#earnedMs = from + costMs
    return this.#earnedMs
  }

  /** Books records without a turn; a negative number gives permits back. */
  charge(records: number): void {
    this.#earnedMs += records / this.#perMs
  }
}

interface LimitedReaderParts {
  readonly permits: RatePermits
  readonly clock: Pick<Clock, 'monoMs' | 'sleep'>
  readonly batchRecordsMax: number
}

/** Asks a reader for its next batch when there are permits for it, and passes everything else on. */
class RateLimitedReader<T, SplitT extends Split> implements SourceReader<T, SplitT> {
  readonly #reader: SourceReader<T, SplitT>
  readonly #parts: LimitedReaderParts
  readonly #closed = new AbortController()
  /** When the permits for the next batch may be used; undefined before they are taken. */
  #turnMs: number | undefined

  constructor(reader: SourceReader<T, SplitT>, parts: LimitedReaderParts) {
    this.#reader = reader
    this.#parts = parts
  }

  poll(): PollResult<T> {
    const { permits, batchRecordsMax } = this.#parts
    if (this.#reader.unfinishedSplitIds().length === 0) this.#giveTurnBack()
    else this.#turnMs ??= permits.take(batchRecordsMax)
    if (this.#waitMs() > 0) return nothingToRead
    const result = this.#reader.poll()
    if (result.kind === 'records') {
      this.#giveTurnBack()
      permits.charge(result.batch.records.length)
    }
    return result
  }

  /** A reader without anything to read only waits for its end, which needs no permits. */
  #giveTurnBack(): void {
    if (this.#turnMs === undefined) return
    this.#turnMs = undefined
    this.#parts.permits.charge(-this.#parts.batchRecordsMax)
  }

  available(): Promise<void> {
    const waitMs = this.#waitMs()
    if (waitMs === 0) return this.#reader.available()
    return this.#parts.clock.sleep(Math.ceil(waitMs), this.#closed.signal).catch(() => {})
  }

  #waitMs(): number {
    return this.#turnMs === undefined ? 0 : Math.max(0, this.#turnMs - this.#parts.clock.monoMs())
  }

  waitingFor(): string {
    return this.#waitMs() > 0 ? 'its turn under the rate limit' : this.#reader.waitingFor()
  }

  start(): void {
    this.#reader.start()
  }

  addSplits(splits: readonly SplitT[]): void {
    this.#reader.addSplits(splits)
  }

  notifyNoMoreSplits(): void {
    this.#reader.notifyNoMoreSplits()
  }

  handleSourceEvent(event: unknown): void {
    this.#reader.handleSourceEvent?.(event)
  }

  snapshotState(checkpointId: number): readonly SplitT[] {
    return this.#reader.snapshotState(checkpointId)
  }

  unfinishedSplitIds(): readonly string[] {
    return this.#reader.unfinishedSplitIds()
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#reader.notifyCheckpointComplete?.(checkpointId)
  }

  notifyCheckpointAborted(checkpointId: number): void {
    this.#reader.notifyCheckpointAborted?.(checkpointId)
  }

  pauseOrResumeSplits(pause: readonly string[], resume: readonly string[]): void {
    this.#reader.pauseOrResumeSplits(pause, resume)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#reader.close()
  }
}
