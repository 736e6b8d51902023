import type {
  CheckpointId,
  Environment,
  Generation,
  Guarantee,
  RecordBatch,
  StepMetrics,
  VersionedSerializer,
} from '../core/index.ts'

/**
 * A description of where records go. Making one opens nothing.
 *
 * @typeParam T what the sink takes
 * @typeParam G what it can promise
 */
export interface Sink<in T, out G extends Guarantee = Guarantee> {
  /** What kind of sink this is, for `explain()` and messages: `'files'`. */
  readonly kind: string
  readonly guarantee: G
  /** One sentence: how the guarantee is kept, or why it is no better. Shown by `explain()`. */
  readonly guaranteeReason: string
  readonly open: (context: SinkContext) => OpenSink<T>
}

/** What a sink gets of its job. */
export interface SinkContext extends Environment {
  readonly job: string
  /** The name the user gave the sink; its operator uid. */
  readonly step: string
  readonly parallelism: number
  /** The attempt that writes. In every staged name, so that no attempt can touch the output of another. */
  readonly generation: Generation
  /** The metrics of the step: of all its subtasks together. */
  readonly metrics: StepMetrics
}

/** A sink that runs. The runtime gives back to it only states and receipts that came from it. */
export type OpenSink<T> = SinkParts<T, unknown, unknown>

/** Checks the parts of a sink against each other, then forgets the types that are only its own business. */
export const openSink = <T, StateT, CommittableT>(parts: SinkParts<T, StateT, CommittableT>): OpenSink<T> =>
  parts as unknown as OpenSink<T>

/** The working parts of a sink. */
export interface SinkParts<T, StateT, CommittableT> {
  /** Given when writers keep state; it is dealt out again when the parallelism changes. */
  readonly stateSerializer?: VersionedSerializer<StateT> | undefined
  /** Given when output is staged and made visible after the checkpoint. Needs `createCommitter`. */
  readonly committableSerializer?: VersionedSerializer<CommittableT> | undefined
  /** Called once per subtask, after everything a checkpoint left pending has been committed. */
  createWriter(context: SinkWriterContext, restored: readonly StateT[]): Promise<SinkWriter<T, StateT, CommittableT>>
  /** One per sink and attempt. */
  createCommitter?(): Promise<Committer<CommittableT>>
}

export interface SinkWriterContext {
  readonly subtask: number
  readonly parallelism: number
  /** The metrics of the subtask. */
  readonly metrics: StepMetrics
  /** Aborts when the attempt ends; every wait inside a writer listens to it. */
  readonly signal: AbortSignal
  /** Tells the runtime what the writer waits for, for `waitingFor()`; undefined when it does not wait. */
  waiting(forWhat: string | undefined): void
}

/** Writes the records of one subtask. Calls never overlap. */
export interface SinkWriter<in T, out StateT = never, out CommittableT = never> {
  /**
   * Takes a batch. Resolves when there is room for the next: awaiting it is the backpressure.
   * Rejects with the first failure that retries could not mend, also one of an earlier batch.
   */
  write(batch: RecordBatch<T>): Promise<void> | void
  /** Called at every barrier, before the snapshot: everything written so far is handed to the other side, or staged. */
  flush(endOfInput: boolean): Promise<void>
  /** After `flush`: receipts for what is staged and durable. The next record opens something new. */
  prepareCommit?(checkpointId: CheckpointId): Promise<readonly CommittableT[]> | readonly CommittableT[]
  /** After `prepareCommit`. Synchronous. */
  snapshotState?(checkpointId: CheckpointId): readonly StateT[]
  /** Frees what is held; staged output that no checkpoint names is left to `Committer.abortOrphans`. May be called twice. */
  close(): Promise<void>
}

/** One receipt to be honoured, with Flink's signals. Exactly one signal is given per attempt; none means committed. */
export interface CommitRequest<out CommittableT> {
  readonly committable: CommittableT
  readonly checkpointId: CheckpointId
  /** Failed attempts so far. */
  readonly retries: number
  /** The effect is there already. Counts as committed. */
  signalAlreadyCommitted(): void
  /** Not now; asked again with back-off. */
  retryLater(cause: Error): void
  /** It can never be committed: data loss. Ends the job with exit code 5. */
  signalFailed(cause: Error): void
}

/** Makes staged output visible. Every call must be idempotent: a commit may be asked for again after any crash. */
export interface Committer<in CommittableT> {
  /** Resolves when every request that got no signal is committed and durable. A rejection leaves all of them pending. */
  commit(requests: readonly CommitRequest<CommittableT>[]): Promise<void>
  /**
   * Removes what earlier attempts staged and no checkpoint names. Called once per attempt, after restored receipts have
   * been committed and this attempt's first checkpoint is published.
   */
  abortOrphans(): Promise<void>
  close(): Promise<void>
}
