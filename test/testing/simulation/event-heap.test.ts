import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventHeap, type SimEvent } from '../../../src/testing/simulation/event-heap.ts'

type Event = SimEvent<undefined>

test('a heap gives events by time, then by tie, then in the order they came', () => {
  const keyArb = fc.record({ atMs: fc.nat(5), tie: fc.nat(2) })
  fc.assert(
    fc.property(fc.array(fc.option(keyArb, { freq: 3 }), { maxLength: 200 }), (steps) => {
      const heap = new EventHeap<undefined>()
      const model: Event[] = []
      const sorted = (): Event | undefined =>
        model.sort((l, r) => l.atMs - r.atMs || l.tie - r.tie || l.sequence - r.sequence)[0]
      for (const [sequence, key] of steps.entries()) {
        if (key === null) {
          expect(heap.peek()).toBe(sorted())
          expect(heap.pop()).toBe(model.shift())
        } else {
          const event: Event = { ...key, sequence, owner: undefined, run: undefined }
          heap.push(event)
          model.push(event)
        }
        expect(heap.size).toBe(model.length)
      }
      while (heap.size > 0) {
        sorted()
        expect(heap.pop()).toBe(model.shift())
      }
    }),
  )
})
