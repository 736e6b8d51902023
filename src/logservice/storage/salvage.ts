import {
  type Clock,
  type Digest,
  type DirectoryLock,
  type FileSystem,
  isMillraceError,
  joinPath,
  type Logger,
  makeDirectories,
  type Random,
  StorageError,
} from '../../core/index.ts'
import type { JournalEntry } from './batch-encoder.ts'
import { BadBlock, BlockReader } from './block-reader.ts'
import { type ReadSegment, readHeader, readSegment, readSnapshot } from './found-files.ts'
import { Journal } from './journal.ts'
import { defaultBatchBytesMax, defaultSegmentBytes, streamId } from './log-storage.ts'
import { SalvageCopy } from './salvage-copy.ts'
import { numberOf, segmentName, snapshotName, unfinishedName, writeAside } from './segment-files.ts'
import { batchHeaderBytes, entriesOf, entryKinds, type TableEntry } from './segment-format.ts'
import type { ScannedBatch } from './segment-scan.ts'
import { encodeSnapshot, type SnapshotFile } from './snapshot-file.ts'
import { isSpaceError, readFailure, unavailable } from './storage-failures.ts'
import { StreamTable } from './stream-table.ts'

export interface SalvageOptions {
  /** The damaged directory. Nothing in it is changed. */
  readonly from: string
  /** The new directory: made when missing, refused unless it is empty. */
  readonly to: string
  readonly fs: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly log: Logger
  readonly lock: DirectoryLock
  /** Default 64 MiB. */
  readonly segmentBytes?: number | undefined
}

export interface SalvageReport {
  /** What was copied. */
  readonly groups: number
  readonly facts: number
  /** Indexes without a group, `to` not included. A hole at the end of a stream may be larger than what was lost there. */
  readonly holes: readonly { readonly stream: number; readonly from: number; readonly to: number }[]
  /** Places that could not be read; what lay there is lost. */
  readonly lost: readonly { readonly file: string; readonly from: number; readonly to: number }[]
  /** Facts known to be lost. More may have lain in the lost places. */
  readonly factsLost: number
  /** True when the owner's last snapshot was unreadable: then its definitions begin with the facts that are left. */
  readonly snapshotLost: boolean
}

/**
 * Copies what is good in a damaged directory into a new one. Groups keep their streams and indexes, so that every cursor
 * still means the same; what was lost becomes a hole, whose indexes are never used again and which reading passes over.
 * Where it cannot be told how many groups a stream lost at its end, the hole is as large as can be.
 *
 * @throws StorageError `DIRECTORY_IN_USE` for either directory, `STORAGE_REFUSED` when the new one is not empty,
 * `LOG_STORE_NEWER`, `LOG_STORE_UNAVAILABLE` when its disk is full, `STORAGE_FAILED`.
 */
export const salvage = async (options: SalvageOptions): Promise<SalvageReport> => {
  const { fs, from, to, lock } = options
  const source = await lock.acquire(from).catch((error: unknown) => {
    throw readFailure(error, from)
  })
  try {
    await makeDirectories(fs, to)
    const names = await fs.list(to)
    if (names.length > 0) throw notEmpty(to, names[0] ?? '')
    const target = await lock.acquire(to)
    try {
      return await copyGood(options)
    } finally {
      await target.release()
    }
  } catch (error) {
    throw isSpaceError(error) ? await unavailable(fs, error, to) : readFailure(error, to)
  } finally {
    await source.release()
  }
}

const notEmpty = (path: string, name: string): StorageError =>
  new StorageError('STORAGE_REFUSED', {
    message: `a salvage needs an empty directory; in this one is ${name}`,
    place: { path },
    fix: 'name a directory that is empty or does not exist',
  })

const copyGood = async (options: SalvageOptions): Promise<SalvageReport> => {
  const { fs, digest, to } = options
  const from = { fs, digest, directory: options.from }
  const unfinished = await fs.create(joinPath(to, unfinishedName))
  await unfinished.close()
  await fs.syncDirectory(to)
  let snapshotLost = false
  const snapshot = await readSnapshot(from).catch((error: unknown) => {
    if (!isMillraceError(error) || error.code !== 'LOG_STORE_CORRUPT') throw error
    snapshotLost = true
    return undefined
  })
  const reader = new BlockReader({ ...from, cacheBytes: 0, openFilesMax: 4 })
  const unread = new BlockReader({ ...from, directory: to, cacheBytes: 0, openFilesMax: 1 })
  const table = new StreamTable()
  const journal = new Journal(
    {
      ...options,
      directory: to,
      snapshot: undefined,
      segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
      batchBytesMax: defaultBatchBytesMax,
      reserveBytes: 0,
    },
    table,
    unread,
    { sequence: 0, nextNumber: 1, segments: [], active: undefined },
  )
  const copy = new SalvageCopy(journal, table, snapshot)
  const lost: { file: string; from: number; to: number }[] = []
  for (const segment of await segmentsOf(options, snapshot)) {
    // What a snapshot covers, it also counts.
    const counted = snapshot?.segments.some(({ number }) => number === segment.number) ?? false
    if (!counted) copy.lose(segment.lost.reduce((sum, range) => sum + range.to - range.from, 0))
    lost.push(...segment.lost.map((range) => ({ file: segmentName(segment.number), ...range })))
    for (const batch of segment.batches) {
      if (!copy.begin(batch.header.sequence)) continue
      const bad = await copyBatch(copy, reader, segment, batch)
      lost.push(
        ...bad.map(({ offset, length }) => ({ file: segmentName(segment.number), from: offset, to: offset + length })),
      )
    }
  }
  await copy.finish()
  await journal.close()
  await Promise.all([reader.close(), unread.close()])
  // It covers nothing: all facts are read again. Only the owner's state of that time is in it.
  const state: SnapshotFile = {
    sequence: 0,
    nextNumber: 1,
    segments: [],
    streams: [],
    gaps: [],
    state: snapshot?.state,
  }
  if (snapshot !== undefined) await writeAside(fs, to, snapshotName, encodeSnapshot(state, digest))
  await fs.unlink(joinPath(to, unfinishedName))
  await fs.syncDirectory(to)
  return { groups: copy.groups, facts: copy.facts, factsLost: copy.factsLost, holes: copy.holes(), lost, snapshotLost }
}

/** Every segment that counts, as far as it can be read, in order. */
const segmentsOf = async (
  { fs, digest, from }: SalvageOptions,
  snapshot: SnapshotFile | undefined,
): Promise<ReadSegment[]> => {
  const ports = { fs, digest, directory: from }
  const listed = new Map(snapshot?.segments.map(({ number, end }) => [number, end]) ?? [])
  const found = (await fs.list(from)).flatMap((name) => numberOf(name, 'log') ?? numberOf(name, 'index') ?? [])
  const later = found.filter((number) => !listed.has(number) && number >= (snapshot?.nextNumber ?? 0))
  const numbers = [...new Set([...listed.keys(), ...later])].sort((left, right) => left - right)
  const ends = new Map(listed)
  for (const number of numbers) {
    const header = await readHeader(ports, number)
    if (header !== undefined && !ends.has(header.previousNumber)) ends.set(header.previousNumber, header.previousEnd)
  }
  const segments: ReadSegment[] = []
  for (const number of numbers) segments.push(await readSegment(ports, number, ends.get(number)))
  return segments
}

/** Copies the entries of a batch; gives back those whose blocks are bad. */
const copyBatch = async (
  copy: SalvageCopy,
  reader: BlockReader,
  segment: ReadSegment,
  { header, head }: ScannedBatch,
): Promise<{ readonly offset: number; readonly length: number }[]> => {
  const bad: { readonly offset: number; readonly length: number }[] = []
  const entries: JournalEntry[] = []
  for (const entry of entriesOf(head.subarray(batchHeaderBytes), header)) {
    if (!copy.wants(entry, header.sequence)) continue
    const blocks = entry.length === 0 ? [new Uint8Array(0)] : await reader.read([{ ...entry, segment: segment.number }])
    if (blocks instanceof BadBlock) {
      bad.push(entry)
      if (entry.kind === entryKinds.fact) copy.factsLost++
    } else {
      entries.push(...copy.take(entry, journalEntry(entry, blocks[0] ?? new Uint8Array(0))))
    }
  }
  await copy.write(entries)
  return bad
}

const journalEntry = (entry: TableEntry, block: Uint8Array): JournalEntry => {
  const { stream, index, receivedMs, rawBytes } = entry
  switch (entry.kind) {
    case entryKinds.group:
      return { kind: 'group', stream: streamId(stream), receivedMs, rawBytes, block }
    case entryKinds.fact:
      return { kind: 'fact', bytes: block }
    case entryKinds.trim:
      return { kind: 'trim', stream, index }
    case entryKinds.drop:
      return { kind: 'drop', stream }
    case entryKinds.hole:
      return { kind: 'hole', stream, index, count: rawBytes }
  }
}
