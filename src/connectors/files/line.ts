import { type Parsable, parseInput } from '../../core/index.ts'

/** Damaged UTF-8 becomes U+FFFD, a byte order mark stays: `text` never throws and never hides a character. */
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** One line of a file. It looks at the block it was read in: nothing is copied or decoded until it is asked for. */
export class Line implements Parsable {
  /** The file, as it was named when the line was read. */
  readonly path: string
  /** Position of the line's first byte in the file; in the decompressed bytes of a compressed file. */
  readonly offset: number
  readonly #block: Uint8Array
  readonly #start: number
  readonly #end: number
  #text: string | undefined

  /** The line is `block` from `start` up to `end`. */
  constructor(block: Uint8Array, start: number, end: number, path: string, offset: number) {
    this.path = path
    this.offset = offset
    this.#block = block
    this.#start = start
    this.#end = end
  }

  /** A line of its own memory, for tests and for programs that make lines. */
  static of(bytes: Uint8Array | string, path = '', offset = 0): Line {
    const block = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
    return new Line(block, 0, block.length, path, offset)
  }

  /** Number of bytes, without the line terminator. */
  get length(): number {
    return this.#end - this.#start
  }

  /** The bytes as they are in the file, without `\n` or `\r\n`. A view: it keeps its whole block in memory. */
  get bytes(): Uint8Array {
    return this.#block.subarray(this.#start, this.#end)
  }

  /** The bytes read as UTF-8; what is not UTF-8 becomes U+FFFD. */
  get text(): string {
    this.#text ??= decoder.decode(this.bytes)
    return this.#text
  }

  toString(): string {
    return this.text
  }

  toJSON(): { readonly text: string; readonly path: string; readonly offset: number } {
    return { text: this.text, path: this.path, offset: this.offset }
  }

  /** @throws SyntaxError when the line is not JSON. */
  [parseInput](): unknown {
    return JSON.parse(this.text)
  }
}
