import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { ReadMonitor, type SlsReadCounts } from '../../../../src/connectors/sls/source/read-monitor.ts'
import { newShardSplit } from '../../../../src/connectors/sls/source/shard-split.ts'
import { type MetricName, MetricRegistry } from '../../../../src/core/index.ts'
import { SplitWatermarks } from '../../../../src/source/index.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores } from './test-logstores.ts'

const nobodyWaits = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: undefined })

const open = async (options: Partial<SlsSourceOptions<'logs'>> = {}, shardCount = 1, parallelism = 1) => {
  const logstores = await TestLogstores.open()
  await logstores.create('access', shardCount)
  const source = logstores.source({ logstore: 'access', ...options })
  const driver = new SourceDriver(source, { environment: logstores.environment, parallelism })
  const sum = (name: MetricName): number | undefined => driver.metrics.sum(name)
  return { logstores, source, driver, sum }
}

describe('the metrics of slsSource', () => {
  it('tell how far behind the reading is, of all shards and of each, and nothing that is not known', async () => {
    const { logstores, driver, sum } = await open({ pullGroupsMax: 2 }, 2)
    for (const message of messages('a', 10)) await logstores.put([message], '0')
    await logstores.environment.clock.advance(20_000)
    for (const message of messages('b', 5)) await logstores.put([message], 'c')
    await logstores.environment.clock.advance(10_000)
    expect([sum('millrace_pending_groups'), sum('millrace_source_lag_ms')]).toEqual([undefined, undefined])
    await driver.start()
    for (let turn = 0; turn < 6; turn++) await logstores.environment.clock.yield()
    expect([sum('millrace_pending_groups'), sum('millrace_source_lag_ms')]).toEqual([8 + 3, 30_000])
    const ofShards = (name: MetricName) =>
      driver.metrics
        .collect()
        .filter((sample) => sample.name === name)
        .map(({ labels, value }) => [labels.split?.replace(/@.*/, ''), labels.step, labels.subtask, value])
    expect(ofShards('millrace_split_pending_groups')).toEqual([
      ['proj/access/0', 'files', undefined, 8],
      ['proj/access/1', 'files', undefined, 3],
    ])
    expect(ofShards('millrace_split_lag_ms').map(([, , , value]) => value)).toEqual([30_000, 10_000])
    await driver.run(200)
    expect([sum('millrace_pending_groups'), sum('millrace_source_lag_ms')]).toEqual([0, 0])
    await driver.close()
  })

  it('count what each subtask does as counts() does over all of them', async () => {
    const { logstores, source, driver, sum } = await open({}, 2, 2)
    await logstores.put(['a'], '0')
    await logstores.put(['b'], 'c')
    await driver.start()
    await driver.run(200)
    const { pulls, emptyPulls, pulledBytes } = source.counts()
    expect(pulls).toBeGreaterThan(4)
    expect(sum('millrace_pulls_total')).toBe(pulls)
    expect(sum('millrace_empty_pulls_total')).toBe(emptyPulls)
    expect(sum('millrace_pulled_bytes_total')).toBe(pulledBytes)
    const subtasks = driver.metrics.collect().filter(({ name }) => name === 'millrace_pulls_total')
    expect(subtasks.map(({ labels }) => labels.subtask)).toEqual([0, 1])
    for (const { value } of subtasks) expect(value).toBeGreaterThan(2)
    await driver.close()
  })

  it('tell failures of the consumer group', async () => {
    const { logstores, driver, sum } = await open({ consumerGroup: 'watchers' })
    await logstores.put(['a'])
    await driver.start()
    await driver.run(50)
    logstores.fault = ({ query }) => (query.get('type') === 'checkpoint' ? { kind: 'refused' } : undefined)
    driver.checkpoint()
    await driver.run(5_000, 500)
    expect(sum('millrace_mirror_failures_total')).toBe(1)
    await driver.close()
  })

  it('have every count of the source', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const monitor = new ReadMonitor()
    const notes = monitor.notesOf(registry.step({ step: 'in', subtask: 0 }), nobodyWaits)
    const names = Object.keys(monitor.counts()) as (keyof SlsReadCounts)[]
    for (const [index, name] of names.entries()) notes.count(name, index + 1)
    expect(Object.values(monitor.counts())).toEqual(names.map((_, index) => index + 1))
    const values = registry.collect().map(({ value }) => value)
    expect(values.sort((a, b) => a - b)).toEqual(names.map((_, index) => index + 1))
  })

  it('have series of their own for a hundred shards, and for more only the sum', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const monitor = new ReadMonitor()
    monitor.begin({ wallMs: () => 5_000, monoMs: () => 0 })
    monitor.expose(registry.step({ step: 'in' }))
    const notes = monitor.notesOf(registry.step({ step: 'in', subtask: 0 }), nobodyWaits)
    const pull = { atEnd: false, end: 10n, receivedSeconds: 4 }
    const perShard = () => registry.collect().filter(({ labels }) => labels.split !== undefined).length
    for (let shard = 0; shard < 100; shard++) notes.pulled(newShardSplit('ls', shard, 0, {}), 7n, pull)
    expect(perShard()).toBe(200)
    notes.pulled(newShardSplit('ls', 100, 0, {}), 7n, { ...pull, end: undefined, receivedSeconds: undefined })
    expect(perShard()).toBe(0)
    expect(registry.sum('millrace_pending_groups')).toBe(300)
    expect(registry.sum('millrace_source_lag_ms')).toBe(1_000)
    notes.finished(newShardSplit('ls', 100, 0, {}).splitId)
    expect(perShard()).toBe(200)
  })
})
