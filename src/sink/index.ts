/** Where records go: the contracts of a sink, and the batching writer that sinks of packages build on. Imports core only. */
export { Batcher, type BatcherParts, type BatchingResources, type PackageLimits } from './batching/batcher.ts'
export { BatchingWriter, type BatchingWriterParts } from './batching/batching-writer.ts'
export { type IoLane, IoPool } from './batching/io-pool.ts'
export { MemoryBudget } from './batching/memory-budget.ts'
export { type Destination, Package } from './batching/package.ts'
export { defaultRetryPolicy, type RetryPolicy } from './batching/retry-policy.ts'
export type { AgainReason, PackageOutcome, SendPackage, SendResult } from './batching/send-result.ts'
export {
  type CommitRequest,
  type Committer,
  type OpenSink,
  openSink,
  type Sink,
  type SinkContext,
  type SinkParts,
  type SinkWriter,
  type SinkWriterContext,
} from './sink.ts'
