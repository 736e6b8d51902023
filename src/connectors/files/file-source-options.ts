import {
  type ByteSize,
  booleanField,
  byteSizeField,
  checkedField,
  type Duration,
  durationField,
  integerField,
  type OptionFieldsOf,
  OptionsError,
  oneOfField,
  optional,
  optionProblems,
  parseByteSize,
  parseDuration,
  required,
} from '../../core/index.ts'
import type { FileFilter } from './file-list.ts'
import { parseGlob } from './glob.ts'
import type { LineRules } from './line-block.ts'

/** Options of `filesSource`. */
export interface FilesSourceOptions {
  /**
   * Files, directories (every file below them whose name does not start with a dot) and globs: `*`, `?`, `[a-z]`, `**`,
   * `{a,b}`, with `\` before a character that is meant as it is. Separated by `/`; relative to the working directory.
   */
  readonly paths: string | readonly string[]
  /**
   * `bounded`: the files there are at the start, each up to the size it has then; the job ends. `tail`: also what is
   * appended and every file that appears later, through rotation and truncation; the job goes on. Default `bounded`.
   */
  readonly mode?: 'bounded' | 'tail' | undefined
  /** Only files that match one of these globs. One without a slash is about the name, else about the path. Default all. */
  readonly include?: string | readonly string[] | undefined
  /** Not the files that match one of these globs, and nothing below the directories that do. Default none. */
  readonly exclude?: string | readonly string[] | undefined
  /**
   * Tail only: where to begin in the files that are there at the first start; `latest` is after their last complete line,
   * and passes over compressed files. Files that appear later are always read from their beginning. Default `earliest`.
   */
  readonly start?: 'earliest' | 'latest' | undefined
  /** Tail only: how often to look for new, renamed and removed files. 10 ms to 1 d, default 5 s. */
  readonly discoveryInterval?: Duration | undefined
  /**
   * Tail only: how often to look whether a file has grown. One that was quiet for long is looked at less often: after an
   * eighth of that time, up to `discoveryInterval`. 1 ms to 1 d, default 250 ms.
   */
  readonly pollInterval?: Duration | undefined
  /**
   * Tail only: how long a file that lost its name is still watched after it last changed, for a program that goes on
   * writing to it. Then its last line is given out even without a newline, and the file is done. 0 to 1 d, default 5 s.
   */
  readonly rotateWait?: Duration | undefined
  /** Longest line without its terminator. 1 B to 1 GiB, default 16 MiB. */
  readonly lineBytesMax?: ByteSize | undefined
  /** A longer line: `fail` stops the job and names it; `split` gives it out in parts of at most that length. Default `fail`. */
  readonly onLongLine?: 'fail' | 'split' | undefined
  /**
   * A file that is gone, or replaced, before it was read to its end: `fail` stops the job and names it; `skip` logs a
   * warning and counts it in the checkpoint. Default `fail`.
   */
  readonly onMissing?: 'fail' | 'skip' | undefined
  /** Bounded only: a directory or glob without a file is fine. Default false. */
  readonly allowEmpty?: boolean | undefined
  /** Bytes of one read. 1 B to 64 MiB, default 256 KiB. */
  readonly readBytes?: ByteSize | undefined
  /** Tail only: files a subtask keeps open; the others are opened when they change. 1 to 1000000, default 512. */
  readonly openFilesMax?: number | undefined
}

/** Options of `filesSource`, resolved: every value present, durations in milliseconds, sizes in bytes. */
export interface FilesSourceSettings extends LineRules, FileFilter {
  readonly mode: 'bounded' | 'tail'
  readonly start: 'earliest' | 'latest'
  readonly discoveryMs: number
  readonly pollMs: number
  readonly rotateWaitMs: number
  readonly onMissing: 'fail' | 'skip'
  readonly allowEmpty: boolean
  readonly openFilesMax: number
}

const dayMs = 86_400_000
const mebibyte = 1_048_576

const listOf = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && !value.includes('\0')

const isTextOrList = (value: unknown): boolean =>
  isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText))

const fields: OptionFieldsOf<FilesSourceOptions> = {
  paths: required(checkedField('a path, a glob, or a list of them that is not empty', isTextOrList)),
  mode: optional(oneOfField('bounded', 'tail')),
  include: optional(checkedField('a glob, or a list of them that is not empty', isTextOrList)),
  exclude: optional(checkedField('a glob, or a list of them that is not empty', isTextOrList)),
  start: optional(oneOfField('earliest', 'latest')),
  discoveryInterval: optional(durationField({ minMs: 10, maxMs: dayMs })),
  pollInterval: optional(durationField({ minMs: 1, maxMs: dayMs })),
  rotateWait: optional(durationField({ maxMs: dayMs })),
  lineBytesMax: optional(byteSizeField({ min: 1, max: 1024 * mebibyte })),
  onLongLine: optional(oneOfField('fail', 'split')),
  onMissing: optional(oneOfField('fail', 'skip')),
  allowEmpty: optional(booleanField()),
  readBytes: optional(byteSizeField({ min: 1, max: 64 * mebibyte })),
  openFilesMax: optional(integerField(1, 1_000_000)),
}

const tailOnly = ['start', 'discoveryInterval', 'pollInterval', 'rotateWait', 'openFilesMax'] as const

const modeProblems = (given: Partial<FilesSourceOptions>): string[] => {
  if (given.mode === 'tail') {
    return given.allowEmpty === undefined
      ? []
      : ["'allowEmpty' is for mode 'bounded'; in mode 'tail' files may come later"]
  }
  return tailOnly.filter((name) => given[name] !== undefined).map((name) => `'${name}' needs mode: 'tail'`)
}

const globProblems = (given: Partial<FilesSourceOptions>): string[] =>
  (['paths', 'include', 'exclude'] as const).flatMap((name) =>
    (isTextOrList(given[name]) ? listOf(given[name]) : []).flatMap((pattern) => {
      try {
        parseGlob(pattern)
        return []
      } catch (error) {
        return [`'${name}': ${JSON.stringify(pattern)} has ${error instanceof Error ? error.message : 'a mistake'}`]
      }
    }),
  )

/**
 * Reads the options at the door.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveFilesSourceOptions = (options: FilesSourceOptions): FilesSourceSettings => {
  const given: Partial<FilesSourceOptions> = typeof options === 'object' && options !== null ? options : {}
  const problems = [...optionProblems(fields, options), ...modeProblems(given), ...globProblems(given)]
  if (problems.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `filesSource: ${problems.join('; ')}` })
  }
  return Object.freeze({
    paths: Object.freeze([...listOf(options.paths)]),
    include: listOf(options.include).map(parseGlob),
    exclude: listOf(options.exclude).map(parseGlob),
    mode: options.mode ?? 'bounded',
    start: options.start ?? 'earliest',
    discoveryMs: parseDuration(options.discoveryInterval ?? '5s'),
    pollMs: parseDuration(options.pollInterval ?? '250ms'),
    rotateWaitMs: parseDuration(options.rotateWait ?? '5s'),
    lineBytesMax: parseByteSize(options.lineBytesMax ?? '16MiB'),
    onLongLine: options.onLongLine ?? 'fail',
    onMissing: options.onMissing ?? 'fail',
    allowEmpty: options.allowEmpty ?? false,
    readBytes: parseByteSize(options.readBytes ?? '256KiB'),
    openFilesMax: options.openFilesMax ?? 512,
  })
}
