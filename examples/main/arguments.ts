import { scan } from '../shared/command-line.ts'
import { UsageError } from '../shared/usage.ts'

export interface Settings {
  /** Files and directories; empty when none are given. */
  readonly paths: readonly string[]
  readonly once: boolean
  /** Lines a second. */
  readonly rate: number | undefined
  readonly state: string
  readonly parallelism: number
  readonly fresh: boolean
  readonly help: boolean
}

const known = { flags: ['--once', '--fresh', '--help'], withValue: ['--rate', '--state', '--parallelism'] }

export const help = `npm start -- [options] [files and directories]

Runs a log service on this machine, writes every line of the files into its logstore 'access', and runs a job on that:
it counts the lines by level and passes them on, by topic, to the logstores 'errors', 'warnings' and 'routine'. While it
runs, a shard is split and a subtask killed. At the end everything is read again and compared. Kill it as you like: the
same command goes on where it was. Without files it reads the logs in /var/log, or a recorded access log.

  --once             end with the files as they are now; without it, follow them until Ctrl-C
  --rate N           write N lines a second at most
  --state DIR        where the log service and the job keep everything   ./.millrace/main
  --parallelism N    subtasks of every step of the job                   4
  --fresh            remove the state and start over
  --help             this text

The last line: lines in and out, 'lost', 'duplicate' (counted twice by the state), 'rewritten' (written again by the
at-least-once sink after a restart) and the bound that the restarts allow for it.
Exit codes: 0 done and verified, 1 failed or not verified, 2 wrong call, 3 another process took over, 4 unusable
checkpoint, 5 input is gone, 130 and 143 second Ctrl-C or SIGTERM.`

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
    state: options.get('--state') ?? './.millrace/main',
    parallelism:
      number('--parallelism', 4, (value) => Number.isInteger(value) && value >= 1 && value <= 64, 'from 1 to 64') ?? 4,
    fresh: options.has('--fresh'),
    help: options.has('--help'),
  }
  if (problems.length > 0) throw new UsageError(problems.join('; '), 'see npm start -- --help')
  return settings
}
