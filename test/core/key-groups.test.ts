import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { flinkMurmur, keyGroupOf, keyGroupRange, subtaskOfKeyGroup } from '../../src/core/index.ts'

describe('flinkMurmur', () => {
  // From a Java copy of `MathUtils.murmurHash`: code, hash, key group of 128, key group of 32768.
  test.each([
    [0, 593689054, 94, 31198],
    [1, 68075478, 86, 16342],
    [-1, 1982413648, 80, 15184],
    [2, 1085422463, 127, 15231],
    [42, 1134849565, 29, 28189],
    [127, 1931274395, 27, 26779],
    [128, 132521001, 41, 7209],
    [255, 332370855, 39, 5031],
    [1000, 3506311, 7, 135],
    [65536, 82754377, 73, 15177],
    [123456789, 1088346449, 81, 22865],
    [-123456789, 1470798557, 93, 6877],
    [2147483647, 1653689534, 62, 19646],
    [-2147483648, 1718298732, 108, 10348],
    [99162322, 1715862179, 35, 31395],
    [97, 1455541201, 81, 19409],
  ])('of %d is what Java gives', (code, hash, of128, of32768) => {
    expect(flinkMurmur(code)).toBe(hash)
    expect(keyGroupOf(code, 128)).toBe(of128)
    expect(keyGroupOf(code, 32_768)).toBe(of32768)
  })

  test('is 0 for the one code whose hash has no absolute value', () => {
    expect(flinkMurmur(-2089875627)).toBe(0)
  })

  test('is an int32 that is not negative', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (code) => {
        const hash = flinkMurmur(code)
        expect(Number.isInteger(hash)).toBe(true)
        expect(hash).toBeGreaterThanOrEqual(0)
        expect(hash).toBeLessThan(2 ** 31)
      }),
    )
  })
})

describe('key groups', () => {
  // From Java's integer arithmetic in `KeyGroupRangeAssignment`.
  test.each([
    [128, 3, '0-42 43-85 86-127'],
    [128, 7, '0-18 19-36 37-54 55-73 74-91 92-109 110-127'],
    [1000, 6, '0-166 167-333 334-499 500-666 667-833 834-999'],
    [32768, 5, '0-6553 6554-13107 13108-19660 19661-26214 26215-32767'],
  ])('of %d over %d subtasks are cut where Flink cuts them', (maxParallelism, parallelism, ranges) => {
    const cut = Array.from({ length: parallelism }, (_, subtask) => keyGroupRange(subtask, maxParallelism, parallelism))
    expect(cut.map(({ first, last }) => `${first}-${last}`).join(' ')).toBe(ranges)
  })

  /** Every group belongs to one range, in order, and to the subtask whose range it is in. */
  const checkAgreement = (maxParallelism: number, parallelism: number): void => {
    let next = 0
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const { first, last } = keyGroupRange(subtask, maxParallelism, parallelism)
      if (first !== next || last < first) throw new Error(`a gap before ${first} of ${maxParallelism}/${parallelism}`)
      for (const group of [first, last]) {
        const owner = subtaskOfKeyGroup(group, maxParallelism, parallelism)
        if (owner !== subtask) throw new Error(`${group} of ${maxParallelism}/${parallelism} is with ${owner}`)
      }
      next = last + 1
    }
    if (next !== maxParallelism) throw new Error(`${maxParallelism}/${parallelism} ends at ${next}`)
  }

  test.each([1, 2, 128, 256, 1000])('of %d belong to one subtask each, at every parallelism', (maxParallelism) => {
    for (let parallelism = 1; parallelism <= maxParallelism; parallelism++) checkAgreement(maxParallelism, parallelism)
    expect(keyGroupRange(0, maxParallelism, maxParallelism)).toEqual({ first: 0, last: 0 })
  })

  test('of 32768 belong to one subtask each, at any parallelism', () => {
    const parallelism = fc.oneof(fc.integer({ min: 1, max: 32_768 }), fc.constantFrom(1, 2, 3, 1024, 32_767, 32_768))
    fc.assert(
      fc.property(parallelism, (p) => checkAgreement(32_768, p)),
      { numRuns: 60 },
    )
    expect(keyGroupRange(0, 32_768, 1)).toEqual({ first: 0, last: 32_767 })
  })

  test('between the ends of a range belong to its subtask too', () => {
    const shape = fc
      .integer({ min: 1, max: 32_768 })
      .chain((max) => fc.tuple(fc.constant(max), fc.integer({ min: 1, max }), fc.integer({ min: 0, max: max - 1 })))
    fc.assert(
      fc.property(shape, ([maxParallelism, parallelism, group]) => {
        const subtask = subtaskOfKeyGroup(group, maxParallelism, parallelism)
        const { first, last } = keyGroupRange(subtask, maxParallelism, parallelism)
        expect(group).toBeGreaterThanOrEqual(first)
        expect(group).toBeLessThanOrEqual(last)
      }),
      { numRuns: 500 },
    )
  })
})
