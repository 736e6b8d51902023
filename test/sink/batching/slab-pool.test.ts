import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlabPool } from '../../../src/sink/batching/slab-pool.ts'
import { Batcher, type Destination, defaultRetryPolicy, type SendResult } from '../../../src/sink/index.ts'
import { SeededRandom } from '../../../src/testing/index.ts'
import { again, FakeTarget, to } from './fake-target.ts'

test('a size is rounded up by an eighth of itself at most, and a size that slabs have stays as it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000_000 }), (bytes) => {
      const size = SlabPool.sizeFor(bytes)
      expect(size).toBeGreaterThanOrEqual(bytes)
      expect(size).toBeLessThanOrEqual(bytes * 1.125)
      expect(SlabPool.sizeFor(size)).toBe(size)
    }),
  )
})

test('a slab that was given back is taken again, once', () => {
  const pool = new SlabPool(100_000)
  const slab = pool.take(8192)
  pool.give(slab)
  expect(pool.keptBytes).toBe(8192)
  expect(pool.take(8192)).toBe(slab)
  expect(pool.take(8192)).not.toBe(slab)
  expect(pool.keptBytes).toBe(0)
})

test('no more unused memory is kept than was allowed, and no odd size', () => {
  const pool = new SlabPool(20_000)
  for (let index = 0; index < 5; index++) pool.give(new Uint8Array(8192))
  pool.give(new Uint8Array(4097))
  pool.give(new Uint8Array(100))
  expect(pool.keptBytes).toBe(16_384)
})

test('while a package is sent, nothing else is written where it lies', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          key: fc.constantFrom('a', 'b', 'c'),
          bytes: fc.integer({ min: 1, max: 12_000 }),
          again: fc.boolean(),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      async (records) => {
        const target = new FakeTarget({ memory: 200_000, io: 3 })
        const taken: number[] = []
        let tries = 0
        const send = async (
          pack: { readonly bytes: Uint8Array; readonly records: number; record(index: number): Uint8Array },
          signal: AbortSignal,
        ): Promise<SendResult> => {
          const before = pack.bytes.slice()
          await target.clock.sleep(10 + (tries % 7), signal)
          expect(Buffer.compare(pack.bytes, before)).toBe(0)
          if (records[tries++ % records.length]?.again && tries % 3 > 0) return again('throttled')
          for (let index = 0; index < pack.records; index++) {
            const record = pack.record(index)
            expect(Buffer.compare(record, new Uint8Array(record.length).fill(record[0] ?? 0))).toBe(0)
            taken.push(record.length)
          }
          return { kind: 'accepted' }
        }
        const batcher = new Batcher<Destination, number>({
          clock: target.clock,
          random: new SeededRandom(1),
          resources: { memory: target.memory, io: target.io },
          limits: { records: 5, bytes: 30_000, lingerMs: 20, openMax: 2 },
          retry: defaultRetryPolicy,
          ordered: false,
          isolateRefused: false,
          send,
          settled: () => {},
        })
        const adding = (async () => {
          for (const [index, { key, bytes }] of records.entries()) {
            await batcher.add(to(key), new Uint8Array(bytes).fill(index + 1))
          }
          batcher.flushNow()
          await batcher.quiet()
        })()
        await target.clock.advanceUntil(adding)
        expect(taken.sort((a, b) => a - b)).toEqual(records.map(({ bytes }) => bytes).sort((a, b) => a - b))
        expect(target.memory.used).toBe(0)
        expect(target.memory.slabs.keptBytes).toBeLessThanOrEqual(25_000)
      },
    ),
  )
})
