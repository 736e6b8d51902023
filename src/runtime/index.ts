/** What runs: the graph of a job, its plan, and the subtasks, channels and state that carry it out. */

export { mapAsyncOperator, type ParseSettings, parseOperator, type RxSegment, rxOperator } from './async-transforms.ts'
export type { RestoreOptions } from './attempt-start.ts'
export { type Exchange, type ExecutionPlan, planExecution, type Vertex } from './execution-plan.ts'
export type { AttemptOutcome, SubtaskReport } from './job-attempt.ts'
export type { JobEvent } from './job-events.ts'
export {
  type CheckpointSettings,
  type GraphEdge,
  type GraphNode,
  type JobGraph,
  type JobSettings,
  type KeyedNode,
  type NodeId,
  type Partitioning,
  type RestartSettings,
  type SinkNode,
  type SourceNode,
  type TransformNode,
  type UnionNode,
  validateGraph,
} from './job-graph.ts'
export { type JobHandle, type JobResult, JobRunner, type JobRunnerOptions } from './job-runner.ts'
export { type ProcessContext, type ProcessFunctions, ProcessOperator, reduceOperator } from './keyed-operators.ts'
export { KeyedStateStore, type StateDeclaration } from './keyed-state.ts'
export type { MetricsFrame } from './metric-frames.ts'
export type { Operator, OperatorContext, OperatorSnapshot, Output, Outputs } from './operator.ts'
export { noProgressMark, type ProgressMark } from './progress-mark.ts'
export { decideRestart, type PastFailure, type RestartDecision } from './restart-strategy.ts'
export {
  type ListState,
  listState,
  type MapState,
  mapState,
  type StateSpec,
  type ValueState,
  valueState,
} from './state-handles.ts'
export { filterOperator, flatMapOperator, mapOperator, splitOperator } from './transforms.ts'
