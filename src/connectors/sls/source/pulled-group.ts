import { encodeCursor, type LogGroupView } from '../../../wire/index.ts'

/** What is known of a LogGroup beside its bytes. */
export interface GroupOrigin {
  /** Key of the logstore. */
  readonly logstore: string
  readonly shard: number
  /** Under a server-side query the position of the pull: the service gives none for each group. */
  readonly cursor: bigint
  /** When the service received the last group of the pull, in seconds since 1970, if it said so. */
  readonly receivedSeconds: number | undefined
  readonly metadataFields: boolean
}

/** A LogGroup of a shard, as its records share it. Decoded when it is asked for. */
export class PulledGroup {
  readonly view: LogGroupView
  readonly #origin: GroupOrigin
  #topic: string | undefined
  #source: string | undefined
  #tags: readonly (readonly [string, string])[] | undefined
  #cursor: string | undefined

  constructor(view: LogGroupView, origin: GroupOrigin) {
    this.view = view
    this.#origin = origin
  }

  get logstore(): string {
    return this.#origin.logstore
  }

  get shard(): number {
    return this.#origin.shard
  }

  get metadataFields(): boolean {
    return this.#origin.metadataFields
  }

  get cursor(): string {
    this.#cursor ??= encodeCursor(this.#origin.cursor)
    return this.#cursor
  }

  get topic(): string {
    this.#topic ??= this.view.topic
    return this.#topic
  }

  get source(): string {
    this.#source ??= this.view.source
    return this.#source
  }

  get tags(): readonly (readonly [string, string])[] {
    this.#tags ??= this.view.tags
    return this.#tags
  }

  /** When the service received the group, in milliseconds since 1970: by its tag, else as the pull said. */
  get receivedMs(): number | undefined {
    const tag = this.tags.find(([key]) => key === '__receive_time__')?.[1]
    const seconds = tag !== undefined && /^[0-9]{1,12}$/.test(tag) ? Number(tag) : this.#origin.receivedSeconds
    return seconds === undefined ? undefined : seconds * 1000
  }

  /** Names the tags as the service's own console does. */
  get metadata(): readonly (readonly [string, string])[] {
    const { topic, source, shard, cursor, tags } = this
    return [
      ['__topic__', topic],
      ['__source__', source],
      ['__shard__', String(shard)],
      ['__cursor__', cursor],
      ...tags.map(([key, value]) => [`__tag__:${key}`, value] as const),
    ]
  }
}
