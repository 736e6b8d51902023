/** The SLS wire format, shared by client and service. Pure. */

export { acceptedCompression, compressionName, compressionNames, decompress } from './compression.ts'
export { decodeCursor, encodeCursor } from './cursor.ts'
export {
  bucketKey,
  evenRanges,
  type HashRange,
  hashKeyMax,
  hashKeyMin,
  padHashKey,
  rangeHas,
  splitAt,
  splitEvenly,
} from './hash-range.ts'
export { type CheckedLogGroup, checkLogGroup } from './log-group/check-log-group.ts'
export {
  appendTags,
  encodeLogGroup,
  LogGroupBuilder,
  LogGroupEncoder,
  type LogGroupEncoderOptions,
  listGroupPrefix,
  logGroupList,
} from './log-group/encode-log-group.ts'
export { defaultLogGroupLimits, type LogGroupLimits } from './log-group/limits.ts'
export { LogDecoder, type LogReceiver } from './log-group/log-decoder.ts'
export { type LogGroupView, viewLogGroup, viewLogGroupList } from './log-group/log-group-view.ts'
export type { LogGroupHeader, LogGroupInit, LogInit } from './log-group/log-init.ts'
export { decodeLogPackageList, encodeLogPackageList, type LogPackage } from './log-group/log-package-list.ts'
export { type LogSource, type LogView, viewLog } from './log-group/log-view.ts'
export type { PlainFields } from './log-group/plain-fields.ts'
export {
  findTail,
  type Lz4Group,
  type Lz4Part,
  type Lz4Tail,
  stitchLogGroupList,
  stitchLz4,
} from './lz4-stitch.ts'
export { parseQuery, parseTarget, percentEncode, type QueryPair, type RequestTarget } from './request-target.ts'
export {
  type ServiceErrorClass,
  type ServiceErrorCode,
  type ServiceErrorRow,
  serviceErrorOf,
  serviceErrors,
} from './service-errors.ts'
export {
  type Credentials,
  type Signing,
  signRequest,
  type Verdict,
  type Verification,
  verifyRequest,
} from './signature.ts'
export { parseHttpDate } from './signature-v1.ts'
export { hexOf } from './signature-v4.ts'
