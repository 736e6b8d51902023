import { describe, expect, test } from 'vitest'
import { type RoutableGroup, type SlsDispatchRouting, slsDispatchOf } from '../../../../src/connectors/sls/index.ts'
import { batchOf, generation, type Logger, MetricRegistry, silentLogger } from '../../../../src/core/index.ts'
import { encodeLogGroup, viewLogGroup } from '../../../../src/wire/index.ts'
import { connection, type ServiceBenchOptions, serviceBench } from './service-bench.ts'
import { rejection } from './sink-bench.ts'

/** A group with a tag that no decoder of ours would make, in an order of fields that ours would not write. */
const groupOf = (topic: string, ...texts: readonly string[]): RoutableGroup => {
  const header = encodeLogGroup({ logs: [], topic, source: 'here' })
  const logs = encodeLogGroup({ logs: texts.map((text) => ({ time: 1, contents: { text } })), tags: [['a', 'b']] })
  const unknown = Uint8Array.of(0x7a, 3, 1, 2, 0xff)
  const serialized = new Uint8Array(header.length + logs.length + unknown.length)
  serialized.set(header)
  serialized.set(logs, header.length)
  serialized.set(unknown, header.length + logs.length)
  return { serialized, topic }
}

const targets = {
  access: { logstore: 'ls' },
  errors: { logstore: 'errors' },
  far: { logstore: 'far', project: 'other', endpoint: 'http://far.test' },
}
const routes = { nginx: 'access', error: 'errors', far: 'far', both: ['access', 'errors'] }

const open = async (options: Partial<SlsDispatchRouting> = {}, benchOptions: ServiceBenchOptions = {}) => {
  const bench = await serviceBench({
    projects: ['proj', 'other'],
    endpoints: ['sls.test', 'far.test'],
    ...benchOptions,
  })
  await bench.client.logstores.create('errors', { shardCount: 1 })
  await bench.client.ofProject('other').logstores.create('far', { shardCount: 1 })
  const warnings: string[] = []
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) => warnings.push(`${message} ${JSON.stringify(fields)}`),
    child: () => log,
  }
  const sink = slsDispatchOf({ ...connection, targets, routes, ...options }, () => bench.resources)
  const metrics = new MetricRegistry({ job: 'job' })
  const place = { job: 'job', step: 'out', parallelism: 1, generation: generation(1) }
  const waits: (string | undefined)[] = []
  const job = new AbortController()
  const writer = await sink
    .open({ ...bench.environment, log, ...place, metrics: metrics.step({ step: 'out' }) })
    .createWriter(
      {
        subtask: 0,
        parallelism: 1,
        metrics: metrics.step({ step: 'out', subtask: 0 }),
        signal: job.signal,
        waiting: (forWhat) => waits.push(forWhat),
      },
      [],
    )
  return {
    ...bench,
    sink,
    writer,
    metrics,
    warnings,
    waits,
    write: async (...groups: readonly RoutableGroup[]) => writer.write(batchOf(groups)),
    flush: () => bench.clock.advanceUntil(writer.flush(false)),
    stored: async (logstore: string, project = 'proj') => {
      const client = bench.client.ofProject(project)
      const position = await client.shards.cursor(logstore, 0, 'begin')
      return (await client.pull({ logstore, shard: 0, position })).groups.map((group) => Uint8Array.from(group.bytes))
    },
  }
}

const texts = (groups: readonly Uint8Array[]) =>
  groups.map((bytes) => [...viewLogGroup(bytes).logs()].map((log) => log.get('text')).join())

describe('a dispatch', () => {
  test.each([
    ['one by one', undefined],
    ['several in a request', { groups: 3 }],
  ])('passes LogGroups on by topic to the byte, %s', async (_, batch) => {
    const { write, flush, stored, sink, resources, metrics } = await open({ batch })
    const groups = [
      groupOf('nginx', 'a', 'b'),
      groupOf('error', 'c'),
      groupOf('far', 'd'),
      groupOf('nginx', 'e'),
      groupOf('both', 'f'),
      groupOf('nginx', 'g'),
      groupOf('nginx', 'h'),
    ]
    await write(...groups)
    await flush()
    const bytes = (...indexes: readonly number[]) => indexes.map((index) => groups[index]?.serialized)
    const byText = (a: Uint8Array, b: Uint8Array): number => ((texts([a])[0] ?? '') < (texts([b])[0] ?? '') ? -1 : 1)
    expect((await stored('ls')).sort(byText)).toEqual(bytes(0, 3, 4, 5, 6))
    expect((await stored('errors')).sort(byText)).toEqual(bytes(1, 4))
    expect(await stored('far', 'other')).toEqual(bytes(2))
    const { targets: counts, unmatched } = sink.counts()
    expect(metrics.sum('millrace_records_stored_total', 'out')).toBe(8)
    expect(metrics.sum('millrace_packages_stored_total', 'out')).toBe(batch === undefined ? 8 : 4)
    expect(unmatched).toBe(0)
    expect([counts['access'], counts['errors'], counts['far']].map((one) => one?.logs)).toEqual([5, 2, 1])
    expect(counts['access']?.packages).toBe(batch === undefined ? 5 : 2)
    expect(resources.batching.memory.used).toBe(0)
  })

  test('drops what no route is for, counts it, and warns once for each topic', async () => {
    const { write, flush, stored, sink, warnings, metrics } = await open()
    await write(groupOf('ngnix', 'a'), groupOf('nginx', 'b'), groupOf('ngnix', 'c'), groupOf('', 'd'))
    await flush()
    expect(texts(await stored('ls'))).toEqual(['b'])
    expect(sink.counts().unmatched).toBe(3)
    expect(metrics.sum('millrace_groups_unmatched_total', 'out')).toBe(3)
    expect(warnings.map((line) => /"topic":"(.*)"/.exec(line)?.[1])).toEqual(['ngnix', ''])
  })

  test('sends what no route is for to a target, or stops the job, as is wanted', async () => {
    const sending = await open({ unmatched: { to: 'errors' } })
    await sending.write(groupOf('ngnix', 'a'))
    await sending.flush()
    expect(texts(await sending.stored('errors'))).toEqual(['a'])
    expect(sending.sink.counts().unmatched).toBe(1)
    const failing = await open({ unmatched: 'fail' })
    expect(await rejection(failing.write(groupOf('ngnix', 'a')))).toContain('no route is for the topic "ngnix"')
  })

  test('goes on to the other targets while one does not answer, until its buffer is full', async () => {
    const bench = await open({ buffer: '64KiB' }, { memory: 1 << 20, io: 4 })
    let down = true
    bench.faults.of = (_request, _put, origin) =>
      down && origin.includes('far.test') ? { kind: 'refused' } : undefined
    const large = (topic: string, n: number): RoutableGroup => groupOf(topic, `${n}${'.'.repeat(10_000)}`)
    for (let n = 0; n < 5; n++) await bench.write(large('far', n), large('nginx', n))
    await bench.clock.advance(1000)
    expect((await bench.stored('ls')).length).toBe(5)
    expect(bench.warnings.length).toBe(1)
    expect(bench.metrics.sum('millrace_packages_pending')).toBe(5)
    expect(bench.metrics.sum('millrace_send_memory_bytes')).toBe(bench.resources.batching.memory.used)
    const blocked = bench.write(large('far', 5), large('far', 6), large('nginx', 5))
    await bench.clock.advance(100_000)
    expect(new Set(bench.waits)).toEqual(new Set(['room in the buffer of far']))
    expect((await bench.stored('ls')).length).toBe(5)
    expect(bench.resources.batching.memory.used).toBeLessThanOrEqual(1 << 16)
    down = false
    await bench.clock.advanceUntil(blocked)
    await bench.flush()
    expect([(await bench.stored('ls')).length, (await bench.stored('far', 'other')).length]).toEqual([6, 7])
    expect(bench.resources.batching.memory.used).toBe(0)
  })

  test('loses nothing while answers get lost, and stores no more copies than attempts in doubt', async () => {
    for (const batch of [undefined, { groups: 4 }]) {
      const { write, flush, stored, sink, faults } = await open({ batch })
      faults.of = (_request, put) => (put % 3 === 0 ? { kind: 'lost-answer' } : undefined)
      const names = Array.from({ length: 30 }, (_, n) => `${n}`)
      await write(...names.map((name) => groupOf('nginx', name)))
      await flush()
      const seen = texts(await stored('ls'))
      const { ambiguousLogs = 0 } = sink.counts().targets['access'] ?? {}
      expect([...new Set(seen)].sort()).toEqual(names.sort())
      expect(ambiguousLogs).toBeGreaterThan(0)
      expect(seen.length).toBe(30 + ambiguousLogs)
    }
  })

  test('fails for good with the target that is not there, or skips what one refuses', async () => {
    const gone = await open({ targets: { ...targets, errors: { logstore: 'not-there' } } })
    await gone.write(groupOf('error', 'a'))
    expect(await rejection(gone.flush())).toContain('LogStoreNotExist')
    const skipping = await open({ onRejected: 'skip', batch: { groups: 10 } })
    const broken: RoutableGroup = { serialized: Uint8Array.of(0x0a, 0x7f), topic: 'nginx' }
    await skipping.write(groupOf('nginx', 'a'), broken, groupOf('nginx', 'b'))
    await skipping.flush()
    expect(texts(await skipping.stored('ls'))).toEqual(['a', 'b'])
    expect(skipping.sink.counts().targets['access']).toMatchObject({ logs: 2, skipped: 1 })
  })

  test('routes by a function too, and refuses a name that it makes up', async () => {
    const { write, flush, stored } = await open({ routes: ({ topic }) => (topic === 'x' ? 'acess' : 'access') })
    await write(groupOf('anything', 'a'))
    await flush()
    expect(texts(await stored('ls'))).toEqual(['a'])
    expect(await rejection(write(groupOf('x', 'a')))).toContain('gave the target "acess", which there is not')
  })

  test('names every mistake in its options at once, before the first record', async () => {
    const seen = await rejection(
      open({
        targets: { access: { logstore: 'X' } },
        routes: { nginx: 'acess', error: ['access', 'gone'] },
        unmatched: { to: 'nowhere' },
      }),
    )
    for (const part of [
      "'targets.access.logstore' must be",
      "'routes.nginx' names the target 'acess', which there is not; is it 'access'?",
      "'routes.error' names the target 'gone'",
      "'unmatched.to' names the target 'nowhere'",
    ]) {
      expect(seen).toContain(part)
    }
  })
})
