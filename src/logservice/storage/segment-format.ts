import type { Digest, Random } from '../../core/index.ts'
import { readInteger, viewOf, writeInteger } from './binary.ts'

/**
 * Format 1 of a segment file, little-endian. A header, then batches; a batch is what one write and one fsync made durable:
 *
 * ```
 * segment  "mrlogseg" · version u32 · reader version u32 · number u64 · nonce u64 · first sequence u64
 *          · number of the segment before u64 · where that one ends u64 · carried end u64 · made at ms u64
 *          · crc u32 of all before · 0 u32
 * batch    "mrb1" · crc u32 of the rest of this header · nonce u64 · sequence u64 · offset u64
 *          · entries u32 · crc u32 of the table · block bytes u64 · then the table, then the blocks
 * entry    kind u8 · 0 u24 · stream u32 · index u64 · received ms u64 · raw bytes u32 · length u32 · crc u32 of the block · 0 u32
 * ```
 *
 * A batch is written only after the one before it is durable: its offset is the watermark of that moment. The nonce is
 * drawn for each segment and never leaves the disk, so that nothing a client sends can look like a batch.
 */
export const segmentVersion = 1
export const segmentHeaderBytes = 80
export const batchHeaderBytes = 48
export const tableEntryBytes = 40

const segmentMagic = new TextEncoder().encode('mrlogseg')
const batchMagic = 0x3162726d

export const entryKinds = { group: 1, fact: 2, trim: 3, drop: 4, hole: 5 } as const
export type EntryKind = (typeof entryKinds)[keyof typeof entryKinds]

export interface SegmentHeader {
  readonly version: number
  readonly readerVersion: number
  readonly number: number
  readonly nonce: number
  /** Sequence of its first batch, when it gets one. */
  readonly firstSequence: number
  /** 0 when it is the first. */
  readonly previousNumber: number
  /** What lies behind in the segment before counts for nothing. */
  readonly previousEnd: number
  /** What lies before was durable when the file got its name: the header, and the batch it took over, if any. */
  readonly carriedEnd: number
  readonly createdMs: number
}

export interface BatchHeader {
  readonly nonce: number
  readonly sequence: number
  /** Where it begins in its file. */
  readonly offset: number
  readonly entries: number
  readonly tableCrc: number
  readonly blockBytes: number
}

/** A nonce that fits an integer: 53 bits. */
export const newNonce = (random: Random): number => (random.u32() >>> 11) * 2 ** 32 + random.u32()

export const encodeSegmentHeader = (header: SegmentHeader, digest: Digest): Uint8Array => {
  const bytes = new Uint8Array(segmentHeaderBytes)
  const view = viewOf(bytes)
  bytes.set(segmentMagic)
  view.setUint32(8, header.version, true)
  view.setUint32(12, header.readerVersion, true)
  writeInteger(view, 16, header.number)
  writeInteger(view, 24, header.nonce)
  writeInteger(view, 32, header.firstSequence)
  writeInteger(view, 40, header.previousNumber)
  writeInteger(view, 48, header.previousEnd)
  writeInteger(view, 56, header.carriedEnd)
  writeInteger(view, 64, header.createdMs)
  view.setUint32(72, digest.crc32(bytes.subarray(0, 72)), true)
  return bytes
}

/** Undefined when the bytes are no header that was ever written. */
export const decodeSegmentHeader = (bytes: Uint8Array, digest: Digest): SegmentHeader | undefined => {
  if (bytes.length < segmentHeaderBytes || segmentMagic.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(72, true) !== digest.crc32(bytes.subarray(0, 72))) return undefined
  const integer = (at: number): number => readInteger(view, at)
  const header = {
    version: view.getUint32(8, true),
    readerVersion: view.getUint32(12, true),
    number: integer(16),
    nonce: integer(24),
    firstSequence: integer(32),
    previousNumber: integer(40),
    previousEnd: integer(48),
    carriedEnd: integer(56),
    createdMs: integer(64),
  }
  return Object.values(header).some(Number.isNaN) ? undefined : header
}

/** Writes the header over the first bytes of `batch`, whose table is already in place. */
export const writeBatchHeader = (batch: Uint8Array, header: Omit<BatchHeader, 'tableCrc'>, digest: Digest): void => {
  const view = viewOf(batch)
  const tableEnd = batchHeaderBytes + header.entries * tableEntryBytes
  view.setUint32(0, batchMagic, true)
  writeInteger(view, 8, header.nonce)
  writeInteger(view, 16, header.sequence)
  writeInteger(view, 24, header.offset)
  view.setUint32(32, header.entries, true)
  view.setUint32(36, digest.crc32(batch.subarray(batchHeaderBytes, tableEnd)), true)
  writeInteger(view, 40, header.blockBytes)
  view.setUint32(4, digest.crc32(batch.subarray(8, batchHeaderBytes)), true)
}

/** The batch header at `at`; undefined when there is none. Costs the same whatever the bytes are. */
export const decodeBatchHeader = (bytes: Uint8Array, at: number, digest: Digest): BatchHeader | undefined => {
  if (at + batchHeaderBytes > bytes.length || bytes[at + 1] !== 0x72) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(at, true) !== batchMagic) return undefined
  if (view.getUint32(at + 4, true) !== digest.crc32(bytes.subarray(at + 8, at + batchHeaderBytes))) return undefined
  const header = {
    nonce: readInteger(view, at + 8),
    sequence: readInteger(view, at + 16),
    offset: readInteger(view, at + 24),
    entries: view.getUint32(at + 32, true),
    tableCrc: view.getUint32(at + 36, true),
    blockBytes: readInteger(view, at + 40),
  }
  return Object.values(header).some(Number.isNaN) ? undefined : header
}

export const batchBytes = ({ entries, blockBytes }: BatchHeader): number =>
  batchHeaderBytes + entries * tableEntryBytes + blockBytes

/** One entry as it stands in a table. */
export interface TableEntry {
  readonly kind: EntryKind
  readonly stream: number
  /** Of the group; of a trim, the first index that stays; of a hole, its first index. */
  readonly index: number
  readonly receivedMs: number
  /** Of a hole, how many indexes it covers. */
  readonly rawBytes: number
  readonly length: number
  readonly crc: number
}

export const writeTableEntry = (view: DataView, at: number, entry: TableEntry): void => {
  view.setUint32(at, entry.kind, true)
  view.setUint32(at + 4, entry.stream, true)
  writeInteger(view, at + 8, entry.index)
  writeInteger(view, at + 16, entry.receivedMs)
  view.setUint32(at + 24, entry.rawBytes, true)
  view.setUint32(at + 28, entry.length, true)
  view.setUint32(at + 32, entry.crc, true)
  view.setUint32(at + 36, 0, true)
}

const isKind = (kind: number): kind is EntryKind => kind >= entryKinds.group && kind <= entryKinds.hole

/** An entry of a batch, and where its block lies. */
export interface PlacedEntry extends TableEntry {
  readonly segment: number
  readonly offset: number
}

/**
 * The entries of a table, with the place of each block in the segment.
 * @param segment its number, for those who keep the places
 * @throws Error when a value makes no sense: such a table was never written.
 */
export function* entriesOf(table: Uint8Array, batch: BatchHeader, segment = 0): Generator<PlacedEntry> {
  const view = viewOf(table)
  let offset = batch.offset + batchHeaderBytes + batch.entries * tableEntryBytes
  for (let at = 0; at < batch.entries * tableEntryBytes; at += tableEntryBytes) {
    const kind = view.getUint8(at)
    const index = readInteger(view, at + 8)
    const receivedMs = readInteger(view, at + 16)
    if (!isKind(kind) || Number.isNaN(index) || Number.isNaN(receivedMs))
      throw new Error('a table entry makes no sense')
    const length = view.getUint32(at + 28, true)
    yield {
      kind,
      stream: view.getUint32(at + 4, true),
      index,
      receivedMs,
      rawBytes: view.getUint32(at + 24, true),
      length,
      crc: view.getUint32(at + 32, true),
      segment,
      offset,
    }
    offset += length
  }
}
