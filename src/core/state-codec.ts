import { Encoder } from 'cbor-x'

/**
 * State values ↔ bytes. CBOR with structured-clone extensions: keeps Map, Set, Date, bigint, bytes, undefined, NaN and
 * shared references. `useRecords: false` keeps the format plain CBOR that any reader understands.
 */
const encoder = new Encoder({ structuredClone: true, useRecords: false, mapsAsObjects: true, copyBuffers: true })

/** Name of the encoding, stored beside the bytes. */
export const stateCodecName = 'cbor'
/** Version of the encoding. */
export const stateCodecVersion = 1

export const encodeState = (value: unknown): Uint8Array => encoder.encode(value)
export const decodeState = (bytes: Uint8Array): unknown => encoder.decode(bytes)
