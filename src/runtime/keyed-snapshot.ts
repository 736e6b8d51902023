import type { CheckpointPart, CheckpointWriter, PartWriter } from '../checkpoint/index.ts'
import {
  asError,
  type Clock,
  decodeState,
  encodeState,
  type Key,
  keyGroupRange,
  RestoreError,
  StepError,
} from '../core/index.ts'
import type { Entry, KeyedStateStore, StateDeclaration } from './keyed-state.ts'

/**
 * The stored form of keyed state, version 1: frames of `u32 payload length, u16 key group, u16 entries` (big-endian) and a
 * CBOR array `[key, timers, value of each state, …]` flattened over the entries. The first frame has no entries; its
 * payload describes the states. A reader skips the frames of key groups that are not its own.
 */
export const keyedFormat = { name: 'millrace.keyed', version: 1 } as const

const headerBytes = 8
const entriesPerFrame = 1024
const appendBytes = 1 << 20
/** Longest stretch of work before the event loop gets its turn (bench: runtime, checkpoint under load). */
const sliceMs = 4

interface KeyedHeader {
  readonly maxParallelism: number
  readonly states: readonly StateDeclaration[]
}

const frame = (group: number, count: number, payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headerBytes + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, payload.length)
  view.setUint16(4, group)
  view.setUint16(6, count)
  bytes.set(payload, headerBytes)
  return bytes
}

const isPrimitive = (value: unknown): boolean => typeof value !== 'object' || value === null

/**
 * A snapshot of keyed state that is taken while the step works on. The moment of the snapshot is its construction. An
 * entry that the user is about to touch is written first, as it was; all others are written in slices between which the
 * event loop runs. The map is never copied: that is dearer than serialising it (performance paper, section 8).
 */
export class KeyedSnapshot {
  readonly #store: KeyedStateStore
  readonly #number: number
  readonly #step: string
  #pending: unknown[] = []
  #pendingGroup = -1
  #pendingCount = 0
  #chunks: Uint8Array[] = []
  #chunkBytes = 0
  #left: number
  #failure: Error | undefined

  constructor(store: KeyedStateStore, step: string) {
    this.#store = store
    this.#step = step
    this.#left = store.size
    this.#number = ++store.snapshotNumber
    store.beforeTouch = (entry, group) => {
      this.#take(entry, group)
      // The user may change an object in place as soon as this returns; a primitive can wait for company.
      if (!entry.values.every(isPrimitive)) this.#flush()
    }
    const header: KeyedHeader = { maxParallelism: store.maxParallelism, states: store.declarations }
    this.#push(frame(0, 0, encodeState(header)))
  }

  /** Whether the store is still making this snapshot and no later one. */
  get #current(): boolean {
    return this.#store.snapshotNumber === this.#number
  }

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#chunkBytes += bytes.length
  }

  /** Takes the entry as it is now. Whoever lets user code run next must flush objects before. */
  #take(entry: Entry, group: number): void {
    entry.snapshot = this.#number
    this.#left--
    if (group !== this.#pendingGroup || this.#pendingCount >= entriesPerFrame) this.#flush()
    this.#pendingGroup = group
    this.#pendingCount++
    this.#pending.push(entry.key, entry.timers, ...entry.values)
  }

  #flush(): void {
    if (this.#pendingCount === 0) return
    try {
      this.#push(frame(this.#pendingGroup, this.#pendingCount, encodeState(this.#pending)))
    } catch (thrown) {
      const cause = asError(thrown)
      this.#failure ??= new StepError('STEP_MISUSED', {
        message: `a state value cannot be stored: ${cause.message}`,
        place: { step: this.#step },
        fix: 'keep plain data in state: text, numbers, bigints, dates, bytes, arrays, maps, sets and plain objects',
        cause,
      })
    }
    this.#pending = []
    this.#pendingCount = 0
  }

  /** Gives up: touches are not recorded any more. */
  abandon(): void {
    if (this.#current) this.#store.beforeTouch = undefined
    this.#chunks = []
    this.#pending = []
    this.#pendingCount = 0
    this.#failure ??= new Error('the checkpoint was given up')
  }

  /** Writes everything to a part. Yields to the event loop between slices. */
  async persist(writer: CheckpointWriter, subtask: number, clock: Clock): Promise<CheckpointPart> {
    const header = {
      uid: this.#step,
      kind: 'keyed',
      subtask,
      serializer: keyedFormat.name,
      version: keyedFormat.version,
    } as const
    let part: PartWriter | undefined
    let sliceStart = clock.monoMs()
    let sinceCheck = 0
    for (let group = this.#store.first; group <= this.#store.last && this.#left > 0; group++) {
      for (const entry of this.#store.group(group).values()) {
        if (entry.snapshot !== this.#number) this.#take(entry, group)
        if (++sinceCheck < 256) continue
        sinceCheck = 0
        if (clock.monoMs() - sliceStart > sliceMs) {
          this.#flush()
          await clock.yield()
          this.#check()
          sliceStart = clock.monoMs()
        }
      }
      this.#flush()
      this.#check()
      if (this.#chunkBytes < appendBytes) continue
      part ??= await writer.openPart(header)
      await this.#drain(part)
      await clock.yield()
      this.#check()
      sliceStart = clock.monoMs()
    }
    this.#flush()
    this.#check()
    this.#store.beforeTouch = undefined
    if (part === undefined) return await writer.writePart(header, concat(this.#chunks))
    await this.#drain(part)
    return await part.finish()
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async #drain(part: PartWriter): Promise<void> {
    while (this.#chunks.length > 0) {
      const taken = concat(this.#chunks)
      this.#chunks = []
      this.#chunkBytes = 0
      await part.append(taken)
    }
  }
}

const concat = (chunks: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

export interface RestoreStep {
  readonly step: string
  readonly subtask: number
  readonly parallelism: number
  /** States of the step that may be lost: dropped by name on purpose. */
  readonly dropped: ReadonlySet<string>
}

/**
 * Reads the entries of this subtask's key groups out of one part.
 * @throws RestoreError `CHECKPOINT_MISMATCH` when the part has a state the step does not declare; `CHECKPOINT_CORRUPT` when
 *   the bytes cannot be read.
 */
export const restoreKeyed = async (
  store: KeyedStateStore,
  bytes: Uint8Array,
  at: RestoreStep,
  clock: Clock,
): Promise<void> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let columns: number[] | undefined
  let position = 0
  let sliceStart = clock.monoMs()
  while (position < bytes.length) {
    if (position + headerBytes > bytes.length) throw corrupt(at, 'a frame header is cut short')
    const length = view.getUint32(position)
    const group = view.getUint16(position + 4)
    const count = view.getUint16(position + 6)
    const end = position + headerBytes + length
    if (end > bytes.length) throw corrupt(at, 'a frame is cut short')
    const payload = bytes.subarray(position + headerBytes, end)
    position = end
    if (columns === undefined) columns = readHeader(store, payload, at)
    else if (group >= store.first && group <= store.last) readEntries(store, group, count, payload, columns, at)
    if (clock.monoMs() - sliceStart > sliceMs) {
      await clock.yield()
      sliceStart = clock.monoMs()
    }
  }
}

const corrupt = (at: RestoreStep, message: string): RestoreError =>
  new RestoreError('CHECKPOINT_CORRUPT', {
    message: `keyed state: ${message}`,
    place: { step: at.step, subtaskIndex: at.subtask },
  })

/** For every stored state, its column in the store now; -1 when it is dropped. */
const readHeader = (store: KeyedStateStore, payload: Uint8Array, at: RestoreStep): number[] => {
  const header = decodeState(payload) as KeyedHeader
  const missing: string[] = []
  const columns = header.states.map(({ name, kind }) => {
    const column = store.declarations.findIndex((declared) => declared.name === name && declared.kind === kind)
    if (column < 0 && !at.dropped.has(`${at.step}/${name}`)) missing.push(`${name} (${kind})`)
    return column
  })
  if (missing.length > 0) {
    throw new RestoreError('CHECKPOINT_MISMATCH', {
      message: `the checkpoint keeps states that the step does not declare: ${missing.join(', ')}`,
      place: { step: at.step },
      fix: `declare them again with the same kind, or accept the loss with dropState: [${missing.map((text) => `'${at.step}/${text.split(' ')[0]}'`).join(', ')}]`,
    })
  }
  return columns
}

const readEntries = (
  store: KeyedStateStore,
  group: number,
  count: number,
  payload: Uint8Array,
  columns: readonly number[],
  at: RestoreStep,
): void => {
  const flat = decodeState(payload)
  const width = 2 + columns.length
  if (!Array.isArray(flat) || flat.length !== count * width) throw corrupt(at, 'a frame has the wrong number of values')
  for (let start = 0; start < flat.length; start += width) {
    const values = new Array<unknown>(store.declarations.length).fill(undefined)
    columns.forEach((column, index) => {
      if (column >= 0) values[column] = flat[start + 2 + index]
    })
    store.restore(group, flat[start] as Key, values, flat[start + 1] as readonly number[])
  }
}

/** Whether a subtask of the old parallelism may have keys of a subtask of the new one. */
export const keyGroupsIntersect = (
  oldSubtask: number,
  oldParallelism: number,
  newSubtask: number,
  newParallelism: number,
  maxParallelism: number,
): boolean => {
  const a = keyGroupRange(oldSubtask, maxParallelism, oldParallelism)
  const b = keyGroupRange(newSubtask, maxParallelism, newParallelism)
  return a.first <= b.last && b.first <= a.last
}
