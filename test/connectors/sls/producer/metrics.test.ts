import { describe, expect, test } from 'vitest'
import { noCounts, SendMeter, type SlsSendCounts } from '../../../../src/connectors/sls/producer/send-counts.ts'
import { type MetricName, MetricRegistry } from '../../../../src/core/index.ts'
import { FakePuts } from './fake-puts.ts'
import { sinkBench } from './sink-bench.ts'

const options = { logstore: 'access', log: (n: string) => ({ contents: { n } }) } as const

describe('the metrics of slsSink', () => {
  test('count what is stored, what was tried again and why', async () => {
    const { metrics, puts, write, flush, sink } = await sinkBench({ ...options, package: { records: 1 } })
    const answers = ['ambiguous', 'throttled', 'unavailable'] as const
    let calls = 0
    puts.answer = () => {
      const why = answers[calls++]
      return why === undefined ? { kind: 'accepted' } : { kind: 'again', why, cause: new Error(why) }
    }
    await write('a', 'b')
    await flush()
    const { bytes } = sink.counts()
    expect(bytes).toBeGreaterThan(0)
    const values = (names: readonly MetricName[]) => names.map((name) => metrics.sum(name, 'out'))
    expect(
      values(['millrace_packages_stored_total', 'millrace_records_stored_total', 'millrace_bytes_send_total']),
    ).toEqual([2, 2, bytes])
    expect(
      values(['millrace_send_retries_total', 'millrace_send_throttled_total', 'millrace_records_ambiguous_total']),
    ).toEqual([3, 1, 1])
  })

  test('tell what is under way while it is, and nothing of it afterwards', async () => {
    const puts = new FakePuts()
    let letGo = (): void => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const put = puts.put.bind(puts)
    puts.put = async (place, bytes) => {
      await gate
      return put(place, bytes)
    }
    const { metrics, memory, write, flush } = await sinkBench({ ...options, package: { records: 2 } }, { puts })
    const gauges = () =>
      (['millrace_packages_pending', 'millrace_send_requests', 'millrace_send_memory_bytes'] as const).map((name) =>
        metrics.sum(name, 'out'),
      )
    expect(gauges()).toEqual([0, 0, 0])
    await write('a', 'b', 'c')
    expect(memory.used).toBeGreaterThan(0)
    expect(gauges()).toEqual([2, 1, memory.used])
    letGo()
    await flush()
    expect(gauges()).toEqual([0, 0, 0])
  })

  test('count records that can never be sent', async () => {
    const broken = (n: string) => (n === 'bad' ? { contents: { n }, hashKey: 'zz' } : { contents: { n } })
    const skipping = await sinkBench({ logstore: 'access', log: broken, onRejected: 'skip' })
    await skipping.write('a', 'bad')
    await skipping.flush()
    expect(skipping.metrics.sum('millrace_records_send_skipped_total')).toBe(1)
    expect(skipping.metrics.sum('millrace_records_send_dead_letters_total')).toBe(0)
    const onRejected = { deadLetter: { logstore: 'dead' } }
    const keeping = await sinkBench({ logstore: 'access', log: broken, onRejected })
    await keeping.write('a', 'bad')
    await keeping.flush()
    expect(keeping.metrics.sum('millrace_records_send_dead_letters_total')).toBe(1)
    expect(keeping.metrics.sum('millrace_records_send_skipped_total')).toBe(0)
  })

  test('have every count of a sink, of each subtask', () => {
    const registry = new MetricRegistry({ job: 'j' })
    const counter = noCounts()
    const meters = [0, 1].map((subtask) => new SendMeter(counter, registry.step({ step: 'out', subtask })))
    const names = Object.keys(counter) as (keyof SlsSendCounts)[]
    for (const meter of meters) for (const [index, name] of names.entries()) meter.add(name, index + 1)
    expect(Object.values(counter)).toEqual(names.map((_, index) => 2 * (index + 1)))
    const values = registry.collect().map(({ value }) => value)
    expect(values.sort((a, b) => a - b)).toEqual(names.flatMap((_, index) => [index + 1, index + 1]))
  })
})
