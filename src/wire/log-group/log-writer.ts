import { WireError } from '../../core/index.ts'
import type { LogInit } from './log-init.ts'
import { keyTag, logContentTag, logTimeNsTag, logTimeTag, valueTag } from './tags.ts'
import { bytesOfText } from './text.ts'
import { varintSize, writeVarint } from './varint.ts'
import { tooMany } from './wire-problem.ts'

const utf8 = new TextEncoder()

/** Text up to this length is written character by character; a call into the host costs more (performance paper, §4). */
const loopCharsMax = 127
/** Names that come again and again are kept encoded, so many and no longer ones. */
const keptKeysMax = 4096
const keptKeyBytesMax = 125
const positionsMax = 128

const slabBytesFirst = 64 * 1024
/** A slab that one large message made larger is not kept. */
const slabBytesKept = 16 * 1024 * 1024

/**
 * Writes fields one after another into a slab that is kept. Lengths are written after what they measure: a guess is left
 * open, and only a wrong guess moves bytes.
 */
export class LogWriter {
  readonly #bytesMax: number
  #bytes = new Uint8Array(slabBytesFirst)
  #at = 0
  readonly #keys = new Map<string, Uint8Array>()
  /** The key the last log had at each position, and how it is encoded: most logs repeat the names of the one before. */
  readonly #keyAt: string[] = []
  readonly #keyBytesAt: Uint8Array[] = []

  /** @param bytesMax the most the slab may hold */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get length(): number {
    return this.#at
  }

  /** Goes back to an earlier length. */
  truncate(length: number): void {
    this.#at = length
  }

  /** Begins anew. */
  clear(): void {
    this.#at = 0
    if (this.#bytes.length > slabBytesKept) this.#bytes = new Uint8Array(slabBytesFirst)
  }

  /** What was written, as long as nothing else is. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  /** A field of bytes, as they are. */
  bytesField(tag: number, bytes: Uint8Array): void {
    this.#room(bytes.length + 10)
    this.#bytes[this.#at] = tag
    const at = writeVarint(this.#bytes, this.#at + 1, bytes.length)
    this.#bytes.set(bytes, at)
    this.#at = at + bytes.length
  }

  varintField(tag: number, value: number): void {
    this.#room(10)
    this.#bytes[this.#at] = tag
    this.#at = writeVarint(this.#bytes, this.#at + 1, value)
  }

  textField(tag: number, text: string): void {
    this.#room(text.length * 3 + 10)
    this.#bytes[this.#at] = tag
    this.#at = this.#text(this.#at + 1, text)
  }

  /** A content or a tag. */
  pairField(tag: number, key: string, value: string | Uint8Array): void {
    this.#pair(tag, key, this.#encodedKey(key), value)
  }

  /** One log. When it throws, nothing was written. */
  log(tag: number, { time, timeNs, contents }: LogInit): void {
    const start = this.#at
    try {
      this.#room(32)
      this.#bytes[start] = tag
      // Two bytes are left for the length: most logs have 128 to 16,383 bytes.
      this.#bytes[start + 3] = logTimeTag
      this.#at = writeVarint(this.#bytes, start + 4, checkedTime(time))
      this.#contents(contents)
      if (timeNs !== undefined) this.#timeNs(timeNs)
      this.#close(start + 1, 2)
    } catch (error) {
      this.#at = start
      throw error
    }
  }

  /** A log that is serialised already, and contents to follow its own. When it throws, nothing was written. */
  copiedLog(tag: number, from: Uint8Array, start: number, end: number, added: LogInit['contents'] | undefined): void {
    const open = this.#at
    try {
      this.#room(end - start + 32)
      const guess = varintSize(end - start)
      this.#bytes[open] = tag
      this.#bytes.set(from.subarray(start, end), open + 1 + guess)
      this.#at = open + 1 + guess + end - start
      if (added !== undefined) this.#contents(added)
      this.#close(open + 1, guess)
    } catch (error) {
      this.#at = open
      throw error
    }
  }

  #contents(contents: LogInit['contents']): void {
    if (Array.isArray(contents)) this.#pairs(contents)
    else this.#fields(contents as Readonly<Record<string, string>>)
  }

  #pairs(contents: readonly (readonly [string, string | Uint8Array])[]): void {
    for (let index = 0; index < contents.length; index++) {
      const [key, value] = contents[index] as readonly [string, string | Uint8Array]
      this.#pair(logContentTag, key, this.#keyOf(key, index), value)
    }
  }

  #fields(contents: Readonly<Record<string, string>>): void {
    let index = 0
    // The fastest way V8 has through an object. What is inherited and enumerable counts as a field.
    for (const key in contents) {
      const value = contents[key] as string
      const encodedKey = this.#keyOf(key, index++)
      if (!this.#shortPair(encodedKey, value)) this.#pair(logContentTag, key, encodedKey, value)
    }
  }

  /**
   * Writes a content whose lengths take a byte each, as most do, without the room and the guesses that others need
   * (benchmark codec, encode). False, and nothing is written, when it is none of those.
   */
  #shortPair(encodedKey: Uint8Array, value: string): boolean {
    if (typeof value !== 'string') return false
    const keyLength = encodedKey.length
    const length = value.length
    const size = keyLength + 1 + length
    const bytes = this.#bytes
    let at = this.#at
    if (size > 127 || at + size + 2 > bytes.length) return false
    bytes[at++] = logContentTag
    bytes[at++] = size
    for (let index = 0; index < keyLength; index++) bytes[at++] = encodedKey[index] as number
    bytes[at++] = length
    let all = 0
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      all |= code
      bytes[at++] = code
    }
    if (all > 127) return false
    this.#at = at
    return true
  }

  #timeNs(timeNs: number): void {
    if (!Number.isInteger(timeNs) || timeNs < 0 || timeNs > 999_999_999) {
      throw unrepresentable(`the nanosecond part of a time is ${String(timeNs)}, not a whole number below a billion`)
    }
    this.#room(5)
    const bytes = this.#bytes
    const at = this.#at
    bytes[at] = logTimeNsTag
    bytes[at + 1] = timeNs
    bytes[at + 2] = timeNs >>> 8
    bytes[at + 3] = timeNs >>> 16
    bytes[at + 4] = timeNs >>> 24
    this.#at = at + 5
  }

  /** @param encodedKey the key's field and the tag of the value behind it */
  #pair(tag: number, key: string, encodedKey: Uint8Array, value: string | Uint8Array): void {
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw unrepresentable(`the value of the field '${key.slice(0, 64)}' is no text: ${typeof value}`)
    }
    const length = value.length
    this.#room(encodedKey.length + length * 3 + 20)
    const bytes = this.#bytes
    bytes[this.#at] = tag
    const open = this.#at + 1
    // A byte for the length when it will do, unless characters turn out to be longer than bytes.
    const guess = encodedKey.length + length + (length > 127 ? 2 : 1) < 128 ? 1 : 2
    let at = open + guess
    const keyLength = encodedKey.length
    if (keyLength < 48) for (let index = 0; index < keyLength; index++) bytes[at++] = encodedKey[index] as number
    else {
      bytes.set(encodedKey, at)
      at += keyLength
    }
    if (typeof value === 'string') this.#at = this.#text(at, value)
    else {
      at = writeVarint(bytes, at, length)
      bytes.set(value, at)
      this.#at = at + length
    }
    const size = this.#at - open - guess
    if (guess === 1 && size < 128) bytes[open] = size
    else this.#close(open, guess)
  }

  /** Writes a text with its length; there is room for three bytes a character. Gives the position after it. */
  #text(start: number, text: string): number {
    const length = text.length
    if (length > loopCharsMax) return this.#longText(start, text)
    const bytes = this.#bytes
    let at = start + 1
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) return this.#longText(start, text)
      bytes[at++] = code
    }
    bytes[start] = length
    return at
  }

  #longText(start: number, text: string): number {
    const bytes = this.#bytes
    const guess = varintSize(text.length)
    const { written } = utf8.encodeInto(text, bytes.subarray(start + guess))
    const needed = varintSize(written)
    if (needed !== guess) bytes.copyWithin(start + needed, start + guess, start + guess + written)
    return writeVarint(bytes, start, written) + written
  }

  /** Writes the length of everything behind `open`, where `guess` bytes were left for it. */
  #close(open: number, guess: number): void {
    const start = open + guess
    const length = this.#at - start
    const needed = varintSize(length)
    if (needed !== guess) {
      this.#room(needed)
      this.#bytes.copyWithin(open + needed, start, this.#at)
      this.#at += needed - guess
    }
    writeVarint(this.#bytes, open, length)
  }

  #keyOf(key: string, index: number): Uint8Array {
    if (index < positionsMax) {
      if (this.#keyAt[index] === key) return this.#keyBytesAt[index] as Uint8Array
      const encoded = this.#encodedKey(key)
      if (index <= this.#keyAt.length) {
        this.#keyAt[index] = key
        this.#keyBytesAt[index] = encoded
      }
      return encoded
    }
    return this.#encodedKey(key)
  }

  #encodedKey(key: string): Uint8Array {
    const kept = this.#keys.get(key)
    if (kept !== undefined) return kept
    if (typeof key !== 'string') throw unrepresentable(`the name of a field is no text: ${typeof key}`)
    const text = bytesOfText(key)
    const sizeBytes = varintSize(text.length)
    const encoded = new Uint8Array(sizeBytes + text.length + 2)
    encoded[0] = keyTag
    encoded.set(text, writeVarint(encoded, 1, text.length))
    encoded[encoded.length - 1] = valueTag
    if (encoded.length <= keptKeyBytesMax && this.#keys.size < keptKeysMax) this.#keys.set(key, encoded)
    return encoded
  }

  #room(more: number): void {
    if (this.#at + more > this.#bytes.length) this.#grow(this.#at + more)
  }

  #grow(needed: number): void {
    if (needed > this.#bytesMax * 3 + slabBytesFirst) throw tooMany('bytes in a message', 'bytesMax', this.#bytesMax)
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

const checkedTime = (time: number): number => {
  if (Number.isInteger(time) && time >= 0 && time <= 0xffffffff) return time
  throw unrepresentable(`a time is ${String(time)}, not whole seconds since 1970 below 2^32`)
}

const unrepresentable = (message: string): WireError => new WireError('WIRE_UNREPRESENTABLE', { message })
