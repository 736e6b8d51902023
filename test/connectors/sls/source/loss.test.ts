import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { isMillraceError, type MillraceError } from '../../../../src/core/index.ts'
import { type DriverOptions, SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores, texts } from './test-logstores.ts'

const hourMs = 3_600_000

const drive = (
  logstores: TestLogstores,
  options: Partial<SlsSourceOptions> = {},
  more: Omit<DriverOptions, 'environment'> = {},
) =>
  new SourceDriver<unknown>(logstores.source<'logs' | 'groups'>({ logstore: 'access', idleWait: '1s', ...options }), {
    environment: logstores.environment,
    ...more,
  })

const failureOf = async (driver: SourceDriver<unknown>): Promise<MillraceError> => {
  try {
    await driver.run(2_000, 200)
  } catch (error) {
    if (isMillraceError(error)) return error
    throw error
  }
  const [failure] = driver.failures
  if (isMillraceError(failure)) return failure
  throw new Error(`nothing failed; read ${texts(driver.taken).join()}`)
}

/** A checkpoint in the middle of the second of five LogGroups, of which the first three then expire. */
const expired = async () => {
  const logstores = await TestLogstores.open({ retentionMs: 10 * hourMs })
  await logstores.create()
  for (let group = 0; group < 3; group++) await logstores.put(messages(`g${group}-`, 3))
  const first = drive(logstores, {}, { batchRecordsMax: 4 })
  await first.start()
  await logstores.environment.clock.advance(20)
  expect(first.poll().length).toBe(4)
  const restore = first.checkpoint()
  await first.close()
  await logstores.environment.clock.advance(6 * hourMs)
  for (let group = 3; group < 5; group++) await logstores.put(messages(`g${group}-`, 3))
  await logstores.environment.clock.advance(6 * hourMs)
  await logstores.service.sweep()
  return { logstores, restore }
}

describe('data that expired before slsSource read it', () => {
  it('fails the job, naming the shard, the gap and the option', async () => {
    const { logstores, restore } = await expired()
    const driver = drive(logstores, {}, { restore })
    await driver.start()
    const error = await failureOf(driver)
    expect(error.code).toBe('DATA_LOSS')
    expect(error.exitCode).toBe(5)
    expect(error.message).toMatch(/shard 0 of proj\/access: 2 LogGroups, from .* up to .*, expired/)
    expect(error.place).toMatchObject({ split: expect.stringContaining('proj/access/0'), option: 'onDataLoss' })
    expect(error.fix).toMatch(/onDataLoss: 'earliest'/)
    expect(driver.taken).toEqual([])
    await driver.close()
  })

  it('is passed over up to the earliest or the latest there is, and counted in the checkpoint', async () => {
    for (const [onDataLoss, left] of [
      ['earliest', [...messages('g3-', 3), ...messages('g4-', 3)]],
      ['latest', []],
    ] as const) {
      const { logstores, restore } = await expired()
      const driver = drive(logstores, { onDataLoss }, { restore })
      await driver.start()
      await driver.run(100)
      expect(texts(driver.taken)).toEqual(left)
      expect(driver.splits()).toMatchObject([{ losses: 1, lostGroups: 2, skip: 0 }])
      await logstores.put(['new'])
      await driver.run(2_000, 200)
      expect(texts(driver.taken)).toEqual([...left, 'new'])
      await driver.close()
    }
  })

  it('under a query is passed over up to the end of the pull that was given out in part: nothing comes twice', async () => {
    const logstores = await TestLogstores.open({ retentionMs: 10 * hourMs })
    await logstores.create()
    for (let group = 0; group < 2; group++) await logstores.put(messages(`g${group}-`, 3))
    await logstores.environment.clock.advance(6 * hourMs)
    for (let group = 2; group < 5; group++) await logstores.put(messages(`g${group}-`, 3))
    const options = { query: 'message: *', onDataLoss: 'earliest' } as const
    // All five are one pull, of which eight logs are given out.
    const first = drive(logstores, options, { batchRecordsMax: 8 })
    await first.start()
    await logstores.environment.clock.advance(20)
    const given = first.poll()
    expect(given.length).toBe(8)
    const restore = first.checkpoint()
    await first.close()
    await logstores.environment.clock.advance(6 * hourMs)
    await logstores.service.sweep()
    const driver = drive(logstores, options, { restore })
    await driver.start()
    await driver.run(100)
    expect(texts(driver.taken)).toEqual([])
    expect(driver.splits()).toMatchObject([{ losses: 1, lostGroups: 5, skip: 0 }])
    await logstores.put(['new'])
    await driver.run(2_000, 200)
    expect(texts(driver.taken)).toEqual(['new'])
    await driver.close()
  })

  it('is noticed while the job runs', async () => {
    const logstores = await TestLogstores.open({ retentionMs: hourMs })
    await logstores.create()
    await logstores.put(['a'])
    const driver = drive(logstores, { discoveryInterval: '30m', idleWait: '10m', tailWait: '1m' })
    await driver.start()
    await driver.run(50)
    // Nothing is read for two hours: the service refuses, and refuses, and then the data is gone.
    logstores.fault = ({ query }) => (query.get('type') === 'logs' ? { kind: 'refused' } : undefined)
    await driver.run(600_000, 300_000)
    await logstores.put(['b'])
    await driver.run(2 * hourMs, 600_000)
    await logstores.service.sweep()
    await logstores.put(['c'])
    logstores.fault = () => undefined
    await driver.run(10_000, 5_000).catch(() => {})
    const error = await failureOf(driver)
    expect(error.message).toMatch(/DATA_LOSS.*1 LogGroups/s)
    expect(texts(driver.taken)).toEqual(['a'])
    await driver.close()
  })
})

describe('shards and logstores that are gone', () => {
  const stopped = async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['a'])
    const first = drive(logstores)
    await first.start()
    await first.run(50)
    expect(texts(first.taken)).toEqual(['a'])
    const restore = first.checkpoint()
    await first.close()
    return { logstores, restore }
  }

  const lossOf = async (change: (logstores: TestLogstores) => Promise<void>, expectedMessage: RegExp) => {
    const { logstores, restore } = await stopped()
    await logstores.put(['unread'])
    await change(logstores)
    const failing = drive(logstores, {}, { restore })
    await failing.start()
    const error = await failureOf(failing)
    expect(error.code).toBe('DATA_LOSS')
    expect(error.message).toMatch(expectedMessage)
    await failing.close()
    const accepting = drive(logstores, { onDataLoss: 'earliest' }, { restore })
    await accepting.start()
    await accepting.run(2_000, 200)
    expect(accepting.failures).toEqual([])
    await accepting.close()
    return texts(accepting.taken)
  }

  it('a deleted shard is told from an expired one', async () => {
    const left = await lossOf(async ({ client }) => {
      await client.shards.split('access', 0)
      await client.shards.delete('access', 0)
    }, /shard 0 of proj\/access is gone/)
    expect(left).toEqual([])
  })

  it('a logstore that was made anew is told from its old self, and read from its beginning', async () => {
    const left = await lossOf(async (logstores) => {
      await logstores.client.logstores.delete('access')
      await logstores.environment.clock.advance(5_000)
      await logstores.create()
      await logstores.put(['anew'])
    }, /made anew/)
    expect(left).toEqual(['anew'])
  })

  it('a deleted logstore is named', async () => {
    await lossOf(async ({ client }) => {
      await client.logstores.delete('access')
    }, /the logstore proj\/access is gone/)
  })

  it('a logstore that never was is refused at the start', async () => {
    const logstores = await TestLogstores.open()
    const driver = drive(logstores, { logstore: 'nowhere' })
    await expect(driver.start()).rejects.toThrow(/SOURCE_REFUSED.*there is no logstore for proj\/nowhere.*create it/s)
    await driver.close()
  })

  it('a shard that vanishes after it was read to its end is no loss', async () => {
    const { logstores, restore } = await stopped()
    await logstores.client.shards.split('access', 0)
    const driver = drive(logstores, {}, { restore })
    await driver.start()
    await driver.run(100)
    await logstores.client.shards.delete('access', 0)
    await driver.run(2_000, 200)
    expect(driver.failures).toEqual([])
    await logstores.put(['child'])
    await driver.run(2_000, 200)
    expect(texts(driver.taken)).toEqual(['child'])
    await driver.close()
  })

  it('a child that vanished while it waited for its parent is a loss', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(['parent'])
    await logstores.client.shards.split('access', 0)
    await logstores.put(['child'])
    await logstores.client.shards.split('access', 1)
    // The parent cannot be read for now.
    let blocked = true
    logstores.fault = ({ what }) => (blocked && what.endsWith('/shards/0') ? { kind: 'refused' } : undefined)
    const driver = drive(logstores)
    await driver.start()
    await driver.run(50)
    await logstores.client.shards.delete('access', 1)
    blocked = false
    const error = await failureOf(driver)
    expect(error.message).toMatch(/shard 1 of proj\/access is gone/)
    await driver.close()
  })

  it('a checkpoint with the progress of a logstore that is not read any more is refused', async () => {
    const { logstores, restore } = await stopped()
    await logstores.create('other')
    const driver = drive(logstores, { logstore: 'other' }, { restore })
    await expect(driver.start()).rejects.toThrow(/CHECKPOINT_MISMATCH.*proj\/access/s)
    await driver.close()
  })
})
