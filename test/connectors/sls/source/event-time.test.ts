import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { TestLogstores } from './test-logstores.ts'

/** The event time of the log that was written n-th. */
const timeMs = (n: number): number => (1_700_000_000 + n) * 1_000
const watermarkMs = (n: number): number => timeMs(n) - 1

const open = async (options: Partial<SlsSourceOptions<'logs', 'fail'>> = {}, shardCount = 2, parallelism = 1) => {
  const logstores = await TestLogstores.open()
  await logstores.create('access', shardCount)
  const source = logstores.source({ logstore: 'access', ...options })
  const driver = new SourceDriver(source, { environment: logstores.environment, parallelism })
  const put = async (hashKey: string): Promise<void> => {
    await logstores.put(['a'], hashKey)
    await driver.run(100)
  }
  const watermarks = () =>
    driver.metrics.collect().flatMap(({ name, value }) => (name === 'millrace_watermark_ms' ? [value] : []))
  const eventTimes = () =>
    Object.fromEntries(source.progress().map(({ shard, eventTimeMs, idle }) => [shard, [eventTimeMs, idle]]))
  return { logstores, source, driver, put, watermarks, eventTimes }
}

describe('event time in slsSource', () => {
  it('is as far as in the shard that is furthest behind', async () => {
    const { driver, put, watermarks, eventTimes } = await open()
    await driver.start()
    await put('0')
    expect(watermarks()).toEqual([])
    expect(eventTimes()).toEqual({ 0: [timeMs(0), false], 1: [undefined, false] })
    await put('c')
    expect(watermarks()).toEqual([watermarkMs(0)])
    await put('0')
    expect(watermarks()).toEqual([watermarkMs(1)])
    expect(eventTimes()).toEqual({ 0: [timeMs(2), false], 1: [timeMs(1), false] })
    await driver.close()
  })

  it('stays as far behind as records may be out of order', async () => {
    const { driver, put, watermarks } = await open({ outOfOrderness: '5s' }, 1)
    await driver.start()
    await put('0')
    expect(watermarks()).toEqual([watermarkMs(-5)])
    await driver.close()
  })

  it('goes on without a shard that has nothing for a while', async () => {
    const { driver, put, watermarks, eventTimes } = await open({ idleAfter: '10s' })
    await driver.start()
    await put('0')
    await driver.run(9_000, 500)
    expect(watermarks()).toEqual([])
    await put('0')
    await driver.run(2_000, 500)
    expect(watermarks()).toEqual([watermarkMs(1)])
    expect(eventTimes()).toEqual({ 0: [timeMs(1), false], 1: [undefined, true] })
    expect(driver.metrics.sum('millrace_splits_idle')).toBe(1)
    await put('c')
    expect(eventTimes()).toEqual({ 0: [timeMs(1), false], 1: [timeMs(2), false] })
    await driver.close()
  })

  it.each([1, 2])('begins in shards that follow others where those ended, among %i readers', async (parallelism) => {
    const { logstores, driver, put, watermarks } = await open({}, 2, parallelism)
    await driver.start()
    await put('c')
    await put('0')
    await logstores.client.shards.split('access', 0)
    await driver.run(500)
    await put('c')
    // Of shards 2 and 3, which came out of shard 0 and have nothing, wherever they are read.
    expect(Math.min(...watermarks())).toBe(watermarkMs(1))
    await put('0')
    await put('7')
    expect(Math.min(...watermarks())).toBe(watermarkMs(2))
    await driver.close()
  })

  it('begins in a shard that two were merged into where the one further behind ended', async () => {
    const { logstores, driver, put, watermarks } = await open({}, 3)
    await driver.start()
    await put('f')
    await put('0')
    await put('7')
    await logstores.client.shards.merge('access', 0)
    await driver.run(500)
    await put('f')
    expect(watermarks()).toEqual([watermarkMs(1)])
    await put('0')
    expect(watermarks()).toEqual([watermarkMs(3)])
    await driver.close()
  })

  it('may be that at which the service received a record', async () => {
    const { logstores, driver, put, eventTimes } = await open({ eventTime: 'received' }, 1)
    await logstores.environment.clock.advance(12_000)
    await driver.start()
    const seconds = Math.floor(logstores.environment.clock.wallMs() / 1_000)
    await put('0')
    expect(eventTimes()).toEqual({ 0: [seconds * 1_000, false] })
    await driver.close()
  })
})
