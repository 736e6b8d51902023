import { describe, expect, test } from 'vitest'
import { hashKey, type SlsSinkOptions, slsSinkOf } from '../../../../src/connectors/sls/index.ts'
import { batchOf, generation, type HttpResponse } from '../../../../src/core/index.ts'
import { hashKeyMax } from '../../../../src/wire/index.ts'
import { noMetrics } from '../../../core/no-metrics.ts'
import { connection, type ServiceBenchOptions, serviceBench } from './service-bench.ts'
import { rejection } from './sink-bench.ts'

const encoder = new TextEncoder()

/** What stands between may answer in place of the service. */
const answerOf = (status: number, errorCode: string): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'x-log-requestid': '5B0A6B60BB6EE39764D458B5' },
  body: encoder.encode(JSON.stringify({ errorCode, errorMessage: 'as the test wants' })),
})

const open = async (options: Partial<SlsSinkOptions<string>> = {}, benchOptions: ServiceBenchOptions = {}) => {
  const bench = await serviceBench(benchOptions)
  const sink = slsSinkOf<string>(
    { ...connection, logstore: 'ls', log: (n) => ({ contents: { n } }), ...options },
    () => bench.resources,
  )
  const place = { job: 'job', step: 'out', parallelism: 1, generation: generation(1), metrics: noMetrics() }
  const job = new AbortController()
  const writer = await sink
    .open({ ...bench.environment, ...place })
    .createWriter({ subtask: 0, parallelism: 1, metrics: noMetrics(), signal: job.signal, waiting: () => {} }, [])
  const write = async (...records: readonly string[]): Promise<void> => {
    await bench.clock.advanceUntil(Promise.resolve(writer.write(batchOf(records))))
  }
  const flush = (): Promise<void> => bench.clock.advanceUntil(writer.flush(false))
  return { ...bench, sink, writer, write, flush, job, values: () => bench.values('n'), groups: bench.groups }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`)
const sorted = (values: readonly (string | undefined)[]) => [...new Set(values)].sort((a, b) => Number(a) - Number(b))

describe('an SLS sink at the real service', () => {
  test('stores every log when it flushes, with its pack tag', async () => {
    const { write, flush, values, groups, clock } = await open({
      topic: 'nginx',
      source: 'web-1',
      tags: [['host', 'a']],
    })
    await write(...numbers(10))
    await flush()
    expect(clock.monoMs()).toBe(0)
    expect(await values()).toEqual(numbers(10))
    const [group] = await groups()
    expect([group?.topic, group?.source]).toEqual(['nginx', 'web-1'])
    expect(group?.tags).toEqual([
      ['host', 'a'],
      ['__pack_id__', expect.stringMatching(/^[0-9A-F]{16}-1$/)],
    ])
  })

  test.each<[string, (put: number) => boolean, Parameters<typeof answerOf>, number]>([
    ['answers 503 before anything is stored', (put) => put <= 5, [503, 'ServerBusy'], 0],
    ['answers 403 for its write quota', (put) => put <= 5, [403, 'ShardWriteQuotaExceed'], 0],
    ['answers 500', (put) => put % 2 === 1, [500, 'InternalServerError'], 0],
  ])('that %s, loses nothing and stores nothing twice', async (_, fails, answer) => {
    const { write, flush, values, faults, sink } = await open({ package: { records: 3 } })
    faults.of = (_request, put) => (fails(put) ? { kind: 'answer', response: answerOf(...answer) } : undefined)
    await write(...numbers(20))
    await flush()
    expect((await values()).sort()).toEqual(numbers(20).sort())
    const counts = sink.counts()
    expect(counts.logs).toBe(20)
    expect(counts.retries).toBeGreaterThanOrEqual(5)
    expect(counts.throttled).toBe(answer[0] === 403 ? counts.retries : 0)
  })

  test.each([
    ['whose answers get lost', { kind: 'lost-answer' }],
    ['whose connections break', { kind: 'reset' }],
    ['that cannot be reached', { kind: 'refused' }],
  ] as const)('%s, loses nothing, and stores no more copies than there were attempts in doubt', async (_, fault) => {
    const { write, flush, values, faults, sink, resources } = await open({ package: { records: 3 } })
    faults.of = (_request, put) => (put % 3 === 1 ? fault : undefined)
    await write(...numbers(30))
    await flush()
    const stored = await values()
    expect(sorted(stored)).toEqual(numbers(30))
    const { ambiguousLogs, retries } = sink.counts()
    expect(retries).toBeGreaterThan(0)
    expect(stored.length).toBeLessThanOrEqual(30 + ambiguousLogs)
    if (fault.kind === 'lost-answer') expect(stored.length).toBe(30 + ambiguousLogs)
    if (fault.kind === 'refused') expect([stored.length, ambiguousLogs]).toEqual([30, 0])
    expect(resources.batching.memory.used).toBe(0)
  })

  test('that is asked too much, gives up with the answer of the service', async () => {
    const { write, flush, faults } = await open({ retry: { attemptsMax: 3 } })
    faults.of = () => ({ kind: 'answer', response: answerOf(403, 'WriteQuotaExceed') })
    await write('1')
    const seen = await rejection(flush())
    expect(seen).toContain('SINK_UNAVAILABLE')
    expect(seen).toContain('WriteQuotaExceed')
    expect(seen).not.toContain('secret')
  })

  test.each([
    [401, 'SignatureNotMatch', 3],
    [403, 'ProjectForbidden', 1],
    [404, 'LogStoreNotExist', 1],
    [400, 'ParameterInvalid', 1],
  ])('that answers %i %s, fails for good and says why', async (status, code, attempts) => {
    const { write, flush, faults } = await open()
    let puts = 0
    faults.of = () => {
      puts++
      return { kind: 'answer', response: answerOf(status, code) }
    }
    await write('1')
    const seen = await rejection(flush())
    expect(seen).toContain('SINK_REFUSED')
    expect(seen).toContain(code)
    // A client asks for new credentials once within a try.
    expect(puts).toBeLessThanOrEqual(attempts * 2)
    faults.of = () => undefined
    expect(await rejection(write('2'))).toContain(code)
  })

  test('behind something that refuses in its place, tries a few times before it gives up', async () => {
    const foreign = {
      kind: 'answer',
      response: { status: 400, headers: {}, body: encoder.encode('<html>no</html>') },
    } as const
    const bench = await open()
    bench.faults.of = (_, put) => (put <= 2 ? foreign : undefined)
    await bench.write('1')
    await bench.flush()
    expect(await bench.values()).toEqual(['1'])
    bench.faults.of = () => foreign
    await bench.write('2')
    expect(await rejection(bench.flush())).toContain('an error that is not of the service')
    expect(bench.sink.counts().retries).toBe(4)
  })

  test('whose refusal of a package for its size arrives cut, still splits it', async () => {
    const { write, flush, values, faults } = await open({}, { putBytesMax: 1024 })
    faults.of = (_, put) => (put === 1 ? { kind: 'cut-body', bytes: 3 } : undefined)
    await write(...numbers(100))
    await flush()
    expect(await values()).toEqual(numbers(100))
  })

  test('whose logstore is not there, fails for good', async () => {
    const { write, flush } = await open({ logstore: 'not-there' })
    await write('1')
    expect(await rejection(flush())).toContain('LogStoreNotExist')
  })

  test('that takes smaller packages than it is sent, gets them in halves', async () => {
    const { write, flush, values, groups } = await open({}, { putBytesMax: 2048 })
    await write(...numbers(200))
    await flush()
    expect(await values()).toEqual(numbers(200))
    const ids = (await groups()).map((group) => group.tags.find(([name]) => name === '__pack_id__')?.[1])
    expect(ids.length).toBeGreaterThan(1)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('rejects the one record that it cannot take alone, by its policy', async () => {
    for (const onRejected of ['fail', 'skip'] as const) {
      const { write, flush, values, sink } = await open({ onRejected }, { putBytesMax: 2048 })
      await write('1', 'x'.repeat(5000), '2')
      if (onRejected === 'fail') {
        expect(await rejection(flush())).toContain('PostBodyTooLarge')
        continue
      }
      await flush()
      expect(await values()).toEqual(['1', '2'])
      expect(sink.counts()).toMatchObject({ logs: 2, skipped: 1 })
    }
  })

  test('puts a log with a hash key into the shard that owns it', async () => {
    const keys = ['0', '3f', '40', '7f', '80', 'bf', 'c0', 'ff'].map((hex) => hex.padEnd(32, '0')).concat(hashKeyMax)
    const bench = await open({ log: (key) => ({ contents: { key } }), route: hashKey((key) => key) }, { shards: 4 })
    await bench.write(...keys)
    await bench.flush()
    for (const { id, beginKey, endKey } of await bench.client.shards.list('ls')) {
      const there = (await bench.groups('ls', id)).flatMap((group) =>
        [...group.logs()].map((log) => log.get('key') ?? ''),
      )
      expect(there.sort()).toEqual(
        keys.filter((key) => beginKey <= key && (key < endKey || (key === hashKeyMax && endKey === hashKeyMax))),
      )
    }
  })

  test('keeps the order of each key through retries when that is wanted', async () => {
    const bench = await open({
      order: 'key',
      package: { records: 2 },
      log: (n) => ({ contents: { n }, hashKey: (Number(n) % 2 === 0 ? '0' : 'f').repeat(32) }),
    })
    bench.faults.of = (_, put) =>
      put % 3 === 0 ? { kind: 'answer', response: answerOf(503, 'ServerBusy') } : undefined
    await bench.write(...numbers(40))
    await bench.flush()
    const stored = (await bench.values()).map(Number)
    for (const rest of [0, 1]) {
      expect(stored.filter((n) => n % 2 === rest)).toEqual(
        numbers(40)
          .map(Number)
          .filter((n) => n % 2 === rest),
      )
    }
  })

  test('that stops answering holds the writer within its memory, and goes on when it answers again', async () => {
    const bench = await open({ package: { bytes: 1024 } }, { memory: 4096 })
    let down = true
    bench.faults.of = () => (down ? { kind: 'refused' } : undefined)
    const writing = bench.writer.write(batchOf(Array.from({ length: 20 }, (_, n) => `${n}${'.'.repeat(500)}`)))
    let done = false
    const written = Promise.resolve(writing).then(() => {
      done = true
    })
    await bench.clock.advance(120_000)
    expect(done).toBe(false)
    expect(bench.resources.batching.memory.used).toBeLessThanOrEqual(4096)
    down = false
    await bench.clock.advanceUntil(written)
    await bench.flush()
    expect((await bench.values()).map((text) => Number.parseInt(text ?? '', 10)).sort((a, b) => a - b)).toEqual(
      numbers(20).map(Number),
    )
    expect(bench.resources.batching.memory.used).toBe(0)
  })
})
