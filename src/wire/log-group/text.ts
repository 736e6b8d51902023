/**
 * Text of the wire. Bytes that are not UTF-8 become U+FFFD; who needs them takes the bytes.
 *
 * `Buffer` and not `TextDecoder`: that takes 1.1 µs for a log of 560 bytes, `toString` 0.2 µs (benchmark codec), because
 * the lengths between the fields are not UTF-8. Only this file knows.
 */

const encoder = new TextEncoder()

/** Reads text out of one buffer. */
export class TextReader {
  /** The bytes, to be read several at a time. */
  readonly data: DataView
  readonly #buffer: Buffer
  /** The memory under the bytes, four at a time; and where the bytes begin in it. */
  readonly #words: Int32Array
  readonly #offset: number

  constructor(bytes: Uint8Array) {
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >>> 2)
    this.#offset = bytes.byteOffset
  }

  utf8(start: number, end: number): string {
    return this.#buffer.toString('utf8', start, end)
  }

  /** One character for each byte; the text itself where `isAscii`. */
  latin1(start: number, end: number): string {
    return this.#buffer.toString('latin1', start, end)
  }

  /** Whether all bytes are ASCII. Looks at four bytes at once, also at their neighbours, and closer only when it must. */
  isAscii(start: number, end: number): boolean {
    const words = this.#words
    const last = (this.#offset + end - 1) >>> 2
    if (last < words.length) {
      let seen = 0
      for (let index = (this.#offset + start) >>> 2; index <= last; index++) seen |= words[index] as number
      if ((seen & 0x80808080) === 0) return true
    }
    const buffer = this.#buffer
    let seen = 0
    for (let index = start; index < end; index++) seen |= buffer[index] as number
    return seen < 128
  }
}

/** The bytes of a text; lone surrogates become U+FFFD. */
export const bytesOfText = (text: string): Uint8Array => encoder.encode(text)

/** Whether the bytes of a range are those of a text, without making either into the other when it is ASCII. */
export const isText = (bytes: Uint8Array, start: number, end: number, text: string): boolean => {
  const length = end - start
  if (length < text.length) return false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127) return isBytes(bytes, start, end, bytesOfText(text))
    if (code !== bytes[start + index]) return false
  }
  return length === text.length
}

const isBytes = (bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean => {
  if (end - start !== other.length) return false
  for (let index = 0; index < other.length; index++) if (bytes[start + index] !== other[index]) return false
  return true
}
