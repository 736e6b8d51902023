import fc from 'fast-check'
import { compressSync } from 'lz4-napi'
import { describe, expect, test } from 'vitest'
import { syncBlockCodec } from '../../src/testing/sync-block-codec.ts'
import { findTail, logGroupList, stitchLogGroupList, stitchLz4, viewLogGroupList } from '../../src/wire/index.ts'

const lz4 = await syncBlockCodec('lz4')
const none = new Uint8Array(0)

const compressed = (raw: Uint8Array): Uint8Array => compressSync(Buffer.from(raw)).subarray(4)

const literalOnly = (raw: Uint8Array): Uint8Array => {
  const long: number[] = []
  if (raw.length >= 15) {
    let rest = raw.length - 15
    for (; rest >= 255; rest -= 255) long.push(255)
    long.push(rest)
  }
  return Uint8Array.from([Math.min(raw.length, 15) << 4, ...long, ...raw])
}

/** A decoder by the book, which refuses what the format forbids at the end of a block. */
const decodeStrictly = (block: Uint8Array): Uint8Array => {
  const out: number[] = []
  let at = 0
  let matched = -1
  const byte = (): number => {
    const value = block[at++]
    if (value === undefined) throw new Error('cut')
    return value
  }
  const length = (nibble: number): number => {
    let total = nibble
    for (let more = nibble === 15 ? 255 : 0; more === 255; total += more) more = byte()
    return total
  }
  for (;;) {
    const token = byte()
    const literals = length(token >>> 4)
    for (let count = 0; count < literals; count++) out.push(byte())
    if (at === block.length) {
      if (matched >= 0 && (literals < 5 || out.length - matched < 12)) throw new Error('ends too soon')
      return Uint8Array.from(out)
    }
    const distance = byte() | (byte() << 8)
    if (distance === 0 || distance > out.length) throw new Error('points outside')
    matched = out.length
    for (let left = length(token & 15) + 4; left > 0; left--) out.push(out[out.length - distance] as number)
  }
}

const anyRaw: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 200, maxLength: 600 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat({ max: 60 }), fc.uint8Array({ maxLength: 20 }))
    .map(([piece, times, rest]) =>
      Uint8Array.from([...Array.from({ length: times }, () => [...piece]).flat(), ...rest]),
    ),
  fc.nat({ max: 5000 }).map((length) => new Uint8Array(length)),
)
const anyPart = fc.record({ raw: anyRaw, literal: fc.boolean(), before: fc.uint8Array({ maxLength: 20 }) })

const blockOf = ({ raw, literal }: { readonly raw: Uint8Array; readonly literal: boolean }): Uint8Array =>
  literal ? literalOnly(raw) : compressed(raw)

describe('stitched LZ4 blocks', () => {
  test('decode to the parts, each behind what comes before it, and end as the format wants', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 6 }), (parts) => {
        const expected = Buffer.concat(parts.flatMap(({ before, raw }) => [before, raw]))
        const block = stitchLz4(
          parts.map((part) => ({ before: part.before, block: blockOf(part), tail: findTail(blockOf(part)).tail })),
        )
        expect(Buffer.from(lz4.decompress(block, expected.length)).equals(expected)).toBe(true)
        expect(Buffer.from(decodeStrictly(block)).equals(expected)).toBe(true)
        const { decodedBytes, tail } = findTail(block)
        expect(decodedBytes).toBe(expected.length)
        const again = stitchLz4([{ before: none, block, tail }])
        expect(Buffer.from(again).equals(Buffer.from(block))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('are the LogGroupList of the groups', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 6 }), (parts) => {
        const block = stitchLogGroupList(
          parts.map((part) => ({
            block: blockOf(part),
            tail: findTail(blockOf(part)).tail,
            rawBytes: part.raw.length,
          })),
        )
        const list = logGroupList(parts.map(({ raw }) => raw))
        expect(Buffer.from(lz4.decompress(block, list.length)).equals(Buffer.from(list))).toBe(true)
      }),
    )
    expect(viewLogGroupList(none)).toEqual([])
  })

  test('cost a few bytes for each seam, not more', () => {
    const raw = Uint8Array.from({ length: 3000 }, (_, index) => (index * index) >>> 3)
    const block = compressed(raw)
    const { tail } = findTail(block)
    const group = { block, tail, rawBytes: raw.length }
    const stitched = stitchLogGroupList(Array.from({ length: 50 }, () => group))
    expect(stitched.length).toBeLessThan(50 * (block.length + 6))
    expect(stitched.buffer.byteLength).toBeLessThan(50 * (block.length + 40))
  })
})

describe('the tail of a block', () => {
  test('is found wherever the block comes from, and tells what it decodes to', () => {
    fc.assert(
      fc.property(anyRaw, (raw) => {
        expect(findTail(compressed(raw)).decodedBytes).toBe(raw.length)
        expect(findTail(literalOnly(raw))).toEqual({ tail: 0, decodedBytes: raw.length })
      }),
    )
  })

  test('is not found in bytes that are no block', () => {
    const check = (bytes: Uint8Array): void => {
      let expected: number | undefined
      try {
        expected = decodeStrictly(bytes).length
      } catch {
        expect(() => findTail(bytes)).toThrow('WIRE_MALFORMED')
        return
      }
      expect(findTail(bytes).decodedBytes).toBe(expected)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 2000 })
    const block = compressed(Buffer.from('hello, hello, hello, hello, world '.repeat(50)))
    for (let length = 0; length < block.length; length++) check(block.subarray(0, length))
    expect(() => findTail(block.subarray(0, block.length - 1))).toThrow('literals are cut')
  })

  test('is refused when a match ends too near to the end: other decoders would not take it', () => {
    expect(() => findTail(Uint8Array.of(0x14, 97, 1, 0, 0x40, 98, 98, 98, 98))).toThrow('too near')
    expect(findTail(Uint8Array.of(0x1f, 97, 1, 0, 0, 0x50, 98, 98, 98, 98, 98)).decodedBytes).toBe(25)
  })
})
