import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LogProducer } from '../../../../src/connectors/sls/producer/log-producer.ts'
import type { OutgoingLog } from '../../../../src/connectors/sls/producer/outgoing-log.ts'
import {
  resolveProducerOptions,
  type SlsProducerSendOptions,
} from '../../../../src/connectors/sls/producer/producer-options.ts'
import { buckets } from '../../../../src/connectors/sls/producer/route.ts'
import { IoPool, MemoryBudget, type SendResult } from '../../../../src/sink/index.ts'
import { memoryEnvironment } from '../../../../src/testing/index.ts'
import { FakePuts } from './fake-puts.ts'
import { rejection } from './sink-bench.ts'

const producerBench = (options: SlsProducerSendOptions = {}, memory = 1 << 20) => {
  const { clock, random, digest, log } = memoryEnvironment()
  const puts = new FakePuts()
  const resources = { memory: new MemoryBudget(memory), io: new IoPool(8) }
  const producer = new LogProducer({
    settings: resolveProducerOptions({ logstore: 'access', ...options }),
    project: 'project-1',
    endpoint: 'sls.test',
    puts,
    resources,
    clock,
    random,
    digest,
    log,
  })
  return { producer, puts, clock, ...resources }
}

const log = (n: number | string): OutgoingLog => ({ contents: { n: `${n}` } })
const down: SendResult = { kind: 'again', why: 'unavailable', cause: new Error('down') }
const refused: SendResult = { kind: 'refused', cause: new Error('no such field') }

describe('a producer', () => {
  test('tells the outcome of a log when it is stored, at the latest after the linger', async () => {
    const { producer, puts, clock } = producerBench()
    const outcome = producer.send(log(1))
    await clock.advance(2999)
    expect(puts.puts).toEqual([])
    await clock.advance(1)
    expect(await outcome).toEqual({ logs: 1, attempts: 1 })
    expect(puts.logs('access')).toEqual([{ n: '1' }])
    await producer.close()
  })

  test('tells the outcome of a list when all of it is stored, in however many packages', async () => {
    const { producer, puts, clock } = producerBench({ package: { records: 4 } })
    let calls = 0
    puts.answer = () => (++calls === 2 ? down : { kind: 'accepted' })
    const outcome = producer.send(Array.from({ length: 10 }, (_, n) => log(n)))
    expect(await clock.advanceUntil(outcome)).toEqual({ logs: 10, attempts: 2 })
    expect(puts.logs('access').length).toBe(10)
    expect(await producer.send([])).toEqual({ logs: 0, attempts: 0 })
    await producer.close()
  })

  test('stores every list as it was given, whatever lists are encoded while it waits for room', async () => {
    const list = fc.record({
      topic: fc.constantFrom('a', 'b'),
      logs: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(list, { minLength: 1, maxLength: 12 }), async (lists) => {
        const { producer, puts, clock, memory } = producerBench({ package: { records: 6, bytes: 3000 } }, 4000)
        const given = lists.map(({ topic, logs }, call) =>
          logs.map((length, n): OutgoingLog => {
            const text = `${call}.${n}.`.padEnd(length, String.fromCharCode(97 + ((call * 7 + n) % 26)))
            return { contents: { text }, topic: n % 3 === 2 ? 'c' : topic }
          }),
        )
        const outcomes = given.map((logs) => producer.send(logs))
        await clock.advanceUntil(Promise.all(outcomes))
        const stored = puts.logs('access').map(({ text }) => text)
        const texts = given.flat().map(({ contents }) => (contents as Record<string, string>)['text'])
        expect(stored.sort()).toEqual(texts.sort())
        await producer.close()
        expect(memory.used).toBe(0)
      }),
    )
  })

  test('sends none of a list of which one can never be sent', async () => {
    const { producer, puts, clock } = producerBench()
    expect(await rejection(producer.send([log(1), { contents: {}, time: 1.5 }, log(2)]))).toContain('RECORD_UNSENDABLE')
    expect(await rejection(producer.send('text' as never))).toContain('what is to be sent is no log')
    await clock.advanceUntil(producer.flush())
    expect(puts.puts).toEqual([])
    await producer.close()
  })

  test('rejects the log that the service refuses, and only that', async () => {
    const { producer, puts, clock } = producerBench()
    puts.answer = ({ group }) =>
      [...group.logs()].some((one) => one.get('n') === '3') ? refused : { kind: 'accepted' }
    const outcomes = Array.from({ length: 8 }, (_, n) => producer.send(log(n)))
    const settled = Promise.allSettled(outcomes)
    await clock.advanceUntil(producer.flush())
    const bad = (await settled).flatMap((outcome, n) => (outcome.status === 'rejected' ? [[n, outcome.reason]] : []))
    expect(bad).toMatchObject([[3, { code: 'RECORD_UNSENDABLE' }]])
    expect(puts.logs('access').length).toBe(7)
    expect(producer.counts()).toMatchObject({ logs: 7, skipped: 1 })
    await producer.close()
  })

  test('rejects what cannot be sent to a place, and goes on sending to others', async () => {
    const { producer, puts, clock } = producerBench()
    puts.answer = ({ place }) =>
      place.logstore === 'gone' ? { kind: 'failed', cause: new Error('no such logstore') } : { kind: 'accepted' }
    const lost = rejection(producer.send({ ...log(1), logstore: 'gone' }))
    const fine = producer.send(log(2))
    await clock.advanceUntil(producer.flush())
    expect(await lost).toBe('no such logstore')
    expect(await fine).toEqual({ logs: 1, attempts: 1 })
    await producer.close()
  })

  test('gives up after the attempts it may make', async () => {
    const { producer, puts, clock } = producerBench({ preset: 'official' })
    puts.answer = () => down
    const outcome = rejection(producer.send(log(1)))
    await clock.advanceUntil(outcome)
    expect(await outcome).toContain('down')
    expect(producer.counts().retries).toBe(10)
    await producer.close()
  })

  test('makes room() wait while memory is full, and takes what waited when there is room', async () => {
    const { producer, puts, clock, memory } = producerBench({}, 2000)
    let up = false
    puts.answer = () => (up ? { kind: 'accepted' } : down)
    const outcomes = Array.from({ length: 5 }, (_, n) => producer.send(log(`${n}`.repeat(700))))
    let hasRoom = false
    const room = producer.room().then(() => {
      hasRoom = true
    })
    await clock.advance(5000)
    expect(hasRoom).toBe(false)
    expect(memory.used).toBeLessThanOrEqual(2000)
    up = true
    await clock.advanceUntil(room)
    await clock.advanceUntil(Promise.all(outcomes))
    expect(puts.logs('access').map(({ n }) => n?.[0])).toEqual(['0', '1', '2', '3', '4'])
    await producer.close()
    expect(memory.used).toBe(0)
  })

  test('gives up waiting for room after blockMax, and says so', async () => {
    const { producer, puts, clock, memory } = producerBench({ blockMax: '10s' }, 1000)
    puts.answer = () => down
    const first = rejection(producer.send(log('x'.repeat(900))))
    const outcome = rejection(producer.send(log('y'.repeat(900))))
    await clock.advanceUntil(outcome)
    expect(await outcome).toContain('SINK_UNAVAILABLE: there was no room in memory for 10000 ms')
    expect(clock.monoMs()).toBe(10_000)
    await clock.advanceUntil(producer.close({ deadline: 0 }))
    expect(await first).toContain('SEND_ABANDONED')
    expect([memory.used, memory.waiting, clock.pendingTimers]).toEqual([0, 0, 0])
  })

  test('flushes without the linger, also what still waited for room, and whatever the outcomes', async () => {
    const { producer, puts, clock } = producerBench({ package: { linger: '1h' } }, 1000)
    const outcomes = Array.from({ length: 5 }, (_, n) => producer.send(log(`${n}`.repeat(400))))
    await clock.advanceUntil(producer.flush())
    expect(clock.monoMs()).toBeLessThan(1000)
    expect(puts.logs('access').length).toBe(5)
    await Promise.all(outcomes)
    await producer.close()
  })

  test('closed, sends what it has, settles every promise by the deadline, and takes no more', async () => {
    const { producer, puts, clock, memory } = producerBench()
    puts.answer = ({ place }) => (place.logstore === 'down' ? down : { kind: 'accepted' })
    const stored = producer.send(log(1))
    const lost = rejection(producer.send({ ...log(2), logstore: 'down' }))
    const closed = producer.close({ deadline: '5s' })
    expect(await rejection(producer.send(log(3)))).toContain('takes no more logs')
    await clock.advanceUntil(closed)
    expect(clock.monoMs()).toBe(5000)
    expect(await stored).toEqual({ logs: 1, attempts: 1 })
    expect(await lost).toContain('SEND_ABANDONED: the producer was closed, and it was not stored within 5000 ms')
    await producer.close()
    expect([memory.used, clock.pendingTimers]).toEqual([0, 0])
  })

  test('routes by the log', async () => {
    const { producer, puts, clock } = producerBench({ route: buckets(64, ({ source }) => source) })
    const outcomes = [producer.send({ ...log(1), source: '127.0.0.1' }), producer.send(log(2))]
    await clock.advanceUntil(producer.flush())
    await Promise.all(outcomes)
    expect(puts.puts.map(({ place }) => place.hashKey)).toEqual(['f4000000000000000000000000000000', undefined])
    await producer.close()
  })

  test('names every problem of its options at once', () => {
    expect(() => producerBench({ blockMax: 'soon', order: 'all' } as never)).toThrow(/'order'.*'blockMax'/)
  })
})
