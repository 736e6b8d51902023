import {
  type ByteSize,
  byteSizeField,
  checkedField,
  type DeadLetter,
  type Duration,
  durationField,
  type Guarantee,
  integerField,
  nestedField,
  numberField,
  type OptionFieldsOf,
  OptionsError,
  oneOfField,
  optional,
  optionProblems,
  parseByteSize,
  parseDuration,
  required,
  textField,
} from '../core/index.ts'
import type { CheckpointSettings, JobSettings, RestartSettings } from '../runtime/index.ts'
import type { Sink } from '../sink/index.ts'

export interface CheckpointOptions {
  /** Time from the start of one checkpoint to the start of the next. @default '10s' @range 10 ms to 1 d */
  readonly every?: Duration | undefined
  /** Where checkpoints are kept; one directory per job. Without it no state survives the process. */
  readonly dir?: string | undefined
  /** A checkpoint that takes longer is given up. @default '10m' */
  readonly timeout?: Duration | undefined
  /** Time between the end of one checkpoint and the start of the next periodic one. @default 0 */
  readonly minPause?: Duration | undefined
  /** Checkpoints in a row that may fail or expire before the job fails. @default 3 */
  readonly tolerableFailures?: number | undefined
  /** Completed checkpoints kept. @default 3 @range 2 to 1000 */
  readonly retained?: number | undefined
}

/** What happens after a failure that a restart may cure. */
export type RestartOptions =
  | 'none'
  /** A number of restarts, each after the same delay. */
  | { readonly strategy: 'fixed'; readonly attempts: number; readonly delay?: Duration | undefined }
  /** At most `failures` within `window`. */
  | {
      readonly strategy: 'rate'
      readonly failures: number
      readonly window: Duration
      readonly delay?: Duration | undefined
    }
  /** Ever longer delays with jitter, back to the first after a quiet time. */
  | {
      readonly strategy: 'exponential'
      readonly initial?: Duration | undefined
      readonly max?: Duration | undefined
      readonly multiplier?: number | undefined
      readonly jitter?: number | undefined
      readonly resetAfter?: Duration | undefined
    }

export interface JobOptions {
  /** What the job promises about its output. @default 'exactly-once' with `checkpoint.dir`, else 'best-effort' */
  readonly guarantee?: Guarantee | undefined
  readonly checkpoint?: CheckpointOptions | undefined
  /** Subtasks of every step that does not say otherwise. @default 1 @range 1 to 1024 */
  readonly parallelism?: number | undefined
  /** Number of key groups: the highest parallelism keyed state can ever have. Fixed for the life of a job's state. @default 128 */
  readonly maxParallelism?: number | undefined
  /** @default exponential from 1 s to 60 s by 1.5, jitter 0.1, reset after 1 h; 'none' without checkpoints */
  readonly restart?: RestartOptions | undefined
  /** How long `stop()` may take before the job is cancelled. @default '30s' */
  readonly stopDeadline?: Duration | undefined
  /** Where records go that a step with `'dead-letter'` cannot use. Takes part in checkpoints like any sink. */
  readonly deadLetter?: Sink<DeadLetter> | undefined
  /** Records in a batch at most. @default 512 */
  readonly batchRecords?: number | undefined
  /** Bytes in a batch at most, as far as the source can tell. @default '64KiB' */
  readonly batchBytes?: ByteSize | undefined
  /** Batches a channel between two subtasks holds. @default 8 */
  readonly channelBatches?: number | undefined
  /** Bytes a channel between two subtasks holds. @default '4MiB' */
  readonly channelBytes?: ByteSize | undefined
  /** A promise of a step's function that takes longer is logged as slow. @default '60s' */
  readonly stepWarn?: Duration | undefined
  /** A promise of a step's function that takes longer fails the step. @default '10m' */
  readonly stepTimeout?: Duration | undefined
}

const checkpointFields: OptionFieldsOf<CheckpointOptions> = {
  every: optional(durationField({ minMs: 10, maxMs: 86_400_000 })),
  dir: optional(textField('a directory path')),
  timeout: optional(durationField({ minMs: 10 })),
  minPause: optional(durationField()),
  tolerableFailures: optional(integerField(0, 1_000_000)),
  retained: optional(integerField(2, 1000)),
}

type StrategyOptions<S extends string> = Extract<RestartOptions, { readonly strategy: S }>

const strategyField = required(oneOfField('fixed', 'rate', 'exponential'))

/** What belongs to which strategy. */
const restartFields = {
  fixed: {
    strategy: strategyField,
    attempts: required(integerField(0, 1_000_000)),
    delay: optional(durationField()),
  } satisfies OptionFieldsOf<StrategyOptions<'fixed'>>,
  rate: {
    strategy: strategyField,
    failures: required(integerField(0, 1_000_000)),
    window: required(durationField({ minMs: 1 })),
    delay: optional(durationField()),
  } satisfies OptionFieldsOf<StrategyOptions<'rate'>>,
  exponential: {
    strategy: strategyField,
    initial: optional(durationField()),
    max: optional(durationField()),
    multiplier: optional(numberField(1, 100)),
    jitter: optional(numberField(0, 1)),
    resetAfter: optional(durationField()),
  } satisfies OptionFieldsOf<StrategyOptions<'exponential'>>,
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whatever is no object is refused by the field itself. */
const restartProblems = (options: unknown): string[] => {
  const given = isObject(options) ? options['restart'] : undefined
  if (!isObject(given)) return []
  const { strategy } = given
  if (strategy === 'fixed' || strategy === 'rate' || strategy === 'exponential') {
    return optionProblems(restartFields[strategy], given, 'restart')
  }
  return optionProblems({ strategy: strategyField }, { strategy }, 'restart')
}

const isSink = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'open' in value && typeof value.open === 'function'

const fields: OptionFieldsOf<JobOptions> = {
  guarantee: optional(oneOfField('exactly-once', 'at-least-once', 'best-effort')),
  checkpoint: optional(nestedField(checkpointFields)),
  parallelism: optional(integerField(1, 1024)),
  maxParallelism: optional(integerField(1, 32_768)),
  restart: optional(
    checkedField("'none' or an object with a strategy", (value) => value === 'none' || isObject(value)),
  ),
  stopDeadline: optional(durationField({ minMs: 1 })),
  deadLetter: optional(checkedField('a sink', isSink)),
  batchRecords: optional(integerField(1, 65_536)),
  batchBytes: optional(byteSizeField({ min: 1 })),
  channelBatches: optional(integerField(1, 65_536)),
  channelBytes: optional(byteSizeField({ min: 1 })),
  stepWarn: optional(durationField({ minMs: 1 })),
  stepTimeout: optional(durationField({ minMs: 1 })),
}

/**
 * Options with every default filled in.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveJobOptions = (name: string, options: JobOptions): JobSettings => {
  const problems = [...optionProblems(fields, options), ...restartProblems(options)]
  if (problems.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `job '${name}': ${problems.join('; ')}` })
  }
  const checkpoint = resolveCheckpoint(options.checkpoint)
  return Object.freeze({
    guarantee: options.guarantee ?? (checkpoint === undefined ? 'best-effort' : 'exactly-once'),
    checkpoint,
    parallelism: options.parallelism ?? 1,
    maxParallelism: options.maxParallelism ?? 128,
    restart: resolveRestart(options.restart, checkpoint !== undefined),
    stopDeadlineMs: parseDuration(options.stopDeadline ?? '30s'),
    batchRecordsMax: options.batchRecords ?? 512,
    batchBytesMax: parseByteSize(options.batchBytes ?? '64KiB'),
    channelBatchesMax: options.channelBatches ?? 8,
    channelBytesMax: parseByteSize(options.channelBytes ?? '4MiB'),
    stepWarnMs: parseDuration(options.stepWarn ?? '60s'),
    stepTimeoutMs: parseDuration(options.stepTimeout ?? '10m'),
  })
}

const resolveCheckpoint = (options: CheckpointOptions | undefined): CheckpointSettings | undefined => {
  if (options?.dir === undefined) return undefined
  return Object.freeze({
    dir: options.dir,
    intervalMs: parseDuration(options.every ?? '10s'),
    timeoutMs: parseDuration(options.timeout ?? '10m'),
    minPauseMs: parseDuration(options.minPause ?? 0),
    tolerableFailures: options.tolerableFailures ?? 3,
    retained: options.retained ?? 3,
  })
}

const resolveRestart = (given: RestartOptions | undefined, checkpoints: boolean): RestartSettings => {
  if (given === 'none' || (given === undefined && !checkpoints)) return { kind: 'none' }
  if (given === undefined) return resolveRestart({ strategy: 'exponential' }, checkpoints)
  switch (given.strategy) {
    case 'fixed':
      return { kind: 'fixed', attempts: given.attempts, delayMs: parseDuration(given.delay ?? '1s') }
    case 'rate':
      return {
        kind: 'rate',
        failures: given.failures,
        windowMs: parseDuration(given.window),
        delayMs: parseDuration(given.delay ?? '1s'),
      }
    case 'exponential':
      return {
        kind: 'exponential',
        initialMs: parseDuration(given.initial ?? '1s'),
        maxMs: parseDuration(given.max ?? '60s'),
        multiplier: given.multiplier ?? 1.5,
        jitter: given.jitter ?? 0.1,
        resetAfterMs: parseDuration(given.resetAfter ?? '1h'),
      }
  }
}
