import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashKey, type Key, keyBytes, mapKeyOf, murmur3 } from '../../src/core/index.ts'
import { copyOfKey, sameKey, someKey } from './keys.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('the bytes of a key', () => {
  // Stored for ever. A change here is a change of every checkpoint ever written.
  test.each<[string, Key, string]>([
    ['an empty text', '', '01'],
    ['a text', 'abc', '01616263'],
    ['text of two-byte characters', 'é', '01c3a9'],
    ['text of three-byte characters', '日', '01e697a5'],
    ['text of four-byte characters', '😀', '01f09f9880'],
    ['text that starts in ASCII and goes on beyond', 'aé', '0161c3a9'],
    ['a NUL', '\0', '0100'],
    ['zero', 0, '020000000000000000'],
    ['minus zero', -0, '020000000000000000'],
    ['one', 1, '020000000000000001'],
    ['minus one', -1, '02ffffffffffffffff'],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER, '02001fffffffffffff'],
    ['the smallest safe integer', Number.MIN_SAFE_INTEGER, '02ffe0000000000001'],
    ['an integer that is not safe', 2 ** 53, '034340000000000000'],
    ['a fraction', 1.5, '033ff8000000000000'],
    ['NaN', Number.NaN, '037ff8000000000000'],
    ['infinity', Number.POSITIVE_INFINITY, '037ff0000000000000'],
    ['no bytes', new Uint8Array(), '04'],
    ['bytes', Uint8Array.of(0, 255), '0400ff'],
    ['an empty tuple', [], '0500000000'],
    ['a tuple', ['a', 1], `050000000200000002016100000009020000000000000001`],
    ['a tuple in a tuple', [[''], true], `0500000002${'0000000a'}${'05000000010000000101'}${'00000002'}${'0701'}`],
    ['the bigint one', 1n, '060000000000000001'],
    ['the largest bigint', 2n ** 63n - 1n, '067fffffffffffffff'],
    ['the smallest bigint', -(2n ** 63n), '068000000000000000'],
    ['true', true, '0701'],
    ['false', false, '0700'],
  ])('are stored for ever: %s', (_, key, bytes) => {
    expect(hex(keyBytes(key))).toBe(bytes)
  })

  test('are the same for the same key and differ for different ones', () => {
    fc.assert(
      fc.property(someKey, someKey, (a, b) => {
        expect(hex(keyBytes(a)) === hex(keyBytes(b))).toBe(sameKey(a, b))
        expect(hex(keyBytes(copyOfKey(a)))).toBe(hex(keyBytes(a)))
      }),
      { numRuns: 500 },
    )
  })

  test('of a long key are all there the first time they are asked for', () => {
    for (const size of [1_023, 1_024, 5_000, 50_000, 500_000]) {
      const text = `${'x'.repeat(size)}é`
      expect(hex(keyBytes(text))).toBe(`01${hex(utf8(text))}`)
      const bytes = Uint8Array.from({ length: size * 2 }, (_, index) => index)
      expect(hex(keyBytes(bytes))).toBe(`04${hex(bytes)}`)
    }
  })

  test('belong to the caller', () => {
    const first = keyBytes('abc')
    keyBytes('xyz')
    expect(hex(first)).toBe('01616263')
  })

  test('are the same for every bit pattern of NaN', () => {
    const patterns = ['7ff8000000000000', 'fff8000000000000', '7ff8000000000001', '7ff0000000000001']
    for (const pattern of patterns) {
      const view = new DataView(new ArrayBuffer(8))
      view.setBigUint64(0, BigInt(`0x${pattern}`))
      const nan = view.getFloat64(0)
      expect(nan).toBeNaN()
      expect(hex(keyBytes(nan))).toBe('037ff8000000000000')
    }
  })

  test.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /cannot be used: undefined/],
    ['null', null, /cannot be used: null/],
    ['an object', { a: 1 }, /cannot be used: object/],
    ['a date', new Date(0), /cannot be used: object/],
    ['a function', () => 1, /cannot be used: function/],
    ['a symbol', Symbol('s'), /cannot be used: symbol/],
    ['a bigint beyond 64 bits', 2n ** 63n, /beyond 64 bits/],
    ['a bigint below 64 bits', -(2n ** 63n) - 1n, /beyond 64 bits/],
    ['a tuple with a part that cannot', ['a', [undefined]], /cannot be used: undefined/],
  ])('are refused to %s', (_, key, message) => {
    expect(() => keyBytes(key as Key)).toThrow(message)
    expect(() => hashKey(key as Key)).toThrow(
      expect.objectContaining({ code: 'STEP_MISUSED', fix: expect.stringContaining('a tuple') }),
    )
  })
})

/** murmur3_x86_32 written from its description, on bigints, so that it shares no arithmetic with the code under test. */
const referenceMurmur3 = (bytes: Uint8Array): number => {
  const mask = 0xffffffffn
  const rotl = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask
  const scramble = (k: bigint): bigint => (rotl((k * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let h = 0n
  const blocks = Math.floor(bytes.length / 4)
  for (let block = 0; block < blocks; block++) {
    h = (rotl(h ^ scramble(BigInt(view.getUint32(block * 4, true))), 13n) * 5n + 0xe6546b64n) & mask
  }
  const tail = bytes.subarray(blocks * 4)
  if (tail.length > 0) h ^= scramble([...tail].reduceRight((k, byte) => (k << 8n) | BigInt(byte), 0n))
  h ^= BigInt(bytes.length)
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask
  return Number(BigInt.asIntN(32, h ^ (h >> 16n)))
}

describe('murmur3', () => {
  // Published vectors of murmur3_x86_32 with seed 0.
  const vectors: readonly (readonly [string, number])[] = [
    ['', 0],
    ['test', 0xba6bd213],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ]

  test.each(vectors)('of %j is the published value', (text, hash) => {
    expect(murmur3(utf8(text)) >>> 0).toBe(hash)
    expect(referenceMurmur3(utf8(text)) >>> 0).toBe(hash)
  })

  test('equals the reference for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(murmur3(bytes)).toBe(referenceMurmur3(bytes))
      }),
      { numRuns: 500 },
    )
  })

  test('looks at the first bytes only when told how many', () => {
    const bytes = utf8('abcdefghij')
    for (let length = 0; length <= bytes.length; length++) {
      expect(murmur3(bytes, length)).toBe(referenceMurmur3(bytes.subarray(0, length)))
    }
  })
})

describe('hashKey', () => {
  test('is murmur3 of the bytes of the key', () => {
    fc.assert(
      fc.property(someKey, (key) => {
        expect(hashKey(key)).toBe(referenceMurmur3(keyBytes(key)))
      }),
      { numRuns: 300 },
    )
  })

  // Routes decide key groups, and key groups are stored.
  test.each<[Key, number]>([
    ['', -463810133],
    ['abc', 1808996206],
    ['é', 1317339919],
    [0, -826002279],
    [1, 1719030362],
    [1.5, -119412467],
    [1n, 1754285043],
    [true, 662979032],
    [Uint8Array.of(1, 2, 3), 1215696813],
    [['a', 1], -808623571],
  ])('is stored for ever: %o', (key, hash) => {
    expect(hashKey(key)).toBe(hash)
  })

  test('of a long key is the same the first time and every other time', () => {
    for (const size of [1_100, 3_000, 9_000, 90_000]) {
      const key = ['user', 'é'.repeat(size), 7]
      expect(hashKey(key)).toBe(hashKey(copyOfKey(key)))
      expect(hashKey(key)).toBe(referenceMurmur3(keyBytes(key)))
    }
  })
})

describe('the map key of a key', () => {
  test('is the same for the same key and differs for different ones', () => {
    fc.assert(
      fc.property(someKey, someKey, (a, b) => {
        const map = new Map([[mapKeyOf(a), 'a']])
        expect(map.has(mapKeyOf(copyOfKey(a)))).toBe(true)
        expect(map.has(mapKeyOf(b))).toBe(sameKey(a, b))
      }),
      { numRuns: 1000 },
    )
  })

  test('keeps apart what looks alike', () => {
    const alike: Key[] = [
      '1',
      1,
      1n,
      true,
      ['1'],
      [1],
      [[1]],
      utf8('1'),
      '\0',
      '\0\x01\x001',
      `\0${String.fromCharCode(...keyBytes(['1']))}`,
      `\0${String.fromCharCode(...keyBytes('\0'))}`,
      [],
      [[]],
      '',
      new Uint8Array(),
    ]
    expect(new Set(alike.map(mapKeyOf)).size).toBe(alike.length)
  })

  test('takes a key of any length', () => {
    const long = 'x'.repeat(300_000)
    expect(mapKeyOf(['a', long])).toBe(mapKeyOf(['a', long]))
    expect(mapKeyOf(['a', long])).not.toBe(mapKeyOf(['b', long]))
    expect(mapKeyOf(new Uint8Array(300_000))).toHaveLength(300_002)
  })
})
