import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latestOf, SplitWatermarks } from '../../src/source/split-watermarks.ts'

const open = (outOfOrdernessMs = 0, idleAfterMs?: number) => new SplitWatermarks({ outOfOrdernessMs, idleAfterMs })

/** With these splits, none of them held. */
const reading = (watermarks: SplitWatermarks, splits: readonly string[], nowMs = 0): SplitWatermarks => {
  for (const splitId of splits) {
    watermarks.add(splitId, nowMs)
    watermarks.release(splitId, nowMs)
  }
  return watermarks
}

describe('the watermark of a reader', () => {
  it('is that of the split that is furthest behind, less the out-of-orderness and a millisecond', () => {
    const watermarks = reading(open(50), ['a', 'b'])
    expect(watermarks.watermarkMs(0)).toBeUndefined()
    watermarks.give('a', 1_000, 0)
    expect(watermarks.watermarkMs(0)).toBeUndefined()
    watermarks.give('b', 700, 0)
    expect(watermarks.watermarkMs(0)).toBe(649)
    watermarks.give('b', 2_000, 0)
    expect(watermarks.watermarkMs(0)).toBe(949)
    watermarks.give('a', 900, 0)
    expect(watermarks.of('a', 0)).toEqual({ eventTimeMs: 1_000, watermarkMs: 949, idle: false })
  })

  it('does not wait for an idle split, and stands still while all are idle', () => {
    const watermarks = reading(open(0, 100), ['a', 'b'])
    watermarks.give('a', 1_000, 60)
    expect(watermarks.watermarkMs(99)).toBeUndefined()
    expect(watermarks.idleSplits(99)).toBe(0)
    expect(watermarks.watermarkMs(100)).toBe(999)
    expect(watermarks.idleSplits(100)).toBe(1)
    expect(watermarks.idleSplits(160)).toBe(2)
    expect(watermarks.watermarkMs(160)).toBe(999)
    watermarks.give('b', 3_000, 161)
    expect(watermarks.watermarkMs(161)).toBe(2_999)
  })

  it('does not go back for a split that comes later or wakes up behind it', () => {
    const watermarks = reading(open(0, 100), ['a', 'b'])
    watermarks.give('a', 1_000, 90)
    expect(watermarks.watermarkMs(120)).toBe(999)
    watermarks.give('b', 10, 121)
    expect(watermarks.watermarkMs(121)).toBe(999)
    reading(watermarks, ['c'], 121)
    watermarks.give('c', 5, 122)
    watermarks.give('a', 5_000, 122)
    expect(watermarks.watermarkMs(122)).toBe(999)
  })

  it('waits for a split that is paused, for however long, and counts its quiet time on when it is resumed', () => {
    const watermarks = reading(open(0, 100), ['a', 'b'])
    watermarks.hold('b', 60)
    watermarks.give('a', 1_000, 5_000)
    expect(watermarks.of('b', 5_000)?.idle).toBe(false)
    expect(watermarks.watermarkMs(5_000)).toBeUndefined()
    watermarks.release('b', 5_000)
    expect(watermarks.watermarkMs(5_039)).toBeUndefined()
    expect(watermarks.watermarkMs(5_040)).toBe(999)
  })

  it('is not stopped by a split that follows others, which starts where they ended', () => {
    const watermarks = reading(open(), ['parent', 'other'])
    watermarks.give('parent', 500, 0)
    watermarks.give('other', 900, 0)
    const final = watermarks.of('parent', 0)?.watermarkMs ?? 0
    watermarks.remove('parent')
    expect(watermarks.watermarkMs(0)).toBe(899)
    reading(watermarks, ['child'])
    watermarks.give('other', 2_000, 0)
    expect(watermarks.watermarkMs(0)).toBe(899)
    watermarks.startAt('child', final)
    watermarks.startAt('not here', final)
    expect(watermarks.of('child', 0)).toEqual({ eventTimeMs: undefined, watermarkMs: 499, idle: false })
    watermarks.give('child', 1_500, 0)
    expect(watermarks.watermarkMs(0)).toBe(1_499)
  })

  it('is left behind by the last split that ends', () => {
    const watermarks = reading(open(), ['a', 'b'])
    watermarks.give('a', 10, 0)
    watermarks.give('b', 20, 0)
    watermarks.remove('a')
    watermarks.remove('b')
    expect(watermarks.watermarkMs(0)).toBe(19)
    expect(watermarks.of('b', 0)).toBeUndefined()
  })

  it('knows nothing of records without event times but that they came', () => {
    const watermarks = reading(open(0, 100), ['a'])
    watermarks.give('a', undefined, 90)
    expect(watermarks.of('a', 189)).toEqual({ eventTimeMs: undefined, watermarkMs: undefined, idle: false })
    expect(watermarks.of('a', 190)?.idle).toBe(true)
  })
})

describe('the latest of event times', () => {
  it('is the highest, and none of nothing or of what is no time', () => {
    expect(latestOf([3, 9, 4])).toBe(9)
    expect(latestOf([-5, Number.NaN, -7])).toBe(-5)
    expect([latestOf([]), latestOf([Number.NaN]), latestOf([1, Number.POSITIVE_INFINITY])]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})

const splitIds = ['a', 'b', 'c'] as const
const step = fc.record({
  splitId: fc.constantFrom(...splitIds),
  what: fc.constantFrom('add', 'give', 'give', 'give', 'hold', 'release', 'remove', 'start', 'look'),
  eventTimeMs: fc.integer({ min: 0, max: 1_000 }),
  afterMs: fc.integer({ min: 0, max: 60 }),
})

/** What happened to one split since it was added, from which everything is worked out anew. */
interface History {
  readonly times: number[]
  readonly starts: number[]
  /** Moments at which it gave something or was added, was held, was released. */
  readonly quiet: { readonly atMs: number; readonly what: 'give' | 'hold' | 'release' }[]
}

/** Milliseconds that the split was free and gave nothing, up to now. */
const quietMs = ({ quiet }: History, nowMs: number): number => {
  const last = quiet.map(({ what }) => what).lastIndexOf('give')
  let held = quiet.slice(0, last + 1).reduce((is, { what }) => (what === 'give' ? is : what === 'hold'), false)
  let fromMs = quiet[last]?.atMs ?? 0
  let total = 0
  for (const { atMs, what } of quiet.slice(last + 1)) {
    if (!held) total += atMs - fromMs
    fromMs = atMs
    held = what === 'hold'
  }
  return held ? total : total + nowMs - fromMs
}

describe('whatever happens to its splits, the watermark of a reader', () => {
  const idleAfterMs = 100
  const play = (
    steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
    outOfOrdernessMs: number,
  ) => {
    const watermarks = open(outOfOrdernessMs, idleAfterMs)
    const splits = new Map<string, History>()
    let nowMs = 0
    let expected: number | undefined
    const raise = (ms: number | undefined): void => {
      if (ms !== undefined && (expected === undefined || ms > expected)) expected = ms
    }
    const ownOf = ({ times, starts }: History): number | undefined => {
      const all = [...starts, ...times.map((time) => time - outOfOrdernessMs - 1)]
      return all.length === 0 ? undefined : Math.max(...all)
    }
    const look = (atMs: number): number | undefined => {
      const active = [...splits.values()].filter((split) => quietMs(split, atMs) < idleAfterMs).map(ownOf)
      if (active.length > 0 && !active.includes(undefined)) raise(Math.min(...(active as number[])))
      expect(watermarks.watermarkMs(atMs)).toBe(expected)
      expect(watermarks.idleSplits(atMs)).toBe(splits.size - active.length)
      return expected
    }
    for (const { splitId, what, eventTimeMs, afterMs } of steps) {
      nowMs += afterMs
      const known = splits.get(splitId)
      const before = look(nowMs)
      if (what === 'add' && known === undefined) {
        watermarks.add(splitId, nowMs)
        splits.set(splitId, {
          times: [],
          starts: [],
          quiet: [
            { atMs: nowMs, what: 'give' },
            { atMs: nowMs, what: 'hold' },
          ],
        })
      }
      if (known === undefined) continue
      if (what === 'give') {
        watermarks.give(splitId, eventTimeMs, nowMs)
        known.times.push(eventTimeMs)
        known.quiet.push({ atMs: nowMs, what })
      }
      if (what === 'hold' || what === 'release') {
        watermarks[what](splitId, nowMs)
        known.quiet.push({ atMs: nowMs, what })
      }
      if (what === 'start') {
        watermarks.startAt(splitId, eventTimeMs)
        known.starts.push(eventTimeMs)
      }
      if (what === 'remove') {
        watermarks.remove(splitId)
        splits.delete(splitId)
        if (splits.size === 0) raise(ownOf(known))
      }
      const after = look(nowMs)
      if (before !== undefined) expect(after).toBeGreaterThanOrEqual(before)
    }
  }

  it('is the lowest of those that are not idle, never goes back, and is that of its history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 7), (steps, outOfOrdernessMs) =>
        play(steps, outOfOrdernessMs),
      ),
    )
  })
})
