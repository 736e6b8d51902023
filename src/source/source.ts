import type {
  Clock,
  Environment,
  Generation,
  Guarantee,
  Logger,
  RecordBatch,
  StepMetrics,
  VersionedSerializer,
} from '../core/index.ts'

/** A part of a source that one reader reads in order: a shard, a partition, a file. It carries its position. */
export interface Split {
  /** Stable and unique within the source: the same part has the same id after any restart. */
  readonly splitId: string
}

/**
 * A description of where records come from. Making one opens nothing; the job calls `createEnumerator` and
 * `createReader` when it runs.
 *
 * @typeParam T what the source emits
 * @typeParam G what it can promise: `exactly-once` when it can be put back to an exact position
 * @typeParam D whether it gives dead letters; a job that reads it then needs a sink for them
 */
export interface Source<out T, out G extends Guarantee = Guarantee, out D extends boolean = false> {
  /** What kind of source this is, for `explain()` and messages: `'files'`. */
  readonly kind: string
  readonly guarantee: G
  /** A bounded source ends by itself; the job then takes a final checkpoint and finishes. */
  readonly boundedness: 'bounded' | 'unbounded'
  /** It gives what it cannot read to the dead-letter sink of the job. Default: it does not. */
  readonly deadLetters?: D | undefined
  /** Opens the source: called once per attempt to run the job. */
  open(context: SourceContext): OpenSource<T>
}

/** What a source gets of its job. */
export interface SourceContext extends Environment {
  readonly job: string
  /** The name the user gave the source; its operator uid. */
  readonly step: string
  readonly parallelism: number
  /** The attempt that reads. Grows with every one on the same checkpoints. */
  readonly generation: Generation
  readonly batchRecordsMax: number
  readonly batchBytesMax: number
}

/** A source that runs. The runtime gives back to it only splits and states that came from it. */
export type OpenSource<T> = SourceParts<T, Split, unknown>

/** The working parts of a source. */
export interface SourceParts<T, SplitT extends Split, StateT> {
  readonly splitSerializer: VersionedSerializer<SplitT>
  readonly enumeratorSerializer: VersionedSerializer<StateT>
  /** `restored` is the enumerator's state of the checkpoint the job starts from. */
  createEnumerator(
    context: SplitEnumeratorContext<SplitT>,
    restored: StateT | undefined,
  ): SplitEnumerator<SplitT, StateT>
  createReader(context: SourceReaderContext): SourceReader<T, SplitT>
}

/** Checks the parts of a source against each other, then forgets the types that are only its own business. */
export const openSource = <T, SplitT extends Split, StateT>(parts: SourceParts<T, SplitT, StateT>): OpenSource<T> =>
  parts as unknown as OpenSource<T>

/** What an enumerator may do. Calls are synchronous: an assignment made before a barrier is in the reader before it. */
export interface SplitEnumeratorContext<SplitT extends Split> {
  readonly parallelism: number
  readonly clock: Clock
  readonly log: Logger
  /** The metrics of the step: of all its subtasks together. */
  readonly metrics: StepMetrics
  /** Hands splits to the reader of one subtask, which owns them and their progress from then on. */
  assignSplits(subtask: number, splits: readonly SplitT[]): void
  /** Tells one reader that no further split will come; it ends when it has read what it holds. */
  signalNoMoreSplits(subtask: number): void
  sendEventToReader(subtask: number, event: unknown): void
  /** Fails the job with an error that came up outside a call of the runtime. */
  fail(error: Error): void
}

/**
 * Finds the splits of a source and hands each to exactly one reader. Calls never overlap. Progress lives in the readers:
 * an enumerator never hands out again what a reader owns; it gets splits back only through `addSplitsBack`.
 * An error thrown from any method fails the job.
 */
export interface SplitEnumerator<SplitT extends Split, StateT> {
  /**
   * Starts discovery. Every reader is there, and has its restored splits already. Resolves when the splits present now
   * are known; later ones are found by the enumerator's own timers, until `close`.
   */
  start(): Promise<void>
  /** A reader asks for work; only called when the reader's source uses requests. */
  handleSplitRequest?(subtask: number): void
  handleReaderEvent?(subtask: number, event: unknown): void
  /** Takes back splits a reader lost. */
  addSplitsBack(splits: readonly SplitT[], subtask: number): void
  /**
   * Places all unfinished splits of a checkpoint when the parallelism changed, once, before any reader starts.
   * Without it the runtime deals them out evenly, in order of split id.
   */
  reassign?(splits: readonly SplitT[]): ReadonlyMap<number, readonly SplitT[]>
  /**
   * The state at this moment: what was never handed out, and what must be remembered of what was.
   * Synchronous, so that no assignment falls between it and the barrier.
   */
  snapshotState(checkpointId: number): StateT
  /** Ids of the splits found but not handed out; the runtime checks that each is in one snapshot only. */
  unassignedSplitIds(): readonly string[]
  /** The id is a high-water mark: a notification may be lost, repeated or late. */
  notifyCheckpointComplete?(checkpointId: number): void
  close(): Promise<void>
}

/** What a reader may do. */
export interface SourceReaderContext {
  readonly subtask: number
  readonly parallelism: number
  /** The metrics of the subtask. */
  readonly metrics: StepMetrics
  sendEventToEnumerator(event: unknown): void
  sendSplitRequest(): void
}

/** `records` there is a batch, `nothing` at the moment, `end` for ever: all splits are read and none will follow. */
export type PollResult<T> =
  | { readonly kind: 'records'; readonly batch: RecordBatch<T> }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'end' }

export const nothingToRead: PollResult<never> = { kind: 'nothing' }
export const endOfReader: PollResult<never> = { kind: 'end' }

/**
 * Reads the splits of one subtask. All methods but `available` and `close` are synchronous on purpose: between giving out
 * records and moving the position past them there is no moment at which `snapshotState` could see one without the other.
 */
export interface SourceReader<T, SplitT extends Split> {
  /** Starts background work such as prefetch. */
  start(): void
  /** The next records of one split; never waits. Throws when reading failed for good. */
  poll(): PollResult<T>
  /** Resolves when `poll` is worth calling again; may resolve too often. */
  available(): Promise<void>
  /** Takes over splits, positions included. */
  addSplits(splits: readonly SplitT[]): void
  notifyNoMoreSplits(): void
  handleSourceEvent?(event: unknown): void
  /**
   * Every split the reader owns, at the position after the last record given out by `poll`. A finished split stays in
   * until a checkpoint that contains it completed.
   */
  snapshotState(checkpointId: number): readonly SplitT[]
  /** Ids of owned splits that are not finished. */
  unfinishedSplitIds(): readonly string[]
  notifyCheckpointComplete?(checkpointId: number): void
  notifyCheckpointAborted?(checkpointId: number): void
  /** Stops fetching for some splits, without emitting or buffering more; and resumes others. */
  pauseOrResumeSplits(pause: readonly string[], resume: readonly string[]): void
  /** What the reader waits for, in words, for diagnosis. */
  waitingFor(): string
  /** Ends background work and frees what is held. May be called twice. */
  close(): Promise<void>
}
