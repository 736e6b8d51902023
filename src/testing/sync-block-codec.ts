import { constants, deflateSync, type Inflate, inflateSync } from 'node:zlib'
import { compress, decompress, init } from '@bokuweb/zstd-wasm'
import { compressSync, uncompressSync } from 'lz4-napi'
import {
  type BlockCodec,
  type BlockCodecName,
  deflateBlockCodec,
  lz4BlockCodec,
  zstdBlockCodec,
} from '../core/index.ts'

const lz4 = lz4BlockCodec({
  compress: (bytes) => compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
  decompress: uncompressSync,
})

const deflate = deflateBlockCodec({
  compress: (bytes) => deflateSync(bytes),
  decompress(bytes, decodedSizeMax) {
    const { buffer, engine } = inflateSync(bytes, {
      chunkSize: Math.max(constants.Z_MIN_CHUNK, decodedSizeMax + 1),
      maxOutputLength: Math.max(1, decodedSizeMax),
      info: true,
    }) as unknown as { readonly buffer: Buffer; readonly engine: Inflate }
    return { decoded: buffer, read: engine.bytesWritten }
  },
})

const zstd = zstdBlockCodec({
  compress: (bytes) => compress(bytes, 1),
  decompress: (bytes, decodedSize) => decompress(bytes, { defaultHeapSize: decodedSize }),
})
let zstdLoaded: Promise<BlockCodec> | undefined

/**
 * The codecs of bodies under virtual time. The first `zstd` of a process reads a file, in real time: a simulation that
 * uses it asks for it once before it starts.
 */
export const syncBlockCodec = (name: BlockCodecName): Promise<BlockCodec> => {
  if (name === 'lz4') return Promise.resolve(lz4)
  if (name === 'deflate') return Promise.resolve(deflate)
  zstdLoaded ??= init().then(() => zstd)
  return zstdLoaded
}
