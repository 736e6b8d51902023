import type { ShardInfo, SlsClient } from 'millrace/sls'

/** A shard, where it comes from, and how far the consumer group is behind in it. */
export interface ShardView {
  readonly id: number
  readonly status: 'readwrite' | 'readonly'
  /** The shards it was split or merged from. */
  readonly parents: readonly number[]
  /** LogGroups that the consumer group has not been told of. */
  readonly behind: number
}

/** Looks at the shards as an operator does: the list, the end cursors, and the consumer group's checkpoints. */
export const shardsOf = async (client: SlsClient, logstore: string, group: string): Promise<ShardView[]> => {
  const shards = await client.shards.list(logstore)
  const positions = await groupPositions(client, logstore, group)
  return Promise.all(
    shards.map(async (shard) => {
      const { id, status } = shard
      const end = await client.shards.cursor(logstore, id, 'end')
      const position = positions.get(id) ?? (await client.shards.cursor(logstore, id, 'begin'))
      return { id, status, parents: parentsOf(shard, shards), behind: Number(end - position) }
    }),
  )
}

/** Where the consumer group is; shards it was told nothing about are missing. */
export const groupPositions = async (
  client: SlsClient,
  logstore: string,
  group: string,
): Promise<Map<number, bigint>> => {
  const groups = await client.consumerGroups.list(logstore)
  if (!groups.some(({ name }) => name === group)) return new Map()
  const checkpoints = await client.consumerGroups.checkpoints(logstore, group)
  return new Map(checkpoints.flatMap(({ shard, position }) => (position === undefined ? [] : [[shard, position]])))
}

/** The service names no parents; they are the nearest older shards that had the same hash keys. */
const parentsOf = (shard: ShardInfo, all: readonly ShardInfo[]): number[] => {
  const overlap = (a: ShardInfo, b: ShardInfo): boolean => a.beginKey < b.endKey && b.beginKey < a.endKey
  const older = all.filter((other) => other.id < shard.id && overlap(other, shard))
  return older.filter((one) => !older.some((other) => other.id > one.id && overlap(one, other))).map(({ id }) => id)
}
