import { fileSink, filesSource, type Line } from '../../src/entry/files.ts'
import { type Job, job } from '../../src/entry/index.ts'
import { rateLimited } from '../../src/source/index.ts'

/** What the harness tells a process that runs the job. */
export interface CrashJobSettings {
  readonly input: readonly string[]
  readonly archive: string
  readonly counts: string
  readonly checkpoints: string
  readonly parallelism: number
  readonly checkpointMs: number
  /** Records per second; null for as fast as it can. */
  readonly rate: number | null
}

/** What the counts consist of: the record that was counted, and its number within its key. */
export interface CountLine {
  readonly id: number
  readonly key: number
  readonly count: number
}

const recordOf = (line: Line): { readonly id: number; readonly key: number } => {
  const match = /^\{"id":(\d+),"key":(\d+),/.exec(line.text.slice(0, 60))
  if (match === null) throw new Error(`${line.path}, byte ${line.offset}: not a line that was written`)
  return { id: Number(match[1]), key: Number(match[2]) }
}

/**
 * The job that is killed: every line to an exactly-once archive, and every record counted within its key by keyed state, so
 * that the state after each single record can be checked in the output.
 */
export const crashJob = (settings: CrashJobSettings): Job => {
  const { input, archive, counts, checkpoints, parallelism, checkpointMs, rate } = settings
  const options = {
    checkpoint: { every: checkpointMs, dir: checkpoints },
    parallelism,
    restart: { strategy: 'exponential', initial: '200ms', max: '2s' },
  } as const
  return job('crash', options, (flow) => {
    const files = filesSource({ paths: input, readBytes: '32KiB' })
    const lines = flow.from('lines', rate === null ? files : rateLimited(files, rate))
    lines.to('archive', fileSink({ dir: archive, format: 'text', buffer: '8KiB' }))
    lines
      .map(recordOf)
      .keyBy(({ key }) => key)
      .reduce('count', { id: -1, key: -1, count: 0 }, (before, record): CountLine => {
        return { ...record, count: before.count + 1 }
      })
      .to('counts', fileSink({ dir: counts, partition: ({ key }) => `bucket=${key % 3}`, roll: { size: '64KiB' } }), {
        parallelism: 1,
      })
  })
}
