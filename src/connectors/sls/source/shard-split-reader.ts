import {
  asError,
  backoffMs,
  type Clock,
  isMillraceError,
  type Logger,
  type MillraceError,
  type Random,
  RestoreError,
  SourceError,
} from '../../../core/index.ts'
import type { SplitReader } from '../../../source/index.ts'
import { encodeCursor, type LogGroupView } from '../../../wire/index.ts'
import { BrokenAnswers } from './broken-answers.ts'
import { cursorOf, FetchedGroups, fetchedNothing, type GroupRecords, rememberPackages } from './fetched-groups.ts'
import { noRecords, recordsOf } from './group-records.ts'
import { groupRefused, type InvalidGroup, letterOf, pullRefused, tooManyInvalid } from './invalid-group.ts'
import { InvalidRun } from './invalid-run.ts'
import type { Log } from './log.ts'
import type { LogGroup } from './log-group.ts'
import type { LogServices, LogstoreCalls, Missing, Pulled } from './log-service.ts'
import { PullPace } from './pull-pace.ts'
import type { ReadNotes } from './read-monitor.ts'
import { afterLoss, dataLost, findLoss, type Loss, lossText } from './shard-loss.ts'
import type { ShardSplit } from './shard-split.ts'
import { stopOf } from './shard-start.ts'
import { isShardSourceEvent, type ShardReaderEvent } from './source-event.ts'
import type { SlsReadSettings } from './source-options.ts'

/** What of the outside the reader of shards uses. */
export interface ShardReaderPorts {
  /** The step of the source, for dead letters. */
  readonly step: string
  readonly services: LogServices
  readonly clock: Pick<Clock, 'monoMs' | 'wallMs'>
  readonly random: Pick<Random, 'float'>
  readonly log: Logger
  readonly monitor: ReadNotes
}

type Item = Log | LogGroup

/** A wall clock that is so much ahead of the service's does not end a run early. */
const endSlackMs = 10_000
/** Between tries to get one LogGroup alone, after those to get it with others. */
const singleBackoff = { initialMs: 200, maxMs: 10_000, multiplier: 2, jitter: 0.5 }

/** What the reader knows of a shard beside its position. All of it can be lost. */
interface ShardNotes {
  readonly pace: PullPace
  readonly broken: BrokenAnswers
  readonly invalid: InvalidRun
  /** No more data will be written to it. */
  closed: boolean
  /** Where a closed shard ends; asked for after it was known to be closed, so that nothing comes after it. */
  end: bigint | undefined
  /** The last pull got all there was. */
  caughtUp: boolean
  /** Where the shard ended when that was last asked for, to tell how far behind the reading is. */
  lastEnd: bigint | undefined
  lastEndMs: number
}

/** Records of a pull, and how many of those that were to be left out it had. */
interface PulledRecords {
  readonly groups: readonly GroupRecords<Item>[]
  readonly skipped: number
}

/** Where a LogGroup of a pull stands. */
interface GroupPlace {
  readonly split: ShardSplit
  readonly cursor: bigint
  /** Records of it that were given out before. */
  readonly skip: number
  /** Packages that are dropped. */
  readonly seen: ReadonlySet<string>
  /** Records behind it were given out before. */
  readonly passed: boolean
}

/** Least that is reserved for the first pull of a shard. */
const firstPullBytes = 1024 * 1024

/** Reads shards pull by pull. */
export class ShardSplitReader implements SplitReader<Item, ShardSplit> {
  readonly #ports: ShardReaderPorts
  readonly #settings: SlsReadSettings
  readonly #send: (event: ShardReaderEvent) => void
  readonly #idlePullsPerMs: number
  /** Reserved for the first pull of a shard: at least as much as the last pull of another one asks for. */
  #firstBytes: number
  readonly #firstBytesMin: number
  readonly #notes = new Map<string, ShardNotes>()
  /** How long to wait after a failure, when the pace of its shard says so. */
  readonly #waits = new WeakMap<Error, number>()
  /** Splits that were announced as closed before they came. */
  readonly #closed = new Set<string>()

  /** @param parallelism among so many readers the idle pulls are shared */
  constructor(
    ports: ShardReaderPorts,
    settings: SlsReadSettings,
    parallelism: number,
    send: (event: ShardReaderEvent) => void,
  ) {
    this.#ports = ports
    this.#settings = settings
    this.#send = send
    this.#firstBytesMin = Math.min(settings.pullBytes, firstPullBytes)
    this.#firstBytes = this.#firstBytesMin
    this.#idlePullsPerMs = settings.idlePullsPerSecond / parallelism / 1000
  }

  isFinished(split: ShardSplit): boolean {
    return split.state === 'finished'
  }

  fetchBytes(split: ShardSplit): number {
    return this.#notesOf(split.splitId).pace.bytesExpected ?? this.#firstBytes
  }

  retryWaitMs(error: MillraceError): number | undefined {
    return this.#waits.get(error)
  }

  handleSourceEvent(event: unknown, hurry: (splitId: string) => void): void {
    if (!isShardSourceEvent(event)) return
    if (event.kind === 'follows') this.#ports.monitor.follows(event.splitId, event.watermarkMs)
    if (event.kind !== 'closed') return
    const { splitId } = event
    const notes = this.#notes.get(splitId)
    if (notes === undefined) this.#closed.add(splitId)
    else if (!notes.closed) {
      notes.closed = true
      // A quiet shard may have to wait for minutes, and those that came out of it wait for its end.
      hurry(splitId)
    }
  }

  onFinished(split: ShardSplit): void {
    this.#notes.delete(split.splitId)
    this.#closed.delete(split.splitId)
    this.#ports.monitor.finished(split.splitId)
    this.#send({ kind: 'finished', splitId: split.splitId })
  }

  async fetch(split: ShardSplit, signal: AbortSignal): Promise<FetchedGroups<Item>> {
    const calls = this.#ports.services.of(split.logstore)
    const notes = this.#notesOf(split.splitId)
    try {
      return await this.#pull(await this.#located(split, calls, notes, signal), calls, notes, signal)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      const { services, random } = this.#ports
      const missing = services.missingOf(thrown)
      if (missing !== undefined) return await this.#missing(split, missing, thrown, signal)
      if (services.isThrottled(thrown)) {
        this.#ports.monitor.count('throttledPulls')
        this.#waits.set(asError(thrown), notes.pace.throttledMs(random.float()))
      }
      throw thrown
    }
  }

  #notesOf(splitId: string): ShardNotes {
    let notes = this.#notes.get(splitId)
    if (notes === undefined) {
      const closed = this.#closed.delete(splitId)
      notes = {
        pace: new PullPace(this.#settings),
        broken: new BrokenAnswers(),
        invalid: new InvalidRun(),
        closed,
        end: undefined,
        caughtUp: false,
        lastEnd: undefined,
        lastEndMs: Number.NEGATIVE_INFINITY,
      }
      this.#notes.set(splitId, notes)
    }
    return notes
  }

  /** The split with its begin and its stop, as far as they are known now. */
  async #located(split: ShardSplit, calls: LogstoreCalls, notes: ShardNotes, signal: AbortSignal): Promise<ShardSplit> {
    const { shard, cursor } = split
    if (notes.closed) notes.end ??= await calls.cursor(shard, 'end', signal)
    const begin = cursor === 'begin' ? await calls.cursor(shard, 'begin', signal) : cursor
    const stop = split.stop ?? (await this.#stopOf(shard, calls, signal))
    const isEarlier = notes.end !== undefined && (stop === null || notes.end < stop)
    const last = isEarlier ? (notes.end ?? stop) : stop
    // A quiet shard keeps its split, which is serialised once.
    return begin === cursor && last === split.stop ? split : { ...split, cursor: begin, stop: last }
  }

  /** Of a split that has none yet: it is later than the start, or the run has an end only since it was restored. */
  async #stopOf(shard: number, calls: LogstoreCalls, signal: AbortSignal): Promise<bigint | null> {
    const { end } = this.#settings
    if (end === null) return null
    if (end.kind !== 'time') return await stopOf(end, shard, calls, signal)
    if (this.#ports.clock.wallMs() < end.timeMs + endSlackMs) return null
    return await calls.cursor(shard, { seconds: Math.ceil(end.timeMs / 1000) }, signal)
  }

  async #pull(
    split: ShardSplit,
    calls: LogstoreCalls,
    notes: ShardNotes,
    signal: AbortSignal,
  ): Promise<FetchedGroups<Item>> {
    const { shard, stop } = split
    const cursor = cursorOf(split)
    if (stop !== null && cursor >= stop) return fetchedNothing({ ...split, state: 'finished' }, 0)
    const { clock } = this.#ports
    const { end } = this.#settings
    const startMs = clock.monoMs()
    const pulled = await this.#answer(split, calls, notes, signal)
    if (pulled instanceof FetchedGroups) return pulled
    const { receivedSeconds = 0 } = pulled
    if (stop === null && end?.kind === 'time' && receivedSeconds * 1000 >= end.timeMs) {
      // Some of it was received after the end of the run: where that is can be asked for now.
      const found = await calls.cursor(shard, { seconds: Math.ceil(end.timeMs / 1000) }, signal)
      return await this.#pull({ ...split, stop: found }, calls, notes, signal)
    }
    const loss = this.#holeIn(split, pulled)
    if (loss !== undefined) return await this.#lost(split, loss, undefined, signal)
    const tookMs = clock.monoMs() - startMs
    await this.#note(split, pulled, calls, notes, signal)
    // Under a query an answer without groups may have come a long way.
    const outcome = { groups: Number(pulled.next - cursor), bytes: pulled.bytes, atEnd: pulled.atEnd, tookMs }
    const idleShareMs = this.#notes.size / this.#idlePullsPerMs
    const waitMs = notes.pace.waitMs(outcome, idleShareMs, this.#ports.random.float())
    if (outcome.groups > 0) this.#firstBytes = Math.max(this.#firstBytesMin, notes.pace.bytesExpected ?? 0)
    return this.#fetched(split, pulled, notes, waitMs)
  }

  /** The answer to a pull that can be read; or what is left of the one LogGroup that makes answers unreadable. */
  async #answer(
    split: ShardSplit,
    calls: LogstoreCalls,
    notes: ShardNotes,
    signal: AbortSignal,
  ): Promise<Pulled | FetchedGroups<Item>> {
    const { shard, stop } = split
    const cursor = cursorOf(split)
    const { pullGroupsMax, query } = this.#settings
    const { broken } = notes
    for (;;) {
      const groupsMax = broken.groupsMaxAt(cursor, pullGroupsMax)
      let body: Uint8Array = new Uint8Array(0)
      const onUnreadable = (bytes: Uint8Array): void => {
        body = bytes
      }
      try {
        const pulled = await calls.pull({ shard, cursor, groupsMax, stop, query, onUnreadable }, signal)
        broken.whole()
        return pulled
      } catch (thrown) {
        const how = signal.aborted ? undefined : this.#ports.services.brokenOf(thrown)
        if (how === undefined) throw thrown
        // Under a query the service looks at as many LogGroups as it likes, however few are asked for.
        const verdict = broken.broken(cursor, query === null ? groupsMax : 1, how === 'surely')
        if (verdict === 'again') throw this.#later(thrown, notes, groupsMax)
        if (verdict === 'one') return await this.#unreadable(split, { thrown, how, body }, calls, notes, signal)
      }
    }
  }

  #later(thrown: unknown, { broken }: ShardNotes, groupsMax: number): unknown {
    const { random } = this.#ports
    if (groupsMax === 1) this.#waits.set(asError(thrown), backoffMs(singleBackoff, broken.tries, random.float()))
    return thrown
  }

  /** The answer with one LogGroup alone cannot be read, again and again. */
  async #unreadable(
    split: ShardSplit,
    { thrown, how, body }: { readonly thrown: unknown; readonly how: 'perhaps' | 'surely'; readonly body: Uint8Array },
    calls: LogstoreCalls,
    notes: ShardNotes,
    signal: AbortSignal,
  ): Promise<FetchedGroups<Item>> {
    const { onInvalid, query } = this.#settings
    const cursor = cursorOf(split)
    const times = how === 'surely' ? '' : `, ${notes.broken.tries} times in a row`
    const given = split.skip === 0 ? '' : `; ${split.skip} of its records were given out before`
    const what = `the answer to a pull of one LogGroup cannot be read${times}${given}`
    const group: InvalidGroup = { split, cursor, what, cause: thrown, bytes: body, inAnswer: true }
    // Nothing is judged that is not there: the position would be that of a later LogGroup. It also shows that another
    // answer of the service can be read.
    if ((await calls.cursor(split.shard, 'end', signal)) <= cursor) throw thrown
    if (query !== null) throw how === 'surely' ? thrown : pullRefused(group)
    if (onInvalid === 'fail') throw how === 'surely' ? thrown : groupRefused(group)
    notes.invalid.begin(cursor)
    const records = this.#invalid(group, notes)
    notes.broken.passed()
    const pulled: Pulled = {
      groups: [],
      next: cursor + 1n,
      bytes: body.length,
      receivedSeconds: undefined,
      atEnd: false,
      release: () => {},
    }
    return this.#fetchedGroups({ ...split, skip: 0 }, pulled, { groups: [records], skipped: 0 }, notes, 0)
  }

  /** What becomes of a LogGroup by the policy, which is not to fail. */
  #invalid(group: InvalidGroup, { invalid }: ShardNotes): GroupRecords<Item> {
    const { invalidInRowMax, onInvalid } = this.#settings
    const { log, monitor, step } = this.#ports
    const inRow = invalid.invalid()
    if (inRow > invalidInRowMax) throw tooManyInvalid(group, inRow)
    monitor.count('invalidGroups')
    const { split, cursor, what, cause, bytes } = group
    const place = { split: split.splitId, position: encodeCursor(cursor) }
    if (onInvalid === 'dead-letter') {
      log.debug({ ...place, why: what, err: cause }, 'a LogGroup that cannot be decoded becomes a dead letter')
      return { ...noRecords(bytes.length), letter: () => letterOf(group, step) }
    }
    log.warn({ ...place, why: what, err: cause }, 'a LogGroup that cannot be decoded is passed over')
    return noRecords(bytes.length)
  }

  /** For whoever wants to know how far behind the reading is. */
  async #note(
    split: ShardSplit,
    { atEnd, next, groups, bytes, receivedSeconds }: Pulled,
    calls: LogstoreCalls,
    notes: ShardNotes,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, monitor } = this.#ports
    notes.caughtUp = atEnd
    monitor.count('pulls')
    if (groups.length === 0) monitor.count('emptyPulls')
    monitor.count('pulledBytes', bytes)
    if (!atEnd && clock.monoMs() - notes.lastEndMs >= this.#settings.discoveryMs) {
      notes.lastEndMs = clock.monoMs()
      // What cannot be asked for now is not known; the records are there all the same.
      notes.lastEnd = notes.end ?? (await calls.cursor(split.shard, 'end', signal).catch(() => undefined))
    }
    monitor.pulled(split, next, { atEnd, end: notes.lastEnd, receivedSeconds })
  }

  /** Without a query every group moves the cursor by one, so that a gap shows (SLS protocol paper, section 5.1). */
  #holeIn(split: ShardSplit, { groups, next }: Pulled): Loss | undefined {
    const cursor = cursorOf(split)
    const given = this.#settings.query === null ? BigInt(groups.length) : 0n
    if (next >= cursor + given) {
      const missing = next - cursor - given
      if (this.#settings.query !== null || missing === 0n) return undefined
      return { kind: 'hole', groups: missing, next: next - given }
    }
    throw new SourceError('SOURCE_UNAVAILABLE', {
      message: `the answer to a pull at ${cursor} has ${groups.length} LogGroups and goes on at ${next}`,
      place: { split: split.splitId, position: encodeCursor(cursor) },
    })
  }

  #fetched(split: ShardSplit, pulled: Pulled, notes: ShardNotes, waitMs: number): FetchedGroups<Item> {
    notes.invalid.begin(cursorOf(split))
    // What was given out of the LogGroup at the position stays given out.
    if (pulled.groups.length === 0 && pulled.next === cursorOf(split)) return fetchedNothing(split, waitMs)
    return this.#fetchedGroups(split, pulled, this.#recordsOf(split, pulled, notes), notes, waitMs)
  }

  #fetchedGroups(
    split: ShardSplit,
    pulled: Pulled,
    { groups, skipped }: PulledRecords,
    notes: ShardNotes,
    waitMs: number,
  ): FetchedGroups<Item> {
    const { dropResentPackages: packagesMax } = this.#settings
    notes.invalid.end(pulled.next)
    // Under a query the service may give less at once than it did before: what is left to skip comes next.
    const skip = split.queryHash === null ? 0 : Math.max(0, split.skip - skipped)
    const end: ShardSplit = {
      ...split,
      cursor: pulled.next,
      skip,
      pullEnd: skip === 0 ? undefined : split.pullEnd,
      packages: rememberPackages(split.packages, groups, packagesMax),
      state: split.stop !== null && pulled.next >= split.stop ? 'finished' : 'reading',
    }
    return new FetchedGroups({ split, pulled, groups, end, waitMs: end.state === 'finished' ? 0 : waitMs, packagesMax })
  }

  /** The records of a pull without those given out before; `skipped` says how many those were. */
  #recordsOf(split: ShardSplit, pulled: Pulled, notes: ShardNotes): PulledRecords {
    const { records } = this.#settings
    const seen = new Set(split.packages)
    const exact = split.queryHash === null
    let left = split.skip
    if (left > 0 && exact && records === 'groups') throw otherRecords(split)
    const groups = pulled.groups.map((view, index) => {
      const skip = records === 'groups' ? Math.min(left, 1) : Math.min(left, view.logCount)
      const cursor = cursorOf(split) + (exact ? BigInt(index) : 0n)
      if (index === 0 && exact && skip < left) throw this.#changed(split, view)
      const group = this.#groupRecords(view, { split, cursor, skip, seen, passed: !exact && left > 0 }, pulled, notes)
      // Under a query a group without records was none of those that were counted.
      left = exact ? 0 : left - group.skipped
      if (group.packageId !== undefined) seen.add(group.packageId)
      if (group.resent) this.#ports.monitor.count('resentGroups')
      return group
    })
    return { groups, skipped: split.skip - left }
  }

  #groupRecords(
    view: LogGroupView,
    { split, cursor, skip, seen, passed }: GroupPlace,
    { receivedSeconds }: Pulled,
    notes: ShardNotes,
  ): GroupRecords<Item> {
    const { logstore, shard } = split
    try {
      const group = recordsOf(view, { logstore, shard, cursor, receivedSeconds }, this.#settings, skip, seen)
      notes.invalid.valid()
      return group
    } catch (thrown) {
      if (!isMillraceError(thrown)) throw thrown
      const bytes = view.bytes
      const group: InvalidGroup = { split, cursor, what: 'a LogGroup cannot be decoded', cause: thrown, bytes }
      if (this.#settings.onInvalid === 'fail') throw groupRefused(group)
      // Those in front of the records given out before were given out with them.
      return passed ? noRecords(bytes.length) : this.#invalid(group, notes)
    }
  }

  /** The group at the position is not the one that was read in part. */
  #changed({ splitId, skip, cursor }: ShardSplit, view: LogGroupView): SourceError {
    return new SourceError('SOURCE_REFUSED', {
      message: `${skip} logs of a LogGroup were read, and now it has ${view.logCount}: it is not the same`,
      place: { split: splitId, position: String(cursor) },
      fix: "the service gave another LogGroup under the same cursor; start afresh with restore: 'none'",
    })
  }

  async #missing(
    split: ShardSplit,
    missing: Missing,
    cause: unknown,
    signal: AbortSignal,
  ): Promise<FetchedGroups<Item>> {
    const { services, log } = this.#ports
    const calls = services.of(split.logstore)
    const loss = await findLoss(calls, split, missing, (error) => services.missingOf(error), signal)
    if (loss === undefined) {
      throw new SourceError('SOURCE_UNAVAILABLE', {
        message: `the service said that the ${missing} is not there, and then that it is: ${asError(cause).message}`,
        place: { split: split.splitId },
        cause,
      })
    }
    const notes = this.#notesOf(split.splitId)
    if (loss.kind === 'shard-gone' && notes.closed && notes.caughtUp) {
      log.info({ split: split.splitId }, 'a shard that was read to its end is gone')
      return fetchedNothing({ ...split, state: 'finished' }, 0)
    }
    return await this.#lost(split, loss, cause, signal)
  }

  async #lost(split: ShardSplit, loss: Loss, cause: unknown, signal: AbortSignal): Promise<FetchedGroups<Item>> {
    const { onDataLoss } = this.#settings
    if (onDataLoss === 'fail') throw dataLost(loss, split, cause)
    const fields = { split: split.splitId, loss: loss.kind, why: lossText(loss, split) }
    this.#ports.log.warn(fields, 'data was gone before it was read; the loss is accepted')
    const after = afterLoss(split, loss, onDataLoss)
    this.#ports.monitor.count('losses')
    this.#ports.monitor.count('lostGroups', after.lostGroups - split.lostGroups)
    if (loss.kind !== 'hole' || onDataLoss === 'earliest') return fetchedNothing(after, 0)
    const end = await this.#ports.services.of(split.logstore).cursor(split.shard, 'end', signal)
    return fetchedNothing({ ...after, cursor: end }, 0)
  }
}

/** Nothing of a LogGroup that was read in part can be given out whole. */
const otherRecords = ({ splitId }: ShardSplit): RestoreError =>
  new RestoreError('CHECKPOINT_MISMATCH', {
    message: "the checkpoint lies in the middle of a LogGroup, and records: 'groups' gives out whole ones only",
    place: { split: splitId, option: 'records' },
    fix: "put records: 'logs' back, or start afresh with restore: 'none'",
  })
