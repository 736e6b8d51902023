/**
 * What an error answer means to a client.
 *
 * - `throttled`: over a quota. Nothing was done; the same request succeeds later.
 * - `unavailable`: the service failed. Whether a write was done is not known.
 * - `unauthorized`: the key, the token or the signature is not accepted. New credentials may help.
 * - `forbidden`: the caller is known and may not do this.
 * - `clock-skew`: the date of the request is too far from the service's time.
 * - `not-found`: what the request names does not exist.
 * - `cursor-invalid`: a cursor outside what the shard holds, usually an expired one.
 * - `too-large`: the body is over a limit. A part of it may pass.
 * - `conflict`: what should be made exists already.
 * - `not-owner`: the consumer does not hold the shard, or is not known any more.
 * - `refused`: the request itself is wrong. It never succeeds.
 */
export type ServiceErrorClass =
  | 'throttled'
  | 'unavailable'
  | 'unauthorized'
  | 'forbidden'
  | 'clock-skew'
  | 'not-found'
  | 'cursor-invalid'
  | 'too-large'
  | 'conflict'
  | 'not-owner'
  | 'refused'

export interface ServiceErrorRow {
  /** Status of the answer. */
  readonly status: number
  readonly class: ServiceErrorClass
  /** Other names of the same failure: older documentation, or typing errors that clients know. */
  readonly spellings?: readonly string[]
}

const row = (status: number, errorClass: ServiceErrorClass, ...spellings: readonly string[]): ServiceErrorRow =>
  spellings.length === 0 ? { status, class: errorClass } : { status, class: errorClass, spellings }

/** Every error code of the service (SLS protocol paper, sections 2.4, 4.8, 5.6, 6.6, 7.2, 8 and 9.2). */
export const serviceErrors = {
  ParameterInvalid: row(400, 'refused', 'InvalidParameter'),
  InvalidCursor: row(400, 'cursor-invalid'),
  ShardNotExist: row(400, 'not-found', 'ShardNotExsit'),
  LogStoreWithoutShard: row(400, 'not-found'),
  PostBodyInvalid: row(400, 'refused'),
  PostBodyUncompressError: row(400, 'refused'),
  PostBodyTooLarge: row(400, 'too-large'),
  InvalidTimestamp: row(400, 'refused'),
  InvalidEncoding: row(400, 'refused'),
  InvalidKey: row(400, 'refused'),
  InvalidAPIVersion: row(400, 'refused'),
  MissingAPIVersion: row(400, 'refused'),
  MissingHost: row(400, 'refused'),
  MissingDate: row(400, 'refused'),
  InvalidRequestTime: row(400, 'refused', 'InvalidDateFormat'),
  RequestTimeExpired: row(400, 'clock-skew', 'RequestTimeTooSkewed'),
  MissingContentType: row(400, 'refused'),
  MissingBodyRawSize: row(400, 'refused'),
  InvalidBodyRawSize: row(400, 'refused'),
  InvalidCompressType: row(400, 'refused'),
  MissingSignatureMethod: row(400, 'refused'),
  InvalidSignatureMethod: row(400, 'refused'),
  MissAccessKeyId: row(400, 'refused'),
  ProjectAlreadyExist: row(400, 'conflict'),
  LogStoreAlreadyExist: row(400, 'conflict'),
  ConsumerGroupAlreadyExist: row(400, 'conflict'),
  IndexAlreadyExist: row(400, 'conflict'),
  LogStoreInfoInvalid: row(400, 'refused', 'LogstoreInfoInvalid'),
  JsonInfoInvalid: row(400, 'refused'),
  NotSupported: row(400, 'refused'),
  ConsumerGroupQuotaExceed: row(400, 'refused'),
  NotExistConsumerWithBody: row(400, 'not-owner'),
  ConsumerNotExist: row(400, 'not-owner', 'ConsumerNotExsit'),
  ConsumerNotMatch: row(400, 'not-owner'),
  Unauthorized: row(401, 'unauthorized'),
  SignatureNotMatch: row(401, 'unauthorized'),
  SecurityTokenExpired: row(401, 'unauthorized', 'SecurityToken.Expired'),
  InvalidAccessKeyId: row(401, 'unauthorized', 'InvalidAccessKeyId.NotFound'),
  WriteQuotaExceed: row(403, 'throttled'),
  ShardWriteQuotaExceed: row(403, 'throttled'),
  ReadQuotaExceed: row(403, 'throttled'),
  ShardReadQuotaExceed: row(403, 'throttled'),
  ExceedQuota: row(403, 'throttled'),
  ProjectForbidden: row(403, 'forbidden'),
  ProjectNotExist: row(404, 'not-found', 'ProjectNotExists'),
  LogStoreNotExist: row(404, 'not-found', 'LogstoreNotExists'),
  ConsumerGroupNotExist: row(404, 'not-found'),
  IndexConfigNotExist: row(404, 'not-found'),
  InvalidMethod: row(405, 'refused'),
  MissingContentLength: row(411, 'refused'),
  InvalidContentType: row(415, 'refused'),
  InternalServerError: row(500, 'unavailable'),
  ServerBusy: row(503, 'unavailable'),
  RequestTimeout: row(500, 'unavailable'),
} as const satisfies Record<string, ServiceErrorRow>

export type ServiceErrorCode = keyof typeof serviceErrors

/** Upper and lower case do not count: clients compare some codes without regard to them. */
const classes = new Map<string, ServiceErrorClass>(
  Object.entries<ServiceErrorRow>(serviceErrors).flatMap(([code, { class: errorClass, spellings = [] }]) =>
    [code, ...spellings].map((name) => [name.toLowerCase(), errorClass] as const),
  ),
)

/**
 * What an answer with an error means, by its code, and by its status when the code is missing or not known. An answer of
 * 5xx is `unavailable` and one of 429 `throttled` whatever code it carries: a proxy may have written it.
 */
export const serviceErrorOf = (status: number, code: string | undefined): ServiceErrorClass => {
  if (status >= 500) return 'unavailable'
  if (status === 429) return 'throttled'
  const known = code === undefined ? undefined : classes.get(code.toLowerCase())
  if (known !== undefined) return known
  if (status === 401) return 'unauthorized'
  if (status === 403) return code !== undefined && /quota|throttl/i.test(code) ? 'throttled' : 'forbidden'
  if (status === 404) return 'not-found'
  if (status === 408) return 'unavailable'
  if (status === 409) return 'conflict'
  if (status === 413) return 'too-large'
  return 'refused'
}
