import type { Digest } from '../../core/index.ts'
import { readInteger, viewOf, writeInteger } from './binary.ts'
import {
  batchBytes,
  batchHeaderBytes,
  decodeBatchHeader,
  decodeSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  tableEntryBytes,
} from './segment-format.ts'
import type { ScannedBatch } from './segment-scan.ts'

const magic = new TextEncoder().encode('mrlogidx')
const version = 1
const prefixBytes = 32
const noBadBlocks: ReadonlySet<number> = new Set()

/** A segment without its blocks: what a start needs of it, in a hundredth of the bytes. */
export interface Sidecar {
  readonly header: SegmentHeader
  readonly batches: readonly ScannedBatch[]
  readonly end: number
}

/**
 * Format 1, little-endian: "mrlogidx" · version u32 · crc u32 of the rest · end of the segment u64 · 0 u64, then the
 * segment's header and the headers and tables of its batches, as they stand there.
 */
export const encodeSidecar = (
  segmentHeader: Uint8Array,
  heads: readonly Uint8Array[],
  end: number,
  digest: Digest,
): Uint8Array => {
  const length = heads.reduce((sum, head) => sum + head.length, prefixBytes + segmentHeaderBytes)
  const bytes = new Uint8Array(length)
  const view = viewOf(bytes)
  bytes.set(magic)
  view.setUint32(8, version, true)
  writeInteger(view, 16, end)
  bytes.set(segmentHeader, prefixBytes)
  let at = prefixBytes + segmentHeaderBytes
  for (const head of heads) {
    bytes.set(head, at)
    at += head.length
  }
  view.setUint32(12, digest.crc32(bytes.subarray(16)), true)
  return bytes
}

/** Undefined when it does not verify, or was written by a newer version: then the segment itself is read. */
export const decodeSidecar = (bytes: Uint8Array, digest: Digest): Sidecar | undefined => {
  if (bytes.length < prefixBytes + segmentHeaderBytes || magic.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(8, true) !== version || view.getUint32(12, true) !== digest.crc32(bytes.subarray(16))) {
    return undefined
  }
  const header = decodeSegmentHeader(bytes.subarray(prefixBytes), digest)
  const end = readInteger(view, 16)
  if (header === undefined || Number.isNaN(end)) return undefined
  const batches: ScannedBatch[] = []
  let at = prefixBytes + segmentHeaderBytes
  let offset = segmentHeaderBytes
  while (at < bytes.length) {
    const batch = decodeBatchHeader(bytes, at, digest)
    if (batch === undefined || batch.offset < offset) return undefined
    const headEnd = at + batchHeaderBytes + batch.entries * tableEntryBytes
    if (headEnd > bytes.length) return undefined
    batches.push({ header: batch, head: bytes.subarray(at, headEnd), badBlocks: noBadBlocks })
    at = headEnd
    offset = batch.offset + batchBytes(batch)
  }
  return offset > end ? undefined : { header, batches, end }
}
