import type { CheckpointPart, CheckpointWriter } from '../checkpoint/index.ts'
import type { CheckpointId, Clock, Logger, Metric, RecordBatch } from '../core/index.ts'

/** Where an operator puts its results. A promise means: wait, there is no room downstream. */
export interface Output {
  emit(batch: RecordBatch): void | Promise<void>
}

/** Output by name: `'main'`, the branches of a split, `'dead-letter'`. */
export interface Outputs {
  readonly main: Output
  side(name: string): Output
}

/** What an operator gets of its subtask. */
export interface OperatorContext {
  readonly job: string
  readonly step: string
  readonly subtask: number
  readonly parallelism: number
  readonly batchRecordsMax: number
  readonly clock: Clock
  readonly log: Logger
  /** Aborts when the attempt ends. */
  readonly signal: AbortSignal
  readonly outputs: Outputs
  readonly errors: Metric
  /** Awaits a promise of the user's: says so in `waitingFor()`, warns, and fails the step when it takes too long. */
  awaitUser<T>(promise: Promise<T>, what: string): Promise<T>
  /** Tells what the operator waits for; undefined when it does not wait. */
  waiting(forWhat: string | undefined): void
}

/** What an operator leaves to a checkpoint. */
export interface OperatorSnapshot {
  readonly uid: string
  /** Writes the state taken at the barrier. Runs while the operator works on. */
  persist(writer: CheckpointWriter): Promise<readonly CheckpointPart[]>
  /** Receipts for staged output. */
  readonly committables?: readonly unknown[]
  /** The checkpoint was given up: frees what the snapshot holds. */
  abandon?(): void
}

/**
 * One step inside a subtask. Calls never overlap. A method that returns a promise is awaited before anything else of the
 * subtask runs.
 */
export interface Operator {
  process(batch: RecordBatch): void | Promise<void>
  /** No record follows: emit what is held. */
  endInput?(): void | Promise<void>
  /** A barrier has arrived: emit or hand over all that belongs before it. */
  prepareBarrier?(id: CheckpointId, endOfInput: boolean): Promise<void>
  /** The state at the barrier. Synchronous. */
  snapshot?(id: CheckpointId): OperatorSnapshot
  notifyCheckpointComplete?(id: CheckpointId): void
  notifyCheckpointAborted?(id: CheckpointId): void
  /** When the next processing-time timer is due, in wall milliseconds. */
  nextTimerMs?(): number | undefined
  /** Fires every timer due at `nowMs`. */
  fireTimers?(nowMs: number): void | Promise<void>
  close?(): Promise<void>
}
