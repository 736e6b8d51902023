import { malformed } from './wire-problem.ts'

/**
 * Varints as protobufjs takes them: values in up to ten bytes of which 32 bits count, tags and lengths in up to five.
 * Longer than needed is legal. Reading outside `bytes` gives undefined, so every read is guarded by `end`.
 */

const cut = (at: number): Error => malformed('a varint is cut', at)

/** Bytes of a varint that starts at `at`; at most `bytesMax`. */
export const varintLength = (bytes: Uint8Array, at: number, end: number, bytesMax: number): number => {
  for (let length = 0; length < bytesMax; length++) {
    if (at + length >= end) throw cut(at)
    if ((bytes[at + length] as number) < 128) return length + 1
  }
  throw malformed(`a varint has more than ${bytesMax} bytes`, at)
}

/** The low 32 bits of a varint whose length was found before. */
export const varintValue = (bytes: Uint8Array, at: number, length: number): number => {
  let value = 0
  for (let index = Math.min(length, 5) - 1; index >= 0; index--) {
    value = ((value << 7) | ((bytes[at + index] as number) & 127)) >>> 0
  }
  return value
}

/** Bytes the varint of a number below 2^32 takes. */
export const varintSize = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5

/** Writes a number below 2^32 and gives the position after it. There must be room. */
export const writeVarint = (target: Uint8Array, at: number, value: number): number => {
  let rest = value
  let position = at
  while (rest > 127) {
    target[position++] = (rest & 127) | 128
    rest >>>= 7
  }
  target[position++] = rest
  return position
}
