import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BackoffOptions, backoffMs } from '../../src/core/index.ts'

const someOptions = fc.record({
  initialMs: fc.integer({ min: 0, max: 10_000 }),
  maxMs: fc.integer({ min: 0, max: 1_000_000 }),
  multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
})
const attempt = fc.integer({ min: 1, max: 100_000 })
const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const plain: BackoffOptions = { initialMs: 100, maxMs: 5_000, multiplier: 2, jitter: 0 }

describe('backoffMs', () => {
  test('grows by the multiplier up to the maximum', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((failures) => backoffMs(plain, failures, 0.5))
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  test('never waits longer than the maximum, nor a negative or unknown time', () => {
    fc.assert(
      fc.property(someOptions, attempt, uniform, (options, failures, draw) => {
        const wait = backoffMs(options, failures, draw)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThanOrEqual(options.maxMs * (1 + 1e-9))
      }),
    )
  })

  test('stays between the part without jitter and the whole wait', () => {
    fc.assert(
      fc.property(someOptions, attempt, uniform, (options, failures, draw) => {
        const whole = backoffMs({ ...options, jitter: 0 }, failures, draw)
        const wait = backoffMs(options, failures, draw)
        expect(wait).toBeLessThanOrEqual(whole * (1 + 1e-9))
        expect(wait).toBeGreaterThanOrEqual(whole * (1 - options.jitter) * (1 - 1e-9) - 1e-9)
      }),
    )
  })

  test('without jitter never gets shorter with more failures', () => {
    fc.assert(
      fc.property(someOptions, attempt, (options, failures) => {
        const bare = { ...options, jitter: 0 }
        expect(backoffMs(bare, failures + 1, 0)).toBeGreaterThanOrEqual(backoffMs(bare, failures, 0))
      }),
    )
  })

  test('with full jitter reaches from nothing to the whole wait', () => {
    const full = { ...plain, jitter: 1 }
    expect(backoffMs(full, 3, 0)).toBe(0)
    expect(backoffMs(full, 3, 0.5)).toBe(200)
    expect(backoffMs(full, 3, 0.999)).toBeCloseTo(399.6)
  })

  test('counts failures from 1; anything less is the first', () => {
    expect(backoffMs(plain, 0, 0)).toBe(100)
    expect(backoffMs(plain, -3, 0)).toBe(100)
  })
})
