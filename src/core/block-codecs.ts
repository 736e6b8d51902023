import { invariant } from './errors.ts'
import type { BlockCodec } from './ports.ts'

/**
 * The checks every adapter of `Compression.blockCodec` needs around its libraries: what a body may decode to is settled
 * before a library sees it, because libraries take memory for whatever they are told.
 */

/** Functions of an LZ4 library whose blocks begin with their decoded size, four bytes, little-endian. */
export interface SizedLz4 {
  compress(bytes: Uint8Array): Uint8Array
  /** Takes memory for the size it reads; may give fewer bytes than that. Throws for bytes that are no block. */
  decompress(sized: Uint8Array): Uint8Array
}

/** Functions of a zstd library. */
export interface ZstdFrames {
  compress(bytes: Uint8Array): Uint8Array
  /** Takes memory for the size in the frame's header or, when it has none, for `decodedSize`. Throws on damage. */
  decompress(bytes: Uint8Array, decodedSize: number): Uint8Array
}

/** Functions of a zlib library. */
export interface ZlibStreams {
  compress(bytes: Uint8Array): Uint8Array
  /** Throws on damage and as soon as there are more than `decodedSizeMax` bytes; `read` is how much of `bytes` it took. */
  decompress(bytes: Uint8Array, decodedSizeMax: number): { readonly decoded: Uint8Array; readonly read: number }
}

const sizePrefixBytes = 4
/** Compressed bodies up to this size are prefixed in a buffer that is kept: fresh ones cost collections. */
const scratchBytesMax = 4 * 1024 * 1024
/** One byte of an LZ4 block adds at most 255 bytes to a match; 16 pays for the tokens of the smallest blocks. */
const lz4RatioMax = 255
/** Deflate's best is 258 bytes for two bits. */
const deflateRatioMax = 1032
/** WebAssembly memory is two gigabytes at most, and a library that cannot get it does not always say so. */
const zstdBytesMax = 256 * 1024 * 1024

const checkSize = (size: number): void =>
  invariant(Number.isSafeInteger(size) && size >= 0, 'a decoded size is a whole number')

const exactly = (decoded: Uint8Array, size: number): Uint8Array => {
  if (decoded.length !== size) throw new Error(`it gives ${decoded.length} bytes, not ${size}`)
  return decoded
}

const checkRatio = (bytes: Uint8Array, decodedSize: number, ratioMax: number): void => {
  if (decodedSize > (bytes.length + 16) * ratioMax) {
    throw new Error(`${bytes.length} bytes cannot decode to ${decodedSize}`)
  }
}

/** Raw LZ4 blocks, without frame or size, over a library that wants the size in front. */
export const lz4BlockCodec = (library: SizedLz4): BlockCodec => {
  let scratch = new Uint8Array(0)
  const prefixed = (bytes: Uint8Array, size: number): Uint8Array => {
    const length = sizePrefixBytes + bytes.length
    if (length > scratch.length || length > scratchBytesMax) {
      const grown = new Uint8Array(length > scratchBytesMax ? length : Math.min(scratchBytesMax, length * 2))
      if (length <= scratchBytesMax) scratch = grown
      return withSize(grown, bytes, size)
    }
    return withSize(scratch, bytes, size)
  }
  return {
    compress: (bytes) => library.compress(bytes).subarray(sizePrefixBytes),
    decompress(bytes, decodedSize) {
      checkSize(decodedSize)
      checkRatio(bytes, decodedSize, lz4RatioMax)
      return exactly(library.decompress(prefixed(bytes, decodedSize)), decodedSize)
    },
  }
}

const withSize = (target: Uint8Array, bytes: Uint8Array, size: number): Uint8Array => {
  target[0] = size
  target[1] = size >>> 8
  target[2] = size >>> 16
  target[3] = size >>> 24
  target.set(bytes, sizePrefixBytes)
  return target.subarray(0, sizePrefixBytes + bytes.length)
}

/** Zstd frames. The size in a frame's header is compared before the library takes memory for it. */
export const zstdBlockCodec = (library: ZstdFrames): BlockCodec => ({
  compress: (bytes) => library.compress(bytes),
  decompress(bytes, decodedSize) {
    checkSize(decodedSize)
    if (bytes.length > zstdBytesMax || decodedSize > zstdBytesMax) {
      throw new Error(`zstd bodies here have at most ${zstdBytesMax} bytes`)
    }
    const declared = zstdContentSize(bytes)
    if (declared !== undefined && declared !== decodedSize) {
      throw new Error(`its header announces ${declared} bytes, not ${decodedSize}`)
    }
    return exactly(library.decompress(bytes, decodedSize), decodedSize)
  },
})

const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd] as const

/**
 * The decoded size in the header of a zstd frame (RFC 8878, section 3.1.1.1); undefined when the frame does not tell.
 * @throws Error when the bytes do not begin with a frame that needs no dictionary.
 */
export const zstdContentSize = (bytes: Uint8Array): number | undefined => {
  const descriptor = bytes[4]
  if (descriptor === undefined || zstdMagic.some((byte, index) => bytes[index] !== byte)) {
    throw new Error('it does not begin with a zstd frame')
  }
  if ((descriptor & 0x03) !== 0) throw new Error('the zstd frame wants a dictionary')
  const sizeFlag = descriptor >>> 6
  const singleSegment = (descriptor & 0x20) !== 0
  if (sizeFlag === 0 && !singleSegment) return undefined
  const start = singleSegment ? 5 : 6
  const length = 1 << sizeFlag
  if (bytes.length < start + length) throw new Error('the header of the zstd frame is cut')
  let size = 0
  for (let index = length - 1; index >= 0; index--) size = size * 256 + (bytes[start + index] ?? 0)
  return sizeFlag === 1 ? size + 256 : size
}

/** Zlib streams (RFC 1950); nothing may follow the stream. */
export const deflateBlockCodec = (library: ZlibStreams): BlockCodec => ({
  compress: (bytes) => library.compress(bytes),
  decompress(bytes, decodedSize) {
    checkSize(decodedSize)
    checkRatio(bytes, decodedSize, deflateRatioMax)
    const { decoded, read } = library.decompress(bytes, decodedSize)
    if (read !== bytes.length) throw new Error(`${bytes.length - read} bytes follow the zlib stream`)
    return exactly(decoded, decodedSize)
  },
})
