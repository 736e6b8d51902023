import { decodeCursor } from '../../../src/wire/index.ts'
import type { ServiceClient } from '../log-service/service-client.ts'
import { consumerGroup, sourceLogstore } from './sls-job.ts'

interface CheckpointAnswer {
  readonly shard: number
  readonly checkpoint: string
}

/** How far the consumer group says that each shard is done. */
export const groupProgress = async (client: ServiceClient): Promise<ReadonlyMap<number, bigint>> => {
  const path = `/logstores/${sourceLogstore}/consumergroups/${consumerGroup}`
  const { status, body } = await client.call('GET', path)
  // Nobody has made it yet.
  if (status === 404) return new Map()
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body}`)
  const checkpoints = JSON.parse(String(body)) as readonly CheckpointAnswer[]
  return new Map(
    checkpoints.flatMap(({ shard, checkpoint }) => {
      const position = decodeCursor(checkpoint)
      return position === undefined ? [] : [[shard, position] as const]
    }),
  )
}

/** The shards of which the group does not say that they are done up to their end, as a sentence; empty when there is none. */
export const unfinished = async (client: ServiceClient): Promise<string> => {
  const progress = await groupProgress(client)
  const behind: string[] = []
  for (const { shardID } of await client.shards(sourceLogstore)) {
    const end = decodeCursor(await client.cursor(sourceLogstore, shardID, 'end'))
    const done = progress.get(shardID)
    if (done !== end) behind.push(`shard ${shardID} is at ${done ?? 'nothing'} of ${end}`)
  }
  return behind.join(', ')
}
