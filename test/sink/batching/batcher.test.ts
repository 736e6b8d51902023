import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/core/index.ts'
import { Batcher, type Destination } from '../../../src/sink/index.ts'
import { again, FakeTarget, failed, give, record, refused, to, tooLarge } from './fake-target.ts'

const many = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `r${from + index}`)

describe('a batcher closes a package', () => {
  test('at the number of records', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher({ limits: { records: 3 } })
    for (const text of many(7)) expect(batcher.add(to('a'), record(text))).toBeUndefined()
    await target.clock.advance(10)
    expect(target.sent.map(({ records }) => records)).toEqual([many(3), many(3, 3)])
    expect([batcher.open, batcher.underWay]).toEqual([1, 0])
    await batcher.abort(new Error('end'))
  })

  test('before the record that would make it too large, its overhead counted', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher({ limits: { bytes: 100 } })
    const destination = to('a', 'target', 40)
    for (const letter of ['a', 'b', 'c']) give(batcher, destination, record(letter.repeat(25)))
    batcher.flushNow()
    await target.clock.advance(10)
    expect(target.sent.map(({ records }) => records.length)).toEqual([2, 1])
    await batcher.abort(new Error('end'))
  })

  test('that holds one record larger than the limit, alone', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher({ limits: { bytes: 100 } })
    give(batcher, to('a'), record('x'.repeat(10)))
    give(batcher, to('a'), record('y'.repeat(300)))
    give(batcher, to('a'), record('z'.repeat(10)))
    batcher.flushNow()
    await target.clock.advance(10)
    expect(target.sent.map(({ records }) => records.map((text) => text.length))).toEqual([[10], [300], [10]])
    await batcher.abort(new Error('end'))
  })

  test('when it has been open for the linger, each at its own time', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher({ limits: { lingerMs: 3000 } })
    give(batcher, to('a'), record('a'))
    await target.clock.advance(1000)
    give(batcher, to('b'), record('b'))
    await target.clock.advance(1999)
    expect(target.sent).toEqual([])
    await target.clock.advance(1)
    expect(target.sent.map(({ key }) => key)).toEqual(['a'])
    await target.clock.advance(1000)
    expect(target.sent.map(({ key, atMs }) => [key, atMs])).toEqual([
      ['a', 3000],
      ['b', 4000],
    ])
    await target.clock.advance(10)
    expect(target.clock.pendingTimers).toBe(0)
    expect(target.memory.used).toBe(0)
  })

  test('when a timer comes a hair too early, without asking for one at that moment again', async () => {
    const target = new FakeTarget()
    const waits: number[] = []
    const hairBefore = 49.99999999999999
    const clock: Clock = {
      wallMs: () => target.clock.wallMs(),
      monoMs: () => (waits.length === 0 ? 0 : hairBefore),
      sleep: (ms, signal) => target.clock.sleep(ms, signal),
      timer: (ms, run) => {
        waits.push(ms)
        return target.clock.timer(ms, run)
      },
      yield: () => target.clock.yield(),
    }
    const batcher = new Batcher<Destination, number>({ ...target.parts({ lingerMs: 50 }), clock, settled: () => {} })
    give(batcher, to('a'), record('a'))
    await target.clock.advance(50)
    expect(waits).toEqual([50, 1])
    await batcher.abort(new Error('end'))
  })

  test('of another destination when more would be open than may be, the oldest first', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher({ limits: { openMax: 2 } })
    for (const key of ['a', 'b', 'c', 'b']) give(batcher, to(key), record(key))
    await target.clock.advance(0)
    expect(target.sent.map(({ key }) => key)).toEqual(['a'])
    expect(batcher.open).toBe(2)
    await batcher.abort(new Error('end'))
  })

  test('at once when it is told to flush, without waiting for the linger', async () => {
    const target = new FakeTarget()
    const batcher = target.batcher()
    give(batcher, to('a'), record('a'))
    give(batcher, to('b'), record('b'))
    batcher.flushNow()
    const quiet = batcher.quiet()
    await target.clock.advance(10)
    await quiet
    expect(target.clock.monoMs()).toBe(10)
    expect(target.stored.sort()).toEqual(['a', 'b'])
  })
})

describe('a batcher sends a package', () => {
  test('again until it is accepted, with growing waits, and gives its memory back only then', async () => {
    const target = new FakeTarget()
    target.answer = () => (target.sent.length < 6 ? again('unavailable') : undefined)
    const batcher = target.batcher({ retry: { jitter: 0 } })
    give(batcher, to('a'), record('a'))
    batcher.flushNow()
    await target.clock.advance(3000)
    expect(target.memory.used).toBeGreaterThan(0)
    await target.clock.advance(10_000)
    expect(target.sent.map(({ atMs }) => atMs)).toEqual([0, 110, 320, 730, 1540, 3150])
    expect(target.outcomes).toMatchObject([{ records: ['a'], outcome: { kind: 'accepted', attempts: 6 } }])
    expect(new Set(target.sent.map(({ sequence }) => sequence)).size).toBe(1)
    expect(target.memory.used).toBe(0)
  })

  test('not before the pause that the other side asked for', async () => {
    const target = new FakeTarget()
    target.answer = () => (target.sent.length === 1 ? again('throttled', 5000) : undefined)
    const batcher = target.batcher()
    give(batcher, to('a'), record('a'))
    batcher.flushNow()
    await target.clock.advance(20_000)
    expect(target.sent.map(({ atMs }) => atMs)).toEqual([0, 5010])
  })

  test('as often as it may, then it has failed, and says whether it may be stored', async () => {
    const target = new FakeTarget()
    target.answer = ({ key }) => again(key === 'a' ? 'ambiguous' : 'unavailable')
    const batcher = target.batcher({ retry: { attemptsMax: 3 } })
    give(batcher, to('a'), record('a'))
    give(batcher, to('b'), record('b'))
    batcher.flushNow()
    await target.clock.advance(60_000)
    expect(target.outcomes.map(({ records, outcome }) => [records, outcome])).toEqual(
      expect.arrayContaining([
        [['a'], { kind: 'failed', attempts: 3, cause: expect.any(Error), ambiguous: true }],
        [['b'], { kind: 'failed', attempts: 3, cause: expect.any(Error), ambiguous: false }],
      ]),
    )
    expect(target.memory.used).toBe(0)
  })

  test('three times in a row when it is doubtful whether that helps, and no more', async () => {
    const target = new FakeTarget()
    const answers = [
      'unauthorized',
      'unauthorized',
      'unavailable',
      'unauthorized',
      'unrecognized',
      'unauthorized',
    ] as const
    target.answer = () => again(answers[target.sent.length - 1] ?? 'unavailable')
    const batcher = target.batcher()
    give(batcher, to('a'), record('a'))
    batcher.flushNow()
    await target.clock.advance(600_000)
    expect(target.outcomes).toMatchObject([{ outcome: { kind: 'failed', attempts: 6 } }])
  })

  test('in halves when it is too large, in order, each with a number of its own', async () => {
    const target = new FakeTarget()
    target.answer = ({ records }) => (records.length > 2 ? tooLarge : undefined)
    const batcher = target.batcher()
    for (const [index, text] of many(7).entries()) give(batcher, to('a'), record(text), index)
    batcher.flushNow()
    await target.clock.advance(1000)
    expect(target.stored).toEqual(many(7))
    expect(target.outcomes.flatMap(({ tickets }) => tickets)).toEqual([0, 1, 2, 3, 4, 5, 6])
    const numbers = target.sent.map(({ sequence }) => sequence)
    expect(new Set(numbers).size).toBe(numbers.length)
    expect(target.memory.used).toBe(0)
  })

  test('and rejects the single record that is too large alone, and no other', async () => {
    const target = new FakeTarget()
    target.answer = ({ records }) => (records.includes('r3') ? tooLarge : undefined)
    const batcher = target.batcher()
    for (const text of many(8)) give(batcher, to('a'), record(text))
    batcher.flushNow()
    await target.clock.advance(1000)
    expect(target.stored.sort()).toEqual(many(8).filter((text) => text !== 'r3'))
    expect(target.outcomes.filter(({ outcome }) => outcome.kind === 'rejected')).toMatchObject([{ records: ['r3'] }])
  })

  test('that is refused as a whole, or until the guilty record is found', async () => {
    for (const isolateRefused of [false, true]) {
      const target = new FakeTarget()
      target.answer = ({ records }) => (records.includes('r5') ? refused : undefined)
      const batcher = target.batcher({ isolateRefused })
      for (const text of many(8)) give(batcher, to('a'), record(text))
      batcher.flushNow()
      await target.clock.advance(1000)
      const rejected = target.outcomes.filter(({ outcome }) => outcome.kind === 'rejected')
      expect(rejected.flatMap(({ records }) => records)).toEqual(isolateRefused ? ['r5'] : many(8))
      expect(target.stored.length).toBe(isolateRefused ? 7 : 0)
    }
  })

  test('once to a place that does not exist', async () => {
    const target = new FakeTarget()
    target.answer = () => failed
    const batcher = target.batcher()
    give(batcher, to('a'), record('a'))
    batcher.flushNow()
    await target.clock.advance(60_000)
    expect(target.sent.length).toBe(1)
    expect(target.outcomes).toMatchObject([{ outcome: { kind: 'failed', attempts: 1, ambiguous: false } }])
  })

  test('one at a time to a destination whose order counts, while others go on', async () => {
    const target = new FakeTarget()
    let first = true
    target.answer = ({ key }) => {
      if (key !== 'a' || !first) return undefined
      first = false
      return again('unavailable', 1000)
    }
    const batcher = target.batcher({ ordered: true, limits: { records: 1 } })
    for (const text of many(3)) for (const key of ['a', 'b']) give(batcher, to(key), record(`${key}${text}`))
    await target.clock.advance(500)
    expect(target.stored).toEqual(['br0', 'br1', 'br2'])
    await target.clock.advance(2000)
    expect(target.stored.filter((text) => text.startsWith('a'))).toEqual(['ar0', 'ar1', 'ar2'])
    expect(target.memory.used).toBe(0)
  })

  test('while no more are on their way than the pool has slots', async () => {
    const target = new FakeTarget({ io: 3 })
    const batcher = target.batcher({ limits: { records: 1 } })
    for (const text of many(20)) give(batcher, to('a'), record(text))
    await target.clock.advance(1000)
    expect(target.stored.length).toBe(20)
    expect(target.runningMost).toBe(3)
  })

  test('beside a target that never answers: the others keep their slots', async () => {
    const target = new FakeTarget({ io: 4 })
    target.answer = ({ key }) => (key === 'slow' ? 'hang' : undefined)
    const batcher = target.batcher({ laneShare: 2, limits: { records: 1 } })
    for (const text of many(10)) give(batcher, to('slow', 'slow'), record(text))
    for (const text of many(10)) give(batcher, to('quick', 'quick'), record(text))
    await target.clock.advance(100)
    expect(target.stored.sort()).toEqual(many(10).sort())
    await batcher.abort(new Error('end'))
    expect(target.memory.used).toBe(0)
  })

  test('beside many broken targets: what is tried again and again takes no slot of the pool', async () => {
    const target = new FakeTarget({ io: 2 })
    target.answerMs = 10
    const brokenAt = new Map<string, number>()
    target.answer = ({ key }) => {
      if (key === 'good') return undefined
      brokenAt.set(key, (brokenAt.get(key) ?? 0) + 1)
      return (brokenAt.get(key) ?? 0) > 3 ? 'hang' : again('ambiguous')
    }
    const batcher = target.batcher({ laneShare: 1, limits: { records: 1 }, retry: { maxMs: 100 } })
    for (let n = 0; n < 5; n++) give(batcher, to(`bad${n}`, `bad${n}`), record('x'))
    await target.clock.advance(5000)
    for (const text of many(5)) give(batcher, to('good', 'good'), record(text))
    await target.clock.advance(100)
    expect(target.stored.filter((text) => text !== 'x')).toEqual(many(5))
    await batcher.abort(new Error('end'))
    expect(target.memory.used).toBe(0)
  })
})

describe('a batcher without memory', () => {
  test('makes the next record wait until a package is stored, and sends what it has rather than to wait for the linger', async () => {
    const target = new FakeTarget({ memory: 100 })
    const batcher = target.batcher()
    const destination = to('a')
    for (const letter of ['a', 'b', 'c', 'd']) {
      const added = batcher.add(destination, record(letter.repeat(60)))
      if (added !== undefined) await target.clock.advanceUntil(added)
    }
    batcher.flushNow()
    await target.clock.advance(10)
    expect(target.stored.map(([letter]) => letter)).toEqual(['a', 'b', 'c', 'd'])
    expect(target.clock.monoMs()).toBeLessThan(100)
    expect(target.usedMost).toBeLessThanOrEqual(100)
    expect(target.memory.used).toBe(0)
  })

  test('asks other batchers of the process to let go of theirs', async () => {
    const target = new FakeTarget({ memory: 100 })
    const idle = target.batcher()
    const busy = target.batcher()
    give(idle, to('a'), record('a'.repeat(70)))
    const added = busy.add(to('b'), record('b'.repeat(70)))
    await target.clock.advanceUntil(added ?? Promise.resolve())
    expect(target.clock.monoMs()).toBeLessThan(100)
    expect(target.stored).toEqual(['a'.repeat(70)])
    await Promise.all([idle.abort(new Error('end')), busy.abort(new Error('end'))])
    expect(target.memory.used).toBe(0)
  })

  test('refuses a record that would never have room, and goes on with the next', async () => {
    const target = new FakeTarget({ memory: 100 })
    const batcher = target.batcher()
    await expect(batcher.add(to('a'), record('x'.repeat(101)))).rejects.toMatchObject({ code: 'RECORD_UNSENDABLE' })
    expect(batcher.add(to('a'), record('y'))).toBeUndefined()
    await batcher.abort(new Error('end'))
    expect(target.memory.used).toBe(0)
  })

  test('stops waiting when the caller or the batcher gives up', async () => {
    const target = new FakeTarget({ memory: 100 })
    target.answer = () => 'hang'
    const batcher = target.batcher()
    give(batcher, to('a'), record('x'.repeat(90)))
    const caller = new AbortController()
    const first = batcher.add(to('a'), record('y'.repeat(90)), undefined, caller.signal)
    const second = batcher.add(to('a'), record('z'.repeat(90)))
    caller.abort(new Error('the caller'))
    await expect(first).rejects.toThrow('the caller')
    const refusedSecond = expect(second).rejects.toThrow('the end')
    await batcher.abort(new Error('the end'))
    await refusedSecond
    expect([target.memory.used, target.memory.waiting, target.clock.pendingTimers]).toEqual([0, 0, 0])
    expect(target.outcomes).toMatchObject([{ outcome: { kind: 'failed', ambiguous: true } }])
  })
})
