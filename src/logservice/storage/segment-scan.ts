import type { Digest } from '../../core/index.ts'
import {
  type BatchHeader,
  batchBytes,
  batchHeaderBytes,
  decodeBatchHeader,
  decodeSegmentHeader,
  entriesOf,
  type SegmentHeader,
  segmentHeaderBytes,
  tableEntryBytes,
} from './segment-format.ts'

export interface ScannedBatch {
  readonly header: BatchHeader
  /** Header and table as they stand in the file. */
  readonly head: Uint8Array
  /** Offsets of blocks that do not verify. */
  readonly badBlocks: ReadonlySet<number>
}

export interface Range {
  readonly from: number
  readonly to: number
}

/** What the bytes of a segment say. */
export interface SegmentScan {
  /** Undefined when the header is damaged. */
  readonly header: SegmentHeader | undefined
  readonly batches: readonly ScannedBatch[]
  /** Places below the watermark where a batch was and is not any more. */
  readonly lost: readonly Range[]
  /** Behind the last batch. What follows is a torn tail, if anything. */
  readonly end: number
  /** What lies before was durable before the process ended, whatever the disk may do to the rest. */
  readonly provenEnd: number
}

const noBadBlocks: ReadonlySet<number> = new Set()

/**
 * Reads a segment from its bytes. A batch that does not verify is rot when something valid follows it, or when it lies
 * before `knownEnd`; otherwise it is the torn tail of a write that was never confirmed. Every step moves forward and the
 * work is linear in the bytes, whatever they are.
 *
 * @param knownEnd where the segment is known to end, e.g. from the header of the next one; undefined for the last one
 */
export const scanSegment = (image: Uint8Array, digest: Digest, knownEnd?: number): SegmentScan => {
  const bytes = knownEnd === undefined ? image : image.subarray(0, knownEnd)
  const header = decodeSegmentHeader(bytes, digest)
  const batches: ScannedBatch[] = []
  const lost: Range[] = []
  const durableTo = knownEnd ?? header?.carriedEnd ?? segmentHeaderBytes
  let nonce = header?.nonce
  let at = segmentHeaderBytes
  let provenEnd = Math.max(at, durableTo)
  const next = (from: number): BatchHeader | undefined => {
    const found = nextBatch(bytes, from, digest, nonce, batches.at(-1)?.header.sequence)
    nonce ??= found?.nonce
    return found
  }
  while (at < bytes.length) {
    const found = next(at)
    if (found === undefined) break
    if (found.offset > at) lost.push({ from: at, to: found.offset })
    provenEnd = Math.max(provenEnd, found.offset)
    const batch = readBatch(bytes, found, digest)
    if (batch === undefined || batch.badBlocks.size > 0) {
      const follows = found.offset < durableTo || next(found.offset + 1) !== undefined
      if (!follows) {
        at = found.offset
        return { header, batches, lost, end: at, provenEnd }
      }
    }
    if (batch === undefined) {
      const after = next(found.offset + 1)
      const to = after?.offset ?? Math.max(durableTo, found.offset + 1)
      lost.push({ from: found.offset, to })
      at = to
    } else {
      batches.push(batch)
      at = found.offset + batchBytes(found)
    }
  }
  if (at < durableTo) {
    lost.push({ from: at, to: durableTo })
    at = durableTo
  }
  return { header, batches, lost: joined(lost), end: at, provenEnd: Math.min(provenEnd, at) }
}

/** The next batch header at or behind `from`. */
const nextBatch = (
  bytes: Uint8Array,
  from: number,
  digest: Digest,
  nonce: number | undefined,
  after: number | undefined,
): BatchHeader | undefined => {
  // The first byte of a batch's magic, 'm'.
  for (let at = bytes.indexOf(0x6d, from); at >= 0; at = bytes.indexOf(0x6d, at + 1)) {
    const header = decodeBatchHeader(bytes, at, digest)
    if (header === undefined || header.offset !== at) continue
    if (nonce !== undefined && header.nonce !== nonce) continue
    if (after === undefined || header.sequence > after) return header
  }
  return undefined
}

/** Undefined when the table cannot be trusted. */
const readBatch = (bytes: Uint8Array, header: BatchHeader, digest: Digest): ScannedBatch | undefined => {
  const tableEnd = header.offset + batchHeaderBytes + header.entries * tableEntryBytes
  if (tableEnd > bytes.length) return undefined
  const table = bytes.subarray(header.offset + batchHeaderBytes, tableEnd)
  if (digest.crc32(table) !== header.tableCrc) return undefined
  const bad = new Set<number>()
  let end = tableEnd
  try {
    for (const { offset, length, crc } of entriesOf(table, header)) {
      end = offset + length
      if (length === 0) continue
      if (end > bytes.length || digest.crc32(bytes.subarray(offset, end)) !== crc) bad.add(offset)
    }
  } catch {
    return undefined
  }
  if (end !== header.offset + batchBytes(header)) return undefined
  // A copy: the image of a whole segment must not live as long as its tables.
  return { header, head: bytes.slice(header.offset, tableEnd), badBlocks: bad.size === 0 ? noBadBlocks : bad }
}

const joined = (ranges: readonly Range[]): Range[] => {
  const result: Range[] = []
  for (const range of ranges) {
    const last = result.at(-1)
    if (last !== undefined && last.to >= range.from) result[result.length - 1] = { from: last.from, to: range.to }
    else result.push(range)
  }
  return result
}
