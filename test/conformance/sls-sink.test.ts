import { describe, expect, test } from 'vitest'
import { generatorSource } from '../../src/connectors/memory/index.ts'
import type { SlsSinkOptions } from '../../src/connectors/sls/index.ts'
import { job } from '../../src/job/index.ts'
import { atLeastOnceSinkConformance, type BenchRun, JobBench } from '../../src/testing/index.ts'
import { SlsSinkOnBench } from './sls-sink-on-bench.ts'

describe('slsSink', () => {
  for (const check of atLeastOnceSinkConformance((bench) => new SlsSinkOnBench(bench))) test(check.name, check.run)

  const start = (
    bench: JobBench,
    system: SlsSinkOnBench,
    options: Partial<SlsSinkOptions<string>> & { readonly generate: (index: number) => string; readonly count: number },
  ): BenchRun => {
    const { generate, count, ...sink } = options
    return bench.start((environment) =>
      job('conformance', { guarantee: 'at-least-once', checkpoint: { dir: 'ck', every: 50 } }, (flow) =>
        flow.from('in', generatorSource({ generate, count })).to('out', system.sink(environment, 20, sink)),
      ),
    )
  }

  test('conf-K8 partial failure keeps the order per key and sends only what failed again', async () => {
    const bench = new JobBench()
    const system = new SlsSinkOnBench(bench, 1)
    system.disturb('overloaded')
    const log = (record: string) => ({ contents: { record }, hashKey: (record.at(-1) ?? '0').repeat(32) })
    await bench.finish(start(bench, system, { order: 'key', generate: String, count: 500, log }))
    const stored = (await system.read()).map(Number)
    expect(stored.length).toBe(500)
    for (let digit = 0; digit < 10; digit++) {
      const ofKey = stored.filter((n) => n % 10 === digit)
      expect(ofKey).toEqual(Array.from({ length: 50 }, (_, index) => index * 10 + digit))
    }
    expect(system.sinks[0]?.counts().retries).toBeGreaterThan(10)
  })

  test('conf-K9 the memory budget is never exceeded, a blocked writer wakes, and what never fits is a typed error', async () => {
    const bench = new JobBench()
    const system = new SlsSinkOnBench(bench)
    system.memory = 4096
    system.disturb('overloaded')
    const generate = (index: number): string => `${index}`.padEnd(300, '.')
    await bench.finish(start(bench, system, { generate, count: 200 }))
    expect(system.stored).toBe(200)
    expect(system.usedMost).toBeGreaterThan(3000)
    expect(system.usedMost).toBeLessThanOrEqual(4096)
    expect(system.resources.map(({ memory }) => [memory.used, memory.waiting])).toEqual([[0, 0]])
    const second = new JobBench()
    const small = new SlsSinkOnBench(second)
    small.memory = 4096
    const huge = start(second, small, { generate: () => 'x'.repeat(5000), count: 1 })
    await second.until('it fails', () => huge.end !== undefined)
    expect(huge.end).toMatchObject({ kind: 'threw', error: { code: 'RECORD_UNSENDABLE', remedy: 'stop' } })
  })

  test('conf-K13 an explicit hash goes to the shard that owns it', async () => {
    const bench = new JobBench()
    const system = new SlsSinkOnBench(bench, 16)
    const key = (index: number): string => (index % 256).toString(16).padStart(2, '0').padEnd(32, '0')
    const log = (record: string) => ({ contents: { record }, hashKey: record })
    await bench.finish(start(bench, system, { generate: key, count: 512, log }))
    for (let shard = 0; shard < 16; shard++) {
      const records = await system.read(shard)
      expect(new Set(records).size).toBe(16)
      expect(records.length).toBe(32)
      expect(records.every((record) => record.startsWith(shard.toString(16)))).toBe(true)
    }
  })
})
