import {
  type ByteSize,
  booleanField,
  byteSizeField,
  checkedField,
  checkOptions,
  type Duration,
  durationField,
  integerField,
  nestedField,
  type OptionFieldsOf,
  OptionsError,
  oneOfField,
  optional,
  parseByteSize,
  parseDuration,
  required,
} from '../../../core/index.ts'
import { credentialsProblem, type SlsCredentials, type SlsCredentialsProvider } from './credentials.ts'
import { type Endpoint, isLoopback, parseEndpoint } from './endpoint.ts'
import { isProjectName } from './names.ts'

/** When a call is tried again. */
export interface SlsRetryOptions {
  /** Tries of one call, the first one included. 1 to 100, default 5. */
  readonly attempts?: number | undefined
  /** Longest wait before the second try; each wait is drawn between zero and that. 1 ms to 1 min, default 200 ms. */
  readonly initial?: Duration | undefined
  /** What the waits grow to, doubling. 1 ms to 10 min, default 5 s. */
  readonly max?: Duration | undefined
}

/** How to reach a project. */
export interface SlsClientOptions {
  /**
   * Such as `cn-hangzhou.log.aliyuncs.com`, or `http://127.0.0.1:8080`. Without a scheme it is https. The project is not
   * part of it.
   */
  readonly endpoint: string
  /** Default: none; only the calls about all projects can be made then. */
  readonly project?: string | undefined
  readonly credentials: SlsCredentials | SlsCredentialsProvider
  /** Version of the signature. Default `v1`. */
  readonly signature?: 'v1' | 'v4' | undefined
  /** Such as `cn-hangzhou`. Needed for `v4`. */
  readonly region?: string | undefined
  /** Allows plain http to another machine than this one: what is sent can be read and changed on the way. Default false. */
  readonly allowPlainHttp?: boolean | undefined
  /** Default `millrace`. */
  readonly userAgent?: string | undefined
  /** For one try, from the call to the last byte of the answer. 1 ms to 1 h, default 30 s. */
  readonly timeout?: Duration | undefined
  /** For a whole call with its repetitions. 1 ms to 1 d, default 90 s. */
  readonly deadline?: Duration | undefined
  readonly retry?: SlsRetryOptions | undefined
  /** Most bytes of an answer, as sent and as decompressed. 1 KiB to 1 GiB, default 64 MiB. */
  readonly answerBytesMax?: ByteSize | undefined
  /** Most bytes of a LogGroup to put; the service takes 10 MB. 1 KiB to 64 MiB, default 10 MiB. */
  readonly putBytesMax?: ByteSize | undefined
}

/** The options, resolved. */
export interface SlsClientSettings {
  readonly endpoint: Endpoint
  readonly project: string | undefined
  readonly credentials: SlsCredentials | SlsCredentialsProvider
  readonly signature: 'v1' | 'v4'
  readonly region: string | undefined
  readonly userAgent: string
  readonly timeoutMs: number
  readonly deadlineMs: number
  readonly attemptsMax: number
  readonly retryInitialMs: number
  readonly retryMaxMs: number
  readonly answerBytesMax: number
  readonly putBytesMax: number
}

const minute = 60_000
const kibibyte = 1_024
const mebibyte = 1_048_576

const isHeaderText = (value: unknown): boolean => typeof value === 'string' && /^[\x20-\x7e]{1,256}$/.test(value)

export const slsClientFields: OptionFieldsOf<SlsClientOptions> = {
  endpoint: required(
    checkedField(
      "a host with or without scheme and port, such as 'cn-hangzhou.log.aliyuncs.com'",
      (value) => typeof value === 'string' && parseEndpoint(value) !== undefined,
    ),
  ),
  project: optional(checkedField('a project name: 1 to 128 of a-z, A-Z, 0-9, - and _', isProjectName)),
  credentials: required(
    checkedField(
      'an object with accessKeyId and accessKeySecret, or a function that gives a promise of one',
      (value) => typeof value === 'function' || credentialsProblem(value) === undefined,
    ),
  ),
  signature: optional(oneOfField('v1', 'v4')),
  region: optional(
    checkedField(
      "a region such as 'cn-hangzhou'",
      (value) => typeof value === 'string' && /^[a-zA-Z0-9-]{1,64}$/.test(value),
    ),
  ),
  allowPlainHttp: optional(booleanField()),
  userAgent: optional(checkedField('up to 256 printable ASCII characters', isHeaderText)),
  timeout: optional(durationField({ minMs: 1, maxMs: 60 * minute })),
  deadline: optional(durationField({ minMs: 1, maxMs: 24 * 60 * minute })),
  retry: optional(
    nestedField<SlsRetryOptions>({
      attempts: optional(integerField(1, 100)),
      initial: optional(durationField({ minMs: 1, maxMs: minute })),
      max: optional(durationField({ minMs: 1, maxMs: 10 * minute })),
    }),
  ),
  answerBytesMax: optional(byteSizeField({ min: kibibyte, max: 1024 * mebibyte })),
  putBytesMax: optional(byteSizeField({ min: kibibyte, max: 64 * mebibyte })),
}

/**
 * The options of a client, checked and resolved.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once; it shows no credentials.
 */
export const slsClientSettings = (options: SlsClientOptions): SlsClientSettings => {
  checkOptions<SlsClientOptions>('SLS client', slsClientFields, withoutSecrets(options))
  const endpoint = parseEndpoint(options.endpoint)
  if (endpoint === undefined) throw problem("'endpoint' is no host")
  const { signature = 'v1', region, retry = {} } = options
  if (signature === 'v4' && region === undefined) throw problem("'region' is missing; signature 'v4' needs it")
  if (endpoint.scheme === 'http' && !isLoopback(endpoint) && options.allowPlainHttp !== true) {
    throw problem(
      `'endpoint' ${endpoint.host} would be reached without encryption`,
      'write https://, or allow it with allowPlainHttp: true in a network that nobody else can reach',
    )
  }
  return {
    endpoint,
    project: options.project,
    credentials: options.credentials,
    signature,
    region,
    userAgent: options.userAgent ?? 'millrace',
    timeoutMs: parseDuration(options.timeout ?? '30s'),
    deadlineMs: parseDuration(options.deadline ?? '90s'),
    attemptsMax: retry.attempts ?? 5,
    retryInitialMs: parseDuration(retry.initial ?? '200ms'),
    retryMaxMs: parseDuration(retry.max ?? '5s'),
    answerBytesMax: parseByteSize(options.answerBytesMax ?? '64MiB'),
    putBytesMax: parseByteSize(options.putBytesMax ?? '10MiB'),
  }
}

const problem = (message: string, fix?: string): OptionsError =>
  new OptionsError('OPTIONS_INVALID', { message: `SLS client: ${message}`, fix })

/** The check prints the values it refuses; these two may hold secrets. */
const withoutSecrets = (options: SlsClientOptions): unknown => {
  if (typeof options !== 'object' || options === null) return options
  const { credentials, endpoint } = options
  if (typeof endpoint === 'string' && /[@?#]/.test(endpoint))
    throw problem("'endpoint' must be a host and a port only, without a user, a path or a query")
  if (typeof credentials === 'function' || credentials === undefined) return options
  const why = credentialsProblem(credentials)
  if (why === undefined) return options
  throw problem(`'credentials' must be an object with accessKeyId and accessKeySecret, or a function: ${why}`)
}
