/** The words everything else is made of. Imports no other folder and does no I/O. */
export { type BackoffOptions, backoffMs } from './backoff.ts'
export {
  deflateBlockCodec,
  lz4BlockCodec,
  type SizedLz4,
  type ZlibStreams,
  type ZstdFrames,
  zstdBlockCodec,
  zstdContentSize,
} from './block-codecs.ts'
export type { Environment } from './context.ts'
export {
  type ByteSize,
  type Duration,
  parseByteSize,
  parseDuration,
  tryParseByteSize,
  tryParseDuration,
} from './duration.ts'
export { errorTable, type Remedy } from './error-table.ts'
export {
  asError,
  CheckpointError,
  DataLossError,
  type ErrorCode,
  type ErrorDetails,
  type ErrorPlace,
  errnoOf,
  FencedError,
  InvariantError,
  invariant,
  isMillraceError,
  JobCancelledError,
  JobFailedError,
  JobGraphError,
  ListenError,
  MillraceError,
  OptionsError,
  RecordError,
  RestoreError,
  SinkError,
  SourceError,
  StepError,
  StorageError,
  WireError,
} from './errors.ts'
export { ignoreMissing, joinPath, makeDirectories, parentPath, readWhole } from './files.ts'
export { type AtLeast, type Guarantee, satisfies, weaker } from './guarantee.ts'
export { type CheckpointId, checkpointId, type Generation, generation, type OperatorUid, operatorUid } from './ids.ts'
export {
  flinkMurmur,
  hashKey,
  type Key,
  keyBytes,
  keyGroupOf,
  keyGroupRange,
  mapKeyOf,
  murmur3,
  subtaskOfKeyGroup,
} from './key.ts'
export { type LogFields, type Logger, silentLogger } from './log.ts'
export {
  type GaugeName,
  type Metric,
  type MetricLabels,
  type MetricName,
  MetricRegistry,
  type MetricSample,
  metricTable,
  type SplitGaugeName,
  type SplitValue,
  type StepMetrics,
} from './metrics.ts'
export {
  booleanField,
  byteSizeField,
  checkedField,
  checkOptions,
  durationField,
  functionField,
  integerField,
  nearestName,
  nestedField,
  numberField,
  type OptionField,
  type OptionFields,
  type OptionFieldsOf,
  oneOfField,
  optional,
  optionProblems,
  required,
  textField,
  textListField,
} from './options.ts'
export type {
  BlockCodec,
  BlockCodecName,
  Cancel,
  Clock,
  Compression,
  Digest,
  DirectoryLock,
  DirectoryOwnership,
  FileStat,
  FileSystem,
  Hasher,
  HttpHandler,
  HttpRequest,
  HttpResponse,
  Inflater,
  Random,
  ReadableFile,
  SendOptions,
  Transport,
  WritableFile,
} from './ports.ts'
export {
  type DeadLetter,
  estimateBytes,
  fromBase64,
  isParsable,
  type Parsable,
  parseInput,
  rawRecord,
  toBase64,
} from './record.ts'
export { Secret } from './secret.ts'
export { decodeState, encodeState, stateCodecName, stateCodecVersion } from './state-codec.ts'
export {
  type Barrier,
  batchOf,
  type CheckpointCancelled,
  type EndOfInput,
  endOfInput,
  type Origin,
  type OriginColumn,
  pickOrigins,
  type RecordBatch,
  type StreamElement,
} from './stream-element.ts'
export { TransportError, type TransportFailure } from './transport-error.ts'
export { jsonSerializer, readVersioned, type VersionedSerializer } from './versioned-serializer.ts'
