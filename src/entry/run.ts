import { DirectoryCheckpointStore, type RestoreTarget } from '../checkpoint/index.ts'
import {
  booleanField,
  checkedField,
  checkOptions,
  type Duration,
  durationField,
  type Environment,
  type Logger,
  type OptionFieldsOf,
  OptionsError,
  optional,
  parseDuration,
  textListField,
} from '../core/index.ts'
import type { Job } from '../job/index.ts'
import { nodeEnvironment, nodeHost, startWatchdog, type Watchdog } from '../platform/index.ts'
import { type JobHandle, JobRunner, noProgressMark } from '../runtime/index.ts'

export interface RunOptions {
  /**
   * Where to start: the newest checkpoint of the job's directory, afresh, from one by its id, or from the directory of a
   * savepoint. `'none'` leaves committed output alone. @default 'latest'
   */
  readonly restore?: RestoreTarget | undefined
  /** Allows a start from a checkpoint older than the newest, whose output will be written again. @default false */
  readonly allowRollback?: boolean | undefined
  /** State of an operator that was renamed: old name → new name. */
  readonly renameState?: Readonly<Record<string, string>> | undefined
  /** Operators whose state may be lost, or single states as `'operator/state'`. */
  readonly dropState?: readonly string[] | undefined
  /** A pino-shaped logger. @default silent */
  readonly logger?: Logger | undefined
  /** Stops the job when it aborts. */
  readonly signal?: AbortSignal | undefined
  /**
   * Handles SIGTERM and SIGINT: the first stops the job with a last checkpoint, the second cancels it.
   * @default false: a library leaves signals to the program
   */
  readonly handleSignals?: boolean | undefined
  /**
   * Kills the process when a function of the user keeps the event loop busy for that long: a loop cannot be interrupted
   * in JavaScript, and a restart from the last checkpoint is better than silence. @default off
   */
  readonly watchdog?: Duration | undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isLogger = (value: unknown): boolean =>
  isObject(value) && ['debug', 'info', 'warn', 'error', 'child'].every((name) => typeof value[name] === 'function')

const isJob = (value: unknown): boolean => isObject(value) && isObject(value['graph'])

const fields: OptionFieldsOf<RunOptions> = {
  restore: optional(
    checkedField("'latest', 'none', the number of a checkpoint or a directory", (value) =>
      typeof value === 'number' ? Number.isSafeInteger(value) && value > 0 : typeof value === 'string' && value !== '',
    ),
  ),
  allowRollback: optional(booleanField()),
  renameState: optional(
    checkedField(
      'an object of old names to new names',
      (value) => isObject(value) && Object.values(value).every((name) => typeof name === 'string' && name !== ''),
    ),
  ),
  dropState: optional(textListField('a list of operator names')),
  logger: optional(checkedField('a logger with debug, info, warn, error and child', isLogger)),
  signal: optional(checkedField('an AbortSignal', (value) => value instanceof AbortSignal)),
  handleSignals: optional(booleanField()),
  watchdog: optional(durationField({ minMs: 100 })),
}

/**
 * Runs a job in this process. Returns at once; `done` of the handle settles when the job has ended.
 * @throws OptionsError `OPTIONS_INVALID` when the options cannot be used
 */
export const run = (job: Job, options: RunOptions = {}): JobHandle => {
  checkOptions<RunOptions>('run', fields, options)
  if (!isJob(job)) {
    throw new OptionsError('OPTIONS_INVALID', {
      message: 'run: its first argument must be a job',
      fix: "write run(job('name', options, (flow) => { … }))",
    })
  }
  const environment = nodeEnvironment({ log: options.logger })
  const watchdog = watch(options, environment)
  const runner = new JobRunner({
    graph: job.graph,
    environment,
    store: storeOf(job, environment),
    restore: {
      restore: options.restore ?? 'latest',
      allowRollback: options.allowRollback ?? false,
      renameState: options.renameState ?? {},
      dropState: options.dropState ?? [],
      owner: `${nodeHost.hostname}, process ${nodeHost.pid}`,
    },
    mark: watchdog ?? noProgressMark,
  })
  const release = handleSignals(runner, options)
  const end = (): void => {
    release()
    watchdog?.stop()
  }
  runner.done.then(end, end)
  return runner
}

const storeOf = (job: Job, { fs, digest, clock, random }: Environment): DirectoryCheckpointStore | undefined => {
  const { checkpoint } = job.graph.settings
  if (checkpoint === undefined) return undefined
  return new DirectoryCheckpointStore(
    { directory: checkpoint.dir, retained: checkpoint.retained },
    { fs, digest, clock, random },
  )
}

const watch = ({ watchdog }: RunOptions, { log }: Environment): Watchdog | undefined =>
  watchdog === undefined
    ? undefined
    : startWatchdog({
        stallMs: parseDuration(watchdog),
        onFailure: (error) => log.warn({ cause: error.message }, 'the watchdog does not run'),
      })

/** First signal: stop with a last checkpoint. Second: cancel. */
const handleSignals = (runner: JobHandle, { signal, handleSignals: wanted }: RunOptions): (() => void) => {
  let heard = 0
  const hear = (): void => {
    heard++
    const ending: Promise<unknown> = heard === 1 ? runner.stop() : runner.cancel()
    // The outcome is `done`'s to report.
    ending.catch(() => {})
  }
  const abort = (): void => void runner.stop().catch(() => {})
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  const releases = wanted ? [nodeHost.onSignal('SIGTERM', hear), nodeHost.onSignal('SIGINT', hear)] : []
  return () => {
    signal?.removeEventListener('abort', abort)
    for (const release of releases) release()
  }
}
