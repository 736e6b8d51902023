import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dealSplits, type Split, SplitAssignmentTracker } from '../../src/source/index.ts'

const splitsOf = (...ids: string[]): Split[] => ids.map((splitId) => ({ splitId }))
const idsOf = (hands: ReadonlyMap<number, readonly Split[]>): Record<number, string[]> =>
  Object.fromEntries([...hands].map(([subtask, splits]) => [subtask, splits.map((split) => split.splitId)]))

describe('dealing splits out', () => {
  it('is even, in order of split id, with every subtask in the result', () => {
    expect(idsOf(dealSplits(splitsOf('c', 'a', 'd', 'b'), 3))).toEqual({ 0: ['a', 'd'], 1: ['b'], 2: ['c'] })
    expect(idsOf(dealSplits([], 2))).toEqual({ 0: [], 1: [] })
  })

  it('places each split once, with loads that differ by at most one, whatever the order they come in', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.integer({ min: 1, max: 20 }), (ids, parallelism) => {
        const dealt = dealSplits(splitsOf(...ids), parallelism)
        const loads = [...dealt.values()].map((hand) => hand.length)
        expect(
          [...dealt.values()]
            .flat()
            .map((split) => split.splitId)
            .sort(),
        ).toEqual([...ids].sort())
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
        expect(idsOf(dealSplits(splitsOf(...[...ids].reverse()), parallelism))).toEqual(idsOf(dealt))
      }),
    )
  })
})

describe('the split assignment tracker', () => {
  it('gives new splits to the subtask with the fewest', () => {
    const tracker = new SplitAssignmentTracker(2)
    expect(idsOf(tracker.assign(splitsOf('b', 'a', 'c')))).toEqual({ 0: ['a', 'c'], 1: ['b'] })
    expect(idsOf(tracker.assign(splitsOf('d')))).toEqual({ 1: ['d'] })
    tracker.finish('a')
    tracker.finish('a')
    tracker.finish('c')
    expect(tracker.loads()).toEqual([0, 2])
    expect(idsOf(tracker.assign(splitsOf('e')))).toEqual({ 0: ['e'] })
  })

  it('counts what a checkpoint says readers own', () => {
    const tracker = new SplitAssignmentTracker(2)
    tracker.restore('x', 0)
    expect(idsOf(tracker.assign(splitsOf('a')))).toEqual({ 1: ['a'] })
    expect(tracker.ownerOf('x')).toBe(0)
  })

  it('refuses a second owner', () => {
    const tracker = new SplitAssignmentTracker(2)
    tracker.assign(splitsOf('a'))
    expect(() => tracker.assign(splitsOf('a'))).toThrow(/split 'a' has one owner/)
  })

  it('knows what a reader got since a checkpoint', () => {
    const tracker = new SplitAssignmentTracker(1)
    tracker.assign(splitsOf('a'))
    tracker.snapshot(1)
    tracker.assign(splitsOf('b'))
    tracker.snapshot(2)
    tracker.assign(splitsOf('c'))
    expect(tracker.splitsSince(0, 1)).toEqual(splitsOf('b', 'c'))
    expect(tracker.splitsSince(0, 1)).toEqual([])
    expect(tracker.ownerOf('a')).toBe(0)
    expect(tracker.ownerOf('b')).toBeUndefined()
  })

  it('gives everything back without a checkpoint, and nothing of a completed one', () => {
    const tracker = new SplitAssignmentTracker(2)
    tracker.assign(splitsOf('a', 'b', 'c'))
    tracker.snapshot(1)
    tracker.complete(1)
    tracker.assign(splitsOf('d'))
    expect(tracker.splitsSince(1, undefined)).toEqual(splitsOf('d'))
    expect(tracker.splitsSince(0, undefined)).toEqual([])
  })

  it('gives lost splits back to their subtask as long as that keeps the balance', () => {
    const tracker = new SplitAssignmentTracker(2)
    tracker.assign(splitsOf('a', 'b', 'c', 'd'))
    const lost = tracker.splitsSince(1, undefined)
    expect(lost).toEqual(splitsOf('b', 'd'))
    expect(idsOf(tracker.assign(lost))).toEqual({ 1: ['b', 'd'] })
  })

  it('agrees with readers that go back to a checkpoint at any moment', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('assign' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('snapshot' as const) }),
      fc.record({ kind: fc.constant('complete' as const) }),
      fc.record({ kind: fc.constant('lose' as const), subtask: fc.nat(2) }),
      fc.record({ kind: fc.constant('finish' as const), pick: fc.nat() }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const parallelism = 3
        const tracker = new SplitAssignmentTracker(parallelism)
        // The model: what each reader has now, and what it had at each snapshot.
        const readers = Array.from({ length: parallelism }, () => new Set<string>())
        const snapshots = new Map<number, Set<string>[]>()
        const finished = new Set<string>()
        let checkpointId = 0
        let completed: number | undefined
        // Checkpoints up to this one were under way when a reader went back, or are complete.
        let given = 0
        let next = 0
        const give = (hands: ReadonlyMap<number, readonly Split[]>): void => {
          for (const [subtask, hand] of hands) for (const { splitId } of hand) readers[subtask]?.add(splitId)
        }
        for (const action of steps) {
          if (action.kind === 'assign') {
            give(tracker.assign(Array.from({ length: action.count }, () => ({ splitId: `s${next++}` }))))
          } else if (action.kind === 'snapshot') {
            tracker.snapshot(++checkpointId)
            snapshots.set(
              checkpointId,
              readers.map((splits) => new Set(splits)),
            )
          } else if (action.kind === 'complete') {
            if (checkpointId > given) {
              completed = checkpointId
              tracker.complete(checkpointId)
            }
          } else if (action.kind === 'finish') {
            const all = readers.flatMap((splits) => [...splits])
            const splitId = all[action.pick % Math.max(1, all.length)]
            if (splitId === undefined || finished.has(splitId)) continue
            finished.add(splitId)
            tracker.finish(splitId)
          } else {
            given = checkpointId
            const before = completed === undefined ? undefined : snapshots.get(completed)?.[action.subtask]
            const lost = tracker.splitsSince(action.subtask, completed)
            const kept = before ?? new Set<string>()
            const owned = readers[action.subtask] ?? new Set()
            expect(lost.map((split) => split.splitId).sort()).toEqual(
              [...owned].filter((splitId) => !kept.has(splitId)).sort(),
            )
            for (const { splitId } of lost) {
              owned.delete(splitId)
              finished.delete(splitId)
            }
            give(tracker.assign(lost))
          }
          const placed = readers.flatMap((splits) => [...splits])
          expect(new Set(placed).size).toBe(placed.length)
          const loads = readers.map((splits) => [...splits].filter((splitId) => !finished.has(splitId)).length)
          expect(tracker.loads()).toEqual(loads)
        }
      }),
    )
  })

  it('keeps loads within one of each other while splits only come', () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(fc.nat(500))), fc.integer({ min: 1, max: 9 }), (batches, parallelism) => {
        const tracker = new SplitAssignmentTracker(parallelism)
        const seen = new Set<number>()
        for (const batch of batches) {
          const fresh = batch.filter((id) => !seen.has(id))
          for (const id of fresh) seen.add(id)
          tracker.assign(splitsOf(...fresh.map(String)))
          expect(Math.max(...tracker.loads()) - Math.min(...tracker.loads())).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})
