import { constants, deflateSync, type Inflate, inflateSync } from 'node:zlib'
import {
  type BlockCodec,
  type BlockCodecName,
  deflateBlockCodec,
  lz4BlockCodec,
  zstdBlockCodec,
} from '../core/index.ts'

/** The level whose cost is that of LZ4 (performance paper, section 2). */
const zstdLevel = 1
const deflateLevel = 6

const loadLz4 = async (): Promise<BlockCodec> => {
  const { compressSync, uncompressSync } = await import('lz4-napi')
  return lz4BlockCodec({
    compress: (bytes) => compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
    decompress: uncompressSync,
  })
}

const loadZstd = async (): Promise<BlockCodec> => {
  const { compress, decompress, init } = await import('@bokuweb/zstd-wasm')
  await init()
  return zstdBlockCodec({
    compress: (bytes) => compress(bytes, zstdLevel),
    decompress: (bytes, decodedSize) => decompress(bytes, { defaultHeapSize: decodedSize }),
  })
}

const deflate = deflateBlockCodec({
  compress: (bytes) => deflateSync(bytes, { level: deflateLevel }),
  decompress(bytes, decodedSizeMax) {
    // With `info` Node gives the engine too, which knows how much it took; its types do not say so.
    const { buffer, engine } = inflateSync(bytes, {
      chunkSize: Math.max(constants.Z_MIN_CHUNK, decodedSizeMax + 1),
      maxOutputLength: Math.max(1, decodedSizeMax),
      info: true,
    }) as unknown as { readonly buffer: Buffer; readonly engine: Inflate }
    return { decoded: buffer, read: engine.bytesWritten }
  },
})

const loaders: Readonly<Record<BlockCodecName, () => Promise<BlockCodec>>> = {
  lz4: loadLz4,
  zstd: loadZstd,
  deflate: () => Promise.resolve(deflate),
}
const loaded = new Map<BlockCodecName, Promise<BlockCodec>>()

/** The codecs of bodies, each loaded once, when it is first asked for. A failed load is tried again. */
export const nodeBlockCodec = (name: BlockCodecName): Promise<BlockCodec> => {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const loading = loaders[name]()
  loaded.set(name, loading)
  loading.catch(() => loaded.delete(name))
  return loading
}
