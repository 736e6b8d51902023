const encoder = new TextEncoder()
const smallest = 4096
/** A buffer that one huge record blew up gives the memory back when it is emptied. */
const keptBytesMax = 4 << 20

/** Bytes that grow at the end; emptied and used again, so that a record costs no allocation. */
export class GrowableBytes {
  #bytes = new Uint8Array(smallest)
  #length = 0

  get length(): number {
    return this.#length
  }

  appendText(text: string): void {
    this.#reserve(text.length * 3)
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written
  }

  appendBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  appendByte(byte: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  /** A view, good until the next change. */
  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, Math.min(to, this.#length))
  }

  /** Forgets what comes after `length`: the way back from a record that could not be encoded whole. */
  cut(length: number): void {
    this.#length = length
  }

  clear(): void {
    this.#length = 0
    if (this.#bytes.length > keptBytesMax) this.#bytes = new Uint8Array(smallest)
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
