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
  textField,
} from '../../../core/index.ts'
import { endOf, startOf, type TextProblem } from './position-options.ts'
import type { EndSetting, SlsEnd, SlsStart, StartSetting } from './source-position.ts'

/** One logstore among several. */
export interface SlsLogstore {
  readonly logstore: string
  /** Default: the project of the source. */
  readonly project?: string | undefined
  /** Default: the endpoint of the source. */
  readonly endpoint?: string | undefined
  /**
   * What its shards are called in checkpoints and messages. Default `project/logstore`; two logstores of one project and
   * name at different endpoints need one each.
   */
  readonly name?: string | undefined
}

/** What becomes of a LogGroup that cannot be decoded. */
export type SlsInvalidPolicy = 'fail' | 'skip' | 'dead-letter'

/** What of `slsSource` is not about the connection. */
export interface SlsReadOptions<
  Records extends 'logs' | 'groups' = 'logs' | 'groups',
  OnInvalid extends SlsInvalidPolicy = SlsInvalidPolicy,
> {
  /** The logstore to read. One of `logstore`, `logstores` and `logstorePattern` is needed. */
  readonly logstore?: string | undefined
  /** Several logstores, by name or with a project and an endpoint of their own. */
  readonly logstores?: readonly (string | SlsLogstore)[] | undefined
  /** All logstores of the project whose name matches: `*` stands for any text. Those made later are found too. */
  readonly logstorePattern?: string | undefined
  /** `logs`: one record for each log. `groups`: one for each LogGroup, whose logs are not looked at. Default `logs`. */
  readonly records?: Records | undefined
  /** Where to begin at the first start; a restored job goes on where it was. Default `earliest`. */
  readonly start?: SlsStart | undefined
  /** Where to end. Default: never. */
  readonly end?: SlsEnd | undefined
  /**
   * Data that was not read yet is gone, expired or deleted: `fail` stops the job and names the gap; `earliest` goes on at
   * the first LogGroup there is, `latest` after the last one. Default `fail`.
   */
  readonly onDataLoss?: 'fail' | 'earliest' | 'latest' | undefined
  /**
   * `parents-first`: after a split or merge the new shards wait until the old ones are read to their end, which keeps the
   * order of each hash key. `none`: they do not. Default `parents-first`.
   */
  readonly shardOrder?: 'parents-first' | 'none' | undefined
  /** How often to look for new shards; one request each time. 10 ms to 1 d, default 60 s. */
  readonly discoveryInterval?: Duration | undefined
  /** Most LogGroups of one pull. 1 to 1000, default 1000. */
  readonly pullGroupsMax?: number | undefined
  /** Most bytes expected of one pull: what is taken from the memory budget. 64 KiB to 64 MiB, default 10 MiB. */
  readonly pullBytes?: ByteSize | undefined
  /** Most pulls of one shard in a second; the service itself allows about 100. 1 to 1000, default 50. */
  readonly pullsPerSecondMax?: number | undefined
  /** Wait after a pull that got all there was, so that little data does not make many pulls. 0 to 1 min, default 200 ms. */
  readonly tailWait?: Duration | undefined
  /** Longest wait between two looks at a shard that has nothing new. 1 ms to 1 h, default 1 s. */
  readonly idleWait?: Duration | undefined
  /** Pulls a second that the source spends on shards with nothing new; with many shards they wait longer. Default 300. */
  readonly idlePullsPerSecond?: number | undefined
  /** A shard that cannot be read for so long fails the job. 1 s to 30 d; default: never, it is tried for ever. */
  readonly failAfter?: Duration | undefined
  /** Server-side filter; only logs that match are sent. Cannot be changed while a shard is read half-way. Default none. */
  readonly query?: string | undefined
  /** The event time of a record: of the log itself, or when the service received it. Default `record`. */
  readonly eventTime?: 'record' | 'received' | undefined
  /**
   * How much earlier than an earlier record of its shard a record may be: the watermark stays that far, and 1 ms, behind the
   * latest event time. 0 to 30 d, default 0.
   */
  readonly outOfOrderness?: Duration | undefined
  /**
   * A shard that had nothing for so long is idle: the watermark of its reader does not wait for it, and what it has later
   * may be late. 1 ms to 30 d, default: never, so that one quiet shard holds the watermark.
   */
  readonly idleAfter?: Duration | undefined
  /**
   * A LogGroup that cannot be decoded, or because of which answers cannot be read: `fail` stops the job; `skip` logs and
   * counts it; `dead-letter` gives it to the job's dead-letter sink, whole, with reason and position, its bytes as base64
   * up to 1 MiB. Default `fail`.
   */
  readonly onInvalid?: OnInvalid | undefined
  /** Such LogGroups in a row of one shard after which the job fails anyway. 1 to 1e9, default 1000. */
  readonly invalidInRowMax?: number | undefined
  /** `.parse()` also sees `__time__`, `__topic__`, `__source__`, `__shard__`, `__cursor__` and `__tag__:…`. Default false. */
  readonly metadataFields?: boolean | undefined
  /**
   * Drops LogGroups whose pack tag was among the last so many of the shard: copies that a producer made when an answer was
   * lost. Takes 30 bytes of state each. 0 to 100000, default 0: off.
   */
  readonly dropResentPackages?: number | undefined
  /** A consumer group that is told how far the source has got, after each checkpoint. Made when absent. Default none. */
  readonly consumerGroup?: string | undefined
  /** The consumer group cannot be told: `warn`, and again with the next checkpoint; or `fail` the job. Default `warn`. */
  readonly onMirrorFailure?: 'warn' | 'fail' | undefined
}

/** The options, resolved: every value present, durations in milliseconds, sizes in bytes. */
export interface SlsReadSettings {
  readonly logstores: readonly SlsLogstore[]
  readonly logstorePattern: string | null
  readonly records: 'logs' | 'groups'
  readonly start: StartSetting
  readonly end: EndSetting | null
  readonly onDataLoss: 'fail' | 'earliest' | 'latest'
  readonly ordered: boolean
  readonly discoveryMs: number
  readonly pullGroupsMax: number
  readonly pullBytes: number
  readonly pullsPerSecondMax: number
  readonly tailWaitMs: number
  readonly idleWaitMs: number
  readonly idlePullsPerSecond: number
  readonly failAfterMs: number | undefined
  readonly query: string | null
  readonly eventTime: 'record' | 'received'
  readonly outOfOrdernessMs: number
  readonly idleAfterMs: number | undefined
  readonly onInvalid: SlsInvalidPolicy
  readonly invalidInRowMax: number
  readonly metadataFields: boolean
  readonly dropResentPackages: number
  readonly consumerGroup: string | null
  readonly onMirrorFailure: 'warn' | 'fail'
}

const dayMs = 86_400_000
const kibibyte = 1024

/** As the service has it (SLS protocol paper, section 1.1). */
const isLogstoreName = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-z][0-9a-z_-]{0,78}[0-9a-z]$/.test(value)
const isProjectName = (value: unknown): boolean =>
  typeof value === 'string' && /^[0-9a-zA-Z][0-9a-zA-Z_-]{0,127}$/.test(value)
const isText = (value: unknown): boolean => typeof value === 'string' && value.length > 0
const isOptional = (value: unknown, accept: (value: unknown) => boolean): boolean =>
  value === undefined || accept(value)

const isLogstore = (value: unknown): value is string | SlsLogstore => {
  if (typeof value !== 'object' || value === null) return isLogstoreName(value)
  const { logstore, project, endpoint, name, ...others } = value as Record<string, unknown>
  return (
    isLogstoreName(logstore) &&
    isOptional(project, isProjectName) &&
    isOptional(endpoint, isText) &&
    isOptional(name, isText) &&
    Object.keys(others).length === 0
  )
}

const any = checkedField('given', () => true)

export const readOptionFields: OptionFieldsOf<SlsReadOptions> = {
  logstore: optional(checkedField('a logstore name: 2 to 80 of a-z, 0-9, - and _', isLogstoreName)),
  logstores: optional(
    checkedField(
      'a list of logstore names, or of { logstore, project, endpoint, name }',
      (value) => Array.isArray(value) && value.length > 0 && value.every(isLogstore),
    ),
  ),
  logstorePattern: optional(
    checkedField(
      'a logstore name in which * may stand for any text',
      (value) => typeof value === 'string' && /^[0-9a-z_*-]{1,80}$/.test(value),
    ),
  ),
  records: optional(oneOfField('logs', 'groups')),
  start: optional(any),
  end: optional(any),
  onDataLoss: optional(oneOfField('fail', 'earliest', 'latest')),
  shardOrder: optional(oneOfField('parents-first', 'none')),
  discoveryInterval: optional(durationField({ minMs: 10, maxMs: dayMs })),
  pullGroupsMax: optional(integerField(1, 1000)),
  pullBytes: optional(byteSizeField({ min: 64 * kibibyte, max: 64 * kibibyte * kibibyte })),
  pullsPerSecondMax: optional(integerField(1, 1000)),
  tailWait: optional(durationField({ maxMs: 60_000 })),
  idleWait: optional(durationField({ minMs: 1, maxMs: 3_600_000 })),
  idlePullsPerSecond: optional(integerField(1, 100_000)),
  failAfter: optional(durationField({ minMs: 1000, maxMs: 30 * dayMs })),
  query: optional(textField()),
  eventTime: optional(oneOfField('record', 'received')),
  outOfOrderness: optional(durationField({ maxMs: 30 * dayMs })),
  idleAfter: optional(durationField({ minMs: 1, maxMs: 30 * dayMs })),
  onInvalid: optional(oneOfField('fail', 'skip', 'dead-letter')),
  invalidInRowMax: optional(integerField(1, 1_000_000_000)),
  metadataFields: optional(booleanField()),
  dropResentPackages: optional(integerField(0, 100_000)),
  consumerGroup: optional(
    checkedField(
      'a consumer group name: 1 to 128 of a-z, A-Z, 0-9, - and _',
      (value) => typeof value === 'string' && /^[0-9a-zA-Z_-]{1,128}$/.test(value),
    ),
  ),
  onMirrorFailure: optional(oneOfField('warn', 'fail')),
}

const choiceProblems = (given: Partial<SlsReadOptions>): string[] => {
  const chosen = (['logstore', 'logstores', 'logstorePattern'] as const).filter((name) => given[name] !== undefined)
  const problems: string[] = []
  if (chosen.length !== 1) problems.push("exactly one of 'logstore', 'logstores' and 'logstorePattern' is needed")
  if (given.onMirrorFailure !== undefined && given.consumerGroup === undefined) {
    problems.push("'onMirrorFailure' needs a consumerGroup")
  }
  return problems
}

/** Every problem of the options, each a sentence; `prefix` names further ones that the caller knows of. */
const allProblems = (options: unknown, known: readonly string[]): { problems: string[]; texts: TextProblem[] } => {
  const given: Partial<SlsReadOptions> = typeof options === 'object' && options !== null ? options : {}
  const texts: TextProblem[] = []
  const one = given.logstore !== undefined
  startOf(given.start, { consumerGroup: given.consumerGroup, one, report: (problem) => texts.push(problem) })
  endOf(given.end, { one, report: (problem) => texts.push(problem) })
  return { problems: [...known, ...choiceProblems(given)], texts }
}

const listOf = (options: SlsReadOptions): readonly SlsLogstore[] => {
  if (options.logstore !== undefined) return [{ logstore: options.logstore }]
  return (options.logstores ?? []).map((item) => (typeof item === 'string' ? { logstore: item } : item))
}

/**
 * Reads the options at the door. `others` are the problems of options that belong to the connection.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveReadOptions = (options: SlsReadOptions, others: readonly string[] = []): SlsReadSettings => {
  const { problems, texts } = allProblems(options, [...others, ...optionProblems(readOptionFields, options)])
  if (problems.length + texts.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `slsSource: ${[...problems, ...texts].join('; ')}` })
  }
  const ignore = (): void => {}
  const one = options.logstore !== undefined
  return Object.freeze({
    logstores: Object.freeze(listOf(options)),
    logstorePattern: options.logstorePattern ?? null,
    records: options.records ?? 'logs',
    start: startOf(options.start, { consumerGroup: options.consumerGroup, one, report: ignore }),
    end: endOf(options.end, { one, report: ignore }),
    onDataLoss: options.onDataLoss ?? 'fail',
    ordered: (options.shardOrder ?? 'parents-first') === 'parents-first',
    discoveryMs: parseDuration(options.discoveryInterval ?? '60s'),
    pullGroupsMax: options.pullGroupsMax ?? 1000,
    pullBytes: parseByteSize(options.pullBytes ?? '10MiB'),
    pullsPerSecondMax: options.pullsPerSecondMax ?? 50,
    tailWaitMs: parseDuration(options.tailWait ?? '200ms'),
    idleWaitMs: parseDuration(options.idleWait ?? '1s'),
    idlePullsPerSecond: options.idlePullsPerSecond ?? 300,
    failAfterMs: options.failAfter === undefined ? undefined : parseDuration(options.failAfter),
    query: options.query ?? null,
    eventTime: options.eventTime ?? 'record',
    outOfOrdernessMs: parseDuration(options.outOfOrderness ?? 0),
    idleAfterMs: options.idleAfter === undefined ? undefined : parseDuration(options.idleAfter),
    onInvalid: options.onInvalid ?? 'fail',
    invalidInRowMax: options.invalidInRowMax ?? 1000,
    metadataFields: options.metadataFields ?? false,
    dropResentPackages: options.dropResentPackages ?? 0,
    consumerGroup: options.consumerGroup ?? null,
    onMirrorFailure: options.onMirrorFailure ?? 'warn',
  })
}
