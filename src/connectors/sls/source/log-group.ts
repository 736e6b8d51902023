import { type Parsable, parseInput } from '../../../core/index.ts'
import { type Log, LogList } from './log.ts'
import type { PulledGroup } from './pulled-group.ts'

/** A LogGroup of a shard, whole: to be passed on, or looked into. It keeps the answer it came in in memory. */
export class LogGroup implements Parsable {
  readonly #group: PulledGroup

  constructor(group: PulledGroup) {
    this.#group = group
  }

  /** The serialised group as it was sent: a view. */
  get serialized(): Uint8Array {
    return this.#group.view.bytes
  }

  get logCount(): number {
    return this.#group.view.logCount
  }

  /** The logs, decoded when they are asked for. */
  logs(): Log[] {
    return new LogList(this.#group, 0).slice(0, this.logCount)
  }

  get topic(): string {
    return this.#group.topic
  }

  get source(): string {
    return this.#group.source
  }

  get tags(): readonly (readonly [string, string])[] {
    return this.#group.tags
  }

  /** When the service received it, in milliseconds since 1970; undefined when the service does not say. */
  get receivedMs(): number | undefined {
    return this.#group.receivedMs
  }

  /** The logstore, as the source's options name it. */
  get logstore(): string {
    return this.#group.logstore
  }

  get shard(): number {
    return this.#group.shard
  }

  /** Its cursor; under a query that of the pull. */
  get cursor(): string {
    return this.#group.cursor
  }

  toJSON(): Readonly<Record<string, unknown>> {
    const { topic, source, tags, shard, cursor } = this
    return { topic, source, tags, shard, cursor, logs: this.logs() }
  }

  [parseInput](): unknown {
    return this.toJSON()
  }
}
