import { type Job, job, run } from 'millrace'
import { fromEnv, type SlsDispatch, type SlsEnvironment, slsDispatch, slsSource } from 'millrace/sls'
import type { Example } from '../shared/example.ts'
import { startLocalService } from '../shared/local-service.ts'
import { readLogs, sampleLogs, sendLogs } from '../shared/logs.ts'

/** The topics that are passed on, each to the target logstore of the same place in the list. */
const dispatched = ['nginx', 'app'] as const

interface Dispatch {
  readonly job: Job
  readonly sink: SlsDispatch
}

/** Passes LogGroups on by their topic without looking into them; what no target is for is left out and counted. */
const dispatch = (environment: SlsEnvironment, checkpoints: string): Dispatch => {
  const { connection, logstore, consumerGroup, target, targetLogstores } = environment
  const sink = slsDispatch({
    ...target,
    targets: Object.fromEntries(targetLogstores.map((name) => [name, { logstore: name }])),
    routes: Object.fromEntries(dispatched.map((topic, index) => [topic, targetLogstores[index] ?? ''])),
    unmatched: 'drop',
  })
  const options = { guarantee: 'at-least-once', checkpoint: { every: '5s', dir: checkpoints }, parallelism: 2 } as const
  const dispatchJob = job('dispatch', options, (flow) => {
    flow
      .from('groups', slsSource({ ...connection, logstore, consumerGroup, records: 'groups', end: 'now' }))
      .to('dispatch', sink)
  })
  return { job: dispatchJob, sink }
}

export const example: Example = async ({ directory, print }) => {
  const service = await startLocalService({
    directory: `${directory}/log-service`,
    project: 'example',
    logstores: { mixed: { shardCount: 2 }, nginx: { shardCount: 1 }, app: { shardCount: 1 } },
  })
  try {
    const sent = sampleLogs(600)
    await sendLogs(service.connection, 'mixed', sent)
    // What a shell would export.
    const environment = fromEnv({
      env: {
        SLS_ENDPOINT: service.connection.endpoint,
        SLS_PROJECT: service.connection.project,
        SLS_AK_ID: service.connection.credentials.accessKeyId,
        SLS_AK_KEY: service.connection.credentials.accessKeySecret,
        SLS_LOGSTORE: 'mixed',
        SLS_CG: 'dispatch-data',
        SLS_LOGSTORE_TO1: 'nginx',
        SLS_LOGSTORE_TO2: 'app',
      },
    })
    const { job: dispatching, sink } = dispatch(environment, `${directory}/checkpoints`)
    print(dispatching.explain().toString())
    await run(dispatching).done

    const found = await Promise.all(
      dispatched.map(async (topic) => {
        const logs = await readLogs(service.client, topic)
        const numbers = new Set(logs.map(({ fields }) => fields['number']))
        const wanted = sent.filter((log) => log.topic === topic).length
        const own = logs.every((log) => log.topic === topic)
        return { topic, stored: logs.length, right: own && logs.length === wanted && numbers.size === wanted }
      }),
    )
    const { unmatched } = sink.counts()
    return {
      right: found.every(({ right }) => right) && unmatched > 0,
      text: `${sent.length} logs of 3 topics · ${found.map(({ topic, stored }) => `${topic} ${stored}`).join(' · ')} · ${unmatched} LogGroups without a target`,
    }
  } finally {
    await service.close()
  }
}
