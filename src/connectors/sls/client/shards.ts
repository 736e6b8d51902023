import Type from 'typebox'
import { OptionsError } from '../../../core/index.ts'
import { decodeCursor, encodeCursor, padHashKey } from '../../../wire/index.ts'
import type { CallOptions } from './call.ts'
import { emptyAnswer, jsonAnswer } from './json-answer.ts'
import { logstorePath, shardPath } from './names.ts'
import type { RequestSender } from './request-sender.ts'

/** A shard of a logstore (SLS protocol paper, section 6.1). */
export interface ShardInfo {
  readonly id: number
  /** What was split or merged takes no more data; what it has can be read until it expires. */
  readonly status: 'readwrite' | 'readonly'
  /** 32 lower-case hex digits. */
  readonly beginKey: string
  /** Not part of the range, unless it is the last key of all. */
  readonly endKey: string
  /** Seconds since 1970. */
  readonly createTime: number
}

const hex = Type.String({ pattern: '^[0-9a-fA-F]{32}$' })

const shardsSchema = Type.Array(
  Type.Object({
    shardID: Type.Integer({ minimum: 0, maximum: 0x7fff_ffff }),
    status: Type.Union([Type.Literal('readwrite'), Type.Literal('readonly')]),
    inclusiveBeginKey: hex,
    exclusiveEndKey: hex,
    createTime: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
)

const readShards = jsonAnswer(shardsSchema, (shards) =>
  shards.map(
    (shard): ShardInfo => ({
      id: shard.shardID,
      status: shard.status,
      beginKey: shard.inclusiveBeginKey.toLowerCase(),
      endKey: shard.exclusiveEndKey.toLowerCase(),
      createTime: shard.createTime ?? 0,
    }),
  ),
)

const readCursor = jsonAnswer(Type.Object({ cursor: Type.String() }), ({ cursor }) => {
  const position = decodeCursor(cursor)
  if (position === undefined) throw new Error('the answer holds a cursor that is none')
  return position
})

const readCursorTime = jsonAnswer(Type.Object({ cursor_time: Type.Integer() }), ({ cursor_time }) => cursor_time)

/** Where a cursor is asked for: the first group there is, the place of the next one, or the first received at a time. */
export type CursorPlace = 'begin' | 'end' | { readonly seconds: number }

const placeText = (place: CursorPlace): string => {
  if (typeof place === 'string') return place
  if (Number.isSafeInteger(place.seconds) && place.seconds >= 0) return String(place.seconds)
  throw new OptionsError('OPTIONS_INVALID', { message: `${place.seconds} is no time in whole seconds since 1970` })
}

/** The calls about the shards of a logstore, and positions in them. A position is the number that a cursor holds. */
export class ShardCalls {
  readonly #sender: RequestSender

  constructor(sender: RequestSender) {
    this.#sender = sender
  }

  async list(logstore: string, options?: CallOptions): Promise<readonly ShardInfo[]> {
    const path = `${logstorePath(logstore)}/shards`
    const call = { name: `list of the shards of logstore ${logstore}`, method: 'GET', path, repeat: 'safe' } as const
    return (await this.#sender.call(call, readShards, options)).value
  }

  /**
   * Splits a shard at a key inside its range, or evenly into `count` (default 2). Gives the old shard, then the new ones.
   * @throws SlsError of class `refused` when the shard cannot be split, e.g. a second time.
   */
  async split(
    logstore: string,
    shard: number,
    at: { readonly key?: string; readonly count?: number } = {},
    options?: CallOptions,
  ): Promise<readonly ShardInfo[]> {
    const key = at.key === undefined ? undefined : padHashKey(at.key)
    if (at.key !== undefined && key === undefined)
      throw new OptionsError('OPTIONS_INVALID', { message: 'the key of a split is 1 to 32 hex digits' })
    return this.#change(logstore, shard, { action: 'split', key, shardCount: at.count }, options)
  }

  /** Merges a shard with its right neighbour. Gives the new shard, then the two old ones. */
  merge(logstore: string, shard: number, options?: CallOptions): Promise<readonly ShardInfo[]> {
    return this.#change(logstore, shard, { action: 'merge' }, options)
  }

  /** Deletes a shard that is read-only. */
  async delete(logstore: string, shard: number, options?: CallOptions): Promise<void> {
    const path = shardPath(logstore, shard)
    const name = `delete of shard ${shard} of logstore ${logstore}`
    await this.#sender.call({ name, method: 'DELETE', path, repeat: 'once' }, emptyAnswer, options)
  }

  /** The position of a place in a shard. On a read-only shard the end stays the same for ever. */
  async cursor(logstore: string, shard: number, place: CursorPlace, options?: CallOptions): Promise<bigint> {
    const query = { type: 'cursor', from: placeText(place) }
    const name = `cursor of shard ${shard} of logstore ${logstore}`
    const call = { name, method: 'GET', path: shardPath(logstore, shard), query, repeat: 'safe' } as const
    return (await this.#sender.call(call, readCursor, options)).value
  }

  /**
   * When the group at a position was received, in seconds since 1970.
   * @throws SlsError of class `cursor-invalid` for a position outside of what the shard holds.
   */
  async cursorTime(logstore: string, shard: number, position: bigint, options?: CallOptions): Promise<number> {
    const query = { type: 'cursor_time', cursor: encodeCursor(position) }
    const name = `time of a cursor of shard ${shard} of logstore ${logstore}`
    const call = { name, method: 'GET', path: shardPath(logstore, shard), query, repeat: 'safe' } as const
    return (await this.#sender.call(call, readCursorTime, options)).value
  }

  async #change(
    logstore: string,
    shard: number,
    query: { readonly action: string; readonly key?: string | undefined; readonly shardCount?: number | undefined },
    options?: CallOptions,
  ): Promise<readonly ShardInfo[]> {
    const name = `${query.action} of shard ${shard} of logstore ${logstore}`
    const call = { name, method: 'POST', path: shardPath(logstore, shard), query, repeat: 'once' } as const
    return (await this.#sender.call(call, readShards, options)).value
  }
}
