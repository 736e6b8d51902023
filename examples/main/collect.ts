import { hostname } from 'node:os'
import { type Job, job } from 'millrace'
import { filesSource, type Line } from 'millrace/files'
import { type SlsSink, slsSink } from 'millrace/sls'
import { rateLimited } from 'millrace/source'
import type { Connection } from '../shared/local-service.ts'
import { levelOf, topicOf } from './topics.ts'

export interface CollectOptions {
  /** Files and directories to read. */
  readonly paths: readonly string[]
  /** `bounded` ends with the files as they are now; `tail` follows them. */
  readonly mode: 'bounded' | 'tail'
  readonly connection: Connection
  /** Where the job keeps its checkpoints. */
  readonly checkpoints: string
  /** Lines per second. */
  readonly rate: number | undefined
  /** True for a line that the logstore has: a run before this one wrote it after its last checkpoint. */
  readonly isWritten: (line: Line) => boolean
  /** Called for each line that is read. */
  readonly onLine: (line: Line) => void
}

export interface Collect {
  readonly job: Job
  readonly sink: SlsSink<Line>
}

/**
 * Stands for the collectors of a real system: writes the lines of files into the logstore `access`, at least once. Every
 * log says which line of which file it is, so the program knows after a crash which lines are there.
 */
export const collect = ({ paths, mode, connection, checkpoints, rate, isWritten, onLine }: CollectOptions): Collect => {
  const source = hostname()
  const sink = slsSink<Line>({
    ...connection,
    logstore: 'access',
    source,
    package: { linger: '100ms', records: 500 },
    log: (line) => {
      const level = levelOf(line.text)
      return {
        topic: topicOf(level),
        contents: [
          ['level', level],
          ['file', line.path],
          ['offset', String(line.offset)],
          ['line', line.bytes],
        ],
      }
    },
  })
  const files = filesSource({ paths, mode })
  const options = { guarantee: 'at-least-once', checkpoint: { every: '1s', dir: checkpoints }, parallelism: 2 } as const
  const collectJob = job('collect', options, (flow) => {
    flow
      .from('lines', rate === undefined ? files : rateLimited(files, rate))
      .filter((line) => {
        onLine(line)
        return !isWritten(line)
      })
      .to('access', sink)
  })
  return { job: collectJob, sink }
}
