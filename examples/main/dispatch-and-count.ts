import { type Job, job, valueState } from 'millrace'
import { fileSink } from 'millrace/files'
import { type SlsDispatch, slsDispatch, slsSource } from 'millrace/sls'
import type { Connection } from '../shared/local-service.ts'
import { topics } from './topics.ts'

export interface DispatchAndCountOptions {
  readonly connection: Connection
  /** Where the job keeps its checkpoints. */
  readonly checkpoints: string
  /** Where the counts go. */
  readonly counts: string
  readonly parallelism: number
  /** Called for every LogGroup that is counted; may throw. */
  readonly onGroup: () => void
}

/** What a line of `counts-*.jsonl` says. */
export interface Count {
  readonly level: string
  readonly logs: number
}

export const consumerGroup = 'dispatch-and-count'

export interface DispatchAndCount {
  readonly job: Job
  readonly sink: SlsDispatch
}

/**
 * Passes the LogGroups of `access` on by their topic, at least once and byte for byte, and counts their logs by level,
 * exactly once. How far it has got is told to a consumer group after each checkpoint.
 */
export const dispatchAndCount = (options: DispatchAndCountOptions): DispatchAndCount => {
  const { connection, checkpoints, counts, parallelism, onGroup } = options
  const sink = slsDispatch({
    ...connection,
    targets: Object.fromEntries(topics.map((topic) => [topic, { logstore: topic }])),
    routes: Object.fromEntries(topics.map((topic) => [topic, topic])),
    unmatched: 'fail',
    batch: { linger: '50ms' },
  })
  const jobOptions = {
    guarantee: 'at-least-once',
    checkpoint: { every: '1s', dir: checkpoints },
    parallelism,
    restart: { strategy: 'exponential', initial: '500ms', max: '10s' },
  } as const
  const dispatchJob = job('dispatch-and-count', jobOptions, (flow) => {
    const groups = flow.from(
      'access',
      slsSource({ ...connection, logstore: 'access', records: 'groups', consumerGroup, discoveryInterval: '1s' }),
    )

    groups.to('dispatch', sink)

    groups
      .flatMap((group) => {
        onGroup()
        return group.logs().map((log) => log.get('level') ?? '')
      })
      .keyBy((level) => level)
      .process('count', {
        state: { logs: valueState<number>() },
        each(_, { state, nowMs, setTimer }) {
          state.logs.set((state.logs.get() ?? 0) + 1)
          setTimer(1000 * Math.ceil(nowMs / 1000))
          return []
        },
        *timer(_, { key, state }): Generator<Count> {
          yield { level: key, logs: state.logs.get() ?? 0 }
        },
      })
      .to('counts', fileSink({ dir: counts, prefix: 'counts' }), { parallelism: 1 })
  })
  return { job: dispatchJob, sink }
}
