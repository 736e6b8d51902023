import { asError, type Clock, joinPath, type Logger, type StorageError } from '../../core/index.ts'
import {
  BatchEncoder,
  blockOf,
  type EncodedBatch,
  encodedBytes,
  type IndexedEntry,
  type JournalEntry,
} from './batch-encoder.ts'
import type { BlockReader } from './block-reader.ts'
import { Reserve } from './reserve.ts'
import { segmentName, sidecarName, snapshotName, writeAside } from './segment-files.ts'
import { batchHeaderBytes, entryKinds } from './segment-format.ts'
import { SegmentWriter, type SegmentWriterPorts } from './segment-writer.ts'
import { encodeSnapshot, type SegmentEnd } from './snapshot-file.ts'
import { closed, isSpaceError, unavailable, unconfirmed } from './storage-failures.ts'
import type { StreamTable } from './stream-table.ts'

export interface JournalOptions extends SegmentWriterPorts {
  readonly clock: Clock
  readonly log: Logger
  /** Undefined: no snapshots, so that all facts stay. */
  readonly snapshot: (() => Uint8Array) | undefined
  readonly segmentBytes: number
  readonly batchBytesMax: number
  readonly reserveBytes: number
}

/** Where writing goes on. */
export interface JournalPosition {
  /** Of the last durable batch. */
  readonly sequence: number
  /** Of the next segment. */
  readonly nextNumber: number
  readonly segments: readonly SegmentEnd[]
  readonly active: SegmentWriter | undefined
}

interface Call {
  readonly entries: readonly JournalEntry[]
  readonly bytes: number
  /** With groups: these wait for space. Without: such calls may free some, and get the reserve. */
  readonly groups: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const batchEntriesMax = 100_000
const retryMs = 10_000

/**
 * The one writer. Calls wait in line; while one write and its fsync are under way the next ones gather. Between writes it
 * ends segments, publishes snapshots and removes dead segments. Ends of streams move only when a batch is durable.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #table: StreamTable
  readonly #reader: BlockReader
  readonly #encoder: BatchEncoder
  readonly #reserve: Reserve
  /** Ended segments that are still there. */
  readonly #ended = new Map<number, number>()
  #active: SegmentWriter | undefined
  #previous: SegmentEnd
  #sequence: number
  #nextNumber: number
  #line: Call[] = []
  #running: Promise<void> | undefined
  #failure: StorageError | undefined
  #closed = false
  /** Told once, not for every write. */
  #refusing = false
  #snapshotDue = false
  #snapshotNotBeforeMs = 0

  constructor(options: JournalOptions, table: StreamTable, reader: BlockReader, position: JournalPosition) {
    this.#options = options
    this.#table = table
    this.#reader = reader
    this.#encoder = new BatchEncoder(options.digest, options.batchBytesMax + 64 * 1024)
    this.#reserve = new Reserve(options.fs, options.directory, options.reserveBytes)
    for (const { number, end } of position.segments) this.#ended.set(number, end)
    this.#previous = position.segments.at(-1) ?? { number: 0, end: 0 }
    this.#active = position.active
    this.#sequence = position.sequence
    this.#nextNumber = position.nextNumber
  }

  /** Takes the reserve, if there is room. */
  async start(): Promise<void> {
    await this.#reserve.hold().catch((error: unknown) => {
      this.#warn(error, 'no space for the reserve: groups are refused until there is')
    })
  }

  /** Resolves when all entries are durable and in the table. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#closed) return Promise.reject(closed(this.#options.directory))
    if (entries.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const groups = entries.some(({ kind }) => kind === 'group')
      this.#line.push({ entries, bytes: encodedBytes(entries), groups, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Waits for the calls that were made, and ends the last segment. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
    if (this.#failure === undefined) await this.#endActive()
    else await this.#active?.close()
  }

  async #run(): Promise<void> {
    // The calls of this turn share the first batch.
    await undefined
    while (this.#line.length > 0) {
      await this.#commit(this.#take())
      if (this.#failure === undefined) await this.#tidy()
    }
    this.#running = undefined
  }

  #take(): Call[] {
    let bytes = 0
    let entries = 0
    let count = 0
    for (const call of this.#line) {
      bytes += call.bytes
      entries += call.entries.length
      if (count > 0 && (bytes > this.#options.batchBytesMax || entries > batchEntriesMax)) break
      count++
    }
    return this.#line.splice(0, count)
  }

  async #commit(calls: readonly Call[]): Promise<void> {
    if (this.#failure !== undefined) {
      for (const { reject } of calls) reject(this.#failure)
      return
    }
    try {
      await this.#write(calls)
      for (const { resolve } of calls) resolve()
    } catch (thrown) {
      const lesser = isSpaceError(thrown) ? calls.filter(({ groups }) => !groups) : []
      await this.#refuse(
        calls.filter((call) => !lesser.includes(call)),
        thrown,
      )
      if (lesser.length > 0) await this.#commitFromReserve(lesser)
    }
  }

  /** On a full disk: what frees space must be recorded, or none ever will be. */
  async #commitFromReserve(calls: readonly Call[]): Promise<void> {
    try {
      await this.#reserve.release()
      await this.#write(calls)
      for (const { resolve } of calls) resolve()
    } catch (thrown) {
      await this.#refuse(calls, thrown)
    }
  }

  async #refuse(calls: readonly Call[], thrown: unknown): Promise<void> {
    if (calls.length === 0) return
    const { fs, directory } = this.#options
    const error = this.#failure ?? (await unavailable(fs, thrown, directory))
    if (this.#failure === undefined && !this.#refusing) {
      this.#refusing = true
      this.#warn(thrown, 'the disk refuses writes')
    }
    for (const { reject } of calls) reject(error)
  }

  /** One batch: durable and in the table when it resolves, or nothing of it counts. */
  async #write(calls: readonly Call[]): Promise<void> {
    if (this.#reserve.missing && calls.some(({ groups }) => groups)) await this.#reserve.hold()
    const bytes = calls.reduce((sum, call) => sum + call.bytes, batchHeaderBytes)
    const segment = await this.#segmentFor(bytes)
    const entries = this.#indexed(calls)
    const sequence = this.#sequence + 1
    const batch = this.#encoder.encode(entries, {
      segment: segment.number,
      nonce: segment.nonce,
      sequence,
      offset: segment.end,
    })
    try {
      await segment.append(batch.bytes)
    } catch (error) {
      await segment.rollBack().catch(() => this.#abandon(segment))
      throw error
    }
    try {
      await segment.sync()
    } catch (error) {
      // The system may have dropped what it could not write: this file is never synced again.
      this.#abandon(segment)
      if (!isSpaceError(error)) this.#fail(error, segment.path)
      throw error
    }
    segment.confirm(batch.bytes)
    this.#sequence = sequence
    if (this.#refusing) this.#options.log.info({ path: this.#options.directory }, 'the disk takes writes again')
    this.#refusing = false
    this.#apply(batch, entries)
  }

  /** Each group gets the next index of its stream. */
  #indexed(calls: readonly Call[]): IndexedEntry[] {
    const ends = new Map<number, number>()
    const indexed: IndexedEntry[] = []
    for (const { entries } of calls) {
      for (const entry of entries) {
        let index = 0
        if (entry.kind === 'group') {
          index = ends.get(entry.stream) ?? this.#table.get(entry.stream)?.index.end ?? 0
          ends.set(entry.stream, index + 1)
        } else if (entry.kind === 'drop') {
          ends.set(entry.stream, 0)
        } else if (entry.kind === 'hole') {
          index = entry.index
          ends.set(entry.stream, index + entry.count)
        } else if (entry.kind !== 'fact') {
          index = entry.index
        }
        indexed.push({ entry, index })
      }
    }
    return indexed
  }

  #apply({ placed }: EncodedBatch, entries: readonly IndexedEntry[]): void {
    for (const [position, at] of placed.entries()) {
      if (at.kind === entryKinds.trim) this.#table.confirmTrim(at.stream, at.index)
      else if (at.kind === entryKinds.drop) this.#table.drop(at.stream)
      if (at.kind !== entryKinds.group && at.kind !== entryKinds.hole) continue
      const state = this.#table.get(at.stream) ?? this.#table.create(at.stream, this.#sequence)
      if (at.kind === entryKinds.hole) {
        state.index.skipTo(at.index + at.rawBytes)
        continue
      }
      this.#table.push(state, at)
      const entry = entries[position]?.entry
      if (this.#reader.remembers && entry !== undefined) this.#reader.remember(at, blockOf(entry).slice())
    }
  }

  async #segmentFor(bytes: number): Promise<SegmentWriter> {
    const active = this.#active
    if (active !== undefined && (!active.used || active.end + bytes <= this.#options.segmentBytes)) return active
    await this.#endActive()
    const segment = await SegmentWriter.create(this.#options, {
      number: this.#nextNumber++,
      firstSequence: this.#sequence + 1,
      previousNumber: this.#previous.number,
      previousEnd: this.#previous.end,
      createdMs: Math.max(0, Math.floor(this.#options.clock.wallMs())),
    })
    await this.#syncDirectory()
    this.#active = segment
    this.#snapshotDue = this.#ended.size > 0
    return segment
  }

  async #endActive(): Promise<void> {
    const active = this.#active
    if (active === undefined) return
    this.#abandon(active)
    if (!active.used) return
    // Without it the next start reads the segment instead.
    await active.seal().catch((error: unknown) => this.#warn(error, 'the index of a segment could not be written'))
  }

  /** The segment ends where it was last confirmed; what is behind does not count once the next one is durable. */
  #abandon(segment: SegmentWriter): void {
    this.#active = undefined
    this.#previous = { number: segment.number, end: segment.end }
    this.#ended.set(segment.number, segment.end)
    segment.close().catch(() => {})
  }

  async #syncDirectory(): Promise<void> {
    const { fs, directory } = this.#options
    try {
      await fs.syncDirectory(directory)
    } catch (error) {
      this.#fail(error, directory)
      throw error
    }
  }

  /** No write can be trusted from here on. */
  #fail(thrown: unknown, path: string): void {
    this.#failure ??= unconfirmed(thrown, path)
    this.#options.log.error({ err: asError(thrown), path }, 'the disk did not confirm a write; nothing more is stored')
  }

  #warn(thrown: unknown, message: string): void {
    const { log, directory } = this.#options
    log.warn({ err: asError(thrown), path: directory }, message)
  }

  #dead(): number[] {
    return [...this.#ended.keys()].filter((number) => this.#table.liveGroups(number) === 0)
  }

  /** Publishes a snapshot when a segment was ended or died, and removes what it makes unnecessary. */
  async #tidy(): Promise<void> {
    const { clock, segmentBytes } = this.#options
    const active = this.#active
    if (active?.used === true && active.end * 4 >= segmentBytes && this.#table.liveGroups(active.number) === 0) {
      await this.#endActive()
    }
    const { snapshot } = this.#options
    if (snapshot === undefined || (!this.#snapshotDue && this.#dead().length === 0)) return
    if (clock.monoMs() < this.#snapshotNotBeforeMs) return
    // Whoever waited for the last batch applies its facts first.
    await clock.yield()
    try {
      await this.#publishSnapshot(snapshot)
    } catch (error) {
      this.#snapshotNotBeforeMs = clock.monoMs() + retryMs
      this.#warn(error, 'no snapshot could be written; dead segments stay until there is one')
    }
  }

  async #publishSnapshot(snapshot: () => Uint8Array): Promise<void> {
    const { fs, directory, digest } = this.#options
    const dead = new Set(this.#dead())
    const segments = [...this.#ended].flatMap(([number, end]) => (dead.has(number) ? [] : [{ number, end }]))
    const streams = [...this.#table.entries()].map(([stream, { index, bornAt }]) => ({
      stream,
      begin: index.begin,
      end: index.end,
      bornAt,
    }))
    // The gaps of a damaged stream are not known ones: the next start must find the damage again.
    const gaps = [...this.#table.entries()].flatMap(([stream, { index, damage }]) =>
      damage === undefined ? index.gaps().map((gap) => ({ stream, ...gap })) : [],
    )
    const nextNumber = this.#active?.number ?? this.#nextNumber
    const bytes = encodeSnapshot(
      { sequence: this.#sequence, nextNumber, segments, streams, gaps, state: snapshot() },
      digest,
    )
    const write = (): Promise<void> => writeAside(fs, directory, snapshotName, bytes)
    await write().catch(async (error: unknown) => {
      if (!isSpaceError(error) || !(await this.#reserve.release())) throw error
      await write()
    })
    await this.#syncDirectory()
    this.#snapshotDue = false
    for (const number of dead) await this.#remove(number)
  }

  /** Nothing refers to it any more: a crash in between leaves files that the next start removes. */
  async #remove(number: number): Promise<void> {
    const { fs, directory } = this.#options
    this.#ended.delete(number)
    this.#reader.forget(number)
    for (const name of [segmentName(number), sidecarName(number)]) {
      await fs.unlink(joinPath(directory, name)).catch(() => {})
    }
  }
}
