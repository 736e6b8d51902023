import type { GrowableBytes } from './format-buffer.ts'

/** Why a record cannot be written, and what to do about it. */
export interface EncodingProblem {
  readonly message: string
  readonly fix: string
}

/** Turns records into the bytes of a part. */
export interface RecordFormat<in T> {
  /** File name extension, without the dot. */
  readonly extension: string
  /** Bytes at the head of every part. */
  readonly header: Uint8Array | undefined
  /**
   * Appends the bytes of one record, or says why it cannot; the buffer is then given up, whatever was appended.
   * Throws what the user's functions throw.
   */
  readonly encode: (record: T, into: GrowableBytes) => EncodingProblem | undefined
}
