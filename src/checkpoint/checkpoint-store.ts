import type { CheckpointId, Generation } from '../core/index.ts'

/** What a part of a checkpoint holds. */
export type PartKind = 'splits' | 'enumerator' | 'keyed' | 'writer' | 'committables'

/** A piece of state as it lies in a checkpoint. Small pieces stand in the manifest itself, where a person can read them. */
export interface CheckpointPart {
  readonly kind: PartKind
  /** The subtask that wrote it; absent for what exists once per operator. */
  readonly subtask?: number | undefined
  /** The kind of value inside and its version: what `VersionedSerializer` needs to read it. */
  readonly serializer: string
  readonly version: number
  readonly bytes: number
  readonly sha256: string
  /** Name of the file beside the manifest; absent when the bytes are inline. */
  readonly file?: string | undefined
  /** Inline bytes: as text when they are UTF-8, else as base64. */
  readonly text?: string | undefined
  readonly base64?: string | undefined
}

/** The state of one operator. */
export interface OperatorState {
  readonly uid: string
  readonly kind: 'source' | 'keyed' | 'sink'
  readonly parallelism: number
  readonly parts: readonly CheckpointPart[]
}

/**
 * - `initial`: the empty state a fresh start begins from.
 * - `periodic`: taken on the interval, or by hand.
 * - `final`: taken behind the last record, when the job ends or stops.
 * - `savepoint`: asked for by a person, in a directory of its own, never cleaned.
 */
export type CheckpointKind = 'initial' | 'periodic' | 'final' | 'savepoint'

/** A completed checkpoint as a person finds it on disk. The JSON has a CRC-32 of everything else in it. */
export interface CheckpointManifest {
  readonly magic: 'millrace-checkpoint'
  readonly formatVersion: number
  /** The oldest reader that understands it. */
  readonly readerVersion: number
  readonly job: string
  readonly checkpointId: CheckpointId
  readonly generation: Generation
  readonly kind: CheckpointKind
  /** Wall time, for people only. */
  readonly completedAt: string
  readonly maxParallelism: number
  readonly operators: readonly OperatorState[]
  /** Reserved for unaligned checkpoints. */
  readonly channelState: null
}

/** Which checkpoint to start from: the newest, none at all, one by id, or a directory (a savepoint's, or a copy). */
export type RestoreTarget = 'latest' | 'none' | number | string

export interface OpenStoreRequest {
  readonly job: string
  readonly restore: RestoreTarget
  /** Allows a start from a checkpoint older than the newest one, whose output is already visible. */
  readonly allowRollback: boolean
  readonly maxParallelism: number
  /** Who asks, in words: host, pid. Written into the generation so that a fenced process can say who fenced it. */
  readonly owner: string
}

/** Where completed checkpoints live. */
export interface CheckpointStore {
  /**
   * Takes ownership: seals the predecessor, reads and verifies the checkpoint to restore, claims the next generation
   * (reliability paper, section 2.3). Refuses a foreign directory before it seals anything.
   * @throws FencedError `FENCED` when another starter won; RestoreError when the checkpoint cannot be used;
   *   StorageError when the directory cannot.
   */
  open(request: OpenStoreRequest): Promise<CheckpointSession>
}

/** Ownership of a checkpoint directory by one attempt. Every method throws `FENCED` once a newer owner sealed it. */
export interface CheckpointSession {
  readonly generation: Generation
  /** The checkpoint to start from; undefined for a fresh start. */
  readonly restored: CheckpointManifest | undefined
  /** The bytes of a part of `restored`, verified against length and hash. */
  readPart(part: CheckpointPart): Promise<Uint8Array>
  /**
   * Publishes the restored state, without its receipts (they are committed by now), as the first checkpoint of this
   * generation; or the empty `initial` one. Parts come over as hard links.
   */
  carryOver(): Promise<CheckpointId>
  /** Removes what earlier generations left and nothing needs any more. After `carryOver` only. */
  cleanUp(): Promise<void>
  /** Starts writing checkpoint `id`, which is greater than every id before it. `directory` is for savepoints. */
  begin(id: CheckpointId, kind: CheckpointKind, directory?: string): CheckpointWriter
  /** The next free id. */
  nextId(): CheckpointId
  /** Every sink has confirmed what checkpoint `id` named: older ones beyond the retained number may go. */
  retire(id: CheckpointId): Promise<void>
}

/** One checkpoint being written. */
export interface CheckpointWriter {
  readonly id: CheckpointId
  /** A part of known bytes: inline when small. */
  writePart(part: PartHeader, bytes: Uint8Array): Promise<CheckpointPart>
  /** A part written piece by piece. The pieces may be reused by the caller once `append` resolved. */
  openPart(part: PartHeader): Promise<PartWriter>
  /**
   * Makes everything durable, then the checkpoint visible: resolves after the commit point. On a failure before it the
   * checkpoint does not exist; the caller gives it up with `discard`.
   */
  publish(operators: readonly OperatorState[]): Promise<CheckpointManifest>
  /** Removes what was written. Safe while parts are still being written; they fail. Never throws. */
  discard(): Promise<void>
}

export type PartHeader = Pick<CheckpointPart, 'kind' | 'subtask' | 'serializer' | 'version'> & { readonly uid: string }

export interface PartWriter {
  append(bytes: Uint8Array): Promise<void>
  /** Syncs and closes the file. */
  finish(): Promise<CheckpointPart>
}
