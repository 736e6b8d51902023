import { fileSink } from '../../../src/entry/files.ts'
import { type Job, job } from '../../../src/entry/index.ts'
import { type Log, type SlsSink, slsSink, slsSource } from '../../../src/entry/sls.ts'

export const project = 'crash'
export const sourceLogstore = 'input'
export const targetLogstore = 'output'
export const consumerGroup = 'crash-job'

/** What the harness tells a process that runs the job. */
export interface SlsJobSettings {
  readonly endpoint: string
  readonly archive: string
  readonly counts: string
  readonly checkpoints: string
  readonly parallelism: number
  readonly checkpointMs: number
  /** Which process of the run this is, from 0. */
  readonly life: number
}

/** Which log of the source a record is. */
interface Place {
  readonly shard: number
  /** Of its LogGroup. */
  readonly cursor: string
  readonly index: number
}

interface Entry extends Place {
  readonly id: string
  readonly key: number
  readonly text: string
  /** Number of the record among those that this process has read, over all its subtasks. */
  readonly order: number
}

/** A record that was counted, and its number within its key. */
export interface CountLine extends Place {
  readonly key: number
  readonly count: number
}

let records = 0

/** Records that this process has read so far. */
export const recordsRead = (): number => records

const entryOf = (log: Log): Entry => ({
  shard: log.shard,
  cursor: log.cursor,
  index: log.index,
  id: log.get('id') ?? '',
  key: Number(log.get('key')),
  text: log.get('text') ?? '',
  order: records++,
})

/** A line of the archive, as `readLine` in archive.ts reads it. */
const lineOf = ({ shard, cursor, index, order, id, text }: Entry): string =>
  `${shard} ${cursor} ${index} ${order} ${id} ${text}`

/**
 * The job that is killed: reads the shards of a logstore; every record goes to an exactly-once archive, is counted within
 * its key by keyed state whose every step is written, and is sent to another logstore at least once. A consumer group is
 * told the progress.
 */
export const slsJob = (settings: SlsJobSettings): { readonly job: Job; readonly sink: SlsSink<Entry> } => {
  const { endpoint, archive, counts, checkpoints, parallelism, checkpointMs, life } = settings
  const connection = {
    endpoint,
    project,
    credentials: { accessKeyId: 'local', accessKeySecret: 'local' },
  } as const
  const sink = slsSink<Entry>({
    ...connection,
    logstore: targetLogstore,
    // Longer open than from one checkpoint to the next: what does not fill a package waits for the barrier.
    package: { linger: '2s', records: 300 },
    retry: { max: '1s' },
    log: ({ shard, cursor, index, id, text }) => ({
      contents: { id, shard: String(shard), cursor, index: String(index), life: String(life), text },
    }),
  })
  const options = {
    // Of the sinks; the archive, the counts and the state behind them are exact all the same.
    guarantee: 'at-least-once',
    checkpoint: { every: checkpointMs, dir: checkpoints },
    parallelism,
    restart: { strategy: 'exponential', initial: '200ms', max: '2s' },
  } as const
  const built = job('crash-sls', options, (flow) => {
    const entries = flow
      .from('logs', slsSource({ ...connection, logstore: sourceLogstore, consumerGroup, discoveryInterval: '300ms' }))
      .map(entryOf)
    entries.map(lineOf).to('archive', fileSink({ dir: archive, format: 'text', buffer: '8KiB' }))
    entries.to('copies', sink)
    entries
      .keyBy(({ key }) => key)
      .reduce('count', { shard: -1, cursor: '', index: -1, key: -1, count: 0 }, (before, entry): CountLine => {
        const { shard, cursor, index, key } = entry
        return { shard, cursor, index, key, count: before.count + 1 }
      })
      .to('counts', fileSink({ dir: counts, roll: { size: '256KiB' } }), { parallelism: 1 })
  })
  return { job: built, sink }
}
