import {
  asError,
  type Clock,
  type Logger,
  type Metric,
  type Random,
  type RecordBatch,
  RecordError,
  StepError,
} from '../../../core/index.ts'
import {
  type BatchingResources,
  BatchingWriter,
  type Destination,
  type SendPackage,
  type SinkWriter,
  type SinkWriterContext,
} from '../../../sink/index.ts'
import { namesOf, type RoutableGroup, type SlsDispatchSettings } from './dispatch-options.ts'
import type { GroupPlace, GroupPuts } from './log-puts.ts'
import { type SendCounter, SendMeter } from './send-counts.ts'

/** A target of a dispatch, as all writers of the process share it. */
export interface OpenTarget {
  readonly name: string
  readonly place: GroupPlace
  readonly destination: Destination
  readonly puts: GroupPuts
  /** Its own part of the memory. */
  readonly resources: BatchingResources
  readonly counter: SendCounter
}

export interface DispatchCounter {
  unmatched: number
}

export interface DispatchWriterParts {
  readonly settings: SlsDispatchSettings
  readonly targets: readonly OpenTarget[]
  readonly counter: DispatchCounter
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly job: string
  readonly step: string
  readonly writer: SinkWriterContext
}

/** Topics without a route that are warned of. */
const topicsWarnedMax = 100

/** Passes the LogGroups of one subtask on, each target by a batching writer of its own. */
export class DispatchWriter implements SinkWriter<RoutableGroup> {
  readonly #o: DispatchWriterParts
  readonly #writers = new Map<string, { readonly target: OpenTarget; readonly writer: BatchingWriter<Destination> }>()
  readonly #warned = new Set<string>()
  readonly #unmatched: Metric

  constructor(parts: DispatchWriterParts) {
    this.#o = parts
    const { targets } = parts
    for (const target of targets) this.#writers.set(target.name, { target, writer: this.#writerOf(target) })
    const { metrics } = parts.writer
    this.#unmatched = metrics.metric('millrace_groups_unmatched_total')
    metrics.observe('millrace_packages_pending', () => {
      let pending = 0
      for (const { writer } of this.#writers.values()) pending += writer.pending
      return pending
    })
  }

  write(batch: RecordBatch<RoutableGroup>): Promise<void> | undefined {
    const next = this.#take(batch.records, 0)
    return next === undefined ? undefined : this.#takeRest(batch.records, next)
  }

  async flush(): Promise<void> {
    const { writer } = this.#o
    writer.waiting('its LogGroups to be stored')
    try {
      await Promise.all([...this.#writers.values()].map((target) => target.writer.flush()))
    } finally {
      writer.waiting(undefined)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers.values()].map(({ writer }) => writer.close()))
  }

  #writerOf({ name, place, puts, resources, counter }: OpenTarget): BatchingWriter<Destination> {
    const { settings, targets, clock, random, log, writer } = this.#o
    const { limits, retry, batched, onRejected } = settings
    const meter = new SendMeter(counter, writer.metrics)
    let failing = false
    return new BatchingWriter<Destination>({
      clock,
      random,
      resources,
      limits,
      retry,
      laneShare: Math.floor(resources.io.size / targets.length),
      ordered: false,
      isolateRefused: true,
      send: sendGroups(puts, place, batched),
      signal: writer.signal,
      onAccepted: (pack) => {
        meter.add('packages')
        meter.add('logs', pack.records)
        meter.add('bytes', pack.bytes.length)
        if (failing) log.info({ target: name }, 'the target takes LogGroups again')
        failing = false
      },
      onAgain: (pack, why, cause) => {
        meter.add('retries')
        if (why === 'throttled') meter.add('throttled')
        if (why === 'ambiguous') meter.add('ambiguousLogs', pack.records)
        if (!failing)
          log.warn({ target: name, why, cause: cause.message }, 'a LogGroup is not stored yet; it is sent again')
        failing = true
      },
      onRejected: (pack) => {
        if (onRejected === 'fail') return false
        meter.add('skipped', pack.records)
        return true
      },
    })
  }

  async #takeRest(groups: readonly RoutableGroup[], from: Room): Promise<void> {
    let wait: Room | undefined = from
    const { writer } = this.#o
    try {
      while (wait !== undefined) {
        writer.waiting(`room in the buffer of ${wait.where}`)
        await wait.room
        wait = this.#take(groups, wait.next)
      }
    } finally {
      writer.waiting(undefined)
    }
  }

  #take(groups: readonly RoutableGroup[], from: number): Room | undefined {
    for (let index = from; index < groups.length; index++) {
      const group = groups[index] as RoutableGroup
      const rooms = this.#targetsOf(group).flatMap((name) => this.#give(name, group))
      if (rooms.length === 0) continue
      const where = rooms.map((room) => room.where).join(', ')
      return { room: Promise.all(rooms.map(({ room }) => room)), where, next: index + 1 }
    }
    return undefined
  }

  #give(name: string, group: RoutableGroup): { room: Promise<void>; where: string }[] {
    const known = this.#writers.get(name)
    if (known === undefined)
      throw this.#misused(`the function gave the target ${JSON.stringify(name)}, which there is not`)
    const room = known.writer.add(known.target.destination, group.serialized)
    if (room === undefined) return []
    // Another target of the same group may throw before anybody waits for this one.
    room.catch(() => {})
    return [{ room, where: name }]
  }

  #targetsOf(group: RoutableGroup): readonly string[] {
    const { settings, counter, log, job, step, writer } = this.#o
    let names: ReturnType<SlsDispatchSettings['routeOf']>
    try {
      names = settings.routeOf(group)
    } catch (thrown) {
      const cause = asError(thrown)
      throw new StepError('STEP_FAILED', {
        message: `the function that routes LogGroups threw ${cause.name}: ${cause.message}`,
        place: { job, step, subtaskIndex: writer.subtask },
        cause,
      })
    }
    if (names !== undefined) return namesOf(names)
    const { unmatched } = settings
    const { topic } = group
    counter.unmatched++
    this.#unmatched.add(1)
    if (typeof unmatched === 'object') return [unmatched.to]
    if (unmatched === 'fail') {
      throw new RecordError('RECORD_UNSENDABLE', {
        message: `no route is for the topic ${JSON.stringify(topic)}`,
        place: { job, step, subtaskIndex: writer.subtask },
        fix: "add the topic to 'routes', or say where the others go: unmatched: 'drop' or { to: 'a target' }",
      })
    }
    if (!this.#warned.has(topic) && this.#warned.size < topicsWarnedMax) {
      this.#warned.add(topic)
      log.warn({ topic }, 'LogGroups of a topic that no route is for are dropped')
    }
    return []
  }

  #misused(message: string): StepError {
    const { job, step, writer } = this.#o
    return new StepError('STEP_MISUSED', {
      message,
      place: { job, step, subtaskIndex: writer.subtask },
      fix: "give names of 'targets', or undefined",
    })
  }
}

interface Room {
  readonly room: Promise<unknown>
  /** The targets that have none. */
  readonly where: string
  readonly next: number
}

const sendGroups =
  (puts: GroupPuts, place: GroupPlace, batched: boolean): SendPackage<Destination, never> =>
  (pack, signal) => {
    if (!batched || pack.records === 1) return puts.put(place, pack.bytes, signal)
    const groups = Array.from({ length: pack.records }, (_, index) => pack.record(index))
    return puts.putBatch(place, groups, signal)
  }
