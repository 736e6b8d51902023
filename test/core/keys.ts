import fc from 'fast-check'
import type { Key } from '../../src/core/index.ts'

const flat: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\0', '\0\x01a', '\0\x05', 'é', '日本', '😀', 'x'.repeat(2_000)),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, 1.5, 2 ** 53, -(2 ** 53), Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.boolean(),
  fc.uint8Array({ maxLength: 20 }),
)

/** Every kind of key, with those that are easily taken for each other. */
export const someKey: fc.Arbitrary<Key> = fc.letrec<{ key: Key }>((tie) => ({
  key: fc.oneof({ maxDepth: 2 }, flat, fc.array(tie('key'), { maxLength: 4 })),
})).key

/** Whether two keys are the same as `Key` says: the same type and value. Written anew, without the bytes. */
export const sameKey = (a: Key, b: Key): boolean => {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0
  }
  if (typeof a === 'object' || typeof b === 'object') {
    if (typeof a !== 'object' || typeof b !== 'object' || a.length !== b.length) return false
    return a.every((part, index) => sameKey(part, b[index] ?? ''))
  }
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

/** The same key in other memory. */
export const copyOfKey = (key: Key): Key => {
  if (key instanceof Uint8Array) return key.slice()
  return typeof key === 'object' ? key.map(copyOfKey) : key
}
