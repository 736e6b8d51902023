import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import {
  bucketKey,
  evenRanges,
  type HashRange,
  hashKeyMax,
  hashKeyMin,
  padHashKey,
  rangeHas,
  splitAt,
  splitEvenly,
} from '../../src/wire/index.ts'

const anyKey = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((key) => key.toString(16).padStart(32, '0'))
const zeros = (prefix: string): string => prefix.padEnd(32, '0')

/** Every key belongs to exactly one of the ranges, which touch one another in order. */
const expectPartition = (whole: HashRange, parts: readonly HashRange[]): void => {
  expect(parts[0]?.begin).toBe(whole.begin)
  expect(parts.at(-1)?.end).toBe(whole.end)
  for (const [index, part] of parts.entries()) {
    expect(part.begin < part.end).toBe(true)
    if (index > 0) expect(part.begin).toBe(parts[index - 1]?.end)
  }
}

test('a short key is a prefix: lower-cased and filled with zeros', () => {
  expect(padHashKey('5F')).toBe(zeros('5f'))
  expect(padHashKey('a')).toBe(zeros('a'))
  expect(padHashKey(hashKeyMax)).toBe(hashKeyMax)
  for (const text of ['', 'g', '0x1', ' 1', '1\n', '1'.repeat(33)]) expect(padHashKey(text)).toBeUndefined()
})

test('four ranges of the whole space have the documented borders', () => {
  expect(evenRanges(4)).toEqual([
    { begin: hashKeyMin, end: zeros('4') },
    { begin: zeros('4'), end: zeros('8') },
    { begin: zeros('8'), end: zeros('c') },
    { begin: zeros('c'), end: hashKeyMax },
  ])
  expect(evenRanges(1)).toEqual([{ begin: hashKeyMin, end: hashKeyMax }])
  expect(evenRanges(3)[0]?.end).toBe('5'.repeat(32))
})

test('the documented keys fall into the documented ranges, and the last key into the last range', () => {
  const ranges = evenRanges(4)
  const owner = (key: string): number => ranges.findIndex((range) => rangeHas(range, padHashKey(key) ?? ''))
  expect([owner('5F'), owner('8C'), owner('0'), owner('40'), owner(hashKeyMax)]).toEqual([1, 2, 0, 1, 3])
})

test('whatever the number of ranges, every key belongs to exactly one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), anyKey, (count, key) => {
      const ranges = evenRanges(count)
      expect(ranges).toHaveLength(count)
      expectPartition({ begin: hashKeyMin, end: hashKeyMax }, ranges)
      expect(ranges.filter((range) => rangeHas(range, key))).toHaveLength(1)
      expect(ranges.filter((range) => rangeHas(range, ranges.at(-1)?.begin ?? ''))).toHaveLength(1)
    }),
  )
})

test('an even split covers the range, and parts differ in width by one key at most', () => {
  fc.assert(
    fc.property(fc.tuple(anyKey, anyKey), fc.integer({ min: 1, max: 50 }), ([a, b], count) => {
      fc.pre(a !== b)
      const range = a < b ? { begin: a, end: b } : { begin: b, end: a }
      const parts = splitEvenly(range, count)
      if (parts === undefined) {
        expect(BigInt(`0x${range.end}`) - BigInt(`0x${range.begin}`) < BigInt(count)).toBe(true)
        return
      }
      expect(parts).toHaveLength(count)
      expectPartition(range, parts)
      if (range.end === hashKeyMax) return
      const widths = parts.map((part) => BigInt(`0x${part.end}`) - BigInt(`0x${part.begin}`))
      const widest = widths.reduce((x, y) => (x > y ? x : y))
      expect(widths.every((width) => widest - width <= 1n)).toBe(true)
    }),
  )
})

test('a range with fewer keys than parts cannot be split', () => {
  const range = { begin: zeros('8'), end: `8${'0'.repeat(30)}2` }
  expect(splitEvenly(range, 2)).toEqual([
    { begin: zeros('8'), end: `8${'0'.repeat(30)}1` },
    { begin: `8${'0'.repeat(30)}1`, end: range.end },
  ])
  expect(splitEvenly(range, 3)).toBeUndefined()
})

test('a split at a key needs one strictly inside the range', () => {
  const range = { begin: zeros('4'), end: zeros('8') }
  expect(splitAt(range, '6')).toEqual([
    { begin: zeros('4'), end: zeros('6') },
    { begin: zeros('6'), end: zeros('8') },
  ])
  for (const key of ['4', '8', '3', 'c', '', 'xyz']) expect(splitAt(range, key)).toBeUndefined()
  expect(splitAt({ begin: zeros('c'), end: hashKeyMax }, hashKeyMax)).toBeUndefined()
})

test('bucket keys are those of the official producers', () => {
  const key = (text: string, buckets: number): string => bucketKey(cryptoDigest.md5Hex(text), buckets)
  expect(key('127.0.0.1', 64)).toBe(zeros('f4'))
  expect(key('192.168.0.2', 64)).toBe(zeros('6c'))
  expect(key('127.0.0.1', 1)).toBe(hashKeyMin)
  expect(key('192.168.0.2', 1)).toBe(hashKeyMin)
  expect(key('127.0.0.1', 256)).toBe(zeros('f5'))
  expect(key('192.168.0.2', 256)).toBe(zeros('6f'))
})

test('a number of buckets that is no power of two up to 512 is a defect of the caller', () => {
  for (const buckets of [0, 3, 1024, -1, 1.5, Number.NaN]) expect(() => bucketKey(hashKeyMax, buckets)).toThrow()
})
