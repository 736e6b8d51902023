import {
  asError,
  type Digest,
  type DirectoryOwnership,
  invariant,
  joinPath,
  makeDirectories,
  StorageError,
} from '../../core/index.ts'
import { BadBlock, BlockReader } from './block-reader.ts'
import { type ReadSegment, readHeader, readSegment, readSnapshot } from './found-files.ts'
import { Journal } from './journal.ts'
import {
  defaultBatchBytesMax,
  defaultCacheBytes,
  defaultOpenFilesMax,
  defaultReserveBytes,
  defaultSegmentBytes,
  type Recovered,
  type StorageOptions,
  segmentBytesMax,
} from './log-storage.ts'
import { Replay } from './replay.ts'
import { Reserve } from './reserve.ts'
import { isTemporary, numberOf, segmentName, sidecarName, unfinishedName, writeAside } from './segment-files.ts'
import {
  batchBytes,
  batchHeaderBytes,
  entriesOf,
  type SegmentHeader,
  segmentHeaderBytes,
  writeBatchHeader,
} from './segment-format.ts'
import type { ScannedBatch } from './segment-scan.ts'
import { SegmentWriter } from './segment-writer.ts'
import { SegmentedLog } from './segmented-log.ts'
import { encodeSidecar } from './sidecar.ts'
import type { SnapshotFile } from './snapshot-file.ts'
import { corrupt, isSpaceError, readFailure, unavailable } from './storage-failures.ts'

/**
 * Takes a directory and reads what is in it. Doing it twice gives the same; a crash during it changes nothing.
 *
 * - Everything that a later write or the next segment proves to have been durable must verify. What does not takes the
 *   streams it belongs to out of service; when that cannot be told, nothing is opened.
 * - The last batch of the last segment was confirmed, or it was not: then it is whole and kept, or torn and cut off. A kept
 *   one is written again into a new segment before anybody sees it, because the disk may not have it yet, whatever a sync
 *   says now (reliability paper, F12 and KB-23).
 *
 * @throws StorageError `DIRECTORY_IN_USE`, `LOG_STORE_CORRUPT`, `LOG_STORE_NEWER`, `LOG_STORE_UNAVAILABLE` on a full disk,
 * `STORAGE_REFUSED` or `STORAGE_FAILED` when the directory cannot be used or read.
 */
export const openStorage = async (options: StorageOptions): Promise<Recovered> => {
  const { fs, directory, lock, segmentBytes = defaultSegmentBytes } = options
  invariant(segmentBytes >= 1024 && segmentBytes <= segmentBytesMax, 'a segment has 1 KiB to 1 GiB')
  let ownership: DirectoryOwnership | undefined
  try {
    await makeDirectories(fs, directory)
    ownership = await lock.acquire(directory)
    return await recover(options, ownership)
  } catch (error) {
    await ownership?.release().catch(() => {})
    throw isSpaceError(error) ? await unavailable(fs, error, directory) : readFailure(error, directory)
  }
}

const recover = async (options: StorageOptions, ownership: DirectoryOwnership): Promise<Recovered> => {
  const { fs, digest, directory } = options
  const names = await fs.list(directory)
  // A name that is seen may be lost by the next power failure, until this.
  await fs.syncDirectory(directory)
  if (names.includes(unfinishedName)) throw unfinished(directory)
  const snapshot = await readSnapshot(options)
  await removeLeftovers(options, names, snapshot)
  const segments = await readSegments(options, names, snapshot)
  const replay = new Replay(directory, snapshot)
  const tail = tailOf(segments)
  const kept = segments.map((segment) => (tail?.segment === segment ? withoutTail(segment, tail.batch) : segment))
  for (const segment of kept) replay.segment(segment)
  const lastNumber = Math.max(
    snapshot?.nextNumber ?? 0,
    ...names.flatMap((name) => numberOf(name, 'log') ?? numberOf(name.replace(/\.tmp$/, ''), 'log') ?? []),
  )
  const active = tail === undefined ? undefined : await carry(options, tail.segment, tail.batch, lastNumber + 1)
  if (active !== undefined) replay.batch(active.writer.number, active.batch)
  replay.finish()
  await writeSidecars(options, kept)
  const reader = new BlockReader({
    fs,
    digest,
    directory,
    cacheBytes: options.cacheBytes ?? defaultCacheBytes,
    openFilesMax: options.openFilesMax ?? defaultOpenFilesMax,
  })
  const facts = await readFacts(options, reader, replay)
  const { table } = replay
  const journal = new Journal(
    {
      ...options,
      segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
      batchBytesMax: options.batchBytesMax ?? defaultBatchBytesMax,
      reserveBytes: options.reserveBytes ?? defaultReserveBytes,
    },
    table,
    reader,
    {
      sequence: replay.sequence,
      nextNumber: lastNumber + (active === undefined ? 1 : 2),
      segments: kept.map(({ number, end }) => ({ number, end })),
      active: active?.writer,
    },
  )
  await journal.start()
  const storage = new SegmentedLog({ directory, digest, table, journal, reader, ownership })
  return { storage, snapshot: snapshot?.state, facts }
}

const unfinished = (directory: string): StorageError =>
  new StorageError('STORAGE_REFUSED', {
    message: 'a salvage into this directory did not come to its end',
    place: { path: directory },
    fix: `remove ${directory} and run the salvage again`,
  })

/** Half-written files, and what a snapshot made unnecessary and a crash left behind. */
const removeLeftovers = async (
  { fs, directory }: StorageOptions,
  names: readonly string[],
  snapshot: SnapshotFile | undefined,
): Promise<void> => {
  for (const name of names) {
    const number = numberOf(name, 'log') ?? numberOf(name, 'index')
    if (isTemporary(name) || (number !== undefined && !isWanted(number, snapshot))) {
      await fs.unlink(joinPath(directory, name)).catch(() => {})
    }
  }
}

const isWanted = (number: number, snapshot: SnapshotFile | undefined): boolean =>
  snapshot === undefined ||
  number >= snapshot.nextNumber ||
  snapshot.segments.some((segment) => segment.number === number)

const readSegments = async (
  options: StorageOptions,
  names: readonly string[],
  snapshot: SnapshotFile | undefined,
): Promise<ReadSegment[]> => {
  const ends = new Map(snapshot?.segments.map(({ number, end }) => [number, end]) ?? [])
  // A segment whose index is there was there.
  const numbers = new Set(names.flatMap((name) => numberOf(name, 'log') ?? numberOf(name, 'index') ?? []))
  const later = [...numbers]
    .filter((number) => !ends.has(number) && isWanted(number, snapshot))
    .sort((left, right) => left - right)
  // Each later one says where the one before it ends.
  const headers = new Map<number, SegmentHeader>()
  for (const number of later) {
    const header = await readHeader(options, number)
    if (header === undefined) {
      const path = joinPath(options.directory, segmentName(number))
      throw corrupt(path, 'the segment is missing, or its header does not verify', options.directory)
    }
    headers.set(number, header)
    if (!ends.has(header.previousNumber)) ends.set(header.previousNumber, header.previousEnd)
  }
  const listed = snapshot?.segments.map(({ number }) => number) ?? []
  const segments: ReadSegment[] = []
  for (const number of [...listed, ...later]) segments.push(await readSegment(options, number, ends.get(number)))
  return segments
}

/** The last batch, when nothing proves that it was durable. */
const tailOf = (
  segments: readonly ReadSegment[],
): { readonly segment: ReadSegment; readonly batch: ScannedBatch } | undefined => {
  const segment = segments.at(-1)
  const batch = segment?.batches.at(-1)
  if (segment === undefined || batch === undefined || batch.header.offset < segment.provenEnd) return undefined
  return { segment, batch }
}

const withoutTail = (segment: ReadSegment, batch: ScannedBatch): ReadSegment => ({
  ...segment,
  batches: segment.batches.slice(0, -1),
  end: batch.header.offset,
})

/** Writes the last batch again, as the first one of a new segment. */
const carry = async (
  options: StorageOptions,
  segment: ReadSegment,
  batch: ScannedBatch,
  number: number,
): Promise<{ readonly writer: SegmentWriter; readonly batch: ScannedBatch }> => {
  const { fs, digest, directory, clock } = options
  const whole = await readBatch(options, segment.number, batch)
  const { sequence, entries, blockBytes } = batch.header
  let head: ScannedBatch | undefined
  const create = (): Promise<SegmentWriter> =>
    SegmentWriter.create(options, {
      number,
      firstSequence: sequence,
      previousNumber: segment.number,
      previousEnd: batch.header.offset,
      createdMs: Math.max(0, Math.floor(clock.wallMs())),
      carry(nonce) {
        const header = { nonce, sequence, offset: segmentHeaderBytes, entries, blockBytes }
        writeBatchHeader(whole, header, digest)
        head = {
          header: { ...header, tableCrc: batch.header.tableCrc },
          head: whole.slice(0, batch.head.length),
          badBlocks: batch.badBlocks,
        }
        return whole
      },
    })
  const writer = await create().catch(async (error: unknown) => {
    // A full disk must not keep the service from starting, or nothing could ever be trimmed.
    const reserve = new Reserve(fs, directory, options.reserveBytes ?? defaultReserveBytes)
    if (!isSpaceError(error) || !(await reserve.drop())) throw error
    return create()
  })
  await fs.syncDirectory(directory)
  invariant(head !== undefined, 'the carried batch was encoded')
  return { writer, batch: head }
}

/** The bytes of a batch that has been verified just now. */
const readBatch = async (
  { fs, digest, directory }: StorageOptions,
  number: number,
  batch: ScannedBatch,
): Promise<Uint8Array> => {
  const path = joinPath(directory, segmentName(number))
  const file = await fs.open(path)
  try {
    const length = batchBytes(batch.header)
    for (let reads = 0; reads < 5; reads++) {
      const bytes = await file.readAt(batch.header.offset, length)
      if (bytes.length === length && verifies(bytes, batch, digest)) return bytes
    }
  } finally {
    await file.close()
  }
  throw corrupt(path, `the batch at byte ${batch.header.offset} cannot be read the same way twice`, directory)
}

const verifies = (bytes: Uint8Array, { header, head }: ScannedBatch, digest: Digest): boolean => {
  if (head.some((byte, at) => bytes[at] !== byte)) return false
  for (const { offset, length, crc } of entriesOf(head.subarray(batchHeaderBytes), header)) {
    const at = offset - header.offset
    if (length > 0 && digest.crc32(bytes.subarray(at, at + length)) !== crc) return false
  }
  return true
}

/** Spares the next start from reading what this one had to read. */
const writeSidecars = async (
  { fs, digest, directory, log }: StorageOptions,
  segments: readonly ReadSegment[],
): Promise<void> => {
  for (const { number, indexed, header, headerBytes, batches, lost, end } of segments) {
    const sound = header !== undefined && lost.length === 0 && batches.every(({ badBlocks }) => badBlocks.size === 0)
    if (indexed || !sound || batches.length === 0) continue
    const heads = batches.map(({ head }) => head)
    try {
      await writeAside(fs, directory, sidecarName(number), encodeSidecar(headerBytes, heads, end, digest))
    } catch (error) {
      log.warn({ err: asError(error), path: directory }, 'the index of a segment could not be written')
    }
  }
}

const readFacts = async (
  { directory }: StorageOptions,
  reader: BlockReader,
  { facts }: Replay,
): Promise<readonly Uint8Array[]> => {
  const blocks = await reader.read(facts)
  if (!(blocks instanceof BadBlock)) return blocks
  const path = joinPath(directory, segmentName(blocks.place.segment))
  throw corrupt(
    path,
    `a change of the definitions at byte ${blocks.place.offset} is damaged: ${blocks.what}`,
    directory,
  )
}
