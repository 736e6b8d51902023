import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PullPace } from '../../../../src/connectors/sls/source/pull-pace.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores } from './test-logstores.ts'

const rules = { pullsPerSecondMax: 50, tailWaitMs: 200, idleWaitMs: 1_000, pullBytes: 4_194_304 }
const full = { groups: 1_000, bytes: 4_000_000, atEnd: false, tookMs: 5 }
const nothing = { groups: 0, bytes: 0, atEnd: true, tookMs: 1 }

describe('the pace of a shard', () => {
  it('keeps full pulls below the rate, counting the time they take', () => {
    const pace = new PullPace(rules)
    expect(pace.waitMs(full, 0, 0)).toBe(15)
    expect(pace.waitMs({ ...full, tookMs: 100 }, 0, 0)).toBe(0)
  })

  it('waits longer after little data at the end, and ever longer after none, up to a limit', () => {
    const pace = new PullPace(rules)
    expect(pace.waitMs({ groups: 2, bytes: 1_000, atEnd: true, tookMs: 1 }, 0, 0)).toBe(200)
    expect([1, 2, 3, 4, 5].map(() => pace.waitMs(nothing, 0, 0))).toEqual([200, 400, 800, 1_000, 1_000])
    expect(pace.waitMs({ ...full, bytes: 1_000_000, atEnd: true }, 0, 0)).toBe(15)
    expect(pace.waitMs(nothing, 0, 0)).toBe(200)
  })

  it('leaves quiet shards of a crowd longer alone', () => {
    const pace = new PullPace(rules)
    const waits = Array.from({ length: 12 }, () => pace.waitMs(nothing, 60_000, 0))
    expect(waits.at(-1)).toBeGreaterThan(60_000)
    expect(waits.at(-1)).toBeLessThan(70_000)
  })

  it('halves its rate when throttled, and wins it back with time', () => {
    const pace = new PullPace(rules)
    const distances = [1, 2, 3].map(() => {
      pace.throttledMs(0)
      return pace.distanceMs
    })
    expect(distances).toEqual([100, 200, 400])
    for (let pull = 0; pull < 40; pull++) pace.waitMs(full, 0, 0)
    expect(pace.distanceMs).toBe(20)
  })

  it('never waits for ever, never less than the rate allows, and never expects more than is allowed', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('full', 'nothing', 'throttled')), (events) => {
        const pace = new PullPace(rules)
        for (const event of events) {
          const waitMs =
            event === 'throttled' ? pace.throttledMs(0.5) : pace.waitMs(event === 'full' ? full : nothing, 0, 0)
          expect(waitMs).toBeGreaterThanOrEqual(15)
          expect(waitMs).toBeLessThanOrEqual(30_000)
          const { bytesExpected = 1 } = pace
          expect(bytesExpected).toBeLessThanOrEqual(rules.pullBytes)
          expect(bytesExpected).toBeGreaterThan(0)
        }
      }),
    )
  })
})

describe('slsSource and the quota of a shard', () => {
  it('conf-S23 reads all of a throttled shard, slows nobody else down, and does not storm', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    for (let group = 0; group < 40; group++) {
      await logstores.put(messages(`slow${group}-`, 2), '0')
      await logstores.put(messages(`fast${group}-`, 2), 'c')
    }
    const { clock } = logstores.environment
    let allowedMs = 0
    let refused = 0
    logstores.fault = ({ what, query, atMs }) => {
      if (!what.endsWith('/shards/0') || query.get('type') !== 'logs') return undefined
      if (atMs >= allowedMs) {
        allowedMs = atMs + 100
        return undefined
      }
      refused++
      const body = new TextEncoder().encode('{"errorCode":"ShardReadQuotaExceed","errorMessage":"too many reads"}')
      return { kind: 'answer', response: { status: 403, headers: { 'content-type': 'application/json' }, body } }
    }
    const source = logstores.source({ logstore: 'access', pullGroupsMax: 1 })
    const driver = new SourceDriver(source, logstores)
    const fromMs = clock.monoMs()
    await driver.start()
    const textsOf = (prefix: string) => driver.taken.filter((log) => log.get('message')?.startsWith(prefix)).length
    await driver.run(150, 5)
    expect(textsOf('fast')).toBe(80)
    while (textsOf('slow') < 80 && clock.monoMs() - fromMs < 30_000) await driver.run(200, 50)
    expect(textsOf('slow')).toBe(80)
    const elapsedMs = clock.monoMs() - fromMs
    expect(elapsedMs).toBeLessThan(40 * 100 * 3)
    expect(refused).toBeLessThan(40)
    await driver.close()
  })

  it('conf-S23 asks little of shards that have nothing new', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 20)
    const source = logstores.source({
      logstore: 'access',
      idleWait: '1s',
      idlePullsPerSecond: 10,
      discoveryInterval: '1m',
    })
    const driver = new SourceDriver(source, logstores)
    await driver.start()
    await driver.run(20_000, 1_000)
    const before = logstores.calls.length
    await driver.run(20_000, 1_000)
    const pulls = logstores.calls.length - before
    expect(pulls).toBeLessThanOrEqual(10 * 20 + 20)
    expect(pulls).toBeGreaterThan(100)
    await driver.close()
  })

  it('conf-S21 pulls nothing of a shard that is paused, and all of it when it is resumed', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create('access', 2)
    const source = logstores.source({ logstore: 'access', idleAfter: 100 })
    const driver = new SourceDriver(source, logstores)
    await driver.start()
    await driver.run(50)
    const [reader] = driver.readers
    const paused = reader?.unfinishedSplitIds().find((id) => id.includes('/0@')) ?? ''
    reader?.pauseOrResumeSplits([paused], [])
    await logstores.put(['paused'], '0')
    await logstores.put(['other'], 'c')
    const before = logstores.calls.length
    await driver.run(200)
    expect(driver.taken.map((log) => log.get('message'))).toEqual(['other'])
    expect(logstores.calls.slice(before).some(({ what }) => what.endsWith('/shards/0'))).toBe(false)
    // It holds the watermark back for as long as it is paused: nobody asked it what it has.
    expect(driver.metrics.sum('millrace_watermark_ms')).toBeUndefined()
    expect(source.progress().map(({ shard, idle }) => [shard, idle])).toContainEqual([0, false])
    reader?.pauseOrResumeSplits([], [paused])
    await driver.run(200)
    expect(driver.taken.map((log) => log.get('message'))).toEqual(['other', 'paused'])
    await driver.close()
  })
})
