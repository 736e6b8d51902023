import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TimerQueue } from '../../src/runtime/timer-queue.ts'

type Step = { readonly add: number } | { readonly takeAt: number }

const someSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ takeAt: fc.integer({ min: -1, max: 13 }) }) },
  ),
  { maxLength: 200, size: 'max' },
)

describe('a timer queue', () => {
  test('gives timers in the order of a sorted list, equal times in the order they were added', () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const queue = new TimerQueue<number>()
        const model: { at: number; owner: number }[] = []
        for (const [owner, step] of steps.entries()) {
          if ('add' in step) {
            queue.add(step.add, owner)
            model.push({ at: step.add, owner })
            model.sort((a, b) => a.at - b.at || a.owner - b.owner)
          } else {
            const due = model[0] !== undefined && model[0].at <= step.takeAt ? model.shift() : undefined
            const taken = queue.take(step.takeAt)
            expect(taken && { at: taken.at, owner: taken.owner }).toEqual(due)
          }
          expect(queue.size).toBe(model.length)
          expect(queue.nextMs).toBe(model[0]?.at)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('gives nothing before its time, and exactly at it', () => {
    const queue = new TimerQueue<string>()
    queue.add(10, 'a')
    expect(queue.take(9.999)).toBeUndefined()
    expect(queue.take(10)?.owner).toBe('a')
    expect(queue.take(Number.POSITIVE_INFINITY)).toBeUndefined()
  })
})
