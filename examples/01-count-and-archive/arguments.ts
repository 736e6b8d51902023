import { UsageError } from './usage.ts'

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

const flags = ['--once', '--fresh', '--help']
const withValue = ['--rate', '--out', '--state', '--parallelism']

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
  const { options, paths, problems } = scan(given)
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

/** Sorts arguments into options and paths; `--name=value` and `--name value` are the same, and `--` ends the options. */
const scan = (given: readonly string[]) => {
  const options = new Map<string, string>()
  const paths: string[] = []
  const problems: string[] = []
  const rest = [...given]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') paths.push(...rest.splice(0))
    else if (!argument.startsWith('-') || argument === '-') paths.push(argument)
    else {
      const [name = '', inline] = argument === '-h' ? ['--help'] : argument.split(/=(.*)/s)
      const value = withValue.includes(name) ? (inline ?? rest.shift()) : inline
      if (flags.includes(name) && inline === undefined) options.set(name, '')
      else if (withValue.includes(name) && value !== undefined && value !== '') options.set(name, value)
      else if (flags.includes(name)) problems.push(`${name} takes no value`)
      else if (withValue.includes(name)) problems.push(`${name} needs a value`)
      else problems.push(`unknown option ${name}${suggestion(name)}`)
    }
  }
  return { options, paths, problems }
}

const suggestion = (name: string): string => {
  const [nearest] = [...flags, ...withValue]
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .sort((a, b) => a.distance - b.distance)
  return nearest !== undefined && nearest.distance <= 3 ? `, did you mean ${nearest.known}?` : ''
}

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
