import { type Job, job, run } from 'millrace'
import { functionSink } from 'millrace/memory'
import { fromEnv, type Log, type SlsEnvironment, slsSource } from 'millrace/sls'
import type { Example } from '../shared/example.ts'
import { startLocalService } from '../shared/local-service.ts'
import { sampleLogs, sendLogs } from '../shared/logs.ts'
import { shardsOf } from '../shared/shards.ts'

/** Reads a logstore from its beginning with two subtasks, and says so to a consumer group. */
const consume = (
  { connection, logstore, consumerGroup }: SlsEnvironment,
  checkpoints: string,
  onLog: (log: Log) => void,
): Job =>
  job(
    'consume',
    { guarantee: 'at-least-once', checkpoint: { every: '5s', dir: checkpoints }, parallelism: 2 },
    (flow) => {
      flow
        .from(
          'logs',
          slsSource({
            ...connection,
            logstore,
            consumerGroup,
            start: 'earliest',
            // Without an end it would go on for ever.
            end: 'now',
            discoveryInterval: '30s',
          }),
        )
        .to(
          'print',
          functionSink('print', (records) => {
            for (const log of records) onLog(log)
          }),
        )
    },
  )

/** Run it with the variables of `fromEnv` against a service of your own, or without them against a local one. */
export const example: Example = async ({ directory, print }) => {
  const service = await startLocalService({
    directory: `${directory}/log-service`,
    project: 'example',
    logstores: { consumed: { shardCount: 3 } },
  })
  try {
    const sent = sampleLogs(500)
    await sendLogs(service.connection, 'consumed', sent)
    const environment = fromEnv({
      require: ['SLS_CG'],
      env: {
        SLS_ENDPOINT: service.connection.endpoint,
        SLS_PROJECT: service.connection.project,
        SLS_AK_ID: service.connection.credentials.accessKeyId,
        SLS_AK_KEY: service.connection.credentials.accessKeySecret,
        SLS_LOGSTORE: 'consumed',
        SLS_CG: 'example-group',
      },
    })
    const numbers = new Map<string, number>()
    const consuming = consume(environment, `${directory}/checkpoints`, (log) => {
      const number = log.get('number') ?? ''
      numbers.set(number, (numbers.get(number) ?? 0) + 1)
      if (numbers.size <= 3) print(JSON.stringify(log))
    })
    const { outcome } = await run(consuming).done

    const once = [...numbers.values()].every((times) => times === 1)
    const shards = await shardsOf(service.client, 'consumed', 'example-group')
    const behind = shards.reduce((sum, shard) => sum + shard.behind, 0)
    return {
      right: outcome === 'finished' && numbers.size === sent.length && once && behind === 0,
      text: `${sent.length} logs sent · ${numbers.size} read${once ? ', each once' : ''} · the consumer group is ${behind} groups behind`,
    }
  } finally {
    await service.close()
  }
}
