import type { CheckpointPart, CheckpointWriter, PartWriter } from '../checkpoint/index.ts'
import { asError, type Clock, decodeState, type Key, keyGroupRange, RestoreError, StepError } from '../core/index.ts'
import { frameHeaderBytes, KeyedFrames, keyedFormat } from './keyed-frames.ts'
import type { Entry, KeyedStateStore, StateDeclaration } from './keyed-state.ts'

/** Bytes of complete frames that are written at once. */
const appendBytes = 1 << 20
/** Longest stretch of work before the event loop gets its turn (bench: runtime, checkpoint). */
const sliceMs = 4
/** Entries taken between two looks at the clock. */
const entriesPerLook = 64

interface KeyedHeader {
  readonly maxParallelism: number
  readonly states: readonly StateDeclaration[]
}

/**
 * A snapshot of keyed state that is taken while the step works on. The moment of the snapshot is its construction. An
 * entry that the user is about to touch is written first, as it was; all others are written in slices between which the
 * event loop runs. The map is never copied: that is dearer than serialising it (performance paper, section 8).
 */
export class KeyedSnapshot {
  readonly #store: KeyedStateStore
  readonly #number: number
  readonly #step: string
  /** Entries looked at and not taken yet. */
  readonly #some: Entry[] = []
  #frames: KeyedFrames
  #left: number
  #failure: Error | undefined

  constructor(store: KeyedStateStore, step: string) {
    this.#store = store
    this.#step = step
    this.#left = store.size
    this.#number = ++store.snapshotNumber
    this.#frames = new KeyedFrames(store.first, store.declarations.length)
    const header: KeyedHeader = { maxParallelism: store.maxParallelism, states: store.declarations }
    this.#frames.addHeader(header)
    store.beforeTouch = (entry, group) => {
      try {
        this.#take(entry, group)
        // The user may change an object in place as soon as this returns.
        this.#frames.settle()
      } catch (thrown) {
        this.#failure ??= this.#notStored(thrown)
      }
    }
  }

  /** Whether the store is still making this snapshot and no later one. */
  get #current(): boolean {
    return this.#store.snapshotNumber === this.#number
  }

  /** Takes the entry as it is now. Whoever lets user code run next must settle the frames before. */
  #take(entry: Entry, group: number): void {
    entry.snapshot = this.#number
    this.#left--
    this.#frames.add(entry, group)
  }

  #notStored(thrown: unknown): StepError {
    const cause = asError(thrown)
    return new StepError('STEP_MISUSED', {
      message: `a state value cannot be stored: ${cause.message}`,
      place: { step: this.#step },
      fix: 'keep plain data in state: text, numbers, bigints, dates, bytes, arrays, maps, sets and plain objects',
      cause,
    })
  }

  /** Gives up: touches are not recorded any more. */
  abandon(): void {
    if (this.#current) this.#store.beforeTouch = undefined
    this.#frames = new KeyedFrames(this.#store.first, 0)
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
    let sinceLook = 0
    for (let group = this.#store.first; group <= this.#store.last && this.#left > 0; group++) {
      const entries = this.#store.group(group).values()
      for (let more = true; more; ) {
        more = this.#takeSome(entries, group)
        this.#check()
        sinceLook += this.#some.length
        if (this.#frames.bytes >= appendBytes) {
          part ??= await writer.openPart(header)
          await part.append(this.#frames.take())
          this.#check()
        }
        if (sinceLook < entriesPerLook) continue
        sinceLook = 0
        if (clock.monoMs() - sliceStart < sliceMs) continue
        await clock.yield()
        this.#check()
        sliceStart = clock.monoMs()
      }
    }
    this.#frames.close()
    this.#check()
    this.#store.beforeTouch = undefined
    if (part === undefined) return await writer.writePart(header, this.#frames.take())
    await part.append(this.#frames.take())
    return await part.finish()
  }

  /** Takes some entries of a group; false when none is left. No loop of `persist`'s: those run slower when it awaits. */
  #takeSome(entries: Iterator<Entry>, group: number): boolean {
    const some = this.#some
    some.length = 0
    let more = true
    let keyLength = 0
    // All are looked at, their keys too, before the first is written: so that the processor fetches them side by side and
    // does not wait for the memory of one after the other (bench: runtime, checkpoint).
    while (some.length < entriesPerLook) {
      const next = entries.next()
      if (next.done === true) {
        more = false
        break
      }
      const entry = next.value
      if (entry.snapshot === this.#number) continue
      some.push(entry)
      if (typeof entry.key === 'string') keyLength += entry.key.length
    }
    try {
      this.#frames.expect(group, some.length, keyLength)
      for (const entry of some) this.#take(entry, group)
      if (more) this.#frames.settle()
      else this.#frames.closeGroup(group)
    } catch (thrown) {
      this.#failure ??= this.#notStored(thrown)
    }
    return more
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
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
    if (position + frameHeaderBytes > bytes.length) throw corrupt(at, 'a frame header is cut short')
    const length = view.getUint32(position)
    const group = view.getUint16(position + 4)
    const count = view.getUint16(position + 6)
    const end = position + frameHeaderBytes + length
    if (end > bytes.length) throw corrupt(at, 'a frame is cut short')
    const payload = bytes.subarray(position + frameHeaderBytes, end)
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
    const entry = store.restore(group, flat[start] as Key, flat[start + 1] as readonly number[])
    for (const [index, column] of columns.entries()) if (column >= 0) entry.set(column, flat[start + 2 + index])
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
