import type { CheckpointId } from './ids.ts'
import type { Key } from './key.ts'
import type { DeadLetter } from './record.ts'

/** Where a record came from: the split, and the position inside it in the source's own terms. */
export interface Origin {
  readonly split: string
  readonly position: string
}

/** Origins of the records of one batch, worked out only when somebody asks. */
export interface OriginColumn {
  at(index: number): Origin
}

/**
 * Records that travel together, and optional columns beside them. One queue operation, one await and one
 * metric update are paid per batch and not per record.
 */
export interface RecordBatch<out T = unknown> {
  readonly kind: 'batch'
  readonly records: readonly T[]
  /** Estimated size of the records in bytes; what channel limits count. */
  readonly bytes: number
  /** Event times in milliseconds since 1970, one per record, when the source knows them. */
  readonly timestamps?: readonly number[] | undefined
  readonly origins?: OriginColumn | undefined
  /**
   * What the source could not read at the places this batch moves past; made when they are asked for, each once. They are
   * taken off where the batch leaves its source.
   */
  readonly deadLetters?: readonly (() => DeadLetter)[] | undefined
  /** Keys of the records, on the way from a keyed exchange to a keyed step. */
  readonly keys?: readonly Key[] | undefined
  /** Hashes of the keys, one per key: the route of each record. */
  readonly keyHashes?: readonly number[] | undefined
}

/** What came before belongs to checkpoint `id`; what comes after does not. */
export interface Barrier {
  readonly kind: 'barrier'
  readonly id: CheckpointId
}

/** Checkpoint `id` will not complete; whoever aligns for it stops doing so. */
export interface CheckpointCancelled {
  readonly kind: 'checkpoint-cancelled'
  readonly id: CheckpointId
}

/** No record follows. Barriers still may: the final checkpoint travels behind the end of input. */
export interface EndOfInput {
  readonly kind: 'end-of-input'
}

/** All that travels on a channel between two subtasks. Every element can be serialised. */
export type StreamElement<T = unknown> = RecordBatch<T> | Barrier | CheckpointCancelled | EndOfInput

export const endOfInput: EndOfInput = { kind: 'end-of-input' }

/** A batch of `records` without columns. `bytes` defaults to a flat 64 per record. */
export const batchOf = <T>(records: readonly T[], bytes: number = records.length * 64): RecordBatch<T> => ({
  kind: 'batch',
  records,
  bytes,
})

/** The origins of a batch built from some records of another one; `picked[i]` is the index there. */
export const pickOrigins = (parent: OriginColumn, picked: readonly number[]): OriginColumn => ({
  at: (index) => parent.at(picked[index] ?? 0),
})
