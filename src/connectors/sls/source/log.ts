import { type Parsable, parseInput } from '../../../core/index.ts'
import type { RecordList } from '../../../source/index.ts'
import type { LogView, PlainFields } from '../../../wire/index.ts'
import type { PulledGroup } from './pulled-group.ts'

/**
 * One log of a shard. It looks at the answer it came in: nothing is copied or decoded before it is asked for. It keeps
 * that whole answer in memory; take what is needed with `toObject` when it is kept for long.
 */
export class Log implements Parsable {
  readonly #view: LogView
  readonly #group: PulledGroup
  /** Number of the log in its LogGroup, from 0. */
  readonly index: number

  constructor(group: PulledGroup, view: LogView, index: number) {
    this.#view = view
    this.#group = group
    this.index = index
  }

  /** The value of a field, of the last one of that name; undefined when there is none. */
  get(name: string): string | undefined {
    return this.#view.get(name)
  }

  /** As `get`, but the bytes as they were sent, which need not be UTF-8: a view. */
  getBytes(name: string): Uint8Array | undefined {
    return this.#view.getBytes(name)
  }

  /** The fields as an object that inherits nothing; of repeated names the last counts. */
  toObject(): PlainFields {
    return this.#view.toObject()
  }

  /** Names and values as they were sent, with repeated names. */
  entries(): (readonly [string, string])[] {
    return this.#view.entries()
  }

  /** The time the sender gave the log, in seconds since 1970. */
  get time(): number {
    return this.#view.time
  }

  /** The nanosecond part of the time; undefined when the log has none. */
  get timeNs(): number | undefined {
    return this.#view.timeNs
  }

  /** The time the sender gave the log, in milliseconds since 1970. */
  get timeMs(): number {
    return this.#view.time * 1000 + Math.floor((this.#view.timeNs ?? 0) / 1_000_000)
  }

  /** When the service received it, in milliseconds since 1970; undefined when the service does not say. */
  get receivedMs(): number | undefined {
    return this.#group.receivedMs
  }

  get topic(): string {
    return this.#group.topic
  }

  get source(): string {
    return this.#group.source
  }

  /** Tags of its LogGroup, in the order of the wire. */
  get tags(): readonly (readonly [string, string])[] {
    return this.#group.tags
  }

  /** The logstore, as the source's options name it. */
  get logstore(): string {
    return this.#group.logstore
  }

  get shard(): number {
    return this.#group.shard
  }

  /** Cursor of its LogGroup. With `shard` and `index` it is the same for ever; under a query it is that of the pull. */
  get cursor(): string {
    return this.#group.cursor
  }

  /** The serialised log as it was sent: a view. */
  get serialized(): Uint8Array {
    return this.#view.bytes
  }

  toJSON(): Readonly<Record<string, unknown>> {
    const { time, topic, source, shard, cursor, index } = this
    return { time, topic, source, shard, cursor, index, fields: { ...this.toObject() } }
  }

  /** The fields; with `metadataFields` also what belongs to the LogGroup. */
  [parseInput](): unknown {
    const fields = this.toObject()
    if (!this.#group.metadataFields) return fields
    for (const [name, value] of this.#group.metadata) fields[name] = value
    fields['__time__'] = String(this.time)
    return fields
  }
}

/**
 * The logs of a LogGroup, made when they are asked for: those of all answers that wait would be walked by the collector
 * again and again (benchmark shard-cost).
 */
export class LogList implements RecordList<Log> {
  readonly length: number
  readonly #group: PulledGroup
  readonly #skip: number
  /** Stands in front of log `#next`. */
  #views: Iterator<LogView> | undefined
  #next = 0

  /** @param skip logs that are left out, the first ones */
  constructor(group: PulledGroup, skip: number) {
    this.#group = group
    this.#skip = skip
    this.length = group.view.logCount - skip
  }

  slice(from: number, to: number): Log[] {
    const logs: Log[] = []
    const first = from + this.#skip
    if (first < this.#next) this.#views = undefined
    if (this.#views === undefined) this.#next = 0
    this.#views ??= this.#group.view.logs()
    for (const end = to + this.#skip; this.#next < end; this.#next++) {
      const { value, done } = this.#views.next()
      if (done === true) break
      if (this.#next >= first) logs.push(new Log(this.#group, value, this.#next))
    }
    return logs
  }
}
