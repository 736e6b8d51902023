/** What survives a crash: the coordinator, the directory of checkpoints, and the plan to restore one. Imports core only. */
export { type AlignerDecision, BarrierAligner } from './barrier-aligner.ts'
export {
  CheckpointCoordinator,
  type CheckpointCoordinatorOptions,
  type CheckpointTarget,
  type CompletedCheckpoint,
} from './checkpoint-coordinator.ts'
export { decodeManifest, encodeManifest, manifestVersion } from './checkpoint-manifest.ts'
export type {
  CheckpointKind,
  CheckpointManifest,
  CheckpointPart,
  CheckpointSession,
  CheckpointStore,
  CheckpointWriter,
  OpenStoreRequest,
  OperatorState,
  PartHeader,
  PartKind,
  PartWriter,
  RestoreTarget,
} from './checkpoint-store.ts'
export {
  type CheckpointRequest,
  CheckpointTrigger,
  type CheckpointTriggerOptions,
  type TriggerDecision,
} from './checkpoint-trigger.ts'
export {
  DirectoryCheckpointStore,
  type DirectoryCheckpointStoreOptions,
  type DirectoryCheckpointStorePorts,
} from './directory-checkpoint-store.ts'
export { type CheckpointFailure, type CheckpointFailureReason, FailureCounter } from './failure-counter.ts'
export { type IgnoredReason, PendingCheckpoint, type Receipt, type Refusal } from './pending-checkpoint.ts'
export {
  planRestore,
  type RestorableOperator,
  type RestoredOperator,
  type RestorePlan,
  type RestorePlanOptions,
  type SubtaskParts,
} from './restore-plan.ts'
