import Type from 'typebox'
import { decodeCursor, encodeCursor } from '../../../wire/index.ts'
import type { CallOptions } from './call.ts'
import { emptyAnswer, jsonAnswer, jsonBody } from './json-answer.ts'
import { groupPath, logstorePath } from './names.ts'
import type { RequestSender } from './request-sender.ts'

/** A consumer group (SLS protocol paper, section 7.1). */
export interface ConsumerGroupInfo {
  readonly name: string
  /** A consumer that sends no heartbeat for so long loses its shards. */
  readonly timeoutSeconds: number
  /** Shards wait until those they were split or merged from are consumed. */
  readonly ordered: boolean
}

/** The progress of a group in one shard. */
export interface ConsumerCheckpoint {
  readonly shard: number
  /** As it was stored; empty when nothing ever was. */
  readonly text: string
  /** Undefined when nothing was stored, or something that is no cursor. */
  readonly position: bigint | undefined
  /** Microseconds since 1970, by the service's clock; 0 when nothing was stored. */
  readonly updatedUs: number
  /** Who stored it; may be empty. */
  readonly consumer: string
}

export interface CheckpointUpdate {
  readonly shard: number
  readonly position: bigint
  /** Default: nobody, which only a forced update may be. */
  readonly consumer?: string | undefined
  /** Stores it whoever holds the shard. Default true. */
  readonly force?: boolean | undefined
}

const shardId = Type.Integer({ minimum: 0, maximum: 0x7fff_ffff })

const groupsSchema = Type.Array(
  Type.Object({ name: Type.String(), timeout: Type.Number({ minimum: 0 }), order: Type.Boolean() }),
)

const readGroups = jsonAnswer(groupsSchema, (groups) =>
  groups.map(({ name, timeout, order }): ConsumerGroupInfo => ({ name, timeoutSeconds: timeout, ordered: order })),
)

const readHeartbeat = jsonAnswer(Type.Array(shardId), (shards): readonly number[] => shards)

const checkpointsSchema = Type.Array(
  Type.Object({
    shard: shardId,
    checkpoint: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    updateTime: Type.Optional(Type.Union([Type.Number({ minimum: 0 }), Type.Null()])),
    consumer: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
)

const readCheckpoints = jsonAnswer(checkpointsSchema, (checkpoints) =>
  checkpoints.map(
    ({ shard, checkpoint, updateTime, consumer }): ConsumerCheckpoint => ({
      shard,
      text: checkpoint ?? '',
      position: decodeCursor(checkpoint ?? ''),
      updatedUs: updateTime ?? 0,
      consumer: consumer ?? '',
    }),
  ),
)

/** The calls about the consumer groups of a logstore. */
export class ConsumerGroupCalls {
  readonly #sender: RequestSender

  constructor(sender: RequestSender) {
    this.#sender = sender
  }

  /** @throws SlsError of class `conflict` when it exists. */
  async create(
    logstore: string,
    group: string,
    init: { readonly timeoutSeconds?: number; readonly ordered?: boolean } = {},
    options?: CallOptions,
  ): Promise<void> {
    groupPath(logstore, group)
    const content = jsonBody({
      consumerGroup: group,
      timeout: init.timeoutSeconds ?? 60,
      order: init.ordered ?? false,
    })
    const path = `${logstorePath(logstore)}/consumergroups`
    const call = { name: nameOf('create', logstore, group), method: 'POST', path, ...content, repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  /** Changes what is given. */
  async update(
    logstore: string,
    group: string,
    change: { readonly timeoutSeconds?: number; readonly ordered?: boolean },
    options?: CallOptions,
  ): Promise<void> {
    const content = jsonBody({ order: change.ordered, timeout: change.timeoutSeconds })
    const path = groupPath(logstore, group)
    const call = { name: nameOf('update', logstore, group), method: 'PUT', path, ...content, repeat: 'safe' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  async delete(logstore: string, group: string, options?: CallOptions): Promise<void> {
    const path = groupPath(logstore, group)
    const call = { name: nameOf('delete', logstore, group), method: 'DELETE', path, repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  async list(logstore: string, options?: CallOptions): Promise<readonly ConsumerGroupInfo[]> {
    const path = `${logstorePath(logstore)}/consumergroups`
    const name = `list of the consumer groups of logstore ${logstore}`
    return (await this.#sender.call({ name, method: 'GET', path, repeat: 'safe' }, readGroups, options)).value
  }

  /** Says that a consumer lives and which shards it works on. Gives the shards it should work on. */
  async heartbeat(
    logstore: string,
    group: string,
    consumer: string,
    shards: readonly number[],
    options?: CallOptions,
  ): Promise<readonly number[]> {
    const path = groupPath(logstore, group)
    const query = { type: 'heartbeat', consumer }
    const name = nameOf('heartbeat', logstore, group)
    const call = { name, method: 'POST', path, query, ...jsonBody(shards), repeat: 'safe' } as const
    return (await this.#sender.call(call, readHeartbeat, options)).value
  }

  /** Stores the progress in a shard. @throws SlsError of class `not-owner` when it is not forced and not the consumer's. */
  async updateCheckpoint(
    logstore: string,
    group: string,
    update: CheckpointUpdate,
    options?: CallOptions,
  ): Promise<void> {
    const { shard, position, consumer = '', force = true } = update
    const query = { type: 'checkpoint', consumer, forceSuccess: force }
    const content = jsonBody({ shard, checkpoint: encodeCursor(position) })
    const path = groupPath(logstore, group)
    const name = `${nameOf('checkpoint', logstore, group)}, shard ${shard}`
    await this.#sender.call({ name, method: 'POST', path, query, ...content, repeat: 'safe' }, emptyAnswer, options)
  }

  /** The progress in every shard there is, or in one; empty when there is no such shard. */
  async checkpoints(
    logstore: string,
    group: string,
    filter: { readonly shard?: number } = {},
    options?: CallOptions,
  ): Promise<readonly ConsumerCheckpoint[]> {
    const path = groupPath(logstore, group)
    const query = { shard: filter.shard }
    const name = nameOf('get of the checkpoints', logstore, group)
    const call = { name, method: 'GET', path, query, repeat: 'safe' } as const
    return (await this.#sender.call(call, readCheckpoints, options)).value
  }
}

const nameOf = (verb: string, logstore: string, group: string): string =>
  `${verb} of consumer group ${group} of logstore ${logstore}`
