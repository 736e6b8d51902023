import { decodeCursor, type LogView } from '../../../src/wire/index.ts'
import type { ServiceClient } from '../log-service/service-client.ts'

/** What one shard of the source holds. */
export interface StoredShard {
  readonly id: number
  readonly range: { readonly begin: string; readonly end: string }
  /** Position of its first LogGroup. */
  readonly begin: bigint
  /** Position after its last one. */
  readonly end: bigint
  /** Of each LogGroup, the number of its first log in the shard. */
  readonly starts: readonly number[]
  /** Of each log, the id of the record it holds. */
  readonly ids: readonly number[]
  /** Number of its first log among all of the logstore. */
  readonly first: number
}

/** Everything a logstore holds. Each log has a number: its place. */
export class StoredLogs {
  readonly shards: ReadonlyMap<number, StoredShard>
  readonly count: number

  constructor(shards: readonly Omit<StoredShard, 'first'>[]) {
    let first = 0
    const placed = new Map<number, StoredShard>()
    for (const shard of shards) {
      placed.set(shard.id, { ...shard, first })
      first += shard.ids.length
    }
    this.shards = placed
    this.count = first
  }

  /** The number of a log, undefined when there is no such log. */
  placeOf(shardId: number, position: bigint, index: number): number | undefined {
    const shard = this.shards.get(shardId)
    if (shard === undefined || position < shard.begin || position >= shard.end) return undefined
    const group = Number(position - shard.begin)
    const start = shard.starts[group] ?? 0
    const next = shard.starts[group + 1] ?? shard.ids.length
    return index >= 0 && start + index < next ? shard.first + start + index : undefined
  }

  /** The id at each place. */
  ids(): number[] {
    return [...this.shards.values()].flatMap(({ ids }) => ids)
  }
}

/** Positions of cursors; the one asked for last is kept, because the logs of a group come together. */
export class Positions {
  #cursor = ''
  #position: bigint | undefined

  /** Undefined for what is no cursor. */
  of(cursor: string): bigint | undefined {
    if (cursor !== this.#cursor) {
      this.#cursor = cursor
      this.#position = decodeCursor(cursor)
    }
    return this.#position
  }
}

/** Calls `each` with every log of a shard, in order. Gives the positions of its first and behind its last LogGroup. */
const readShard = async (
  client: ServiceClient,
  logstore: string,
  shard: number,
  each: (group: number, log: LogView, tag: string) => void,
): Promise<{ readonly begin: bigint; readonly end: bigint }> => {
  let cursor = await client.cursor(logstore, shard, 'begin')
  const begin = decodeCursor(cursor) ?? 0n
  let count = 0
  for (;;) {
    const { groups, next } = await client.pull(logstore, shard, cursor, 1000)
    if (next === cursor) break
    cursor = next
    for (const group of groups) {
      const tag = group.tags.find(([name]) => name === '__pack_id__')?.[1] ?? ''
      for (const log of group.logs()) each(count, log, tag)
      count++
    }
  }
  return { begin, end: decodeCursor(cursor) ?? 0n }
}

/** Reads a whole logstore; `check` sees every log. */
export const readStored = async (
  client: ServiceClient,
  logstore: string,
  check: (id: number, log: LogView) => void,
): Promise<StoredLogs> => {
  const shards: Omit<StoredShard, 'first'>[] = []
  for (const { shardID: id, inclusiveBeginKey, exclusiveEndKey } of await client.shards(logstore)) {
    const starts: number[] = []
    const ids: number[] = []
    const { begin, end } = await readShard(client, logstore, id, (group, log) => {
      while (starts.length <= group) starts.push(ids.length)
      const record = Number(log.get('id'))
      check(record, log)
      ids.push(record)
    })
    shards.push({ id, range: { begin: inclusiveBeginKey, end: exclusiveEndKey }, begin, end, starts, ids })
  }
  return new StoredLogs(shards)
}

/** Calls `each` with every log of a logstore and the pack tag it came with. */
export const readEach = async (
  client: ServiceClient,
  logstore: string,
  each: (log: LogView, packTag: string) => void,
): Promise<void> => {
  for (const { shardID } of await client.shards(logstore)) {
    await readShard(client, logstore, shardID, (_, log, tag) => each(log, tag))
  }
}
