import type { Digest } from '../../core/index.ts'
import { viewOf } from './binary.ts'
import type { Entry } from './log-storage.ts'
import {
  batchHeaderBytes,
  type EntryKind,
  entryKinds,
  type PlacedEntry,
  tableEntryBytes,
  writeBatchHeader,
  writeTableEntry,
} from './segment-format.ts'

export interface TrimEntry {
  readonly kind: 'trim'
  readonly stream: number
  readonly index: number
}

export interface DropEntry {
  readonly kind: 'drop'
  readonly stream: number
}

/** Indexes that have no group and never will: written by a salvage. */
export interface HoleEntry {
  readonly kind: 'hole'
  readonly stream: number
  readonly index: number
  readonly count: number
}

/** All that can be written. */
export type JournalEntry = Entry | TrimEntry | DropEntry | HoleEntry

/** An entry with the index it gets, if it gets one. */
export interface IndexedEntry {
  readonly entry: JournalEntry
  readonly index: number
}

/** Where a batch goes. */
export interface BatchPlace {
  readonly segment: number
  readonly nonce: number
  readonly sequence: number
  readonly offset: number
}

export interface EncodedBatch {
  /** Header, table and blocks. Valid until the next batch is encoded. */
  readonly bytes: Uint8Array
  readonly placed: readonly PlacedEntry[]
}

const nothing = new Uint8Array(0)

export const blockOf = (entry: JournalEntry): Uint8Array =>
  entry.kind === 'group' ? entry.block : entry.kind === 'fact' ? entry.bytes : nothing

/** What entries cost on disk. */
export const encodedBytes = (entries: readonly JournalEntry[]): number =>
  entries.reduce((sum, entry) => sum + tableEntryBytes + blockOf(entry).length, 0)

const placedEntry = ({ entry, index }: IndexedEntry, digest: Digest, segment: number, offset: number): PlacedEntry => {
  const block = blockOf(entry)
  const kind: EntryKind = entryKinds[entry.kind]
  return {
    kind,
    stream: entry.kind === 'fact' ? 0 : entry.stream,
    index,
    receivedMs: entry.kind === 'group' ? entry.receivedMs : 0,
    rawBytes: entry.kind === 'group' ? entry.rawBytes : entry.kind === 'hole' ? entry.count : 0,
    length: block.length,
    crc: block.length === 0 ? 0 : digest.crc32(block),
    segment,
    offset,
  }
}

/** Encodes batches into one buffer that is used again and again. */
export class BatchEncoder {
  readonly #digest: Digest
  readonly #keepBytesMax: number
  #slab: Uint8Array = nothing

  /** @param keepBytesMax a buffer up to this size is kept for the next batch */
  constructor(digest: Digest, keepBytesMax: number) {
    this.#digest = digest
    this.#keepBytesMax = keepBytesMax
  }

  encode(entries: readonly IndexedEntry[], place: BatchPlace): EncodedBatch {
    const headBytes = batchHeaderBytes + entries.length * tableEntryBytes
    const blockBytes = entries.reduce((sum, { entry }) => sum + blockOf(entry).length, 0)
    const bytes = this.#room(headBytes + blockBytes)
    const view = viewOf(bytes)
    const placed: PlacedEntry[] = []
    let at = headBytes
    for (const [position, indexed] of entries.entries()) {
      const entry = placedEntry(indexed, this.#digest, place.segment, place.offset + at)
      writeTableEntry(view, batchHeaderBytes + position * tableEntryBytes, entry)
      bytes.set(blockOf(indexed.entry), at)
      placed.push(entry)
      at += entry.length
    }
    writeBatchHeader(bytes, { ...place, entries: entries.length, blockBytes }, this.#digest)
    return { bytes, placed }
  }

  #room(length: number): Uint8Array {
    if (length > this.#keepBytesMax) return new Uint8Array(length)
    if (this.#slab.length < length) {
      this.#slab = new Uint8Array(Math.min(this.#keepBytesMax, Math.max(length, this.#slab.length * 2, 64 * 1024)))
    }
    return this.#slab.subarray(0, length)
  }
}
