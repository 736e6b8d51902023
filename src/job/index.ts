/** The words a user composes with. Building a job opens nothing. */
export type { ExplainedEdge, ExplainedStep, Explanation } from './explain.ts'
export { type Flow, type Job, job } from './job.ts'
export type { CheckpointOptions, JobOptions, RestartOptions } from './job-options.ts'
export {
  type Branches,
  type KeyedProcessContext,
  KeyedStream,
  type MapAsyncOptions,
  type ParallelOptions,
  type ParseOptions,
  type ProcessDefinition,
  type StateOf,
  type StepOptions,
  Stream,
  type Wiring,
} from './stream.ts'
