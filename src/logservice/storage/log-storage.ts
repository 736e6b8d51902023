import type { Clock, Digest, DirectoryLock, FileSystem, Logger, Random } from '../../core/index.ts'

declare const brand: unique symbol

/** Names a stream: an integer from 0 to 2^32 − 1. The owner of the storage gives it out, and never twice. */
export type StreamId = number & { readonly [brand]: 'StreamId' }

export const streamId = (value: number): StreamId => value as StreamId

/** One LogGroup for one stream. It gets the stream's next index when it becomes durable. */
export interface GroupEntry {
  readonly kind: 'group'
  readonly stream: StreamId
  /** Wall clock at arrival, whole milliseconds since 1970. May go back from one group to the next. */
  readonly receivedMs: number
  /** Bytes of the LogGroup before compression: what `bytes` and `rawBytesMax` count. */
  readonly rawBytes: number
  /** The raw LZ4 block of the LogGroup, kept as it is. Must not be changed until the commit settles. */
  readonly block: Uint8Array
}

/** A change of the owner's own state, in order with everything else. The bytes mean nothing to the storage. */
export interface FactEntry {
  readonly kind: 'fact'
  readonly bytes: Uint8Array
}

export type Entry = GroupEntry | FactEntry

/** A group as it is read back. The block may be shared with other readers: not to be changed. */
export interface StoredGroup {
  readonly index: number
  readonly receivedMs: number
  readonly rawBytes: number
  readonly block: Uint8Array
}

export interface ReadLimits {
  /** Groups at most. */
  readonly count: number
  /** Raw bytes at most; one group is given in any case. */
  readonly rawBytesMax: number
  /** Only groups with a smaller index. */
  readonly before: number
}

/** Streams of groups and a journal of facts in one directory. Everything but what was just committed is on disk. */
export interface LogStorage {
  /**
   * Durable when it resolves: all entries of a call together or none, calls in the order they were made, many calls by one
   * write and one fsync. Until then nothing of it is visible. A full disk or a slow one is waited for or told, never
   * hidden: the wait is the backpressure.
   *
   * @throws StorageError `LOG_STORE_UNAVAILABLE` (retry) when the disk refused it: nothing is visible, and it is gone for
   * good once a later commit succeeds; a crash before that may bring it back. `LOG_STORE_FAILED` (stop) once the disk
   * failed to confirm a write: what was in that write may or may not be there after a restart. `LOG_STORE_CORRUPT` for a
   * damaged stream. `LOG_STORE_CLOSED` after `close`.
   */
  commit(entries: readonly Entry[]): Promise<void>
  /** One more than the last durable index; 0 for an unknown stream. */
  end(stream: StreamId): number
  /** The first index that is retained; equal to `end` when there is none. */
  begin(stream: StreamId): number
  /** Undefined when there is no group of that index. */
  receivedMs(stream: StreamId, index: number): number | undefined
  /** The first retained index whose `receivedMs` is at least `ms`, else `end`. */
  firstReceivedFrom(stream: StreamId, ms: number): number
  /** Raw bytes that are retained. */
  bytes(stream: StreamId): number
  /** Streams with a group, ever: also those that were trimmed empty, not those that were dropped. */
  streams(): Iterable<StreamId>
  /**
   * Groups from `from` on, with consecutive indexes; none only if there is none before `limits.before`. The first index
   * is larger than `from` when that one was trimmed, or lost and salvaged.
   *
   * @throws StorageError `LOG_STORE_CORRUPT` when the stream is damaged; STORAGE_FAILED when the disk cannot be read.
   */
  read(stream: StreamId, from: number, limits: ReadLimits): Promise<readonly StoredGroup[]>
  /**
   * Groups before `index` are gone at once; space returns when whole segments are dead. Durable when it resolves.
   * @throws as `commit` does; a full disk can hold it, from the reserve.
   */
  trim(stream: StreamId, index: number): Promise<void>
  /** The stream is gone, and its space returns, when it resolves. Throws as `trim` does. */
  drop(stream: StreamId): Promise<void>
  /** Waits for the commits that were made, then gives the directory back. Rejects nothing; may be called twice. */
  close(): Promise<void>
}

export interface StorageOptions {
  /** Made when missing. One storage owns it at a time. */
  readonly directory: string
  readonly fs: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly log: Logger
  readonly lock: DirectoryLock
  /**
   * The owner's state as of the last durable fact; it replaces all facts so far. Called between commits, one macrotask
   * after the last one resolved: by then the owner must have applied its facts. Never called before `openStorage` resolved.
   */
  readonly snapshot: () => Uint8Array
  /** A segment this long is ended and the next one begun. Default 64 MiB; from 1 KiB up to 1 GiB. */
  readonly segmentBytes?: number | undefined
  /** Groups of waiting calls up to this size are written at once; a larger call is written alone. Default 8 MiB. */
  readonly batchBytesMax?: number | undefined
  /** Memory for blocks lately written and read. Default 64 MiB; 0 for none. */
  readonly cacheBytes?: number | undefined
  /** Disk space kept so that a full disk can still record trims, drops and facts. Default 16 MiB; 0 for none. */
  readonly reserveBytes?: number | undefined
  /** Segments kept open for reading. Default 64. */
  readonly openFilesMax?: number | undefined
}

/** What `openStorage` found. */
export interface Recovered {
  readonly storage: LogStorage
  /** The owner's state at its last snapshot; undefined when there was none yet. */
  readonly snapshot: Uint8Array | undefined
  /** Facts since that snapshot, in order. */
  readonly facts: readonly Uint8Array[]
}

/** One call may hold this much: a defect of the caller beyond it. */
export const callBytesMax = 64 * 1024 * 1024
export const callEntriesMax = 100_000

export const defaultSegmentBytes = 64 * 1024 * 1024
export const segmentBytesMax = 1024 * 1024 * 1024
export const defaultBatchBytesMax = 8 * 1024 * 1024
export const defaultCacheBytes = 64 * 1024 * 1024
export const defaultReserveBytes = 16 * 1024 * 1024
export const defaultOpenFilesMax = 64
