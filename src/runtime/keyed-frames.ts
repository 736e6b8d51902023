import { encodeState, type VersionedSerializer } from '../core/index.ts'
import type { Entry } from './keyed-state.ts'

/**
 * The stored form of keyed state, version 1: frames of `u32 payload length, u16 key group, u16 entries` (big-endian) and a
 * CBOR array `[key, timers, value of each state, …]` flattened over the entries. The first frame has no entries; its
 * payload describes the states. A reader skips the frames of key groups that are not its own.
 */
export const keyedFormat = { name: 'millrace.keyed', version: 1 } as const

/** The bytes as they are, once it is certain that this program can read them. */
export const keyedSerializer: VersionedSerializer<Uint8Array> = {
  ...keyedFormat,
  serialize: (bytes) => bytes,
  deserialize: (_, bytes) => bytes,
}

export const frameHeaderBytes = 8

/** A CBOR array whose length has 32 bits. */
const arrayHeaderBytes = 5
const payloadStart = frameHeaderBytes + arrayHeaderBytes
/** A frame that has reached so many bytes, or entries, is complete. */
const frameBytesMax = 16 * 1024
const entriesMax = 1024
/** Most bytes of a number, and of the header of a text. */
const itemBytesMax = 9

const isPrimitive = (value: unknown): boolean => typeof value !== 'object' || value === null

/**
 * A frame that grows entry by entry. Numbers and short ASCII texts are written by hand: through the encoder, with a list of
 * them for every frame, a snapshot takes half as long again (bench: runtime, checkpoint).
 */
class OpenFrame {
  #bytes = new Uint8Array(512)
  #view = new DataView(this.#bytes.buffer)
  #at = payloadStart
  #items = 0
  #entries = 0

  get empty(): boolean {
    return this.#entries === 0
  }

  get full(): boolean {
    return this.#entries >= entriesMax || this.#at >= frameBytesMax
  }

  /** An entry of primitive values without timers. */
  add(entry: Entry, states: number): void {
    this.#write(entry.key)
    this.reserve(1)
    this.#bytes[this.#at++] = 0x80
    for (let state = 0; state < states; state++) this.#write(entry.get(state))
    this.#items += 2 + states
    this.#entries++
  }

  /** The whole frame. The next entry begins another. */
  take(group: number): Uint8Array {
    this.#view.setUint32(0, this.#at - frameHeaderBytes)
    this.#view.setUint16(4, group)
    this.#view.setUint16(6, this.#entries)
    this.#bytes[frameHeaderBytes] = 0x9a
    this.#view.setUint32(frameHeaderBytes + 1, this.#items)
    const frame = this.#bytes.slice(0, this.#at)
    this.#at = payloadStart
    this.#items = 0
    this.#entries = 0
    return frame
  }

  /** Makes room for so many bytes. */
  reserve(more: number): void {
    const end = this.#at + more
    if (end <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  #write(value: unknown): void {
    if (typeof value === 'number') this.#writeNumber(value)
    else if (typeof value !== 'string' || !this.#writeShortAscii(value)) this.#writeEncoded(encodeState(value))
  }

  #writeNumber(value: number): void {
    this.reserve(itemBytesMax)
    if (value >>> 0 !== value) {
      this.#bytes[this.#at] = 0xfb
      this.#view.setFloat64(this.#at + 1, value)
      this.#at += 9
    } else if (value < 24) {
      this.#bytes[this.#at++] = value
    } else {
      this.#bytes[this.#at] = 0x1a
      this.#view.setUint32(this.#at + 1, value)
      this.#at += 5
    }
  }

  /** False when the text is something else, and nothing has been written. */
  #writeShortAscii(text: string): boolean {
    const { length } = text
    if (length > 0xff) return false
    this.reserve(itemBytesMax + length)
    const bytes = this.#bytes
    let at = this.#at
    bytes[at++] = 0x78
    bytes[at++] = length
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 127) return false
      bytes[at++] = unit
    }
    this.#at = at
    return true
  }

  #writeEncoded(encoded: Uint8Array): void {
    this.reserve(encoded.length)
    this.#bytes.set(encoded, this.#at)
    this.#at += encoded.length
  }
}

/** Turns the entries of a snapshot into frames, whatever the order of their key groups. */
export class KeyedFrames {
  readonly #first: number
  readonly #states: number
  /** By key group: entries of primitives, which can wait for company. */
  readonly #open: (OpenFrame | undefined)[] = []
  /** Entries of one key group with objects in them, flattened; not encoded yet. */
  #objects: unknown[] = []
  #objectsGroup = -1
  #objectEntries = 0
  #frames: Uint8Array[] = []
  #bytes = 0

  /** `first` is the lowest key group; `states` their number in each entry. */
  constructor(first: number, states: number) {
    this.#first = first
    this.#states = states
  }

  /** Bytes that `take` would give. */
  get bytes(): number {
    return this.#bytes
  }

  /** The first frame. */
  addHeader(header: unknown): void {
    this.#push(encodedFrame(0, 0, encodeState(header)))
  }

  /** Makes room for entries that are about to be added. */
  expect(group: number, entries: number, keyLength: number): void {
    if (entries > 0) this.#frameOf(group).reserve(entries * (2 + this.#states) * itemBytesMax + keyLength)
  }

  /** An entry as it is now. When it has objects, `settle` must come before the user's code runs. */
  add(entry: Entry, group: number): void {
    if (this.#isPrimitive(entry)) {
      const frame = this.#frameOf(group)
      frame.add(entry, this.#states)
      if (frame.full) this.#push(frame.take(group))
      return
    }
    if (group !== this.#objectsGroup || this.#objectEntries >= entriesMax) this.settle()
    this.#objectsGroup = group
    this.#objectEntries++
    this.#objects.push(entry.key, entry.timers, ...entry.values)
  }

  #isPrimitive(entry: Entry): boolean {
    if (entry.timers.length > 0 || !isPrimitive(entry.key)) return false
    for (let state = 0; state < this.#states; state++) if (!isPrimitive(entry.get(state))) return false
    return true
  }

  #frameOf(group: number): OpenFrame {
    const known = this.#open[group - this.#first]
    if (known !== undefined) return known
    const frame = new OpenFrame()
    this.#open[group - this.#first] = frame
    return frame
  }

  /** Encodes objects that still can change. */
  settle(): void {
    if (this.#objectEntries === 0) return
    const objects = this.#objects
    const entries = this.#objectEntries
    this.#objects = []
    this.#objectEntries = 0
    this.#push(encodedFrame(this.#objectsGroup, entries, encodeState(objects)))
  }

  /** No entry of the group follows. */
  closeGroup(group: number): void {
    this.settle()
    const frame = this.#open[group - this.#first]
    if (frame === undefined) return
    if (!frame.empty) this.#push(frame.take(group))
    this.#open[group - this.#first] = undefined
  }

  /** No entry follows. */
  close(): void {
    for (let index = 0; index < this.#open.length; index++) this.closeGroup(this.#first + index)
  }

  /** All complete frames in one piece. */
  take(): Uint8Array {
    const whole = new Uint8Array(this.#bytes)
    let at = 0
    for (const frame of this.#frames) {
      whole.set(frame, at)
      at += frame.length
    }
    this.#frames = []
    this.#bytes = 0
    return whole
  }

  #push(frame: Uint8Array): void {
    this.#frames.push(frame)
    this.#bytes += frame.length
  }
}

const encodedFrame = (group: number, entries: number, payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(frameHeaderBytes + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, payload.length)
  view.setUint16(4, group)
  view.setUint16(6, entries)
  bytes.set(payload, frameHeaderBytes)
  return bytes
}
