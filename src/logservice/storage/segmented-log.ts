import { type Digest, type DirectoryOwnership, invariant, joinPath } from '../../core/index.ts'
import { encodedBytes } from './batch-encoder.ts'
import { BadBlock, type BlockReader } from './block-reader.ts'
import type { Journal } from './journal.ts'
import {
  callBytesMax,
  callEntriesMax,
  type Entry,
  type LogStorage,
  type ReadLimits,
  type StoredGroup,
  type StreamId,
  streamId,
} from './log-storage.ts'
import { segmentName } from './segment-files.ts'
import { damagedStream, readFailure } from './storage-failures.ts'
import type { GroupPlace } from './stream-index.ts'
import type { StreamState, StreamTable } from './stream-table.ts'

export interface SegmentedLogParts {
  readonly directory: string
  readonly digest: Digest
  readonly table: StreamTable
  readonly journal: Journal
  readonly reader: BlockReader
  readonly ownership: DirectoryOwnership
}

const isCount = (value: number, max: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= max
const wordMax = 2 ** 32 - 1

/** The storage as its owner sees it: answers from the table, blocks from the reader, changes through the journal. */
export class SegmentedLog implements LogStorage {
  readonly #parts: SegmentedLogParts
  #closing: Promise<void> | undefined

  constructor(parts: SegmentedLogParts) {
    this.#parts = parts
  }

  async commit(entries: readonly Entry[]): Promise<void> {
    invariant(entries.length <= callEntriesMax, `a commit has at most ${callEntriesMax} entries`)
    invariant(encodedBytes(entries) <= callBytesMax, `a commit has at most ${callBytesMax} bytes`)
    for (const entry of entries) {
      if (entry.kind !== 'group') continue
      invariant(isCount(entry.stream, wordMax), 'a stream id is an integer of 32 bits')
      invariant(isCount(entry.receivedMs, Number.MAX_SAFE_INTEGER), 'a receive time is whole milliseconds since 1970')
      invariant(isCount(entry.rawBytes, wordMax), 'the raw bytes of a group are an integer of 32 bits')
      this.#sound(entry.stream)
    }
    await this.#parts.journal.append(entries)
  }

  end(stream: StreamId): number {
    return this.#parts.table.get(stream)?.index.end ?? 0
  }

  begin(stream: StreamId): number {
    return this.#parts.table.get(stream)?.index.begin ?? 0
  }

  receivedMs(stream: StreamId, index: number): number | undefined {
    return this.#parts.table.get(stream)?.index.receivedMs(index)
  }

  firstReceivedFrom(stream: StreamId, ms: number): number {
    return this.#parts.table.get(stream)?.index.firstReceivedFrom(ms) ?? 0
  }

  bytes(stream: StreamId): number {
    return this.#parts.table.get(stream)?.index.rawBytes ?? 0
  }

  *streams(): Generator<StreamId> {
    for (const id of this.#parts.table.ids()) yield streamId(id)
  }

  async read(stream: StreamId, from: number, limits: ReadLimits): Promise<readonly StoredGroup[]> {
    for (;;) {
      const state = this.#sound(stream)
      if (state === undefined) return []
      const { first, places } = wanted(state, from, limits)
      if (places.length === 0) return []
      const blocks = await this.#blocks(places)
      if (!(blocks instanceof BadBlock)) {
        return places.map(({ receivedMs, rawBytes }, at) => {
          const block = blocks[at]
          invariant(block !== undefined, 'there is a block for each group that is read')
          return { index: first + at, receivedMs, rawBytes, block }
        })
      }
      // Trimmed or dropped while it was read: its segment may be gone, and that is no damage.
      const gone = this.#parts.table.get(stream) !== state || first + places.indexOf(blocks.place) < state.index.begin
      if (!gone) this.#condemn(state, blocks)
    }
  }

  async trim(stream: StreamId, index: number): Promise<void> {
    const state = this.#parts.table.get(stream)
    if (state === undefined) return
    const begin = Math.min(index, state.index.end)
    if (begin <= state.trimmedTo) return
    this.#parts.table.trim(stream, begin)
    await this.#parts.journal.append([{ kind: 'trim', stream, index: begin }])
  }

  async drop(stream: StreamId): Promise<void> {
    await this.#parts.journal.append([{ kind: 'drop', stream }])
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { journal, reader, ownership } = this.#parts
    try {
      await journal.close()
      await reader.close()
    } finally {
      // What may stay behind is the name of a socket on which nobody listens: the next owner clears it away.
      await ownership.release().catch(() => {})
    }
  }

  /** @throws StorageError `LOG_STORE_CORRUPT` for a stream that was found damaged. */
  #sound(stream: number): StreamState | undefined {
    const state = this.#parts.table.get(stream)
    if (state?.damage !== undefined) throw damagedStream(stream, state.damage, this.#parts.directory)
    return state
  }

  async #blocks(places: readonly GroupPlace[]): Promise<Uint8Array[] | BadBlock> {
    try {
      return await this.#parts.reader.read(places)
    } catch (error) {
      throw readFailure(error, this.#parts.directory)
    }
  }

  #condemn(state: StreamState, { place, what }: BadBlock): void {
    state.damage = { path: joinPath(this.#parts.directory, segmentName(place.segment)), offset: place.offset, what }
  }
}

const wanted = (
  { index }: StreamState,
  from: number,
  limits: ReadLimits,
): { readonly first: number; readonly places: GroupPlace[] } => {
  const first = index.nextStored(Math.max(from, index.begin))
  const places: GroupPlace[] = []
  let rawBytes = 0
  for (let at = first; at < limits.before && places.length < limits.count; at++) {
    const place = index.get(at)
    if (place === undefined) break
    rawBytes += place.rawBytes
    if (places.length > 0 && rawBytes > limits.rawBytesMax) break
    places.push(place)
  }
  return { first, places }
}
