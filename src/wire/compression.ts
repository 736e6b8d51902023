import { asError, type BlockCodec, type BlockCodecName, WireError } from '../core/index.ts'

/** Names of the header `x-log-compresstype` (SLS protocol paper, section 3.3); identity is the header's absence. */
export const compressionNames: readonly BlockCodecName[] = ['lz4', 'zstd', 'deflate']

/** The codec a header names; undefined for an absent or empty header, which means identity. */
export const compressionName = (header: string | undefined): BlockCodecName | undefined => {
  if (header === undefined || header === '') return undefined
  const name = compressionNames.find((known) => known === header)
  if (name !== undefined) return name
  throw new WireError('WIRE_MALFORMED', {
    message: `x-log-compresstype is '${header.slice(0, 32)}', not one of ${compressionNames.join(', ')}`,
  })
}

/**
 * What a pull asks for with `accept-encoding`: zstd before lz4, else identity (SLS protocol paper, section 5.4). `deflate`
 * only where it stands alone: HTTP libraries send `gzip, deflate` of themselves, and undo neither in this header's sense.
 */
export const acceptedCompression = (header: string | undefined): BlockCodecName | undefined => {
  const asked = (header ?? '').trim().toLowerCase()
  return asked === 'deflate' ? 'deflate' : (['zstd', 'lz4'] as const).find((name) => asked.includes(name))
}

/**
 * A body as it was before it was compressed.
 *
 * @param codec identity when undefined
 * @param rawSize what `x-log-bodyrawsize` says; compared with the cap before memory is taken, and with the result exactly
 * @param rawSizeMax the most a body may decode to, in bytes
 * @throws WireError for a size over the cap, for bytes that cannot be decoded, and for another size than announced.
 */
export const decompress = (
  codec: BlockCodec | undefined,
  bytes: Uint8Array,
  rawSize: number,
  rawSizeMax: number,
): Uint8Array => {
  if (!Number.isSafeInteger(rawSize) || rawSize < 0) {
    throw new WireError('WIRE_MALFORMED', { message: `the size of a body is announced as ${rawSize}` })
  }
  if (rawSize > rawSizeMax) {
    throw new WireError('WIRE_LIMIT_EXCEEDED', {
      message: `a body is announced with ${rawSize} bytes; the limit is ${rawSizeMax}`,
    })
  }
  if (codec === undefined) {
    if (bytes.length === rawSize) return bytes
    throw new WireError('WIRE_MALFORMED', { message: `a body of ${bytes.length} bytes is announced with ${rawSize}` })
  }
  let decoded: Uint8Array
  try {
    decoded = codec.decompress(bytes, rawSize)
  } catch (thrown) {
    const cause = asError(thrown)
    throw new WireError('WIRE_MALFORMED', { message: `a body cannot be decompressed: ${cause.message}`, cause })
  }
  if (decoded.length === rawSize) return decoded
  throw new WireError('WIRE_MALFORMED', { message: `a body gives ${decoded.length} bytes, not ${rawSize}` })
}
