import { crc32 } from 'node:zlib'
import type { Inflater } from '../core/index.ts'

/** The longest piece an inflater gives. */
export const inflatedPieceBytesMax = 64 * 1024

/** Decompresses one raw deflate stream, the inside of a gzip member. */
export interface RawInflate {
  /** Gives what `bytes` decompress to, in pieces of at most `inflatedPieceBytesMax`, with no more than a few in memory. */
  push(bytes: Uint8Array): AsyncIterable<Uint8Array>
  /** Undefined while the stream goes on; then how many bytes of the last push came after its end. */
  readonly unused: number | undefined
  close(): void
}

type Stage = 'header' | 'body' | 'trailer' | 'padding' | 'closed'

const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const
const fixedHeaderBytes = 10
const trailerBytes = 8
/** Names and comments have no length of their own; a header beyond this is not one. */
const headerBytesMax = 128 * 1024

const corrupt = (why: string): Error =>
  Object.assign(new Error(`gzip data is corrupt: ${why}`), { code: 'Z_DATA_ERROR' })

/** The length of the gzip header at the start of `bytes`; undefined when more bytes are needed to tell. */
const headerLength = (bytes: Uint8Array): number | undefined => {
  const magic = [0x1f, 0x8b, 8]
  for (const [index, value] of magic.entries()) {
    if (bytes.length > index && bytes[index] !== value) throw corrupt('a member does not start with a gzip header')
  }
  if (bytes.length < fixedHeaderBytes) return undefined
  const flags = bytes[3] ?? 0
  if ((flags & 0xe0) !== 0) throw corrupt('a header has unknown flags')
  let end = fixedHeaderBytes
  if ((flags & flag.extra) !== 0) {
    if (bytes.length < end + 2) return undefined
    end += 2 + (bytes[end] ?? 0) + (bytes[end + 1] ?? 0) * 256
  }
  for (const text of [flag.name, flag.comment]) {
    if ((flags & text) === 0) continue
    const zero = bytes.indexOf(0, end)
    if (zero < 0) return undefined
    end = zero + 1
  }
  if ((flags & flag.headerCrc) === 0) return bytes.length < end ? undefined : end
  if (bytes.length < end + 2) return undefined
  const stated = (bytes[end] ?? 0) + (bytes[end + 1] ?? 0) * 256
  if (stated !== (crc32(bytes.subarray(0, end)) & 0xffff)) throw corrupt('the checksum of a header differs')
  return end + 2
}

/**
 * Reads gzip framing around a raw inflater. The framing is ours because Node's own gunzip stream does not tell whether
 * the input stopped at the end of a member, and takes rubbish after the last one for another. Members may follow one
 * another, zero bytes may follow the last; checksum and length of each are verified.
 */
export class GzipInflater implements Inflater {
  readonly #openRaw: () => RawInflate
  #raw: RawInflate | undefined
  #stage: Stage = 'header'
  /** Bytes of an incomplete header or trailer. */
  #held: Uint8Array = new Uint8Array(0)
  #members = 0
  #crc = 0
  #length = 0

  constructor(openRaw: () => RawInflate) {
    this.#openRaw = openRaw
  }

  async *push(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    let left = bytes
    while (left.length > 0) {
      if (this.#stage === 'closed') throw corrupt('the inflater is closed')
      if (this.#stage === 'header') left = this.#takeHeader(left)
      else if (this.#stage === 'body') left = yield* this.#inflate(left)
      else if (this.#stage === 'trailer') left = this.#takeTrailer(left)
      else left = this.#takePadding(left)
    }
  }

  finish(): void {
    const between = this.#stage === 'padding' || (this.#stage === 'header' && this.#held.length === 0)
    if (between && this.#members > 0) return
    throw Object.assign(new Error('gzip data stops before its end'), { code: 'Z_BUF_ERROR' })
  }

  close(): void {
    this.#stage = 'closed'
    this.#raw?.close()
    this.#raw = undefined
  }

  #hold(bytes: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return bytes
    const joined = new Uint8Array(this.#held.length + bytes.length)
    joined.set(this.#held)
    joined.set(bytes, this.#held.length)
    this.#held = new Uint8Array(0)
    return joined
  }

  #takeHeader(bytes: Uint8Array): Uint8Array {
    if (this.#members > 0 && this.#held.length === 0 && bytes[0] === 0) {
      this.#stage = 'padding'
      return bytes
    }
    const held = this.#hold(bytes)
    const end = headerLength(held)
    if (end === undefined) {
      if (held.length > headerBytesMax) throw corrupt('a header does not end')
      this.#held = held.slice()
      return held.subarray(held.length)
    }
    this.#stage = 'body'
    this.#raw = this.#openRaw()
    this.#crc = 0
    this.#length = 0
    return held.subarray(end)
  }

  async *#inflate(bytes: Uint8Array): AsyncGenerator<Uint8Array, Uint8Array> {
    const raw = this.#raw
    if (raw === undefined) throw corrupt('the inflater is closed')
    for await (const piece of raw.push(bytes)) {
      this.#crc = crc32(piece, this.#crc)
      this.#length = (this.#length + piece.length) % 2 ** 32
      yield piece
    }
    if (raw.unused === undefined) return bytes.subarray(bytes.length)
    this.#stage = 'trailer'
    this.#raw = undefined
    raw.close()
    return bytes.subarray(bytes.length - raw.unused)
  }

  #takeTrailer(bytes: Uint8Array): Uint8Array {
    const held = this.#hold(bytes)
    if (held.length < trailerBytes) {
      this.#held = held.slice()
      return held.subarray(held.length)
    }
    const view = new DataView(held.buffer, held.byteOffset, held.length)
    if (view.getUint32(0, true) !== this.#crc) throw corrupt('the checksum of a member differs')
    if (view.getUint32(4, true) !== this.#length) throw corrupt('the length of a member differs')
    this.#members++
    this.#stage = 'header'
    return held.subarray(trailerBytes)
  }

  #takePadding(bytes: Uint8Array): Uint8Array {
    if (bytes.some((byte) => byte !== 0)) throw corrupt('rubbish follows the last member')
    return bytes.subarray(bytes.length)
  }
}
