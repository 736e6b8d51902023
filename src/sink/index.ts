/** Where records go: the contracts of a sink. Imports core only. */
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
