import { varintLength, varintValue } from './varint.ts'
import { malformed } from './wire-problem.ts'

/** Wire types of protobuf; groups (3 and 4) and the reserved ones are refused. */
export const wireVarint = 0
export const wireFixed64 = 1
export const wireBytes = 2
export const wireFixed32 = 5

/**
 * Steps over the fields of one message. The payload of each lies inside the message, or `next` throws; so what is nested
 * can be read without looking back.
 */
export class FieldCursor {
  #bytes: Uint8Array
  #end: number
  /** Field number and wire type, as they stand in the tag: `number << 3 | type`. */
  tag = 0
  /** Where the field begins, with its tag. */
  start = 0
  /** Where its payload begins: for `wireBytes`, after the length. */
  from = 0
  /** Where its payload ends, and the next field begins. */
  to: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.to = start
  }

  /** To be used for another message, or for the rest of one. */
  restart(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes
    this.#end = end
    this.to = start
    return this
  }

  /** Steps to the next field; false at the end of the message. */
  next(): boolean {
    const bytes = this.#bytes
    const end = this.#end
    let at = this.to
    if (at >= end) return false
    this.start = at
    let tag = bytes[at++] as number
    if (tag > 127) {
      const length = varintLength(bytes, at - 1, end, 5)
      if (length === 5 && (bytes[at + 3] as number) > 15) throw malformed('a tag has more than 32 bits', at - 1)
      tag = varintValue(bytes, at - 1, length)
      at += length - 1
    }
    if (tag >>> 3 === 0) throw malformed('a field has the number 0', this.start)
    this.tag = tag
    switch (tag & 7) {
      case wireBytes: {
        if (at >= end) throw malformed('a length is cut', at)
        let length = bytes[at] as number
        if (length > 127) {
          const size = varintLength(bytes, at, end, 5)
          if (size === 5 && (bytes[at + 4] as number) > 7) throw malformed('a length has more than 31 bits', at)
          length = varintValue(bytes, at, size)
          at += size
        } else at++
        this.from = at
        this.to = at + length
        break
      }
      case wireVarint:
        this.from = at
        this.to = at + varintLength(bytes, at, end, 10)
        break
      case wireFixed32:
        this.from = at
        this.to = at + 4
        break
      case wireFixed64:
        this.from = at
        this.to = at + 8
        break
      default:
        throw malformed(`a field has the wire type ${tag & 7}`, this.start)
    }
    if (this.to > end) throw malformed('a field reaches beyond its message', this.start)
    return true
  }

  /** The value of a `wireVarint` field, its low 32 bits. */
  varint(): number {
    return varintValue(this.#bytes, this.from, this.to - this.from)
  }

  /** The value of a `wireFixed32` field, unsigned. */
  fixed32(): number {
    return fixed32At(this.#bytes, this.from)
  }
}

/** Four bytes, little-endian, unsigned. */
export const fixed32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0
