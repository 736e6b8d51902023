import type { Digest } from '../../core/index.ts'
import { readInteger, viewOf, writeInteger } from './binary.ts'

/** Where a segment that is not written any more ends. */
export interface SegmentEnd {
  readonly number: number
  readonly end: number
}

export interface StreamExtent {
  readonly stream: number
  readonly begin: number
  readonly end: number
  readonly bornAt: number
}

/** Indexes of a stream that have no group, and that is known: a salvage recorded it. */
export interface StreamGap {
  readonly stream: number
  readonly from: number
  readonly to: number
}

/** What makes everything before a batch unnecessary, but for the groups themselves. */
export interface SnapshotFile {
  /** The last batch it covers; 0 for none. */
  readonly sequence: number
  /** Segments with this number and larger ones were written after it; smaller ones that are not listed are dead. */
  readonly nextNumber: number
  readonly segments: readonly SegmentEnd[]
  readonly streams: readonly StreamExtent[]
  readonly gaps: readonly StreamGap[]
  /** The owner's state. */
  readonly state: Uint8Array | undefined
}

export const snapshotVersion = 1
const magic = new TextEncoder().encode('mrlogsnp')
const headerBytes = 56
const segmentEntryBytes = 16
const streamEntryBytes = 32
const gapEntryBytes = 24
const noState = 0xffffffff

const listBytes = (segments: number, streams: number, gaps: number): number =>
  headerBytes + segments * segmentEntryBytes + streams * streamEntryBytes + gaps * gapEntryBytes

/**
 * Format 1, little-endian: "mrlogsnp" · version u32 · reader version u32 · crc u32 of the rest · bytes of the state u32,
 * all ones for none · sequence u64 · next number u64 · segments u32 · streams u32 · gaps u32 · 0 u32, then the segments
 * (number u64, end u64), the streams (id u64, begin u64, end u64, first batch u64), the gaps (stream u64, from u64, to u64),
 * and the owner's state.
 */
export const encodeSnapshot = (snapshot: SnapshotFile, digest: Digest): Uint8Array => {
  const { segments, streams, gaps, state } = snapshot
  const listsEnd = listBytes(segments.length, streams.length, gaps.length)
  const bytes = new Uint8Array(listsEnd + (state?.length ?? 0))
  const view = viewOf(bytes)
  bytes.set(magic)
  view.setUint32(8, snapshotVersion, true)
  view.setUint32(12, snapshotVersion, true)
  view.setUint32(20, state?.length ?? noState, true)
  writeInteger(view, 24, snapshot.sequence)
  writeInteger(view, 32, snapshot.nextNumber)
  view.setUint32(40, segments.length, true)
  view.setUint32(44, streams.length, true)
  view.setUint32(48, gaps.length, true)
  let at = headerBytes
  for (const { number, end } of segments) {
    writeInteger(view, at, number)
    writeInteger(view, at + 8, end)
    at += segmentEntryBytes
  }
  for (const { stream, begin, end, bornAt } of streams) {
    writeInteger(view, at, stream)
    writeInteger(view, at + 8, begin)
    writeInteger(view, at + 16, end)
    writeInteger(view, at + 24, bornAt)
    at += streamEntryBytes
  }
  for (const { stream, from, to } of gaps) {
    writeInteger(view, at, stream)
    writeInteger(view, at + 8, from)
    writeInteger(view, at + 16, to)
    at += gapEntryBytes
  }
  if (state !== undefined) bytes.set(state, listsEnd)
  view.setUint32(16, digest.crc32(bytes.subarray(20)), true)
  return bytes
}

/** Undefined when the bytes do not verify; the version when it is too new to be read. */
export const decodeSnapshot = (bytes: Uint8Array, digest: Digest): SnapshotFile | number | undefined => {
  if (bytes.length < headerBytes || magic.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(16, true) !== digest.crc32(bytes.subarray(20))) return undefined
  if (view.getUint32(12, true) > snapshotVersion) return view.getUint32(8, true)
  const segmentCount = view.getUint32(40, true)
  const streamCount = view.getUint32(44, true)
  const gapCount = view.getUint32(48, true)
  const stateLength = view.getUint32(20, true)
  const listsEnd = listBytes(segmentCount, streamCount, gapCount)
  if (bytes.length !== listsEnd + (stateLength === noState ? 0 : stateLength)) return undefined
  const segments: SegmentEnd[] = []
  const streams: StreamExtent[] = []
  const gaps: StreamGap[] = []
  let at = headerBytes
  for (; segments.length < segmentCount; at += segmentEntryBytes) {
    segments.push({ number: readInteger(view, at), end: readInteger(view, at + 8) })
  }
  for (; streams.length < streamCount; at += streamEntryBytes) {
    streams.push({
      stream: readInteger(view, at),
      begin: readInteger(view, at + 8),
      end: readInteger(view, at + 16),
      bornAt: readInteger(view, at + 24),
    })
  }
  for (; gaps.length < gapCount; at += gapEntryBytes) {
    gaps.push({ stream: readInteger(view, at), from: readInteger(view, at + 8), to: readInteger(view, at + 16) })
  }
  return {
    sequence: readInteger(view, 24),
    nextNumber: readInteger(view, 32),
    segments,
    streams,
    gaps,
    state: stateLength === noState ? undefined : bytes.slice(listsEnd),
  }
}
