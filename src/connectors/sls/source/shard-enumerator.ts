import {
  asError,
  backoffMs,
  type Cancel,
  type Clock,
  type Generation,
  isMillraceError,
  type Logger,
  type Random,
  SourceError,
} from '../../../core/index.ts'
import {
  dealSplits,
  SplitAssignmentTracker,
  type SplitEnumerator,
  type SplitEnumeratorContext,
} from '../../../source/index.ts'
import type { ShardEnumeratorState } from './enumerator-state.ts'
import { GroupWatch } from './group-watch.ts'
import type { LogServices } from './log-service.ts'
import { type ListedShard, ShardBook } from './shard-book.ts'
import { dataLost } from './shard-loss.ts'
import { newShardSplit, type ShardSplit } from './shard-split.ts'
import { firstSplits, inTurns } from './shard-start.ts'
import { isShardReaderEvent, type ShardSourceEvent } from './source-event.ts'
import type { SlsReadSettings } from './source-options.ts'
import { endText } from './source-position.ts'

/** What of the outside the enumerator of shards uses. */
export interface ShardEnumeratorPorts {
  readonly services: LogServices
  readonly clock: Pick<Clock, 'timer' | 'wallMs'>
  readonly random: Pick<Random, 'float'>
  readonly log: Logger
  /** The job and the step. Under this name and the generation the source sets the progress of its consumer group. */
  readonly owner: string
  readonly generation: Generation
  readonly queryHash: string | null
}

/** Part of the interval by which looks of different jobs drift apart. */
const jitter = 0.1
/** Failed looks in a row after which the job fails. */
const failuresMax = 10
const failureBackoff = { initialMs: 500, maxMs: 30_000, multiplier: 2, jitter: 0.5 }
/** A closed shard is read to its end and nothing follows it: what came out of it is not listed yet. */
const childrenWaitMs = 500
/** A run that ends at a time looks once more when that is so long past that no clock makes it the future. */
const endSlackMs = 10_000

/** Finds shards, follows them through splits and merges, and hands each to one reader. */
export class ShardEnumerator implements SplitEnumerator<ShardSplit, ShardEnumeratorState> {
  readonly #ports: ShardEnumeratorPorts
  readonly #settings: SlsReadSettings
  readonly #context: SplitEnumeratorContext<ShardSplit>
  /** By key of the logstore. */
  readonly #books = new Map<string, ShardBook>()
  #tracker: SplitAssignmentTracker<ShardSplit>
  /** False until a first start has found out where every shard begins. */
  #begun: boolean
  /** Every shard of a bounded run is known. */
  #complete: boolean
  #started = false
  #closed = false
  #failures = 0
  readonly #watch: GroupWatch | undefined
  #signalled = false
  /** A parent ended and nothing follows it yet. */
  #orphaned = false
  readonly #abort = new AbortController()
  #cancelTimer: Cancel = () => {}
  #looking: Promise<void> = Promise.resolve()

  constructor(
    ports: ShardEnumeratorPorts,
    settings: SlsReadSettings,
    context: SplitEnumeratorContext<ShardSplit>,
    restored: ShardEnumeratorState | undefined,
  ) {
    this.#ports = ports
    this.#settings = settings
    this.#context = context
    this.#tracker = new SplitAssignmentTracker(context.parallelism)
    this.#begun = restored !== undefined
    this.#complete = restored?.complete ?? false
    for (const { key, shards } of restored?.logstores ?? []) {
      this.#books.set(key, new ShardBook(key, settings.ordered, shards))
    }
    const { consumerGroup: group, onMirrorFailure: onFailure } = settings
    if (group !== null) this.#watch = new GroupWatch({ ...ports, group, onFailure })
    // At another parallelism `reassign` says who owns what.
    if (restored?.parallelism !== context.parallelism) return
    for (const [splitId, subtask] of restored.owners) this.#tracker.restore(splitId, subtask)
  }

  async start(): Promise<void> {
    // What earlier runs knew of shards that are being read is news to the readers.
    for (const book of this.#books.values()) {
      for (const splitId of book.splitIds()) if (book.get(splitId)?.readOnly) this.#tellOwner(splitId)
    }
    if (!this.#complete) await this.#look()
    await this.#watch?.ensure(this.#books.keys(), this.#abort.signal)
    this.#started = true
    this.#begun = true
    this.#tellConsumer()
    this.#assign()
    this.#lookAgainIn(this.#nextLookMs)
  }

  handleReaderEvent(_subtask: number, event: unknown): void {
    if (!isShardReaderEvent(event)) return
    if (event.kind === 'mirror-failed') {
      this.#context.fail(event.error)
      return
    }
    const { splitId, watermarkMs } = event
    this.#tracker.finish(splitId)
    const book = this.#bookOf(splitId)
    const childless = book?.finish(splitId, watermarkMs) ?? false
    this.#assign()
    if (!childless || !book?.get(splitId)?.readOnly) return
    this.#orphaned = true
    if (this.#started) this.#lookAgainIn(this.#nextLookMs)
  }

  addSplitsBack(splits: readonly ShardSplit[], subtask: number): void {
    for (const split of splits) {
      this.#tracker.takeBack(split.splitId)
      this.#bookOf(split.splitId)?.takeBack(split)
    }
    this.#assign()
    if (this.#isOver) this.#context.signalNoMoreSplits(subtask)
  }

  reassign(splits: readonly ShardSplit[]): ReadonlyMap<number, readonly ShardSplit[]> {
    const { parallelism } = this.#context
    this.#tracker = new SplitAssignmentTracker(parallelism)
    // Those that are read to their end weigh nothing.
    const unfinished = dealSplits(
      splits.filter(({ state }) => state === 'reading'),
      parallelism,
    )
    const finished = dealSplits(
      splits.filter(({ state }) => state === 'finished'),
      parallelism,
    )
    for (const [subtask, hand] of unfinished) for (const { splitId } of hand) this.#tracker.restore(splitId, subtask)
    return new Map([...unfinished].map(([subtask, hand]) => [subtask, [...hand, ...(finished.get(subtask) ?? [])]]))
  }

  snapshotState(checkpointId: number): ShardEnumeratorState {
    this.#tracker.snapshot(checkpointId)
    const owners = new Map<string, number>()
    const logstores = [...this.#books].map(([key, book]) => {
      for (const splitId of book.splitIds()) {
        const owner = this.#tracker.ownerOf(splitId)
        if (owner !== undefined) owners.set(splitId, owner)
      }
      return { key, shards: [...book.shards()] }
    })
    const { parallelism } = this.#context
    const { queryHash } = this.#ports
    const end = endText(this.#settings.end)
    return { parallelism, queryHash, end, complete: this.#complete, logstores, owners }
  }

  unassignedSplitIds(): readonly string[] {
    return [...this.#books.values()].flatMap((book) =>
      [...book.shards()].flatMap(({ split }) => (split === undefined ? [] : [split.splitId])),
    )
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#tracker.complete(checkpointId)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#abort.abort(new Error('the source is closed'))
    this.#cancelTimer()
    await this.#looking
  }

  /** No shard will follow. */
  get #isOver(): boolean {
    return this.#complete && this.#waiting === 0
  }

  get #waiting(): number {
    let waiting = 0
    for (const book of this.#books.values()) waiting += book.waiting
    return waiting
  }

  #bookOf(splitId: string): ShardBook | undefined {
    for (const book of this.#books.values()) if (book.get(splitId) !== undefined) return book
    return undefined
  }

  /** One listing of each logstore; what it finds is entered in one synchronous step. */
  async #look(): Promise<void> {
    const { services, clock } = this.#ports
    const { signal } = this.#abort
    const { end } = this.#settings
    // Asked before the listing: a shard made after that moment belongs to no run that ends at it.
    const last = end !== null && (end.kind !== 'time' || clock.wallMs() >= end.timeMs + endSlackMs)
    const present = new Set(await services.keys(signal))
    const keys = new Set([...present, ...this.#books.keys()])
    const news = await inTurns([...keys], signal, (key, turn) => this.#lookAt(key, turn))
    if (this.#closed) return
    for (const { book, found } of news) {
      this.#books.set(book.logstore, book)
      for (const [shard, split] of found) book.add(shard, split)
      // Deleted and read to its end: nothing of it needs to be known.
      if (book.size === 0 && !present.has(book.logstore)) this.#books.delete(book.logstore)
    }
    if (last) this.#complete = true
  }

  async #lookAt(
    key: string,
    signal: AbortSignal,
  ): Promise<{
    readonly book: ShardBook
    readonly found: readonly (readonly [ListedShard, ShardSplit])[]
  }> {
    const known = this.#books.get(key)
    const listed = await this.#list(key, known, signal)
    const listing = listed ?? []
    const book = known ?? new ShardBook(key, this.#settings.ordered)
    const { found, closed, vanished } = book.update(listing)
    // Not said again by the next listing, should this one fail further on.
    for (const splitId of closed) this.#tellOwner(splitId)
    this.#giveUp(book, vanished, listed === undefined ? 'logstore-gone' : 'shard-gone')
    const splits = await this.#splitsOf(key, found, known === undefined && this.#startApplies(key), signal)
    return { book, found: found.map((shard, index) => [shard, splits[index] as ShardSplit]) }
  }

  /** The start option is for what is there at the first start, and for logstores that the options name since then. */
  #startApplies(key: string): boolean {
    return !this.#begun || (this.#settings.logstorePattern === null && !this.#books.has(key))
  }

  /** Undefined for a logstore that was there and is gone. */
  async #list(
    key: string,
    known: ShardBook | undefined,
    signal: AbortSignal,
  ): Promise<readonly ListedShard[] | undefined> {
    const { services } = this.#ports
    try {
      return await services.of(key).listShards(signal)
    } catch (thrown) {
      const missing = services.missingOf(thrown)
      if (missing === undefined) throw thrown
      // The readers of its shards find out for themselves, and judge by `onDataLoss`.
      if (known !== undefined && missing !== 'shard') return undefined
      // A logstore of a pattern may go between the listing of logstores and this one.
      if (missing === 'shard' || this.#settings.logstorePattern !== null) return []
      throw new SourceError('SOURCE_REFUSED', {
        message: `there is no ${missing} for ${key}`,
        fix: 'create it first, or correct the name, the project or the endpoint',
        cause: thrown,
      })
    }
  }

  async #splitsOf(
    key: string,
    found: readonly ListedShard[],
    first: boolean,
    signal: AbortSignal,
  ): Promise<readonly ShardSplit[]> {
    const { services, queryHash } = this.#ports
    const calls = services.of(key)
    const { start, end } = this.#settings
    if (first) return await firstSplits(key, found, calls, { start, end, queryHash }, signal)
    return await inTurns(found, signal, async ({ id, createTime }, turn) => {
      // Held fast now: it may have to wait for its parents, and what expires meanwhile is a loss.
      const cursor = await calls.cursor(id, 'begin', turn)
      return newShardSplit(key, id, createTime, { cursor, queryHash })
    })
  }

  /** Shards that are gone and were never handed out. Those with a reader are its business. */
  #giveUp(book: ShardBook, vanished: readonly string[], kind: 'logstore-gone' | 'shard-gone'): void {
    for (const splitId of vanished) {
      const split = book.get(splitId)?.split
      if (split === undefined) continue
      if (this.#settings.onDataLoss === 'fail') throw dataLost({ kind }, split, undefined)
      this.#ports.log.warn({ split: splitId }, 'a shard was gone before it was read; the loss is accepted')
      book.finish(splitId)
    }
  }

  #assign(): void {
    if (!this.#started) return
    const ready = [...this.#books.values()].flatMap((book) => book.ready())
    for (const [subtask, splits] of this.#tracker.assign(ready)) {
      this.#context.assignSplits(subtask, splits)
      for (const { splitId } of splits) {
        const book = this.#bookOf(splitId)
        book?.assign(splitId)
        const watermarkMs = book?.watermarkBefore(splitId)
        if (watermarkMs !== undefined) this.#tellReader(subtask, { kind: 'follows', splitId, watermarkMs })
        if (book?.get(splitId)?.readOnly) this.#tellOwner(splitId)
      }
    }
    if (!this.#isOver || this.#signalled) return
    this.#signalled = true
    for (let subtask = 0; subtask < this.#context.parallelism; subtask++) this.#context.signalNoMoreSplits(subtask)
  }

  #tellOwner(splitId: string): void {
    const owner = this.#tracker.ownerOf(splitId)
    if (owner !== undefined) this.#tellReader(owner, { kind: 'closed', splitId })
  }

  #tellReader(subtask: number, event: ShardSourceEvent): void {
    this.#context.sendEventToReader(subtask, event)
  }

  #tellConsumer(): void {
    if (this.#watch === undefined) return
    const { consumer } = this.#watch
    for (let subtask = 0; subtask < this.#context.parallelism; subtask++) {
      this.#tellReader(subtask, { kind: 'mirror', consumer })
    }
  }

  /** A run that ends at a time looks for the last time soon after it. */
  get #nextLookMs(): number {
    const { discoveryMs, end } = this.#settings
    const waitMs = this.#orphaned ? Math.min(childrenWaitMs, discoveryMs) : discoveryMs
    if (end?.kind !== 'time') return waitMs
    return Math.max(0, Math.min(waitMs, end.timeMs + endSlackMs - this.#ports.clock.wallMs())) + 1
  }

  #lookAgainIn(ms: number): void {
    if (this.#closed || this.#complete) return
    const { clock, random } = this.#ports
    this.#cancelTimer()
    this.#cancelTimer = clock.timer(ms * (1 - jitter / 2 + jitter * random.float()), () => {
      this.#looking = this.#looking.then(() => this.#lookAgain())
    })
  }

  /** Never rejects. */
  async #lookAgain(): Promise<void> {
    const { log, random } = this.#ports
    if (this.#closed) return
    try {
      this.#orphaned = false
      await this.#look()
      await this.#watch?.ensure(this.#books.keys(), this.#abort.signal)
      this.#assign()
      if (this.#failures > 0) log.info({ failures: this.#failures }, 'shards are listed again')
      this.#failures = 0
      this.#lookAgainIn(this.#nextLookMs)
    } catch (thrown) {
      if (this.#closed) return
      const error = asError(thrown)
      this.#failures++
      if (!isMillraceError(error) || error.remedy !== 'retry' || this.#failures > failuresMax) {
        this.#context.fail(error)
        return
      }
      if (this.#failures === 1) log.warn({ err: error }, 'shards cannot be listed now; it is tried again')
      this.#lookAgainIn(backoffMs(failureBackoff, this.#failures, random.float()))
    }
    await this.#watch?.look(this.#abort.signal).catch((thrown: unknown) => {
      log.debug({ err: asError(thrown) }, 'the consumer group cannot be looked at now')
    })
  }
}
