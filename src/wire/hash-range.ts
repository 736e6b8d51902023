import { invariant } from '../core/index.ts'

const digits = 32
const space = 1n << 128n

/** The first key of the 128-bit hash space. */
export const hashKeyMin = '0'.repeat(digits)
/** The last key. As the end of a range it belongs to the range (SLS protocol paper, section 4.5). */
export const hashKeyMax = 'f'.repeat(digits)

/** The keys of a shard, 32 lower-case hex digits each: from `begin` up to, not including, `end`. */
export interface HashRange {
  readonly begin: string
  readonly end: string
}

/** A key of 1 to 32 hex digits in full: lower-cased, and filled with zeros on the right, since short keys are prefixes. */
export const padHashKey = (text: string): string | undefined =>
  /^[0-9a-fA-F]{1,32}$/.test(text) ? text.toLowerCase().padEnd(digits, '0') : undefined

/** Whether a padded key belongs to a range. The range that ends with the space has its end as well. */
export const rangeHas = (range: HashRange, key: string): boolean =>
  range.begin <= key && (key < range.end || (range.end === hashKeyMax && key === hashKeyMax))

const startOf = (range: HashRange): bigint => BigInt(`0x${range.begin}`)
const limitOf = (range: HashRange): bigint => (range.end === hashKeyMax ? space : BigInt(`0x${range.end}`))
const keyAt = (position: bigint): string =>
  position === space ? hashKeyMax : position.toString(16).padStart(digits, '0')

/** A range cut into `count` of nearly the same width, or undefined when it has fewer keys than that. */
export const splitEvenly = (range: HashRange, count: number): HashRange[] | undefined => {
  invariant(Number.isSafeInteger(count) && count > 0, 'a range is cut into one part or more')
  const start = startOf(range)
  const width = limitOf(range) - start
  const parts = BigInt(count)
  if (width < parts) return undefined
  return Array.from({ length: count }, (_, index) => ({
    begin: keyAt(start + (width * BigInt(index)) / parts),
    end: keyAt(start + (width * BigInt(index + 1)) / parts),
  }))
}

/** The ranges of a new logstore: the whole space cut into `count` (SLS protocol paper, section 6.2). */
export const evenRanges = (count: number): HashRange[] =>
  splitEvenly({ begin: hashKeyMin, end: hashKeyMax }, count) ?? []

/** A range cut at a key strictly inside it, or undefined when the key is not there. */
export const splitAt = (range: HashRange, key: string): [HashRange, HashRange] | undefined => {
  const middle = padHashKey(key)
  if (middle === undefined || middle <= range.begin || middle >= range.end) return undefined
  return [
    { begin: range.begin, end: middle },
    { begin: middle, end: range.end },
  ]
}

/**
 * The first key of the bucket that a hash falls into: its top bits kept, the others zero, as the official producers
 * adjust the keys they route by (SLS protocol paper, section 10.1).
 * @param md5Hex 32 lower-case hex digits
 * @param buckets a power of two from 1 to 512
 */
export const bucketKey = (md5Hex: string, buckets: number): string => {
  const bits = Math.log2(buckets)
  invariant(Number.isInteger(bits) && bits >= 0 && bits <= 9, 'the number of buckets is a power of two up to 512')
  invariant(/^[0-9a-f]{32}$/.test(md5Hex), 'a hash has 32 lower-case hex digits')
  const dropped = 128n - BigInt(bits)
  return keyAt((BigInt(`0x${md5Hex}`) >> dropped) << dropped)
}
