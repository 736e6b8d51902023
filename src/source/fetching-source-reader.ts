import {
  asError,
  type BackoffOptions,
  backoffMs,
  type Cancel,
  type Clock,
  invariant,
  isMillraceError,
  type Logger,
  type MillraceError,
  type Random,
  type RecordBatch,
  type StepMetrics,
} from '../core/index.ts'
import { ByteBudget, type ByteLease } from './byte-budget.ts'
import { cutBatch } from './fetched-batch.ts'
import { FinishedSplits } from './finished-splits.ts'
import { endOfReader, nothingToRead, type PollResult, type SourceReader, type Split } from './source.ts'
import { type BufferedFetch, freeFetch, SplitProgress } from './split-progress.ts'
import { isEmpty, type SplitReader } from './split-reader.ts'
import { latestOf, type SplitWatermarks } from './split-watermarks.ts'
import { waitingForText } from './waiting-for.ts'

/** Options of a `FetchingSourceReader`. */
export interface FetchingSourceReaderOptions<Item, SplitT extends Split> {
  readonly splitReader: SplitReader<Item, SplitT>
  readonly clock: Pick<Clock, 'monoMs' | 'timer'>
  readonly random: Pick<Random, 'float'>
  readonly log: Logger
  /** Most records of one batch, at least 1. */
  readonly batchRecordsMax: number
  /** A batch ends at the record that reaches this size, in bytes; it has at least one record. */
  readonly batchBytesMax: number
  /** Shared by all readers of a process, ideally. Default: 64 MiB for this reader alone. */
  readonly budget?: ByteBudget | undefined
  /** Waits between tries after an error of remedy `retry`. Default 200 ms → 10 s, ×2, half of it random. */
  readonly backoff?: BackoffOptions | undefined
  /** How long one split may fail in a row before its error ends the reader, in milliseconds. Default: for ever. */
  readonly retryMaxMs?: number | undefined
  /** Splits read at the same time; the next one starts when one is finished. Default: all. */
  readonly activeSplitsMax?: number | undefined
  /** Follows the event times of the records given out. Default: nobody does. */
  readonly watermarks?: SplitWatermarks | undefined
  /** Tells how far event time is; needs `watermarks`. */
  readonly metrics?: StepMetrics | undefined
}

const defaultBudgetBytes = 64 * 1024 * 1024
const defaultFetchBytes = 1024 * 1024
/** Splits that wait for long are asked together, at moments so far apart. */
const togetherMs = 250
const defaultBackoff: BackoffOptions = { initialMs: 200, maxMs: 10_000, multiplier: 2, jitter: 0.5 }

/**
 * A `SourceReader` over a `SplitReader`. Every split has at most one fetch under way and one answer waiting beside the one
 * that is being given out, all under one byte budget; splits take turns batch by batch, and each has its own back-off,
 * so a slow one holds up nobody.
 */
export class FetchingSourceReader<Item, SplitT extends Split> implements SourceReader<Item, SplitT> {
  readonly #options: FetchingSourceReaderOptions<Item, SplitT>
  readonly #splitReader: SplitReader<Item, SplitT>
  readonly #budget: ByteBudget
  readonly #stopListening: Cancel
  /** Unfinished splits. */
  readonly #splits = new Map<string, SplitProgress<Item, SplitT>>()
  readonly #finished = new FinishedSplits<SplitT>()
  /** Splits with records to give out; the first one is next. */
  readonly #readable = new Set<SplitProgress<Item, SplitT>>()
  /** Splits that wait for their turn to be read at all. */
  readonly #dormant = new Set<SplitProgress<Item, SplitT>>()
  /** Splits that somebody paused. Of thousands these are few, and they are looked for whenever the budget is short. */
  readonly #paused = new Set<SplitProgress<Item, SplitT>>()
  #activeCount = 0
  readonly #requests = new Set<Promise<void>>()
  /** The fetch whose last batch is in use until the next `poll`. */
  #spent: BufferedFetch<Item, SplitT> | undefined
  #failure: Error | undefined
  #started = false
  #closed = false
  #noMoreSplits = false
  #availability: { readonly promise: Promise<void>; resolve(): void } | undefined

  constructor(options: FetchingSourceReaderOptions<Item, SplitT>) {
    this.#options = options
    this.#splitReader = options.splitReader
    this.#budget = options.budget ?? new ByteBudget(defaultBudgetBytes)
    // What paused splits hold is given back as soon as somebody waits for it: the split everybody waits for could
    // otherwise wait for the memory of those that wait for it.
    this.#stopListening = this.#budget.onPressure(() => this.#dropPausedBuffers())
    const { watermarks, metrics, clock } = options
    if (watermarks === undefined) return
    metrics?.observe('millrace_watermark_ms', () => watermarks.watermarkMs(clock.monoMs()))
    metrics?.observe('millrace_splits_idle', () => watermarks.idleSplits(clock.monoMs()))
  }

  start(): void {
    this.#started = true
    for (const split of this.#splits.values()) this.#fetchAhead(split)
  }

  addSplits(splits: readonly SplitT[]): void {
    for (const split of splits) {
      const { splitId } = split
      invariant(!this.#splits.has(splitId) && !this.#finished.has(splitId), `split '${splitId}' is in this reader once`)
      if (this.#splitReader.isFinished(split)) {
        this.#finished.add(split)
        this.#splitReader.onFinished?.(split)
        continue
      }
      const progress = new SplitProgress<Item, SplitT>(split)
      this.#splits.set(splitId, progress)
      this.#options.watermarks?.add(splitId, this.#options.clock.monoMs())
      this.#dormant.add(progress)
    }
    this.#activate()
    this.#wake()
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true
    this.#wake()
  }

  handleSourceEvent(event: unknown): void {
    this.#splitReader.handleSourceEvent?.(event, (splitId) => this.#hurry(splitId))
  }

  poll(): PollResult<Item> {
    this.#freeSpent()
    if (this.#failure !== undefined) throw this.#failure
    const [split] = this.#readable
    if (split === undefined) return this.#atEnd ? endOfReader : nothingToRead
    const first = split.buffer[0]
    invariant(first !== undefined, 'a readable split has a buffered fetch')
    return { kind: 'records', batch: this.#giveOut(split, first) }
  }

  available(): Promise<void> {
    if (this.#failure !== undefined || this.#closed || this.#readable.size > 0 || this.#atEnd) return Promise.resolve()
    if (this.#availability === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((settle) => {
        resolve = settle
      })
      this.#availability = { promise, resolve }
    }
    return this.#availability.promise
  }

  snapshotState(checkpointId: number): readonly SplitT[] {
    const unfinished = Array.from(this.#splits.values(), (split) => split.given)
    return [...this.#finished.snapshot(checkpointId), ...unfinished]
  }

  unfinishedSplitIds(): readonly string[] {
    return [...this.#splits.keys()]
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#finished.complete(checkpointId)
  }

  pauseOrResumeSplits(pause: readonly string[], resume: readonly string[]): void {
    for (const splitId of pause) {
      const split = this.#splits.get(splitId)
      if (split === undefined || split.paused) continue
      split.paused = true
      this.#paused.add(split)
      split.abortRequest(new Error(`split '${splitId}' is paused`))
      split.clearTimer()
      this.#readable.delete(split)
      this.#deactivate(split)
      this.#dormant.add(split)
      this.#timeQuiet(split)
    }
    for (const splitId of resume) {
      const split = this.#splits.get(splitId)
      if (split === undefined || !split.paused) continue
      split.paused = false
      this.#paused.delete(split)
      if (split.hasRecords) this.#readable.add(split)
    }
    this.#activate()
    if (pause.length > 0 && this.#budget.waiting > 0) this.#dropPausedBuffers()
    this.#wake()
  }

  waitingFor(): string {
    return waitingForText({
      closed: this.#closed,
      failure: this.#failure,
      atEnd: this.#atEnd,
      noMoreSplits: this.#noMoreSplits,
      readable: this.#readable.size,
      splits: this.#splits,
      nowMs: this.#options.clock.monoMs(),
    })
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#stopListening()
      this.#readable.clear()
      for (const split of this.#splits.values()) {
        split.abortRequest(new Error('the reader is closed'))
        split.clearTimer()
        split.dropBuffer()
      }
      this.#freeSpent()
      this.#wake()
    }
    await Promise.all(this.#requests)
    await this.#splitReader.close?.()
  }

  get #atEnd(): boolean {
    return this.#noMoreSplits && this.#splits.size === 0
  }

  /** The next batch of `split`, and its position moved past it: one synchronous step. */
  #giveOut(split: SplitProgress<Item, SplitT>, current: BufferedFetch<Item, SplitT>): RecordBatch<Item> {
    const { fetched } = current
    const { batch, to } = cutBatch(fetched, split.givenOfFirst, this.#options)
    this.#followEventTime(split, batch)
    split.givenOfFirst = to
    split.given = fetched.splitAfter(to)
    this.#readable.delete(split)
    if (to === fetched.records.length) {
      split.buffer.shift()
      split.givenOfFirst = 0
      this.#spent = current
      this.#passEmptyFetches(split)
    }
    if (split.hasRecords) this.#readable.add(split)
    else this.#finishIfDrained(split)
    this.#timeQuiet(split)
    this.#fetchAhead(split)
    return batch
  }

  #followEventTime({ splitId }: SplitProgress<Item, SplitT>, { timestamps, records }: RecordBatch<Item>): void {
    const { watermarks, clock } = this.#options
    if (watermarks === undefined || records.length === 0) return
    watermarks.give(splitId, timestamps === undefined ? undefined : latestOf(timestamps), clock.monoMs())
  }

  /** A split is quiet only while it could give something: nobody holds it, and it has no record that waits for its turn. */
  #timeQuiet(split: SplitProgress<Item, SplitT>): void {
    const { watermarks, clock } = this.#options
    if (watermarks === undefined) return
    const isHeld = !split.active || split.paused || split.hasRecords || split.waitsForBudget
    if (isHeld) watermarks.hold(split.splitId, clock.monoMs())
    else watermarks.release(split.splitId, clock.monoMs())
  }

  /** Answers with nothing to give out move the position as soon as nothing is in front of them. */
  #passEmptyFetches(split: SplitProgress<Item, SplitT>): void {
    for (let first = split.buffer[0]; first !== undefined && isEmpty(first.fetched); first = split.buffer[0]) {
      split.buffer.shift()
      split.given = first.fetched.splitAfter(0)
      freeFetch(first.fetched, first.lease)
    }
  }

  #finishIfDrained(split: SplitProgress<Item, SplitT>): void {
    if (!split.drained || split.hasRecords) return
    this.#splits.delete(split.splitId)
    this.#paused.delete(split)
    this.#readable.delete(split)
    split.clearTimer()
    this.#finished.add(split.given)
    this.#splitReader.onFinished?.(split.given)
    this.#options.watermarks?.remove(split.splitId)
    this.#deactivate(split)
    this.#activate()
    if (this.#atEnd) this.#wake()
  }

  #hurry(splitId: string): void {
    const split = this.#splits.get(splitId)
    if (split === undefined) return
    split.hurried = split.request !== undefined
    if (split.hurried || split.degraded !== undefined) return
    split.notBeforeMs = this.#options.clock.monoMs()
    split.clearTimer()
    this.#fetchAhead(split)
  }

  #activate(): void {
    const { activeSplitsMax = Number.POSITIVE_INFINITY } = this.#options
    for (const split of this.#dormant) {
      if (this.#activeCount >= activeSplitsMax) return
      if (split.paused) continue
      this.#dormant.delete(split)
      split.active = true
      this.#activeCount++
      this.#timeQuiet(split)
      this.#fetchAhead(split)
    }
  }

  #deactivate(split: SplitProgress<Item, SplitT>): void {
    this.#dormant.delete(split)
    if (split.active) this.#activeCount--
    split.active = false
  }

  /** Starts the next fetch of a split when it is time for it, or a timer for that moment. */
  #fetchAhead(split: SplitProgress<Item, SplitT>): void {
    if (!this.#started || this.#closed || this.#failure !== undefined) return
    if (!split.wantsFetch) return
    const waitMs = split.notBeforeMs - this.#options.clock.monoMs()
    if (waitMs > 0) {
      // Whole milliseconds: a rest too small to move the clock would set the timer again at the same moment, for ever.
      split.cancelTimer = this.#options.clock.timer(Math.ceil(waitMs), () => {
        split.cancelTimer = undefined
        this.#fetchAhead(split)
      })
      return
    }
    const request = new AbortController()
    split.request = request
    split.hurried = false
    const running = this.#fetch(split, request).finally(() => this.#requests.delete(running))
    this.#requests.add(running)
  }

  /** Never rejects. */
  async #fetch(split: SplitProgress<Item, SplitT>, { signal }: AbortController): Promise<void> {
    let lease: ByteLease | undefined
    try {
      split.waitsForBudget = true
      this.#timeQuiet(split)
      const estimate = (): number => this.#splitReader.fetchBytes?.(split.fetched) ?? defaultFetchBytes
      lease = await this.#budget.acquire(estimate, signal)
      split.waitsForBudget = false
      this.#timeQuiet(split)
      signal.throwIfAborted()
      const fetched = await this.#splitReader.fetch(split.fetched, signal)
      if (signal.aborted) freeFetch(fetched, lease)
      else this.#land(split, { fetched, lease })
    } catch (thrown) {
      lease?.release()
      if (!signal.aborted) this.#fail(split, asError(thrown))
    }
    split.waitsForBudget = false
    split.request = undefined
    this.#timeQuiet(split)
    this.#fetchAhead(split)
  }

  #land(split: SplitProgress<Item, SplitT>, answer: BufferedFetch<Item, SplitT>): void {
    const { fetched, lease } = answer
    lease.resize(fetched.bytes)
    if (split.degraded !== undefined) {
      this.#options.log.info({ split: split.splitId, failures: split.degraded.failures }, 'the split is read again')
      split.degraded = undefined
    }
    split.fetched = fetched.splitAfter(fetched.records.length)
    split.drained = this.#splitReader.isFinished(split.fetched)
    split.notBeforeMs = afterWait(this.#options.clock.monoMs(), split.hurried ? 0 : (fetched.waitMs ?? 0))
    split.buffer.push(answer)
    this.#passEmptyFetches(split)
    if (split.hasRecords) {
      this.#readable.add(split)
      this.#wake()
    } else {
      this.#finishIfDrained(split)
    }
  }

  #fail(split: SplitProgress<Item, SplitT>, error: Error): void {
    const { clock, retryMaxMs = Number.POSITIVE_INFINITY, log } = this.#options
    const nowMs = clock.monoMs()
    const { sinceMs = nowMs, failures: earlier = 0 } = split.degraded ?? {}
    if (!isMillraceError(error) || error.remedy !== 'retry' || nowMs - sinceMs >= retryMaxMs) {
      this.#failure ??= error
      this.#wake()
      return
    }
    const failures = earlier + 1
    split.degraded = { error, failures, sinceMs }
    split.notBeforeMs = nowMs + this.#retryWaitMs(error, failures)
    if (failures === 1) {
      log.warn(
        { split: split.splitId, code: error.code, err: error },
        'the split cannot be read now; it is tried again',
      )
    }
  }

  #retryWaitMs(error: MillraceError, failures: number): number {
    const { backoff = defaultBackoff, random } = this.#options
    return this.#splitReader.retryWaitMs?.(error, failures) ?? backoffMs(backoff, failures, random.float())
  }

  #freeSpent(): void {
    const spent = this.#spent
    if (spent === undefined) return
    this.#spent = undefined
    freeFetch(spent.fetched, spent.lease)
  }

  #dropPausedBuffers(): void {
    for (const split of this.#paused) split.dropBuffer()
  }

  #wake(): void {
    const waiting = this.#availability
    this.#availability = undefined
    waiting?.resolve()
  }
}

/**
 * The end of a wait. A long one lasts up to a tenth longer, so that quiet splits wake the process in groups: one by one each
 * costs twice as much (benchmark many-shards).
 */
const afterWait = (nowMs: number, waitMs: number): number =>
  waitMs < 10 * togetherMs ? nowMs + waitMs : Math.ceil((nowMs + waitMs) / togetherMs) * togetherMs
