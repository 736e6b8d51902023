import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Answer, again, FakeTarget, failed, record, refused, to, tooLarge } from './fake-target.ts'

type Step =
  | { readonly kind: 'add'; readonly key: number; readonly bytes: number }
  | { readonly kind: 'run'; readonly key: number; readonly sizes: readonly number[] }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'flush' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('add'), key: fc.nat(3), bytes: fc.integer({ min: 8, max: 260 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('run'),
      key: fc.nat(3),
      sizes: fc.array(fc.integer({ min: 4, max: 200 }), { minLength: 1, maxLength: 12 }),
    }),
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
      const given: string[] = []
      const accepted: string[] = []
      const waiting: Promise<void>[] = []
      let pending = 0
      const next = (key: number, size: number): string => {
        const text = `${key}:${given.length}:`.padEnd(size, '.')
        given.push(text)
        return text
      }
      const heed = (texts: readonly string[], added: Promise<void> | undefined): void => {
        const taken = (): void => void accepted.push(...texts)
        if (added === undefined) taken()
        else {
          pending++
          waiting.push(added.then(taken, () => {}).finally(() => pending--))
        }
      }
      for (const one of rest.steps) {
        if (one.kind === 'pass') await target.clock.advance(one.ms)
        else if (one.kind === 'flush') batcher.flushNow()
        else {
          const destination = to(`k${one.key}`, `lane${one.key % 2}`)
          if (one.kind === 'add') {
            const text = next(one.key, one.bytes)
            heed([text], batcher.add(destination, record(text)))
          } else {
            const texts = one.sizes.map((size) => next(one.key, size))
            const ends = texts.map((_, index) => texts.slice(0, index + 1).join('').length)
            heed(texts, batcher.addRun(destination, record(texts.join('')), ends))
          }
        }
        expect(target.memory.used).toBeLessThanOrEqual(memory)
      }
      if (quietEnd) {
        for (let turn = 0; turn < 2000 && target.memory.used + pending > 0; turn++) {
          batcher.flushNow()
          await target.clock.advance(10_000)
        }
        expect(pending).toBe(0)
        if (given.every((text) => text.length <= memory)) expect(accepted.length).toBe(given.length)
      }
      await target.clock.advanceUntil(batcher.abort(new Error('the end')))
      await Promise.all(waiting)
      expect([target.memory.used, target.memory.waiting, target.running]).toEqual([0, 0, 0])
      expect([batcher.open, batcher.underWay, target.clock.pendingTimers]).toEqual([0, 0, 0])
      const ended = target.outcomes.flatMap((outcome) => outcome.records)
      expect(new Set(ended).size).toBe(ended.length)
      expect(given).toEqual(expect.arrayContaining(ended))
      expect(ended).toEqual(expect.arrayContaining(accepted))
      expect(target.usedMost).toBeLessThanOrEqual(memory)
      expect(target.runningMost).toBeLessThanOrEqual(io + 2)
      if (!ordered) return
      for (const key of ['0', '1', '2', '3']) {
        const stored = [...new Set(target.stored)].filter((text) => text.startsWith(`${key}:`))
        const numbers = stored.map((text) => Number(text.split(':')[1]))
        expect(numbers).toEqual([...numbers].sort((left, right) => left - right))
      }
    }),
    { numRuns: 150 },
  )
})
