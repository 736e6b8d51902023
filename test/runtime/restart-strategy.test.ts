import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorTable, MillraceError } from '../../src/core/index.ts'
import type { RestartSettings } from '../../src/runtime/job-graph.ts'
import { decideRestart, forgetFailures, isRecoverable } from '../../src/runtime/restart-strategy.ts'

const at = (...times: readonly number[]) => times.map((atMs) => ({ atMs }))
const delayOf = (settings: RestartSettings, failures: ReturnType<typeof at>, uniform = 0.5): number | undefined => {
  const decision = decideRestart(settings, failures, uniform)
  return decision.restart ? decision.delayMs : undefined
}

describe('the restart strategy none', () => {
  test('never restarts', () => {
    expect(decideRestart({ kind: 'none' }, at(0), 0)).toEqual({ restart: false })
  })
})

describe('the restart strategy fixed', () => {
  const fixed = { kind: 'fixed', attempts: 2, delayMs: 300 } as const

  test('restarts as often as allowed, each time after the same delay, and then gives up', () => {
    expect([at(1), at(1, 2), at(1, 2, 3)].map((failures) => delayOf(fixed, failures))).toEqual([300, 300, undefined])
  })

  test('never restarts with no attempts', () => {
    expect(delayOf({ ...fixed, attempts: 0 }, at(1))).toBeUndefined()
  })
})

describe('the restart strategy rate', () => {
  const rate = { kind: 'rate', failures: 2, windowMs: 1_000, delayMs: 50 } as const

  test('gives up when there are more failures in the window than allowed', () => {
    expect(delayOf(rate, at(0, 500))).toBe(50)
    expect(delayOf(rate, at(0, 500, 999))).toBeUndefined()
  })

  test('forgets failures that have left the window', () => {
    expect(delayOf(rate, at(0, 500, 1_000))).toBe(50)
    expect(delayOf(rate, at(0, 500, 5_000, 5_400))).toBe(50)
  })

  test('equals a count over the last window, whatever came before', () => {
    const times = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 30 }).map((list) => list.sort((a, b) => a - b))
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 3_000 }), (list, max, windowMs) => {
        const newest = list.at(-1) ?? 0
        const inside = list.filter((time) => time > newest - windowMs).length
        const settings = { ...rate, failures: max, windowMs }
        expect(decideRestart(settings, at(...list), 0).restart).toBe(inside <= max)
      }),
    )
  })
})

describe('the restart strategy exponential', () => {
  const exponential = {
    kind: 'exponential',
    initialMs: 1_000,
    maxMs: 60_000,
    multiplier: 1.5,
    jitter: 0,
    resetAfterMs: 3_600_000,
  } as const

  test('waits longer from failure to failure, up to the maximum', () => {
    const failures = Array.from({ length: 14 }, (_, index) => index)
    const delays = failures.map((last) => delayOf(exponential, at(...failures.slice(0, last + 1))))
    expect(delays.slice(0, 4)).toEqual([1_000, 1_500, 2_250, 3_375])
    expect(delays.slice(-3)).toEqual([60_000, 60_000, 60_000])
  })

  test('begins anew after a quiet time', () => {
    expect(delayOf(exponential, at(0, 1, 2, 3_600_002))).toBe(1_000)
    expect(delayOf(exponential, at(0, 1, 2, 3_600_001))).toBe(3_375)
    expect(delayOf(exponential, at(0, 1, 2, 3_600_002, 3_600_003))).toBe(1_500)
  })

  test('never gives up', () => {
    expect(delayOf(exponential, at(...Array.from({ length: 1_000 }, (_, index) => index)))).toBe(60_000)
  })

  test('with jitter stays within its part of the wait, on both sides, and below the maximum', () => {
    const jitter = fc.double({ min: 0, max: 1, noNaN: true })
    const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(jitter, uniform, fc.integer({ min: 1, max: 40 }), (part, draw, count) => {
        const failures = at(...Array.from({ length: count }, (_, index) => index))
        const base = delayOf(exponential, failures) ?? 0
        const delay = delayOf({ ...exponential, jitter: part }, failures, draw) ?? -1
        expect(delay).toBeGreaterThanOrEqual(base * (1 - part) - 1e-6)
        expect(delay).toBeLessThanOrEqual(Math.min(60_000, base * (1 + part) + 1e-6))
      }),
    )
  })

  test('draws the jitter from the given number', () => {
    const delays = [0, 0.5, 0.75].map((draw) => delayOf({ ...exponential, jitter: 0.2 }, at(0), draw))
    expect(delays).toEqual([800, 1_000, 1_100])
  })
})

describe('isRecoverable', () => {
  class AnyError extends MillraceError {}
  const codes = Object.entries(errorTable).map(([code, { remedy }]) => ({ code: code as ErrorCode, remedy }))

  test.each(codes)('follows the remedy of $code: $remedy', ({ code, remedy }) => {
    expect(isRecoverable(new AnyError(code, { message: 'm' }))).toBe(remedy === 'retry' || remedy === 'restart')
  })

  test('is true for errors of others, which may pass', () => {
    expect(isRecoverable(new TypeError('t'))).toBe(true)
  })
})

describe('forgetFailures', () => {
  const times = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 60 }).map((list) => list.sort((a, b) => a - b))
  const someSettings: fc.Arbitrary<RestartSettings> = fc.oneof(
    fc.record({ kind: fc.constant('fixed' as const), attempts: fc.nat(60), delayMs: fc.constant(1) }),
    fc.record({
      kind: fc.constant('rate' as const),
      failures: fc.nat(10),
      windowMs: fc.integer({ min: 1, max: 3_000 }),
      delayMs: fc.constant(1),
    }),
    fc.constant<RestartSettings>({
      kind: 'exponential',
      initialMs: 1_000,
      maxMs: 60_000,
      multiplier: 1.5,
      jitter: 0,
      resetAfterMs: 1_000,
    }),
  )

  test('never changes a decision', () => {
    fc.assert(
      fc.property(someSettings, times, (settings, list) => {
        const remembered: { atMs: number }[] = []
        for (const [index, atMs] of list.entries()) {
          remembered.push({ atMs })
          forgetFailures(settings, remembered)
          expect(decideRestart(settings, remembered, 0)).toEqual(
            decideRestart(settings, at(...list.slice(0, index + 1)), 0),
          )
        }
      }),
      { numRuns: 200 },
    )
  })

  test('keeps only so many, unless the strategy counts them all', () => {
    const many = (): { atMs: number }[] => at(...Array.from({ length: 5_000 }, (_, index) => index))
    const left = (settings: RestartSettings): number => {
      const failures = many()
      forgetFailures(settings, failures)
      return failures.length
    }
    expect(left({ kind: 'rate', failures: 1, windowMs: 100, delayMs: 0 })).toBe(100)
    expect(
      left({ kind: 'exponential', initialMs: 1, maxMs: 9, multiplier: 2, jitter: 0, resetAfterMs: 1e9 }),
    ).toBeLessThanOrEqual(1_000)
    expect(left({ kind: 'fixed', attempts: 10_000, delayMs: 0 })).toBe(5_000)
  })
})
