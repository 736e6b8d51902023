import Type from 'typebox'
import type { CallOptions } from './call.ts'
import { emptyAnswer, type JsonObject, jsonAnswer, jsonBody } from './json-answer.ts'
import { logstorePath } from './names.ts'
import type { RequestSender } from './request-sender.ts'

/** What can be said about a logstore when it is made or changed. */
export interface LogstoreInit {
  /** Days that data is kept; 3650 stands for ever. Default 30. */
  readonly ttlDays?: number | undefined
  /** Shards at the start; nothing changes them later but splits and merges. Default 2. */
  readonly shardCount?: number | undefined
  /** The service splits busy shards by itself. Default false. */
  readonly autoSplit?: boolean | undefined
  /** Up to so many; 1 to 256. Default 64. */
  readonly maxSplitShard?: number | undefined
  /** The service adds the tags `__client_ip__` and `__receive_time__`. Default false. */
  readonly appendMeta?: boolean | undefined
  /** Takes logs without a signature. Default false. */
  readonly webTracking?: boolean | undefined
  /** Further members, in the words of the service. */
  readonly more?: JsonObject | undefined
}

export interface LogstoreInfo {
  readonly name: string
  readonly ttlDays: number
  readonly shardCount: number
  readonly autoSplit: boolean
  readonly maxSplitShard: number
  readonly appendMeta: boolean
  readonly webTracking: boolean
  /** Seconds since 1970. */
  readonly createTime: number
  readonly lastModifyTime: number
}

export interface LogstorePage {
  readonly count: number
  readonly total: number
  readonly logstores: readonly string[]
}

const count = Type.Integer({ minimum: 0 })

const logstoreSchema = Type.Object({
  logstoreName: Type.String(),
  ttl: Type.Integer(),
  shardCount: count,
  enable_tracking: Type.Optional(Type.Boolean()),
  autoSplit: Type.Optional(Type.Boolean()),
  maxSplitShard: Type.Optional(Type.Integer()),
  appendMeta: Type.Optional(Type.Boolean()),
  createTime: Type.Optional(count),
  lastModifyTime: Type.Optional(count),
})

const pageSchema = Type.Object({ count, total: count, logstores: Type.Array(Type.String()) })

const bodyOf = (logstore: string, init: LogstoreInit) =>
  jsonBody({
    logstoreName: logstore,
    ttl: init.ttlDays ?? 30,
    shardCount: init.shardCount ?? 2,
    enable_tracking: init.webTracking ?? false,
    autoSplit: init.autoSplit ?? false,
    maxSplitShard: init.maxSplitShard ?? 64,
    appendMeta: init.appendMeta ?? false,
    ...init.more,
  })

/** The calls about the logstores of a project, and their index (SLS protocol paper, sections 8.2 and 8.3). */
export class LogstoreCalls {
  readonly #sender: RequestSender

  constructor(sender: RequestSender) {
    this.#sender = sender
  }

  /** @throws SlsError of class `conflict` when it exists. */
  async create(logstore: string, init: LogstoreInit = {}, options?: CallOptions): Promise<void> {
    logstorePath(logstore)
    const name = `create of logstore ${logstore}`
    const call = { name, method: 'POST', path: '/logstores', ...bodyOf(logstore, init), repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  /** Sets everything about a logstore but its shards; what is left out gets its default. */
  async update(logstore: string, init: LogstoreInit, options?: CallOptions): Promise<void> {
    const path = logstorePath(logstore)
    const name = `update of logstore ${logstore}`
    const call = { name, method: 'PUT', path, ...bodyOf(logstore, init), repeat: 'safe' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  async get(logstore: string, options?: CallOptions): Promise<LogstoreInfo> {
    const call = {
      name: `get of logstore ${logstore}`,
      method: 'GET',
      path: logstorePath(logstore),
      repeat: 'safe',
    } as const
    const read = jsonAnswer(logstoreSchema, (value) => ({
      name: value.logstoreName,
      ttlDays: value.ttl,
      shardCount: value.shardCount,
      autoSplit: value.autoSplit ?? false,
      maxSplitShard: value.maxSplitShard ?? 0,
      appendMeta: value.appendMeta ?? false,
      webTracking: value.enable_tracking ?? false,
      createTime: value.createTime ?? 0,
      lastModifyTime: value.lastModifyTime ?? 0,
    }))
    return (await this.#sender.call(call, read, options)).value
  }

  async delete(logstore: string, options?: CallOptions): Promise<void> {
    const path = logstorePath(logstore)
    const call = { name: `delete of logstore ${logstore}`, method: 'DELETE', path, repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  /** One page of names, from `offset` (default 0), of up to `size` (default 100); `nameFilter` is a part of the name. */
  async list(
    page: { readonly offset?: number; readonly size?: number; readonly nameFilter?: string } = {},
    options?: CallOptions,
  ): Promise<LogstorePage> {
    const query = { offset: page.offset ?? 0, size: page.size ?? 100, logstoreName: page.nameFilter }
    const call = { name: 'list of logstores', method: 'GET', path: '/logstores', query, repeat: 'safe' } as const
    const read = jsonAnswer(pageSchema, ({ count, total, logstores }) => ({ count, total, logstores }))
    return (await this.#sender.call(call, read, options)).value
  }

  /** The index as the service keeps it. @throws SlsError of class `not-found` when there is none. */
  async getIndex(logstore: string, options?: CallOptions): Promise<JsonObject> {
    const call = {
      name: `get of the index of logstore ${logstore}`,
      method: 'GET',
      path: `${logstorePath(logstore)}/index`,
      repeat: 'safe',
    } as const
    const read = jsonAnswer(Type.Record(Type.String(), Type.Unknown()), (value): JsonObject => value)
    return (await this.#sender.call(call, read, options)).value
  }

  /** Creates the index. @param index in the words of the service, passed on as it is */
  async createIndex(logstore: string, index: JsonObject, options?: CallOptions): Promise<void> {
    await this.#putIndex('create', 'POST', logstore, index, options)
  }

  async updateIndex(logstore: string, index: JsonObject, options?: CallOptions): Promise<void> {
    await this.#putIndex('update', 'PUT', logstore, index, options)
  }

  async deleteIndex(logstore: string, options?: CallOptions): Promise<void> {
    const name = `delete of the index of logstore ${logstore}`
    const call = { name, method: 'DELETE', path: `${logstorePath(logstore)}/index`, repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  async #putIndex(
    verb: string,
    method: 'POST' | 'PUT',
    logstore: string,
    index: JsonObject,
    options?: CallOptions,
  ): Promise<void> {
    const name = `${verb} of the index of logstore ${logstore}`
    const repeat = method === 'PUT' ? 'safe' : 'once'
    const call = { name, method, path: `${logstorePath(logstore)}/index`, ...jsonBody(index), repeat } as const
    await this.#sender.call(call, emptyAnswer, options)
  }
}
