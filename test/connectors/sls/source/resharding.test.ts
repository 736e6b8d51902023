import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { SeededRandom } from '../../../../src/testing/index.ts'
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

describe('slsSource and shards that split and merge', () => {
  it('reads new shards from their beginning also when it began at the latest', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['old'])
    const driver = drive(logstores, { start: 'latest', discoveryInterval: '10s', idleWait: '1s' })
    await driver.start()
    await driver.run(50)
    await logstores.client.shards.split('access', 0)
    await logstores.put(messages('left', 3), '0')
    await logstores.put(messages('right', 3), 'c')
    await driver.run(12_000, 500)
    expect(sorted(driver.taken)).toEqual([...messages('left', 3), ...messages('right', 3)])
    await driver.close()
  })

  it('gives out no record of a child before the last one of all its parents', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    await logstores.put(messages('p0-', 40), '0')
    await logstores.put(messages('p1-', 40), '8')
    await logstores.client.shards.merge('access', 0)
    await logstores.put(messages('m', 5), '0')
    await logstores.client.shards.split('access', 2, { count: 3 })
    await logstores.put(messages('c', 5), '0')
    const driver = drive(logstores, {}, { parallelism: 3, batchRecordsMax: 3 })
    await driver.start()
    await driver.run(400)
    const order = texts(driver.taken)
    expect(order.length).toBe(90)
    const first = (prefix: string): number => order.findIndex((text) => text.startsWith(prefix))
    const last = (prefix: string): number =>
      order.length - 1 - [...order].reverse().findIndex((text) => text.startsWith(prefix))
    expect(first('m')).toBeGreaterThan(Math.max(last('p0-'), last('p1-')))
    expect(first('c')).toBeGreaterThan(last('m'))
    await driver.close()
  })

  it('reads all of them side by side when order does not count', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(messages('parent', 10))
    await logstores.client.shards.split('access', 0)
    await logstores.put(['child'])
    const driver = drive(logstores, { shardOrder: 'none' }, { batchRecordsMax: 2 })
    await driver.start()
    expect(driver.splits().length).toBe(3)
    await driver.run(100)
    expect(texts(driver.taken).indexOf('child')).toBeLessThan(10)
    expect(driver.taken.length).toBe(11)
    await driver.close()
  })

  it('ends the reading of a shard that was split, and forgets it after a checkpoint', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    const driver = drive(logstores)
    await driver.start()
    await driver.run(50)
    await logstores.client.shards.split('access', 0)
    await driver.run(400)
    driver.checkpoint()
    expect(driver.splits().map(({ splitId }) => splitId.replace(/@.*/, ''))).toEqual(['proj/access/1', 'proj/access/2'])
    const pulls = logstores.calls.filter(({ what }) => what === 'GET /logstores/access/shards/0').length
    await driver.run(200)
    expect(logstores.calls.filter(({ what }) => what === 'GET /logstores/access/shards/0').length).toBe(pulls)
    await driver.close()
  })

  it('looks for children soon after a parent has ended', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const driver = drive(logstores, { discoveryInterval: '60s' })
    // The listing lags behind: it shows the parent closed and no child.
    let hidden = true
    logstores.fault = ({ what }) => {
      if (what !== 'GET /logstores/access/shards' || !hidden) return undefined
      const shard = {
        shardID: 0,
        status: 'readonly',
        inclusiveBeginKey: '0'.repeat(32),
        exclusiveEndKey: 'f'.repeat(32),
        createTime: 1_700_000_000,
      }
      const body = new TextEncoder().encode(JSON.stringify([shard]))
      return { kind: 'answer', response: { status: 200, headers: { 'x-log-requestid': '1' }, body } }
    }
    await driver.start()
    await logstores.client.shards.split('access', 0)
    await logstores.put(['child'])
    hidden = false
    await driver.run(1_500)
    expect(texts(driver.taken)).toEqual(['child'])
    await driver.close()
  })

  it('ends the reading of a quiet shard as soon as it is known to be closed, however long it was to wait', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 3)
    const driver = drive(logstores, { idleWait: '1h', tailWait: '1m' })
    await driver.start()
    await driver.run(200)
    const before = logstores.calls.length
    await logstores.client.shards.split('access', 1)
    await logstores.put(['child'], '6')
    await driver.run(1_000)
    expect(texts(driver.taken)).toEqual(['child'])
    // The other quiet shards are not asked for it.
    const pulled = logstores.calls.slice(before).filter(({ query }) => query.get('type') === 'logs')
    expect(new Set(pulled.map(({ what }) => what))).toEqual(
      new Set(['GET /logstores/access/shards/3', 'GET /logstores/access/shards/4']),
    )
    await driver.close()
  })

  it('conf-S22 asks for one listing at each look, however many shards there are', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 30)
    const driver = drive(logstores, { idleWait: '1h', tailWait: '1m' })
    await driver.start()
    await driver.run(300)
    const before = logstores.calls.length
    await driver.run(2_000, 100)
    const calls = logstores.calls.slice(before)
    expect(new Set(calls.map(({ what }) => what))).toEqual(new Set(['GET /logstores/access/shards']))
    expect(calls.length).toBeGreaterThan(15)
    expect(calls.length).toBeLessThan(25)
    await driver.close()
  })

  it('conf-S22 lists again after failures, and gives up after too many', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const driver = drive(logstores, { idleWait: '1h', tailWait: '1m', discoveryInterval: '1s' })
    await driver.start()
    let failing = true
    logstores.fault = ({ what }) => (failing && what.endsWith('/shards') ? { kind: 'reset' } : undefined)
    await driver.run(60_000, 5_000)
    failing = false
    await driver.run(60_000, 5_000)
    expect(driver.failures).toEqual([])
    const before = logstores.calls.length
    await driver.run(5_000, 1_000)
    expect(logstores.calls.length).toBeGreaterThan(before + 3)
    failing = true
    await driver.run(2_400_000, 60_000)
    expect(driver.failures[0]?.message).toMatch(/SLS_UNAVAILABLE/)
    await driver.close()
  })

  it('loses and repeats nothing when it goes down at any moment of a storm of splits, merges and failures', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = new SeededRandom(seed)
      const logstores = await TestLogstores.open()
      await logstores.create('access', 2)
      let faults = true
      const faultRandom = new SeededRandom(seed + 1_000)
      logstores.fault = () => {
        if (!faults || faultRandom.bool(0.9)) return undefined
        const kinds = [
          { kind: 'refused' },
          { kind: 'reset' },
          { kind: 'lost-answer' },
          { kind: 'cut-body', bytes: 30 },
          { kind: 'latency', ms: 40 },
        ] as const
        return kinds[faultRandom.int(kinds.length)]
      }
      const written: string[] = []
      const taken: string[] = []
      const atCheckpoint: string[] = []
      let restore: DriverCheckpoint | undefined
      let driver = drive(logstores, { idleWait: '1s' }, { parallelism: 2, batchRecordsMax: 2 })
      const { clock } = logstores.environment
      await clock.advanceUntil(driver.start())
      for (let step = 0; step < 60; step++) {
        const open = (await logstores.client.shards.list('access')).filter(({ status }) => status === 'readwrite')
        const shard = open[random.int(open.length)]
        const choice = random.int(10)
        if (shard === undefined) throw new Error('a shard is open')
        if (choice === 0) await logstores.client.shards.split('access', shard.id, { count: 2 + random.int(3) })
        else if (choice === 1 && shard.endKey !== 'f'.repeat(32))
          await logstores.client.shards.merge('access', shard.id)
        else if (choice < 6) {
          const key = random.int(16).toString(16)
          const batch = [`${key}:${written.length}`, `${key}:${written.length + 1}`]
          await logstores.put(batch, key)
          written.push(...batch)
        } else if (choice === 6) {
          const complete = random.bool(0.7)
          const taking = driver.checkpoint({ complete })
          if (complete) {
            restore = taking
            atCheckpoint.push(...texts(driver.taken).slice(atCheckpoint.length - taken.length))
          }
        } else if (choice === 7) {
          await clock.advanceUntil(driver.close())
          taken.length = 0
          taken.push(...atCheckpoint)
          driver = drive(logstores, { idleWait: '1s' }, { parallelism: 1 + random.int(3), restore, batchRecordsMax: 2 })
          await clock.advanceUntil(driver.start())
        } else {
          for (let turn = random.int(8); turn > 0; turn--) {
            await clock.advance(random.int(20))
            for (const subtask of driver.readers.keys()) driver.poll(subtask)
          }
        }
      }
      faults = false
      await driver.run(20_000, 1_000)
      const all = [...taken, ...texts(driver.taken)]
      expect([...all].sort(), `seed ${seed}`).toEqual([...written].sort())
      for (const key of '0123456789abcdef') {
        const mine = all.filter((text) => text.startsWith(`${key}:`)).map((text) => Number(text.slice(2)))
        expect(mine, `seed ${seed}, key ${key}`).toEqual([...mine].sort((a, b) => a - b))
      }
      await driver.close()
    }
  })
})
