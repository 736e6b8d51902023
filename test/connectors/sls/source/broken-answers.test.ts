import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { BrokenAnswers } from '../../../../src/connectors/sls/source/broken-answers.ts'
import { fromBase64 } from '../../../../src/core/index.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores, texts } from './test-logstores.ts'
import { groupOf, WrittenShard } from './written-shard.ts'

/** Little is done while nothing happens. */
const quiet = { idleWait: '5s', discoveryInterval: '60s' } as const

const drive = (logstores: TestLogstores, options: Partial<SlsSourceOptions<'logs'>> = {}) =>
  new SourceDriver(logstores.source({ logstore: 'access', ...quiet, ...options }), logstores)

const pullsAt = (shard: WrittenShard, index: number) => shard.pulls.filter(({ at }) => at === index)

describe('the search for a LogGroup that makes answers unreadable', () => {
  it('passes over exactly those, with few pulls each', () => {
    const someShard = fc.record({
      bad: fc.uniqueArray(fc.nat(1999), { maxLength: 5 }),
      usual: fc.integer({ min: 1, max: 1000 }),
      lasting: fc.boolean(),
    })
    fc.assert(
      fc.property(someShard, ({ bad, usual, lasting }) => {
        const broken = new BrokenAnswers()
        const passed: number[] = []
        let pulls = 0
        for (let at = 0; at < 2000; pulls++) {
          const count = broken.groupsMaxAt(BigInt(at), usual)
          expect(count).toBeGreaterThan(0)
          expect(count).toBeLessThanOrEqual(usual)
          if (!bad.some((index) => index >= at && index < at + count)) {
            broken.whole()
            at += count
          } else if (broken.broken(BigInt(at), count, lasting) === 'one') {
            expect(count).toBe(1)
            broken.passed()
            passed.push(at++)
          }
        }
        expect(passed).toEqual([...bad].sort((a, b) => a - b))
        expect(pulls).toBeLessThanOrEqual(Math.ceil(2000 / usual) + bad.length * 60)
      }),
    )
  })

  it('takes no failure that passes for a LogGroup that stays', () => {
    const broken = new BrokenAnswers()
    const verdicts = Array.from({ length: 7 }, () => broken.broken(5n, 1000, false))
    expect(new Set(verdicts)).toEqual(new Set(['again']))
    expect(broken.groupsMaxAt(5n, 1000)).toBe(1000)
    broken.whole()
    expect(broken.broken(5n, 1000, false)).toBe('again')
    // Elsewhere it is another matter.
    for (let tries = 0; tries < 6; tries++) broken.broken(5n, 1, false)
    expect(broken.tries).toBe(7)
    expect(broken.broken(6n, 1, false)).toBe('again')
    expect(broken.tries).toBe(1)
  })

  it('asks for as many as usual again when the part that was broken is read', () => {
    const broken = new BrokenAnswers()
    broken.broken(0n, 8, true)
    expect(broken.groupsMaxAt(0n, 8)).toBe(4)
    broken.whole()
    expect(broken.groupsMaxAt(4n, 8)).toBe(4)
    broken.whole()
    expect(broken.groupsMaxAt(8n, 8)).toBe(8)
  })
})

describe('slsSource and a LogGroup that makes answers unreadable', () => {
  const groups = Array.from({ length: 40 }, (_, index) => groupOf(`g${index}`))
  const allBut = (...bad: readonly number[]) => messages('g', 40).filter((_, index) => !bad.includes(index))

  it('fails, naming the one place, when it may not be passed over', async () => {
    const { logstores, shard } = await WrittenShard.open(groups)
    shard.unreadable.add(23)
    const driver = drive(logstores)
    await driver.start()
    const failure: unknown = await driver.run(300_000, 1_000).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'RECORD_INVALID',
      remedy: 'stop',
      place: { split: expect.stringMatching(/^proj\/access\/0@/), position: shard.cursorAt(23) },
    })
    expect(String(failure)).toMatch(/shard 0 of proj\/access: .* cannot be read, 5 times in a row.*onInvalid: 'skip'/s)
    expect(texts(driver.taken)).toEqual(messages('g', 23))
    await driver.close()
  })

  it.each([[[23]], [[0]], [[39]], [[7, 8, 30]]])('passes over it alone: %j', async (bad) => {
    const { logstores, shard } = await WrittenShard.open(groups)
    for (const index of bad) shard.unreadable.add(index)
    const source = logstores.source({ logstore: 'access', ...quiet, onInvalid: 'skip' })
    const driver = new SourceDriver(source, logstores)
    await driver.start()
    await driver.run(300_000, 1_000)
    expect(texts(driver.taken)).toEqual(allBut(...bad))
    expect(source.counts().invalidGroups).toBe(bad.length)
    expect(driver.splits()).toMatchObject([{ cursor: shard.begin + 40n, skip: 0 }])
    shard.groups.push(...messages('later', 20).map((message) => groupOf(message)))
    shard.pulls = []
    await driver.run(30_000, 1_000)
    expect(driver.taken.length).toBe(60 - bad.length)
    // With its full count again, soon.
    expect(shard.pulls.at(-1)?.count).toBe(1000)
    await driver.close()
  })

  it('makes it a dead letter with the answer as it came, and counts it among those in a row', async () => {
    const { logstores, shard } = await WrittenShard.open(groups)
    shard.unreadable.add(11)
    const driver = drive(logstores, { onInvalid: 'dead-letter' })
    await driver.start()
    await driver.run(300_000, 1_000)
    expect(texts(driver.taken)).toEqual(allBut(11))
    expect(driver.letters).toMatchObject([{ position: shard.cursorAt(11), encoding: 'base64' }])
    expect(driver.letters[0]?.reason).toMatch(
      /^the answer to a pull of one LogGroup cannot be read, 5 times in a row: SLS_ANSWER_INVALID.*; kept is the body of the answer as it came$/,
    )
    // As it stood in its list, without the last byte.
    const raw = fromBase64(driver.letters[0]?.raw ?? '')
    expect(raw.subarray(-5)).toEqual(groups[11]?.subarray(-6, -1))
    await driver.close()
    shard.unreadable.add(12).add(13)
    const strict = drive(logstores, { onInvalid: 'dead-letter', invalidInRowMax: 2 })
    await strict.start()
    await expect(strict.run(300_000, 1_000)).rejects.toThrow(/3 LogGroups in a row cannot be decoded/)
    await strict.close()
  })

  it('asks for the next ones with care, since those like it come together', async () => {
    const { logstores, shard } = await WrittenShard.open(groups)
    shard.unreadable.add(12).add(13)
    const driver = drive(logstores, { onInvalid: 'skip' })
    await driver.start()
    await driver.run(300_000, 1_000)
    expect(texts(driver.taken)).toEqual(allBut(12, 13))
    expect(pullsAt(shard, 13)).toEqual(Array.from({ length: 5 }, () => ({ at: 13, count: 1 })))
    await driver.close()
  })

  it('gives the answers a while before it takes them for broken', async () => {
    const { logstores, shard } = await WrittenShard.open(groups)
    shard.unreadable.add(23)
    const driver = drive(logstores, { onInvalid: 'skip' })
    await driver.start()
    await driver.run(8_000, 500)
    expect(new Set(shard.pulls.map(({ at, count }) => `${at} ${count}`))).toEqual(new Set(['0 1000']))
    shard.unreadable.clear()
    await driver.run(20_000, 500)
    expect(texts(driver.taken)).toEqual(allBut())
    await driver.close()
  })

  it('waits for ever while another than the service answers, whatever the policy', async () => {
    for (const onInvalid of ['fail', 'skip'] as const) {
      const { logstores, shard } = await WrittenShard.open(groups)
      const page = { status: 200, headers: { 'content-type': 'text/html' }, body: new TextEncoder().encode('<html>') }
      const driver = drive(logstores, { onInvalid })
      await driver.start()
      logstores.fault = () => ({ kind: 'answer', response: page })
      await driver.run(300_000, 5_000)
      logstores.fault = (call) => shard.answer(call)
      await driver.run(30_000, 1_000)
      expect(texts(driver.taken)).toEqual(allBut())
      await driver.close()
    }
  })

  it.each(['skip', 'fail'] as const)('judges nothing behind the end of the shard: %s', async (onInvalid) => {
    const { logstores, shard } = await WrittenShard.open([groupOf('g0')])
    const driver = drive(logstores, { onInvalid })
    await driver.start()
    await driver.run(100)
    const answer = shard.answer.bind(shard)
    logstores.fault = (call) => {
      const fault = answer(call)
      if (fault?.kind !== 'answer' || call.query.get('type') !== 'logs') return fault
      return { ...fault, response: { ...fault.response, body: new Uint8Array([1]) } }
    }
    await driver.run(300_000, 1_000)
    expect(driver.failures).toEqual([])
    expect(driver.splits()).toMatchObject([{ cursor: shard.begin + 1n }])
    shard.groups.push(groupOf('late'))
    logstores.fault = (call) => shard.answer(call)
    await driver.run(30_000, 1_000)
    expect(texts(driver.taken)).toEqual(['g0', 'late'])
    await driver.close()
  })

  it('fails under a query, where nobody knows what an answer covers', async () => {
    const { logstores, shard } = await WrittenShard.open(groups)
    shard.unreadable.add(23)
    const driver = drive(logstores, { onInvalid: 'skip', query: 'not gone' })
    await driver.start()
    await expect(driver.run(300_000, 1_000)).rejects.toThrow(/RECORD_INVALID.*option query.*under a query no single/s)
    expect(new Set(shard.pulls.map(({ count }) => count))).toEqual(new Set([1000]))
    await driver.close()
  })

  it('goes around an answer that is too large at once, whatever the policy', async () => {
    const { logstores, shard } = await WrittenShard.open([groupOf('a'), groupOf('x'.repeat(700)), groupOf('b')])
    const driver = drive(logstores, { answerBytesMax: 1_024 })
    shard.groups.push(groupOf('y'.repeat(900)), groupOf('c'))
    await driver.start()
    await driver.run(1_000)
    expect(texts(driver.taken).map((text) => text[0])).toEqual(['a', 'x', 'b', 'y', 'c'])
    shard.groups.push(groupOf('d'), groupOf('z'.repeat(1_100)))
    await expect(driver.run(5_000)).rejects.toThrow(/SLS_TOO_LARGE/)
    expect(texts(driver.taken).at(-1)).toBe('d')
    await driver.close()
  })

  it('finds it also in answers of a service that something cuts on the way', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (const message of messages('a', 20)) await logstores.put([message])
    const begin = await logstores.client.shards.cursor('access', 0, 'begin')
    logstores.fault = ({ query }) => {
      if (query.get('type') !== 'logs') return undefined
      const at = Number(BigInt(atob(query.get('cursor') ?? '')) - begin)
      return at <= 13 && 13 < at + Number(query.get('count')) ? { kind: 'cut-body', bytes: 12 } : undefined
    }
    const driver = drive(logstores, { onInvalid: 'dead-letter' })
    await driver.start()
    await driver.run(300_000, 1_000)
    expect(texts(driver.taken)).toEqual(messages('a', 20).filter((text) => text !== 'a13'))
    expect(driver.letters.map(({ raw }) => fromBase64(raw).length)).toEqual([12])
    await driver.close()
  })
})

describe('a LogGroup that makes answers unreadable', () => {
  it('costs few pulls', async () => {
    const { logstores, shard } = await WrittenShard.open(
      Array.from({ length: 1500 }, (_, index) => groupOf(`g${index}`)),
    )
    shard.unreadable.add(777)
    const driver = drive(logstores, { onInvalid: 'skip' })
    await driver.start()
    await driver.run(300_000, 1_000)
    expect(driver.taken.length).toBe(1499)
    expect(pullsAt(shard, 0)[0]).toEqual({ at: 0, count: 1000 })
    expect(shard.pulls.filter(({ at }) => at < 1500).length).toBeLessThan(50)
    await driver.close()
  })
})
