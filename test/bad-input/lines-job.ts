import { expect } from 'vitest'
import {
  type FileSinkOptions,
  type FilesSourceOptions,
  fileSink,
  filesSource,
} from '../../src/connectors/files/index.ts'
import { type Job, type JobOptions, job, type Stream } from '../../src/job/index.ts'
import type { Machine } from './machine.ts'

const files = ['in/a.log', 'in/b.log', 'in/c.log']
const linesOf = (file: string): string[] => Array.from({ length: 450 }, (_, index) => `${file.at(3)} ${index}`)

/** Every line of the input. */
export const allLines = files.flatMap(linesOf).sort()

/** Puts the input on the disk. */
export const putInput = ({ disk }: Pick<Machine, 'disk'>): void => {
  for (const file of files) disk.put(file, `${linesOf(file).join('\n')}\n`)
}

export interface LinesJobParts {
  readonly name?: string
  readonly options?: JobOptions
  readonly source?: Partial<FilesSourceOptions>
  readonly sink?: Partial<FileSinkOptions<string>>
  readonly steps?: (lines: Stream<string>) => Stream<string>
}

/** Files to files, line by line, with many checkpoints on the way; it does not restart by itself. */
export const linesJob = ({
  name = 'lines',
  options,
  source,
  sink,
  steps = (lines) => lines,
}: LinesJobParts = {}): Job => {
  const common: JobOptions = {
    checkpoint: { dir: 'ck', every: '20ms' },
    restart: 'none',
    batchRecords: 8,
    ...options,
  }
  return job(name, common, (flow) => {
    const lines = flow.from('lines', filesSource({ paths: 'in', readBytes: 64, ...source })).map((line) => line.text)
    steps(lines as Stream<string>).to('out', fileSink({ dir: 'out', format: 'text', ...sink }))
  })
}

/** The lines a reader of the output sees, sorted. Every file that is visible is whole. */
export const written = ({ disk }: Pick<Machine, 'disk'>, directory = 'out'): string[] =>
  disk
    .files(directory)
    .filter(({ path }) => !path.slice(path.lastIndexOf('/') + 1).startsWith('.'))
    .flatMap((file) => {
      const text = new TextDecoder().decode(file.bytes())
      expect(text.endsWith('\n'), `${file.path} ends in the middle of a line`).toBe(true)
      return text.slice(0, -1).split('\n')
    })
    .sort()

/** What is visible is some of the expected lines, each at most once: nothing half-written, nothing twice. */
export const expectPartOf = (machine: Pick<Machine, 'disk'>, expected: readonly string[] = allLines): void => {
  const seen = written(machine)
  expect(new Set(seen).size).toBe(seen.length)
  const known = new Set(expected)
  expect(seen.filter((line) => !known.has(line))).toEqual([])
}

/** Hidden files of the sink: staged parts that nobody will commit. */
export const leftovers = ({ disk }: Pick<Machine, 'disk'>): string[] =>
  disk.files('out').flatMap(({ path }) => (/\/\.[^/]*$/.test(path) ? [path] : []))

/** A corrected job goes on from what there is and ends with every line exactly once. */
export const expectGoesOn = async (
  machine: Machine,
  corrected: Job,
  expected: readonly string[] = allLines,
): Promise<void> => {
  expectPartOf(machine, expected)
  machine.trouble = () => undefined
  await machine.finish(corrected)
  expect(written(machine)).toEqual(expected)
  expect(leftovers(machine)).toEqual([])
}
