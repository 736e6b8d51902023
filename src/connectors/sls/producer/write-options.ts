import {
  type ByteSize,
  booleanField,
  byteSizeField,
  checkedField,
  type Duration,
  durationField,
  functionField,
  integerField,
  nestedField,
  type OptionFieldsOf,
  OptionsError,
  oneOfField,
  optional,
  optionProblems,
  parseByteSize,
  parseDuration,
  required,
} from '../../../core/index.ts'
import { defaultRetryPolicy, type PackageLimits, type RetryPolicy } from '../../../sink/index.ts'
import { isLogstoreName, isProjectName } from '../client/names.ts'
import type { Tags } from './log-destination.ts'
import { logstoreNameRule, projectNameRule } from './names.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import type { SlsRoute } from './route.ts'

/** When a package is closed and sent. What is not given comes from the preset. */
export interface SlsPackageOptions {
  /** Logs of a package. 1 to 40,960. Default 4096. */
  readonly records?: number | undefined
  /** Encoded bytes of a package before compression. 1 KiB to 8 MiB; default 3 MiB, with the preset `official` 512 KiB. */
  readonly bytes?: ByteSize | undefined
  /** How long a package stays open at most. 1 ms to 1 h; default 3 s, with the preset `official` 2 s. A checkpoint does not wait for it. */
  readonly linger?: Duration | undefined
  /** Packages a writer keeps open at the same time, one per place, topic, source, tags and hash key. 1 to 65,536; default 4096. */
  readonly openMax?: number | undefined
}

export interface SlsSendRetryOptions {
  /** Attempts per package; a failure that may pass is tried again for ever by default, with the preset `official` 11 times. */
  readonly attemptsMax?: number | undefined
  /** Wait before the second attempt; it doubles from one to the next, and a random part of it is waited. Default 100 ms. */
  readonly initial?: Duration | undefined
  /** The longest wait. Default 50 s. */
  readonly max?: Duration | undefined
}

/** Where logs go that can never be sent. */
export interface SlsDeadLetterOptions {
  /** They become logs with the fields `step`, `reason`, `raw` and `encoding` of this logstore. */
  readonly logstore: string
  /** Default: the project of the sink. */
  readonly project?: string | undefined
}

/** What `slsSink` and `createProducer` have in common, without the connection. */
export interface SlsSendOptions {
  /** For logs that name none. */
  readonly logstore?: string | undefined
  /** For logs that have none of their own. Default: none is sent. */
  readonly topic?: string | undefined
  readonly source?: string | undefined
  readonly tags?: Tags | undefined
  /**
   * Defaults of the package and retry options: `classic` 4096 logs, 3 MiB, 3 s, tried for ever; `official` as the official
   * producers have them today, 4096 logs, 512 KiB, 2 s, 10 retries. Default `classic`.
   */
  readonly preset?: 'classic' | 'official' | undefined
  readonly package?: SlsPackageOptions | undefined
  readonly retry?: SlsSendRetryOptions | undefined
  /**
   * `key`: one package of a hash key, or of a place without one, is on its way at a time, so that its logs keep their
   * order through retries. Default `none`.
   */
  readonly order?: 'none' | 'key' | undefined
  /** Encoded bytes of one log with its package, at most; the service takes 10 MB. 1 KiB to 50 MiB, default 10,000,000. */
  readonly recordBytesMax?: ByteSize | undefined
  /** Adds the tag `__pack_id__`, by which readers can drop packages that were stored twice. Default true. */
  readonly packTag?: boolean | undefined
}

/** What of `slsSink` is not about the connection. */
export interface SlsWriteOptions<T> extends SlsSendOptions {
  /** The log of a record, and where it goes when not to the sink's own place; null for none. Must not wait. */
  readonly log: (record: T) => OutgoingLog | null
  /** How the shard is chosen: `hashKey`, `md5Of` or `buckets`. Default: the service does it, for balance. */
  readonly route?: SlsRoute<T> | undefined
  /**
   * A log that can never be sent, because it is too large, or has a name, a value or a time the service does not take:
   * `fail` stops the job, `skip` leaves it out and counts it, or it goes to another logstore. Default `fail`.
   */
  readonly onRejected?: 'fail' | 'skip' | { readonly deadLetter: SlsDeadLetterOptions } | undefined
  /** So many rejected logs in a row fail the job whatever `onRejected` says: that is no odd log any more. Default 1000. */
  readonly rejectedInRowMax?: number | undefined
}

/** The options in common, resolved. */
export interface SlsSendSettings {
  readonly logstore: string | undefined
  readonly topic: string | undefined
  readonly source: string | undefined
  readonly tags: Tags
  readonly limits: PackageLimits
  readonly retry: RetryPolicy
  readonly ordered: boolean
  readonly recordBytesMax: number
  readonly packTag: boolean
}

export interface SlsWriteSettings<T> extends SlsSendSettings {
  readonly log: (record: T) => OutgoingLog | null
  readonly route: SlsRoute<T> | undefined
  readonly onRejected: 'fail' | 'skip' | SlsDeadLetterOptions
  readonly rejectedInRowMax: number
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTagList = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string'))

export const isRoute = (value: unknown): boolean => isObject(value) && typeof value['hashKeyOf'] === 'function'

const deadLetterFields: OptionFieldsOf<SlsDeadLetterOptions> = {
  logstore: required(checkedField(logstoreNameRule, isLogstoreName)),
  project: optional(checkedField(projectNameRule, isProjectName)),
}

export const sendOptionFields: OptionFieldsOf<SlsSendOptions> = {
  logstore: optional(checkedField(logstoreNameRule, isLogstoreName)),
  topic: optional(checkedField('text', (value) => typeof value === 'string')),
  source: optional(checkedField('text', (value) => typeof value === 'string')),
  tags: optional(checkedField("a list of pairs of text, such as [['host', 'web-1']]", isTagList)),
  preset: optional(oneOfField('classic', 'official')),
  package: optional(
    nestedField<SlsPackageOptions>({
      records: optional(integerField(1, 40_960)),
      bytes: optional(byteSizeField({ min: 1024, max: 8 << 20 })),
      linger: optional(durationField({ minMs: 1, maxMs: 3_600_000 })),
      openMax: optional(integerField(1, 65_536)),
    }),
  ),
  retry: optional(
    nestedField<SlsSendRetryOptions>({
      attemptsMax: optional(integerField(1, 1_000_000)),
      initial: optional(durationField({ minMs: 1, maxMs: 3_600_000 })),
      max: optional(durationField({ minMs: 1, maxMs: 86_400_000 })),
    }),
  ),
  order: optional(oneOfField('none', 'key')),
  recordBytesMax: optional(byteSizeField({ min: 1024, max: 50 << 20 })),
  packTag: optional(booleanField()),
}

/** The fields depend on the value, so that a mistake inside is named by its own path. */
export const writeOptionFields = (options: unknown): OptionFieldsOf<SlsWriteOptions<unknown>> => ({
  ...sendOptionFields,
  log: required(functionField('a function from a record to a log, or to null')),
  route: optional(checkedField('hashKey(…), md5Of(…) or buckets(n, …)', isRoute)),
  onRejected: optional(
    isObject(options) && isObject(options['onRejected'])
      ? nestedField<{ deadLetter: SlsDeadLetterOptions }>({ deadLetter: required(nestedField(deadLetterFields)) })
      : oneOfField('fail', 'skip'),
  ),
  rejectedInRowMax: optional(integerField(1, Number.MAX_SAFE_INTEGER)),
})

const presets = {
  classic: { records: 4096, bytes: 3 << 20, lingerMs: 3000, attemptsMax: Number.POSITIVE_INFINITY },
  official: { records: 4096, bytes: 512 << 10, lingerMs: 2000, attemptsMax: 11 },
} as const

export const sendSettingsOf = (options: SlsSendOptions): SlsSendSettings => {
  const preset = presets[options.preset ?? 'classic']
  const { records = preset.records, bytes, linger, openMax = 4096 } = options.package ?? {}
  const { attemptsMax = preset.attemptsMax, initial, max } = options.retry ?? {}
  return {
    logstore: options.logstore,
    topic: options.topic,
    source: options.source,
    tags: options.tags ?? [],
    limits: {
      records,
      bytes: bytes === undefined ? preset.bytes : parseByteSize(bytes),
      lingerMs: linger === undefined ? preset.lingerMs : parseDuration(linger),
      openMax,
    },
    retry: {
      ...defaultRetryPolicy,
      attemptsMax,
      ...(initial === undefined ? {} : { initialMs: parseDuration(initial) }),
      ...(max === undefined ? {} : { maxMs: parseDuration(max) }),
    },
    ordered: options.order === 'key',
    recordBytesMax: parseByteSize(options.recordBytesMax ?? 10_000_000),
    packTag: options.packTag ?? true,
  }
}

/**
 * Reads the options at the door. `others` are the problems of options that belong to the connection.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveWriteOptions = <T>(
  options: SlsWriteOptions<T>,
  others: readonly string[] = [],
): SlsWriteSettings<T> => {
  const problems = [...others, ...optionProblems(writeOptionFields(options), options)]
  if (problems.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `slsSink: ${problems.join('; ')}` })
  }
  const { onRejected = 'fail' } = options
  return Object.freeze({
    ...sendSettingsOf(options),
    log: options.log,
    route: options.route,
    onRejected: typeof onRejected === 'string' ? onRejected : onRejected.deadLetter,
    rejectedInRowMax: options.rejectedInRowMax ?? 1000,
  })
}
