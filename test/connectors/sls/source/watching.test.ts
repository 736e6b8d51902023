import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { MirroringReader } from '../../../../src/connectors/sls/source/mirroring-reader.ts'
import type { ProgressMirror } from '../../../../src/connectors/sls/source/progress-mirror.ts'
import type { ShardSplit } from '../../../../src/connectors/sls/source/shard-split.ts'
import { type LogFields, type Logger, silentLogger } from '../../../../src/core/index.ts'
import type { SourceReader } from '../../../../src/source/index.ts'
import { encodeCursor, encodeLogGroup, logGroupList } from '../../../../src/wire/index.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores, texts } from './test-logstores.ts'

/** Answers every pull of a shard with these groups, once. */
const answering = (logstores: TestLogstores, groups: readonly Uint8Array[], begin: bigint): void => {
  const list = logGroupList(groups)
  logstores.fault = ({ what, query }) => {
    if (!what.endsWith('/shards/0') || query.get('type') !== 'logs') return undefined
    const first = query.get('cursor') === encodeCursor(begin)
    const headers = {
      'x-log-requestid': '1',
      'x-log-cursor': encodeCursor(begin + BigInt(groups.length)),
      'x-log-count': String(first ? groups.length : 0),
      'x-log-bodyrawsize': String(first ? list.length : 0),
      'x-log-end-of-cursor': '1',
    }
    return { kind: 'answer', response: { status: 200, headers, body: first ? list : new Uint8Array(0) } }
  }
}

const good = (message: string): Uint8Array => encodeLogGroup({ logs: [{ time: 1, contents: { message } }] })
/** A log without a time, which every log must have. */
const poisonous = new Uint8Array([0x0a, 0x02, 0x12, 0x00])

const poisoned = async (options: Partial<SlsSourceOptions<'logs'>>) => {
  const logstores = await TestLogstores.open()
  await logstores.create()
  answering(logstores, [good('a'), poisonous, good('b')], await logstores.client.shards.cursor('access', 0, 'begin'))
  const source = logstores.source({ logstore: 'access', ...options })
  const driver = new SourceDriver(source, logstores)
  await driver.start()
  return { source, driver }
}

describe('slsSource and a LogGroup that cannot be decoded', () => {
  it('fails, naming the place and the way around', async () => {
    for (const eventTime of ['record', 'received'] as const) {
      const { driver } = await poisoned({ eventTime })
      await expect(driver.run(100)).rejects.toThrow(/RECORD_INVALID.*proj\/access\/0.*onInvalid: 'skip'/s)
      expect(driver.taken).toEqual([])
      await driver.close()
    }
  })

  it('passes over it and counts it when it may', async () => {
    const { driver, source } = await poisoned({ onInvalid: 'skip' })
    await driver.run(100)
    expect(texts(driver.taken)).toEqual(['a', 'b'])
    expect(source.counts().invalidGroups).toBe(1)
    await driver.close()
  })
})

describe('slsSource and answers that do not add up', () => {
  it('takes a gap in the middle for a loss', async () => {
    for (const onDataLoss of ['fail', 'earliest'] as const) {
      const logstores = await TestLogstores.open()
      await logstores.create()
      const begin = await logstores.client.shards.cursor('access', 0, 'begin')
      answering(logstores, [good('a')], begin)
      const asked = logstores.fault
      // The service goes on two groups further than it gave any.
      logstores.fault = (call) => {
        const fault = asked(call)
        if (fault?.kind !== 'answer') return fault
        const { response } = fault
        const skipped = call.query.get('cursor') === encodeCursor(begin) ? 3n : 1n
        const first = call.query.get('cursor') === encodeCursor(begin + 2n)
        const next = first ? begin + 3n : begin + skipped
        if (first) {
          const list = logGroupList([good('b')])
          const headers = { ...response.headers, 'x-log-count': '1', 'x-log-bodyrawsize': String(list.length) }
          return {
            kind: 'answer',
            response: { status: 200, headers: { ...headers, 'x-log-cursor': encodeCursor(next) }, body: list },
          }
        }
        const cursor = call.query.get('cursor') === encodeCursor(begin) ? next : begin + 3n
        return {
          kind: 'answer',
          response: { ...response, headers: { ...response.headers, 'x-log-cursor': encodeCursor(cursor) } },
        }
      }
      const source = logstores.source({ logstore: 'access', onDataLoss })
      const driver = new SourceDriver(source, logstores)
      await driver.start()
      if (onDataLoss === 'fail') await expect(driver.run(100)).rejects.toThrow(/DATA_LOSS.*2 LogGroups up to/s)
      else {
        await driver.run(100)
        expect(texts(driver.taken)).toEqual(['b'])
        expect(source.counts()).toMatchObject({ losses: 1, lostGroups: 2 })
      }
      await driver.close()
    }
  })

  it('asks again after a cut answer, and gives out nothing of it', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(messages('a', 50))
    let cuts = 3
    logstores.fault = ({ query }) =>
      query.get('type') === 'logs' && cuts-- > 0 ? { kind: 'cut-body', bytes: 40 } : undefined
    const driver = new SourceDriver(logstores.source({ logstore: 'access' }), logstores)
    await driver.start()
    await driver.run(5_000, 250)
    expect(texts(driver.taken)).toEqual(messages('a', 50))
    await driver.close()
  })
})

describe('the progress of slsSource', () => {
  it('tells how far behind each shard is, and nothing that is not known', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    for (const message of messages('a', 10)) await logstores.put([message])
    await logstores.environment.clock.advance(30_000)
    const source = logstores.source({ logstore: 'access', pullGroupsMax: 2 })
    const driver = new SourceDriver(source, logstores)
    expect(source.progress()).toEqual([])
    await driver.start()
    for (let turn = 0; turn < 6; turn++) await logstores.environment.clock.yield()
    expect(source.progress()).toMatchObject([{ logstore: 'proj/access', shard: 0, behindGroups: 8, behindMs: 30_000 }])
    await driver.run(100)
    expect(source.progress()).toMatchObject([{ behindGroups: 0, behindMs: 0 }])
    expect(source.counts().pulls).toBeGreaterThanOrEqual(5)
    await driver.close()
  })
})

describe('two jobs on one consumer group', () => {
  const notices = async (consumer: string) => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const warnings: (readonly [LogFields, string])[] = []
    const log: Logger = {
      ...silentLogger,
      warn: (fields, message) => warnings.push([fields, message]),
      child: () => log,
    }
    const environment = { ...logstores.environment, log }
    const source = logstores.source({ logstore: 'access', consumerGroup: 'watchers' })
    const driver = new SourceDriver(source, { environment })
    await driver.start()
    const other = async (): Promise<void> => {
      await logstores.environment.clock.advance(10)
      const position = await logstores.client.shards.cursor('access', 0, 'begin')
      const update = { shard: 0, position, consumer }
      await logstores.client.consumerGroups.updateCheckpoint('access', 'watchers', update)
      await driver.run(300)
    }
    // What was there before may be old.
    await other()
    expect(warnings).toEqual([])
    await other()
    await driver.close()
    return warnings
  }

  it('notice each other', async () => {
    for (const consumer of ['another-job', 'millrace-test-files-2-1', 'millrace-test-file-1']) {
      expect(await notices(consumer)).toMatchObject([
        [{ group: 'watchers', shard: 0, consumer }, 'somebody else sets the progress of the consumer group'],
      ])
    }
  })

  it('are not two when they are generations of one', async () => {
    expect(await notices('millrace-test-files-7')).toEqual([])
  })
})

describe('a reader with a mirror', () => {
  it('hands on every call', async () => {
    const calls: string[] = []
    const noted = <T extends object>(name: string): T =>
      new Proxy({} as T, {
        get: (_, method) => {
          if (method === 'then') return undefined
          return () => {
            calls.push(`${name}.${String(method)}`)
            return method === 'snapshotState' ? [] : undefined
          }
        },
      })
    const reader = new MirroringReader(
      noted<SourceReader<unknown, ShardSplit>>('reader'),
      noted<ProgressMirror>('mirror'),
    ) as Required<SourceReader<unknown, ShardSplit>>
    reader.start()
    reader.poll()
    await reader.available()
    reader.addSplits([])
    reader.notifyNoMoreSplits()
    reader.handleSourceEvent({ kind: 'mirror', consumer: 'me' })
    reader.snapshotState(1)
    reader.unfinishedSplitIds()
    reader.notifyCheckpointComplete(1)
    reader.notifyCheckpointAborted(2)
    reader.pauseOrResumeSplits([], [])
    reader.waitingFor()
    await reader.close()
    expect(calls).toEqual([
      'reader.start',
      'reader.poll',
      'reader.available',
      'reader.addSplits',
      'reader.notifyNoMoreSplits',
      'mirror.begin',
      'reader.handleSourceEvent',
      'reader.snapshotState',
      'mirror.snapshot',
      'reader.unfinishedSplitIds',
      'reader.notifyCheckpointComplete',
      'mirror.complete',
      'reader.notifyCheckpointAborted',
      'mirror.abort',
      'reader.pauseOrResumeSplits',
      'reader.waitingFor',
      'mirror.close',
      'reader.close',
    ])
  })
})
