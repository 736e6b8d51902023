import { scan } from '../shared/command-line.ts'
import { UsageError } from '../shared/usage.ts'

export interface Settings {
  /** Files and directories; empty when none are given. */
  readonly paths: readonly string[]
  readonly once: boolean
  readonly rate: number | undefined
  readonly out: string
  readonly state: string
  readonly parallelism: number
  readonly fresh: boolean
  readonly help: boolean
}

const known = { flags: ['--once', '--fresh', '--help'], withValue: ['--rate', '--out', '--state', '--parallelism'] }

export const help = `npm start -- [options] [files and directories]

Archives every line of the files exactly once, and counts lines by level. Without files it reads the logs in /var/log,
or writes an access log of its own. Kill it as you like: the same command goes on where it was.

  --once             end with the files as they are now; without it, follow them until Ctrl-C
  --rate N           read N lines a second at most
  --out DIR          where the results go                       ./out
  --state DIR        where the job keeps its checkpoints        ./.millrace/count-and-archive
  --parallelism N    subtasks of every step                     2
  --fresh            forget the state, remove the results, start over
  --help             this text

Results: out/part-*.txt has the lines, out/counts-*.jsonl the counts; for each file and level the highest one holds.
Exit codes: 0 done and verified, 1 failed or lost or duplicated lines, 2 wrong call, 3 another process took over,
4 unusable checkpoint, 5 input or output is gone, 130 and 143 second Ctrl-C or SIGTERM.`

/** @throws UsageError naming every problem at once */
export const parseArguments = (given: readonly string[]): Settings => {
  const { options, paths, problems } = scan(given, known)
  const number = (name: string, fallback: number | undefined, accept: (value: number) => boolean, what: string) => {
    const text = options.get(name)
    if (text === undefined) return fallback
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!accept(value)) problems.push(`${name} ${text} is not ${what}`)
    return value
  }
  const settings: Settings = {
    paths,
    once: options.has('--once'),
    rate: number('--rate', undefined, (value) => value >= 0.001 && value <= 1e9, 'a number of lines per second'),
    out: options.get('--out') ?? './out',
    state: options.get('--state') ?? './.millrace/count-and-archive',
    parallelism:
      number('--parallelism', 2, (value) => Number.isInteger(value) && value >= 1 && value <= 64, 'from 1 to 64') ?? 2,
    fresh: options.has('--fresh'),
    help: options.has('--help'),
  }
  if (problems.length > 0) throw new UsageError(problems.join('; '), 'see npm start -- --help')
  return settings
}
