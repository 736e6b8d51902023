import { describe, expect, it } from 'vitest'
import type { Log, LogGroup, SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { parseInput } from '../../../../src/core/index.ts'
import { type DriverCheckpoint, type DriverOptions, SourceDriver } from '../../../source/source-driver.ts'
import { messages, sorted, TestLogstores, texts } from './test-logstores.ts'

const drive = (
  logstores: TestLogstores,
  options: Partial<SlsSourceOptions> = {},
  more: Omit<DriverOptions, 'environment'> = {},
) =>
  new SourceDriver<unknown>(logstores.source<'logs' | 'groups'>({ logstore: 'access', ...options }), {
    environment: logstores.environment,
    ...more,
  })

const left = `0${'0'.repeat(31)}`
const right = `c${'0'.repeat(31)}`

describe('slsSource reads', () => {
  it('all logs of a shard in order, and those that come later', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(messages('a', 3))
    await logstores.put(messages('a', 2, 3))
    const driver = drive(logstores)
    await driver.start()
    await driver.run(200)
    expect(texts(driver.taken)).toEqual(messages('a', 5))
    await logstores.put(messages('a', 4, 5))
    await driver.run(200)
    expect(texts(driver.taken)).toEqual(messages('a', 9))
    expect(driver.failures).toEqual([])
    await driver.close()
  })

  it('logs with all that belongs to them', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    await logstores.put(['first', 'second'], right, { tags: [['host', 'h1']] })
    const driver = drive(logstores, { metadataFields: true })
    await driver.start()
    await driver.run(100)
    const [, second] = driver.taken as Log[]
    expect(second?.toObject()).toEqual({ message: 'second' })
    expect(second).toMatchObject({ topic: 'topic', source: '10.0.0.1', tags: [['host', 'h1']], shard: 1, index: 1 })
    expect(second?.logstore).toBe('proj/access')
    expect(second?.time).toBe(1_700_000_001)
    expect(second?.receivedMs).toBe(1_700_000_000_000)
    expect(second?.[parseInput]()).toEqual({
      message: 'second',
      __time__: '1700000001',
      __topic__: 'topic',
      __source__: '10.0.0.1',
      __shard__: '1',
      __cursor__: second?.cursor,
      '__tag__:host': 'h1',
    })
    expect(JSON.parse(JSON.stringify(second))).toMatchObject({ shard: 1, fields: { message: 'second' } })
    await driver.close()
  })

  it('whole LogGroups as they were sent', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a', 'b'])
    await logstores.put(['c'])
    const driver = drive(logstores, { records: 'groups' })
    await driver.start()
    await driver.run(100)
    const groups = driver.taken as LogGroup[]
    expect(groups.map((group) => texts(group.logs()))).toEqual([['a', 'b'], ['c']])
    expect(groups[0]?.serialized.length).toBeGreaterThan(20)
    expect(groups[0]).toMatchObject({ topic: 'topic', source: '10.0.0.1', logCount: 2, shard: 0 })
    await driver.close()
  })

  it('whole LogGroups only from a checkpoint between them', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a', 'b'])
    const first = drive(logstores, {}, { batchRecordsMax: 1 })
    await first.start()
    await logstores.environment.clock.advance(20)
    expect(texts(first.poll())).toEqual(['a'])
    const restore = first.checkpoint()
    await first.close()
    const second = drive(logstores, { records: 'groups' }, { restore })
    await second.start()
    await expect(second.run(50)).rejects.toThrow(/CHECKPOINT_MISMATCH.*records: 'groups'/s)
    await second.close()
  })

  it('on from any record after a restore, and nothing again', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (let from = 0; from < 40; from += 5) await logstores.put(messages('a', 5, from))
    let restore: DriverCheckpoint | undefined
    const taken: string[] = []
    for (let round = 0; taken.length < 40; round++) {
      expect(round).toBeLessThan(60)
      const driver = drive(logstores, { pullGroupsMax: 3 }, { restore, batchRecordsMax: 3 })
      await driver.start()
      for (let turn = 0; turn < 6; turn++) await logstores.environment.clock.advance(5)
      taken.push(...texts(driver.poll()))
      restore = driver.checkpoint()
      await driver.close()
    }
    expect(taken).toEqual(messages('a', 40))
  })

  it('only what is new after a restore at another parallelism, each shard in one reader', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 4)
    const keys = ['0', '4', '8', 'c']
    for (const key of keys) await logstores.put(messages(key, 3), key)
    let restore: DriverCheckpoint | undefined
    for (const [round, parallelism] of [3, 1, 4, 2].entries()) {
      const driver = drive(logstores, {}, { parallelism, restore })
      await driver.start()
      await driver.run(100)
      expect(sorted(driver.taken)).toEqual(keys.flatMap((key) => messages(key, 3, round * 3)).sort())
      const ids = driver.splits().map(({ splitId }) => splitId)
      expect(new Set(ids).size).toBe(4)
      expect(ids.length).toBe(4)
      restore = driver.checkpoint()
      await driver.close()
      for (const key of keys) await logstores.put(messages(key, 3, (round + 1) * 3), key)
    }
  })

  it('several logstores by name, and names them apart', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access')
    await logstores.create('errors')
    await logstores.put(['a'])
    await logstores.put(['e'], '0', { logstore: 'errors' })
    const driver = drive(logstores, { logstore: undefined, logstores: ['access', { logstore: 'errors', name: 'bad' }] })
    await driver.start()
    await driver.run(100)
    const logs = driver.taken as Log[]
    expect(logs.map((log) => `${log.logstore} ${log.get('message')}`).sort()).toEqual(['bad e', 'proj/access a'])
    expect(driver.splits().map(({ splitId }) => splitId.replace(/@.*/, ''))).toEqual(['proj/access/0', 'bad/0'].sort())
    await driver.close()
  })

  it('logstores of a pattern, also one made later, from its beginning', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('app-one')
    await logstores.create('other')
    await logstores.put(['not'], '0', { logstore: 'other' })
    await logstores.put(['old'], '0', { logstore: 'app-one' })
    const driver = drive(logstores, { logstore: undefined, logstorePattern: 'app-*', start: 'latest' })
    await driver.start()
    await logstores.create('app-two')
    await logstores.put(['early'], '0', { logstore: 'app-two' })
    await driver.run(300)
    await logstores.put(['late'], '0', { logstore: 'app-one' })
    await driver.run(100)
    expect(texts(driver.taken)).toEqual(['early', 'late'])
    await driver.close()
  })

  it('a pattern on when one of its logstores is deleted, and made again', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('app-one')
    await logstores.create('app-two')
    const options = { logstore: undefined, logstorePattern: 'app-*', onDataLoss: 'earliest' } as const
    const driver = drive(logstores, options)
    await driver.start()
    await logstores.client.logstores.delete('app-two')
    await driver.run(500)
    expect(driver.checkpoint().enumerator.length).toBeLessThan(700)
    await logstores.environment.clock.advance(5_000)
    await logstores.create('app-two')
    await logstores.put(['again'], '0', { logstore: 'app-two' })
    await logstores.put(['still'], '0', { logstore: 'app-one' })
    await driver.run(500)
    expect(sorted(driver.taken)).toEqual(['again', 'still'])
    expect(driver.failures).toEqual([])
    await driver.close()
  })

  it('what a query lets through, exactly once across a restore', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (let from = 0; from < 20; from += 2) await logstores.put([`keep${from}`, `drop${from}`])
    const query = 'message: keep*'
    const options = { query: 'not message: drop0 and not message: drop2 and not message: drop4' }
    expect(query).not.toBe(options.query)
    const first = drive(logstores, options, { batchRecordsMax: 4 })
    await first.start()
    await logstores.environment.clock.advance(20)
    expect(first.poll().length).toBe(4)
    const restore = first.checkpoint()
    await first.close()
    const second = drive(logstores, options, { restore })
    await second.start()
    await second.run(100)
    const all = [...texts(first.taken), ...texts(second.taken)]
    expect(all.length).toBe(17)
    expect(new Set(all).size).toBe(17)
    await second.close()
    expect(() => drive(logstores, { query: 'message: other' }, { restore })).toThrow(/CHECKPOINT_MISMATCH.*query/s)
  })

  it('packages that a producer sent twice only once, when that is asked for', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const tags = (id: string) => ({ tags: [['__pack_id__', id]] as const })
    for (const id of ['A-1', 'A-2', 'A-1', 'A-2', 'A-3']) await logstores.put([id, `${id}b`], '0', tags(id))
    const first = drive(logstores, { dropResentPackages: 2 }, { batchRecordsMax: 3 })
    await first.start()
    await logstores.environment.clock.advance(20)
    expect(texts(first.poll())).toEqual(['A-1', 'A-1b', 'A-2'])
    const restore = first.checkpoint()
    await first.close()
    const second = drive(logstores, { dropResentPackages: 2 }, { restore })
    await second.start()
    await second.run(100)
    expect(texts(second.taken)).toEqual(['A-2b', 'A-3', 'A-3b'])
    await second.close()
    const third = drive(logstores)
    await third.start()
    await third.run(100)
    expect(third.taken.length).toBe(10)
    await third.close()
  })
})

describe('slsSource begins', () => {
  const started = async (options: Partial<SlsSourceOptions>) => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    await logstores.put(['l0'], left)
    await logstores.put(['r0'], right)
    await logstores.environment.clock.advance(60_000)
    await logstores.put(['l1'], left)
    await logstores.put(['r1'], right)
    const cursor = await logstores.client.shards.cursor('access', 1, 'end')
    await logstores.client.consumerGroups.create('access', 'others')
    await logstores.client.consumerGroups.updateCheckpoint('access', 'others', { shard: 1, position: cursor })
    const driver = drive(logstores, typeof options === 'function' ? {} : options)
    await driver.start()
    await logstores.put(['l2'], left)
    await logstores.put(['r2'], right)
    await driver.run(100)
    await driver.close()
    return sorted(driver.taken)
  }

  it('at the earliest log', async () => {
    expect(await started({})).toEqual(['l0', 'l1', 'l2', 'r0', 'r1', 'r2'])
  })

  it('at the latest, before it reads for the first time', async () => {
    expect(await started({ start: 'latest' })).toEqual(['l2', 'r2'])
  })

  it('at a time the service received them', async () => {
    expect(await started({ start: { time: 1_700_000_050_000 } })).toEqual(['l1', 'l2', 'r1', 'r2'])
    expect(await started({ start: { time: '2023-11-14T22:14:00Z' } })).toEqual(['l1', 'l2', 'r1', 'r2'])
  })

  it('where a consumer group is, and elsewhere in shards it knows nothing of', async () => {
    expect(await started({ start: { group: 'others', orElse: 'latest' } })).toEqual(['l2', 'r2'])
    expect(await started({ start: { group: 'others' } })).toEqual(['l0', 'l1', 'l2', 'r2'])
    expect(await started({ start: { group: 'nobody' } })).toEqual(['l0', 'l1', 'l2', 'r0', 'r1', 'r2'])
  })
})

describe('a bounded slsSource', () => {
  it('ends with what is there at the start, also after a restore', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    for (const key of [left, right]) await logstores.put(messages(key[0] ?? '', 6), key)
    const first = drive(logstores, { end: 'now' }, { parallelism: 3, batchRecordsMax: 2 })
    await first.start()
    for (const key of [left, right]) await logstores.put(['later'], key)
    await logstores.environment.clock.advance(20)
    first.poll(0)
    const restore = first.checkpoint()
    await first.close()
    const second = drive(logstores, { end: 'now' }, { parallelism: 3, restore })
    await second.start()
    await second.run(200)
    expect(second.ended.size).toBe(3)
    expect(sorted([...first.taken, ...second.taken])).toEqual([...messages('0', 6), ...messages('c', 6)].sort())
    const third = drive(logstores, { end: 'now' }, { parallelism: 3, restore: second.checkpoint() })
    await third.start()
    await third.run(50)
    expect(third.ended.size).toBe(3)
    expect(third.taken).toEqual([])
    await second.close()
    await third.close()
  })

  it('may get an end when it is restored, but not lose it again', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    await logstores.put(messages('a', 2))
    const first = drive(logstores)
    await first.start()
    await first.run(50)
    const endless = first.checkpoint()
    await first.close()
    await logstores.put(messages('b', 2))
    const second = drive(logstores, { end: 'now' }, { restore: endless })
    await second.start()
    await second.run(100)
    expect(texts(second.taken)).toEqual(messages('b', 2))
    expect(second.ended.size).toBe(1)
    const ended = second.checkpoint()
    await second.close()
    expect(() => drive(logstores, {}, { restore: ended })).toThrow(/CHECKPOINT_MISMATCH.*option end.*ends \(now\)/s)
    expect(() => drive(logstores, { end: { time: 1e12 } }, { restore: ended })).toThrow(/CHECKPOINT_MISMATCH/)
  })

  it('ends before given cursors, and with nothing when it begins behind them', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (const message of messages('a', 5)) await logstores.put([message])
    const begin = await logstores.client.shards.cursor('access', 0, 'begin')
    const at = (index: bigint): string => btoa(String(begin + index))
    const driver = drive(logstores, { start: { cursors: { 0: at(1n) } }, end: { cursors: { 0: at(3n) } } })
    await driver.start()
    await driver.run(100)
    expect(texts(driver.taken)).toEqual(['a1', 'a2'])
    expect(driver.ended.size).toBe(1)
    const none = drive(logstores, { start: { cursors: { 0: at(4n) } }, end: { cursors: { 0: at(3n) } } })
    await none.start()
    await none.run(100)
    expect(none.taken).toEqual([])
    expect(none.ended.size).toBe(1)
    await driver.close()
    await none.close()
  })

  it('ends at a time that is still to come, with shards made until then', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const { clock } = logstores.environment
    const driver = drive(logstores, { end: { time: clock.wallMs() + 2_000 } })
    await driver.start()
    await logstores.put(['before'])
    await driver.run(1_000, 100)
    await logstores.client.shards.split('access', 0)
    await logstores.put(['child'], right)
    await driver.run(900, 100)
    expect(texts(driver.taken)).toEqual(['before', 'child'])
    await driver.run(200)
    await logstores.put(['after'], right)
    await driver.run(2_000, 250)
    expect(driver.ended.size).toBe(0)
    await driver.run(12_000, 500)
    expect(driver.ended.size).toBe(1)
    expect(texts(driver.taken)).toEqual(['before', 'child'])
    await driver.close()
  })

  it('without a shard, or without a log, ends at once', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 3)
    for (const options of [{}, { logstore: undefined, logstorePattern: 'none-*' }]) {
      const driver = drive(logstores, { ...options, end: 'now' }, { parallelism: 2 })
      await driver.start()
      await driver.run(100)
      expect(driver.ended.size).toBe(2)
      await driver.close()
    }
  })
})
