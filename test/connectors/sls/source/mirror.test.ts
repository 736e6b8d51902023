import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { type DriverOptions, SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores } from './test-logstores.ts'

const drive = (
  logstores: TestLogstores,
  options: Partial<SlsSourceOptions> = {},
  more: Omit<DriverOptions, 'environment'> = {},
) =>
  new SourceDriver<unknown>(
    logstores.source<'logs' | 'groups'>({ logstore: 'access', consumerGroup: 'watchers', ...options }),
    { environment: logstores.environment, ...more },
  )

/** How many LogGroups of each shard the group has seen, and who said so. */
const told = async ({ client }: TestLogstores) => {
  const checkpoints = await client.consumerGroups.checkpoints('access', 'watchers')
  const seen: Record<string, string> = {}
  for (const { shard, position, consumer } of checkpoints) {
    if (position === undefined) continue
    const begin = await client.shards.cursor('access', shard, 'begin')
    seen[shard] = `${position - begin} ${consumer}`
  }
  return seen
}

describe('the consumer group of slsSource', () => {
  it('is made when absent, and told only what a completed checkpoint holds', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (const message of messages('a', 4)) await logstores.put([message, message])
    const driver = drive(logstores, {}, { batchRecordsMax: 3 })
    await driver.start()
    expect((await logstores.client.consumerGroups.list('access')).map(({ name }) => name)).toEqual(['watchers'])
    await logstores.environment.clock.advance(20)
    expect(driver.poll().length).toBe(3)
    const taken = driver.checkpoint({ complete: false })
    await driver.run(100)
    expect(driver.taken.length).toBe(8)
    expect(await told(logstores)).toEqual({})
    driver.complete(taken.id)
    await driver.run(50)
    // A group that was given out in part is not done.
    expect(await told(logstores)).toEqual({ 0: '1 millrace-test-files-1' })
    driver.checkpoint()
    await driver.run(50)
    expect(await told(logstores)).toEqual({ 0: '4 millrace-test-files-1' })
    await driver.close()
  })

  it('is left as it is when it exists', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.client.consumerGroups.create('access', 'watchers', { timeoutSeconds: 7, ordered: true })
    const driver = drive(logstores)
    await driver.start()
    expect(await logstores.client.consumerGroups.list('access')).toEqual([
      { name: 'watchers', timeoutSeconds: 7, ordered: true },
    ])
    await driver.close()
  })

  it('is told the end of shards that are finished, and by each generation under another name', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    await logstores.client.shards.split('access', 0)
    await logstores.put(['b'])
    const first = drive(logstores)
    await first.start()
    await first.run(200)
    const restore = first.checkpoint()
    await first.close()
    expect(await told(logstores)).toEqual({
      0: '1 millrace-test-files-1',
      1: '1 millrace-test-files-1',
      2: '0 millrace-test-files-1',
    })
    const second = drive(logstores, {}, { restore, generation: 5 })
    await second.start()
    await logstores.put(['c'])
    await second.run(100)
    second.checkpoint()
    await second.close()
    expect(await told(logstores)).toMatchObject({ 1: '2 millrace-test-files-5' })
  })

  it('that cannot be told now is told with the next checkpoint, also of shards finished before', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    await logstores.client.shards.split('access', 0)
    const driver = drive(logstores)
    await driver.start()
    await driver.run(200)
    logstores.fault = ({ query }) => (query.get('type') === 'checkpoint' ? { kind: 'refused' } : undefined)
    driver.checkpoint()
    await driver.run(5_000, 500)
    expect(await told(logstores)).toEqual({})
    logstores.fault = () => undefined
    await driver.run(1_000, 100)
    expect(await told(logstores)).toEqual({})
    driver.checkpoint()
    await driver.run(100)
    expect(Object.keys(await told(logstores))).toEqual(['0', '1', '2'])
    expect(driver.failures).toEqual([])
    await driver.close()
  })

  it('is told the end of a shard after a restore from a checkpoint that came later than the one it ended in', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    await logstores.client.shards.split('access', 0)
    const first = drive(logstores)
    await first.start()
    await first.run(200)
    logstores.fault = ({ query }) => (query.get('type') === 'checkpoint' ? { kind: 'refused' } : undefined)
    first.checkpoint()
    await first.run(5_000, 500)
    const restore = first.checkpoint()
    await first.run(5_000, 500)
    await first.close()
    expect(await told(logstores)).toEqual({})
    logstores.fault = () => undefined
    const second = drive(logstores, {}, { restore, generation: 2 })
    await second.start()
    await second.run(100)
    second.checkpoint()
    await second.run(100)
    expect(await told(logstores)).toMatchObject({ 0: '1 millrace-test-files-2' })
    await second.close()
  })

  it('fails the job when that is asked for, and only then', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    const driver = drive(logstores, { onMirrorFailure: 'fail' })
    await driver.start()
    await driver.run(50)
    logstores.fault = ({ query }) => (query.get('type') === 'checkpoint' ? { kind: 'refused' } : undefined)
    driver.checkpoint()
    await driver.run(5_000, 500)
    expect(driver.failures[0]?.message).toMatch(/SLS_UNAVAILABLE/)
    await driver.close()
  })

  it('that cannot be made does not keep the source from reading', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    logstores.fault = ({ what }) =>
      what.endsWith('/consumergroups')
        ? {
            kind: 'answer',
            response: {
              status: 403,
              headers: { 'content-type': 'application/json', 'x-log-requestid': '1' },
              body: new TextEncoder().encode('{"errorCode":"Unauthorized","errorMessage":"no right"}'),
            },
          }
        : undefined
    const driver = drive(logstores)
    await driver.start()
    await driver.run(50)
    expect(driver.taken.length).toBe(1)
    logstores.fault = () => undefined
    await driver.run(300)
    driver.checkpoint()
    await driver.run(50)
    expect(await told(logstores)).toEqual({ 0: '1 millrace-test-files-1' })
    await driver.close()
  })

  it('is told the last progress although an earlier call hangs when the source closes', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    const driver = drive(logstores)
    await driver.start()
    await driver.run(50)
    let calls = 0
    logstores.fault = ({ query }) =>
      query.get('type') === 'checkpoint' && ++calls === 1 ? { kind: 'latency', ms: 60_000 } : undefined
    driver.checkpoint()
    await logstores.put(['b'])
    await driver.run(100)
    driver.checkpoint()
    await logstores.environment.clock.advanceUntil(driver.close())
    expect(await told(logstores)).toEqual({ 0: '2 millrace-test-files-1' })
  })

  it('is waited for less than a second when the source closes', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    const driver = drive(logstores)
    await driver.start()
    await driver.run(50)
    logstores.fault = ({ query }) => (query.get('type') === 'checkpoint' ? { kind: 'latency', ms: 60_000 } : undefined)
    driver.checkpoint()
    const { clock } = logstores.environment
    const fromMs = clock.monoMs()
    await clock.advanceUntil(driver.close())
    expect(clock.monoMs() - fromMs).toBeLessThan(1_000)
  })
})
