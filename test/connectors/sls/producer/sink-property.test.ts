import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { slsSinkOf } from '../../../../src/connectors/sls/index.ts'
import { batchOf, generation, type HttpResponse } from '../../../../src/core/index.ts'
import type { DirectFault } from '../../../../src/testing/index.ts'
import { noMetrics } from '../../../core/no-metrics.ts'
import { connection, serviceBench } from './service-bench.ts'

const answer = (status: number, errorCode: string): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'x-log-requestid': '5B0A6B60BB6EE39764D458B5' },
  body: new TextEncoder().encode(JSON.stringify({ errorCode, errorMessage: 'as the test wants' })),
})

const faults: readonly (DirectFault | undefined)[] = [
  undefined,
  undefined,
  { kind: 'refused' },
  { kind: 'reset' },
  { kind: 'lost-answer' },
  { kind: 'latency', ms: 700 },
  { kind: 'latency', ms: 40_000 },
  { kind: 'answer', response: answer(503, 'ServerBusy') },
  { kind: 'answer', response: answer(500, 'InternalServerError') },
  { kind: 'answer', response: answer(403, 'WriteQuotaExceed') },
  { kind: 'answer', response: { status: 502, headers: {}, body: new Uint8Array(0) } },
]

const plan = fc.record({
  faults: fc.array(fc.nat(faults.length - 1), { maxLength: 40 }),
  writers: fc.integer({ min: 1, max: 3 }),
  batches: fc.array(fc.array(fc.record({ key: fc.nat(4), bytes: fc.nat(300) }), { maxLength: 30 }), { maxLength: 12 }),
  records: fc.integer({ min: 1, max: 12 }),
  bytes: fc.integer({ min: 1024, max: 3000 }),
  memory: fc.integer({ min: 1500, max: 20_000 }),
  io: fc.integer({ min: 1, max: 4 }),
  order: fc.constantFrom('key' as const, 'none' as const),
  putBytesMax: fc.constantFrom(1024, 1 << 20),
})

test('whatever goes wrong on the way, nothing is lost, copies are bounded, keys keep their order, and memory is given back', async () => {
  await fc.assert(
    fc.asyncProperty(
      plan,
      async ({ faults: chosen, writers, batches, records, bytes, memory, io, order, putBytesMax }) => {
        const bench = await serviceBench({ memory, io, shards: 2, putBytesMax })
        bench.faults.of = (_, put) => faults[chosen[put - 1] ?? 0]
        const sink = slsSinkOf<{ n: number; key: number; bytes: number }>(
          {
            ...connection,
            logstore: 'ls',
            order,
            package: { records, bytes },
            timeout: '30s',
            log: (record) => ({
              contents: { n: `${record.n}`, writer: `${record.key % writers}`, fill: '.'.repeat(record.bytes) },
              hashKey: (record.key * 3).toString(16).repeat(32),
            }),
          },
          () => bench.resources,
        )
        const place = { job: 'job', step: 'out', parallelism: writers, generation: generation(1), metrics: noMetrics() }
        const open = sink.open({ ...bench.environment, ...place })
        let total = 0
        const keys: number[] = []
        const end = new AbortController()
        const running = Array.from({ length: writers }, async (_, subtask) => {
          const context = {
            subtask,
            parallelism: writers,
            metrics: noMetrics(),
            signal: end.signal,
            waiting: () => {},
          }
          const writer = await open.createWriter(context, [])
          for (const batch of batches) {
            // A key belongs to one writer, as behind a keyed exchange.
            const own = batch.flatMap(({ key, bytes: size }) => {
              if (key % writers !== subtask) return []
              keys.push(key)
              return [{ n: total++, key, bytes: size }]
            })
            await writer.write(batchOf(own))
          }
          await writer.flush(true)
          await writer.close()
        })
        await bench.clock.advanceUntil(Promise.all(running), 1e9)
        const stored = (await bench.values('n')).map(Number)
        const { logs, ambiguousLogs } = sink.counts()
        expect([...new Set(stored)].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n))
        expect(logs).toBe(total)
        expect(stored.length).toBeLessThanOrEqual(total + ambiguousLogs)
        expect([bench.resources.batching.memory.used, bench.resources.batching.memory.waiting]).toEqual([0, 0])
        if (order === 'none') return
        for (const key of new Set(keys)) {
          const first = [...new Set(stored)].filter((n) => keys[n] === key)
          expect(first).toEqual([...first].sort((a, b) => a - b))
        }
      },
    ),
    { numRuns: 60 },
  )
})
