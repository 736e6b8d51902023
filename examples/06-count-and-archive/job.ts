import { type Job, job, valueState } from 'millrace'
import { fileSink, filesSource } from 'millrace/files'
import { rateLimited } from 'millrace/source'
import { levelOf } from '../shared/level.ts'

export interface CountAndArchiveOptions {
  /** Files and directories to read. */
  readonly paths: readonly string[]
  /** `bounded` ends with the files as they are now; `tail` follows them. */
  readonly mode: 'bounded' | 'tail'
  /** Where the results go. */
  readonly out: string
  /** Where the job keeps its checkpoints. */
  readonly checkpoints: string
  readonly parallelism: number
  /** Lines per second. */
  readonly rate: number | undefined
}

/** How many lines of a level a file has, and where the last of them ends: what `counts-*.jsonl` consists of. */
export interface Count {
  readonly file: string
  readonly level: string
  readonly lines: number
  readonly end: number
}

/**
 * Archives every line exactly once, and counts the lines of every file by level. The archive, the counts and the positions
 * in the files are one checkpoint, so they agree with each other after any crash.
 */
export const countAndArchive = ({ paths, mode, out, checkpoints, parallelism, rate }: CountAndArchiveOptions): Job =>
  job('count-and-archive', { checkpoint: { every: '1s', dir: checkpoints }, parallelism }, (flow) => {
    const files = filesSource({ paths, mode })
    const lines = flow.from('lines', rate === undefined ? files : rateLimited(files, rate))

    lines.to('archive', fileSink({ dir: out, format: 'text' }))

    lines
      .map((line) => ({ file: line.path, level: levelOf(line.text), end: line.offset + line.length + 1 }))
      .keyBy(({ file, level }) => [file, level] as const)
      .process('count', {
        state: { count: valueState<Count>() },
        each({ file, level, end }, { state, nowMs, setTimer }) {
          const before = state.count.get()
          state.count.set({ file, level, lines: (before?.lines ?? 0) + 1, end: Math.max(before?.end ?? 0, end) })
          setTimer(1000 * Math.ceil(nowMs / 1000))
          return []
        },
        *timer(_, { state }) {
          const count = state.count.get()
          if (count !== undefined) yield count
        },
      })
      .to('counts', fileSink({ dir: out, prefix: 'counts' }), { parallelism: 1 })
  })
