/** Alibaba Cloud SLS: its client, its logstores as a source and as a sink, and a producer. */
export type { CallOptions } from './client/call.ts'
export { type SlsClientOptions, type SlsRetryOptions, slsClientFields } from './client/client-options.ts'
export type {
  CheckpointUpdate,
  ConsumerCheckpoint,
  ConsumerGroupCalls,
  ConsumerGroupInfo,
} from './client/consumer-groups.ts'
export type { SlsCredentials, SlsCredentialsProvider } from './client/credentials.ts'
export type { JsonObject } from './client/json-answer.ts'
export type { LogstoreCalls, LogstoreInfo, LogstoreInit, LogstorePage } from './client/logstores.ts'
export type { ProjectCalls, ProjectInfo, ProjectPage } from './client/projects.ts'
export type { PullRequest, PullResult } from './client/pull.ts'
export type { JsonLog, JsonLogGroup, PutOptions, PutResult } from './client/put.ts'
export type { CursorPlace, ShardCalls, ShardInfo } from './client/shards.ts'
export { SlsClient, type SlsClientPorts } from './client/sls-client.ts'
export { SlsError, type SlsErrorClass, type SlsErrorCode, type SlsErrorDetails } from './client/sls-error.ts'
export type { SlsSendConnection } from './producer/connection-options.ts'
export type {
  RoutableGroup,
  SlsDispatchBatchOptions,
  SlsDispatchRouting,
  SlsDispatchTarget,
  TargetNames,
} from './producer/dispatch-options.ts'
export type { SlsProducer } from './producer/log-producer.ts'
export type { OutgoingLog } from './producer/outgoing-log.ts'
export type { SlsProducerSendOptions } from './producer/producer-options.ts'
export { buckets, hashKey, md5Of, type SlsRoute } from './producer/route.ts'
export type { SlsSendCounts } from './producer/send-counts.ts'
export type { SlsReceipt } from './producer/sending.ts'
export {
  type SlsDispatch,
  type SlsDispatchCounts,
  type SlsDispatchOptions,
  slsDispatchOf,
} from './producer/sls-dispatch.ts'
export { type SlsProducerOptions, slsProducerOf } from './producer/sls-producer.ts'
export {
  type ConnectSink,
  type SlsSendResources,
  type SlsSink,
  type SlsSinkOptions,
  slsSinkOf,
} from './producer/sls-sink.ts'
export type {
  SlsDeadLetterOptions,
  SlsPackageOptions,
  SlsSendOptions,
  SlsSendRetryOptions,
  SlsWriteOptions,
} from './producer/write-options.ts'
export { Log } from './source/log.ts'
export { LogGroup } from './source/log-group.ts'
export type { SlsReadCounts, SlsShardProgress } from './source/read-monitor.ts'
export {
  type ConnectSource,
  type SlsDeadLetters,
  type SlsRecord,
  type SlsSource,
  type SlsSourceResources,
  slsSourceOf,
} from './source/sls-source.ts'
export type { SlsSourceOptions } from './source/sls-source-options.ts'
export type { SlsInvalidPolicy, SlsLogstore, SlsReadOptions } from './source/source-options.ts'
export type { SlsEnd, SlsPosition, SlsStart } from './source/source-position.ts'
