import { createProducer, type OutgoingLog, type SlsClient } from 'millrace/sls'
import type { Connection } from './local-service.ts'

/** A log as anybody reads it, apart from any job. */
export interface ReadLog {
  readonly topic: string
  readonly shard: number
  readonly fields: Readonly<Record<string, string>>
}

/** Everything a logstore has now. */
export const readLogs = async (client: SlsClient, logstore: string): Promise<ReadLog[]> => {
  const logs: ReadLog[] = []
  for (const { id: shard } of await client.shards.list(logstore)) {
    let position = await client.shards.cursor(logstore, shard, 'begin')
    const end = await client.shards.cursor(logstore, shard, 'end')
    while (position < end) {
      const { groups, nextPosition } = await client.pull({ logstore, shard, position, endPosition: end })
      for (const group of groups) {
        for (const log of group.logs()) logs.push({ topic: group.topic, shard, fields: { ...log.toObject() } })
      }
      position = nextPosition
    }
  }
  return logs
}

/** Sends logs without a job, and waits until all of them are stored. */
export const sendLogs = async (
  connection: Connection,
  logstore: string,
  logs: readonly OutgoingLog[],
): Promise<void> => {
  const producer = createProducer({ ...connection, logstore, package: { records: 50, linger: '50ms' } })
  const receipts = logs.map((log) => producer.send(log))
  await producer.close()
  await Promise.all(receipts)
}

const topics = ['nginx', 'app', 'syslog'] as const

/** A sample log, always the same for the same number. */
export const sampleLog = (number: number): OutgoingLog & { readonly contents: Readonly<Record<string, string>> } => ({
  topic: topics[number % topics.length],
  contents: {
    number: String(number),
    user: `user-${number % 17}`,
    status: String([200, 200, 204, 304, 404, 500][number % 6]),
  },
})

export const sampleLogs = (count: number, from = 0): ReturnType<typeof sampleLog>[] =>
  Array.from({ length: count }, (_, index) => sampleLog(from + index))
