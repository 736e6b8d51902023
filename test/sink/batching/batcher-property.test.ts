import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Answer, again, FakeTarget, failed, record, refused, to, tooLarge } from './fake-target.ts'

type Step =
  | { readonly kind: 'add'; readonly key: number; readonly bytes: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'flush' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('add'), key: fc.nat(3), bytes: fc.integer({ min: 8, max: 260 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush') }) },
)

const answers: readonly (() => Answer)[] = [
  () => undefined,
  () => undefined,
  () => undefined,
  () => again('throttled'),
  () => again('ambiguous'),
  () => again('unavailable', 50),
  () => tooLarge,
  () => refused,
  () => failed,
  () => 'hang',
]

const plan = fc.record({
  memory: fc.integer({ min: 100, max: 3000 }),
  io: fc.integer({ min: 1, max: 4 }),
  records: fc.integer({ min: 1, max: 5 }),
  bytes: fc.integer({ min: 20, max: 600 }),
  openMax: fc.integer({ min: 1, max: 4 }),
  ordered: fc.boolean(),
  isolateRefused: fc.boolean(),
  steps: fc.array(step, { maxLength: 40 }),
  answers: fc.array(fc.nat(answers.length - 1), { minLength: 1, maxLength: 30 }),
  ends: fc.constantFrom<'abort' | 'quiet'>('abort', 'quiet'),
})

test('whatever happens, the budget is never exceeded, its balance is 0 at the end, and every record has one outcome', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ memory, io, records, bytes, openMax, ordered, isolateRefused, ...rest }) => {
      const target = new FakeTarget({ memory, io })
      let asked = 0
      const quietEnd = rest.ends === 'quiet'
      target.answer = () => {
        const answer = answers[rest.answers[asked++ % rest.answers.length] ?? 0]?.()
        // With nobody to abort it, it has to end by itself.
        return quietEnd && (answer === 'hang' || asked > 300) ? undefined : answer
      }
      const batcher = target.batcher({
        ordered,
        isolateRefused,
        limits: { records, bytes, openMax },
        retry: { attemptsMax: 6 },
      })
      const accepted: number[] = []
      const waiting: Promise<void>[] = []
      let ticket = 0
      for (const one of rest.steps) {
        if (one.kind === 'add') {
          const number = ticket++
          const added = batcher.add(to(`k${one.key}`, `lane${one.key % 2}`), record('x'.repeat(one.bytes)), number)
          const taken = (): void => void accepted.push(number)
          if (added === undefined) taken()
          else waiting.push(added.then(taken, () => {}))
        } else if (one.kind === 'pass') await target.clock.advance(one.ms)
        else batcher.flushNow()
        expect(target.memory.used).toBeLessThanOrEqual(memory)
      }
      if (quietEnd) {
        for (let turn = 0; turn < 100 && target.memory.used + target.memory.waiting > 0; turn++) {
          batcher.flushNow()
          await target.clock.advance(10_000)
        }
      }
      await target.clock.advanceUntil(batcher.abort(new Error('the end')))
      await Promise.all(waiting)
      expect([target.memory.used, target.memory.waiting, target.running]).toEqual([0, 0, 0])
      expect([batcher.open, batcher.underWay, target.clock.pendingTimers]).toEqual([0, 0, 0])
      const ended = target.outcomes.flatMap(({ tickets }) => tickets)
      expect([...ended].sort((a, b) => a - b)).toEqual([...accepted].sort((a, b) => a - b))
      expect(target.usedMost).toBeLessThanOrEqual(memory)
      expect(target.runningMost).toBeLessThanOrEqual(io + 2)
    }),
    { numRuns: 150 },
  )
})
