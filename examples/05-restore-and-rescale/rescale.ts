import { type Job, type JobHandle, job, run, valueState } from 'millrace'
import { functionSink } from 'millrace/memory'
import { type SlsClient, slsSource } from 'millrace/sls'
import type { Example } from '../shared/example.ts'
import { type Connection, startLocalService } from '../shared/local-service.ts'
import { sampleLogs, sendLogs } from '../shared/logs.ts'
import { shardsOf } from '../shared/shards.ts'

interface CountOptions {
  readonly connection: Connection
  readonly checkpoints: string
  readonly parallelism: number
  readonly onCount: (user: string, logs: number) => void
}

const consumerGroup = 'count-by-user'

/** Counts the logs of each user. How many subtasks do that is a matter of one number. */
const countByUser = ({ connection, checkpoints, parallelism, onCount }: CountOptions): Job =>
  job(
    'count-by-user',
    { guarantee: 'at-least-once', checkpoint: { every: '200ms', dir: checkpoints }, parallelism },
    (flow) => {
      flow
        .from('logs', slsSource({ ...connection, logstore: 'events', consumerGroup, discoveryInterval: '200ms' }))
        .map((log) => log.get('user') ?? '')
        .keyBy((user) => user)
        .process('count', {
          state: { logs: valueState<number>() },
          *each(_, { key, state }) {
            const logs = (state.logs.get() ?? 0) + 1
            state.logs.set(logs)
            yield { user: key, logs }
          },
        })
        .to(
          'counts',
          functionSink('counts', (counts) => {
            for (const { user, logs } of counts) onCount(user, logs)
          }),
        )
    },
  )

export const example: Example = async ({ directory, print }) => {
  const service = await startLocalService({
    directory: `${directory}/log-service`,
    project: 'example',
    logstores: { events: { shardCount: 2 } },
  })
  const { client, connection } = service
  const counts = new Map<string, number>()
  const start = (parallelism: number): JobHandle => {
    print(`parallelism ${parallelism}`)
    const checkpoints = `${directory}/checkpoints`
    const onCount = (user: string, logs: number): void => void counts.set(user, logs)
    return run(countByUser({ connection, checkpoints, parallelism, onCount }))
  }
  try {
    const sent = sampleLogs(1200)
    await sendLogs(connection, 'events', sent.slice(0, 400))
    const two = start(2)
    await allRead(two, client)
    await two.stop()

    // Meanwhile the shards change, and more is written.
    await client.shards.split('events', 0)
    await sendLogs(connection, 'events', sent.slice(400, 800))
    const five = start(5)
    await allRead(five, client)
    await five.stop()

    await sendLogs(connection, 'events', sent.slice(800))
    const one = start(1)
    await allRead(one, client)
    await one.stop()

    const expected = new Map<string, number>()
    for (const { contents } of sent) {
      const user = contents['user'] ?? ''
      expected.set(user, (expected.get(user) ?? 0) + 1)
    }
    const wrong = [...expected].filter(([user, logs]) => counts.get(user) !== logs)
    const total = [...counts.values()].reduce((sum, logs) => sum + logs, 0)
    return {
      right: wrong.length === 0 && total === sent.length,
      text: `${sent.length} logs · ${total} counted for ${counts.size} users by 2, then 5, then 1 subtask · ${wrong.length} counts wrong`,
    }
  } finally {
    await service.close()
  }
}

/** Resolves when a completed checkpoint has everything there is; rejects when the job fails. */
const allRead = async (running: JobHandle, client: SlsClient): Promise<void> => {
  const failed = new Promise<never>((_, reject) => {
    running.done.catch(reject)
  })
  for (;;) {
    const shards = await Promise.race([shardsOf(client, 'events', consumerGroup), failed])
    if (shards.every(({ behind }) => behind === 0)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
