import { joinPath } from '../../core/index.ts'
import { segmentName } from './segment-files.ts'
import { batchHeaderBytes, entriesOf, entryKinds, type PlacedEntry, type SegmentHeader } from './segment-format.ts'
import type { Range, ScannedBatch } from './segment-scan.ts'
import type { SnapshotFile } from './snapshot-file.ts'
import { corrupt } from './storage-failures.ts'
import type { GroupPlace } from './stream-index.ts'
import { type StreamState, StreamTable } from './stream-table.ts'

/** A segment as far as it could be read. */
export interface FoundSegment {
  readonly number: number
  /** Undefined when it is damaged or missing. */
  readonly header: SegmentHeader | undefined
  readonly batches: readonly ScannedBatch[]
  readonly lost: readonly Range[]
  readonly end: number
}

/**
 * Makes the table of streams from a snapshot and the segments, in order. What is missing below the snapshot shows as a gap
 * in a stream, which takes that stream out of service. What is missing behind it may have been anything, so it is refused.
 */
export class Replay {
  readonly table = new StreamTable()
  /** Facts behind the snapshot. */
  readonly facts: GroupPlace[] = []
  readonly #directory: string
  readonly #snapshot: SnapshotFile | undefined
  readonly #covered: number
  readonly #expectedEnds = new Map<number, number>()
  readonly #knownGaps = new Map<number, Range[]>()
  #last: number
  #behind = false
  #lost: { readonly path: string; readonly offset: number } | undefined
  /** Something was lost at the end of the last segment so far: nothing tells what, unless more follows. */
  #openEnd: { readonly path: string; readonly offset: number } | undefined

  constructor(directory: string, snapshot: SnapshotFile | undefined) {
    this.#directory = directory
    this.#snapshot = snapshot
    this.#covered = snapshot?.sequence ?? 0
    this.#last = this.#covered
    for (const { stream, begin, end, bornAt } of snapshot?.streams ?? []) {
      this.table.create(stream, bornAt, begin, end - begin)
      this.#expectedEnds.set(stream, end)
    }
    for (const { stream, ...gap } of snapshot?.gaps ?? []) {
      this.#knownGaps.set(stream, [...(this.#knownGaps.get(stream) ?? []), gap])
    }
  }

  /** Of the last batch so far. */
  get sequence(): number {
    return this.#last
  }

  /** @throws StorageError `LOG_STORE_CORRUPT` when something is missing that may have been anything. */
  segment({ number, header, batches, lost, end }: FoundSegment): void {
    const path = this.#path(number)
    const [range] = lost
    if (range !== undefined) this.#lost ??= { path, offset: range.from }
    if (header !== undefined && header.firstSequence > this.#last + 1) this.#refuse(path, 0)
    for (const batch of batches) this.batch(number, batch)
    const last = lost.at(-1)
    const listed = this.#snapshot?.segments.some((segment) => segment.number === number) ?? false
    this.#openEnd = last !== undefined && last.to === end && !listed ? { path, offset: last.from } : undefined
  }

  batch(number: number, { header, head, badBlocks }: ScannedBatch): void {
    const covered = header.sequence <= this.#covered
    if (!covered) {
      this.#leaveSnapshot()
      if (header.sequence !== this.#last + 1) this.#refuse(this.#path(number), header.offset)
      this.#last = header.sequence
      this.#openEnd = undefined
    }
    for (const entry of entriesOf(head.subarray(batchHeaderBytes), header, number)) {
      if (badBlocks.has(entry.offset) && entry.kind === entryKinds.group) this.#condemnBlock(entry, header.sequence)
      if (covered) this.#coveredEntry(entry, header.sequence)
      else this.#laterEntry(entry, header.sequence, badBlocks)
    }
  }

  /** Call it behind the last segment. */
  finish(): void {
    if (this.#openEnd !== undefined) this.#refuse(this.#openEnd.path, this.#openEnd.offset)
    this.#leaveSnapshot()
  }

  /** A group that the snapshot knows of; everything else of that time is in the snapshot itself. */
  #coveredEntry(entry: PlacedEntry, sequence: number): void {
    const { kind, stream, index } = entry
    if (kind !== entryKinds.group) return
    const state = this.table.get(stream)
    const end = this.#expectedEnds.get(stream) ?? 0
    if (state === undefined || sequence < state.bornAt || index >= end) return
    // Smaller ones were trimmed, or stand twice after a batch was taken over by the next segment.
    if (index < state.index.end) return
    this.#fillGap(stream, state, index)
    this.table.push(state, entry)
  }

  #laterEntry(entry: PlacedEntry, sequence: number, badBlocks: ReadonlySet<number>): void {
    const { kind, stream, index, segment, offset } = entry
    if (kind === entryKinds.fact) {
      if (badBlocks.has(offset)) this.#refuse(this.#path(segment), offset)
      this.facts.push(entry)
    } else if (kind === entryKinds.trim) {
      this.table.confirmTrim(stream, index)
    } else if (kind === entryKinds.drop) {
      this.table.drop(stream)
    } else {
      const state = this.table.get(stream) ?? this.table.create(stream, sequence)
      if (index < state.index.end) this.#refuse(this.#path(segment), offset)
      this.#fillGap(stream, state, index)
      if (kind === entryKinds.hole) state.index.skipTo(index + entry.rawBytes)
      else this.table.push(state, entry)
    }
  }

  /** Indexes up to `index` have no group here: known from a salvage, or lost. */
  #fillGap(stream: number, state: StreamState, index: number): void {
    const from = state.index.end
    if (index <= from) return
    const known = this.#knownGaps.get(stream)?.some((gap) => gap.from <= from && index <= gap.to) ?? false
    if (!known) {
      const at = this.#lost ?? { path: this.#directory, offset: 0 }
      state.damage ??= { ...at, what: `groups ${from} to ${index - 1} are lost` }
    }
    state.index.skipTo(index)
  }

  #leaveSnapshot(): void {
    if (this.#behind) return
    this.#behind = true
    for (const [stream, end] of this.#expectedEnds) {
      const state = this.table.get(stream)
      if (state !== undefined) this.#fillGap(stream, state, end)
    }
  }

  #condemnBlock({ stream, index, length, segment, offset }: PlacedEntry, sequence: number): void {
    const state = this.table.get(stream) ?? (sequence > this.#covered ? this.table.create(stream, sequence) : undefined)
    if (state === undefined || sequence < state.bornAt || index < state.index.begin) return
    const what = `group ${index} of ${length} bytes does not match its checksum`
    state.damage ??= { path: this.#path(segment), offset, what }
  }

  #refuse(path: string, offset: number): never {
    const at = this.#lost ?? { path, offset }
    throw corrupt(
      at.path,
      `what was stored at byte ${at.offset} does not verify, and it may have been anything, definitions too`,
      this.#directory,
    )
  }

  #path(number: number): string {
    return joinPath(this.#directory, segmentName(number))
  }
}
