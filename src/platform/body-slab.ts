const firstBytes = 16 * 1024

/**
 * The body of an answer, or of a request, while it comes in. When its length was announced it is read into one buffer of
 * that size, whose pages the system gives out as they are filled; else into one that doubles.
 */
export class BodySlab {
  readonly #bytesMax: number
  readonly #announced: number | undefined
  #buffer: Uint8Array
  #length = 0

  /** @param announced the value of `content-length`, already known to be at most `bytesMax`. */
  constructor(bytesMax: number, announced: number | undefined) {
    this.#bytesMax = bytesMax
    this.#announced = announced
    this.#buffer = Buffer.allocUnsafeSlow(announced ?? Math.min(firstBytes, bytesMax))
  }

  /** False when the piece does not fit: the body is longer than allowed, or than announced. */
  append(piece: Uint8Array): boolean {
    const length = this.#length + piece.length
    if (length > (this.#announced ?? this.#bytesMax)) return false
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#bytesMax, Math.max(length, 2 * this.#buffer.length)))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
    return true
  }

  /** Whether all that was announced is here; true when nothing was. */
  get complete(): boolean {
    return this.#announced === undefined || this.#announced === this.#length
  }

  get bytes(): Uint8Array {
    const { buffer, byteOffset } = this.#buffer
    return new Uint8Array(buffer, byteOffset, this.#length)
  }
}

/** A `content-length` as a number, undefined when there is none or it is no number. */
export const announcedBytes = (header: string | readonly string[] | undefined): number | undefined =>
  typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : undefined
