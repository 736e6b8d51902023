import { type Job, job, run } from 'millrace'
import { generatorSource } from 'millrace/memory'
import { md5Of, slsSink } from 'millrace/sls'
import { rateLimited } from 'millrace/source'
import type { Example } from '../shared/example.ts'
import { type Connection, startLocalService } from '../shared/local-service.ts'
import { readLogs, sampleLog } from '../shared/logs.ts'

const logs = 200

/** A log every 10 ms, by three subtasks; the logs of one user go to one shard. */
const produce = (connection: Connection, checkpoints: string): Job =>
  job(
    'produce',
    { guarantee: 'at-least-once', checkpoint: { every: '1s', dir: checkpoints }, parallelism: 3 },
    (flow) => {
      const events = generatorSource({ generate: sampleLog, count: logs, splits: 3 })
      flow.from('events', rateLimited(events, 100)).to(
        'logs',
        slsSink({
          ...connection,
          logstore: 'produced',
          source: 'example',
          log: (event) => event,
          route: md5Of((event) => event.contents['user']),
        }),
      )
    },
  )

export const example: Example = async ({ directory, print }) => {
  const service = await startLocalService({
    directory: `${directory}/log-service`,
    project: 'example',
    logstores: { produced: { shardCount: 3 } },
  })
  try {
    const producing = produce(service.connection, `${directory}/checkpoints`)
    print(producing.explain().toString())
    await run(producing).done

    const stored = await readLogs(service.client, 'produced')
    const numbers = new Set(stored.map(({ fields }) => fields['number']))
    const shards = new Map<string, Set<number>>()
    for (const { fields, shard } of stored) {
      const user = fields['user'] ?? ''
      shards.set(user, (shards.get(user) ?? new Set()).add(shard))
    }
    const together = [...shards.values()].every(({ size }) => size === 1)
    return {
      right: numbers.size === logs && together,
      text: `${logs} logs produced · ${numbers.size} stored · ${stored.length - numbers.size} twice · each of ${shards.size} users in one shard`,
    }
  } finally {
    await service.close()
  }
}
