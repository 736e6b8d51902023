import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  batchOf,
  checkpointId,
  hashKey,
  type Key,
  keyGroupOf,
  keyGroupRange,
  type Origin,
  type RecordBatch,
} from '../../src/core/index.ts'
import { BoundedChannel } from '../../src/runtime/bounded-channel.ts'
import { forwardWriter, keyWriter, rebalanceWriter } from '../../src/runtime/record-writer.ts'
import { someKey } from '../core/keys.ts'

const openChannels = (count: number, batchesMax = 1_000): BoundedChannel[] =>
  Array.from({ length: count }, () => new BoundedChannel({ batchesMax, bytesMax: Number.POSITIVE_INFINITY }))

const batchesIn = (channel: BoundedChannel | undefined): RecordBatch[] => {
  const batches: RecordBatch[] = []
  for (let element = channel?.receive(); element !== undefined; element = channel?.receive()) {
    if (element.kind === 'batch') batches.push(element)
  }
  return batches
}

interface Keyed {
  readonly key: Key
  readonly n: number
}

const keyOf = (record: unknown): Key => (record as Keyed).key
const rethrow = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))

/** A batch whose columns all tell the number of the record. */
const columned = (keys: readonly Key[]): RecordBatch<Keyed> => ({
  kind: 'batch',
  records: keys.map((key, n) => ({ key, n })),
  bytes: keys.length * 100,
  timestamps: keys.map((_, n) => 1_000 + n),
  origins: { at: (index): Origin => ({ split: 's', position: `p${index}` }) },
})

describe('a key writer', () => {
  test('sends every record to the subtask that owns its key group, with its columns beside it', () => {
    const shape = fc
      .integer({ min: 1, max: 300 })
      .chain((max) => fc.tuple(fc.constant(max), fc.integer({ min: 1, max: Math.min(max, 8) })))
    fc.assert(
      fc.property(
        fc.array(someKey, { minLength: 1, maxLength: 60, size: 'max' }),
        shape,
        (keys, [maxParallelism, parallelism]) => {
          const channels = openChannels(parallelism)
          const writer = keyWriter(channels, maxParallelism, keyOf, rethrow)
          void writer.emit(columned(keys))
          const seen: number[] = []
          for (const [subtask, channel] of channels.entries()) {
            const { first, last } = keyGroupRange(subtask, maxParallelism, parallelism)
            const numbers: number[] = []
            for (const batch of batchesIn(channel)) {
              expect(batch.keys).toHaveLength(batch.records.length)
              expect(batch.keyHashes).toHaveLength(batch.records.length)
              for (const [index, record] of batch.records.entries()) {
                const { key, n } = record as Keyed
                numbers.push(n)
                expect(batch.keys?.[index]).toBe(key)
                expect(batch.keyHashes?.[index]).toBe(hashKey(key))
                expect(batch.timestamps?.[index]).toBe(1_000 + n)
                expect(batch.origins?.at(index)).toEqual({ split: 's', position: `p${n}` })
                const group = keyGroupOf(hashKey(key), maxParallelism)
                expect(group).toBeGreaterThanOrEqual(first)
                expect(group).toBeLessThanOrEqual(last)
              }
            }
            expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
            seen.push(...numbers)
          }
          expect(seen.sort((a, b) => a - b)).toEqual(keys.map((_, n) => n))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('leaves out columns that the batch does not have', () => {
    const [channel, ...rest] = openChannels(1)
    void keyWriter(
      [channel, ...rest].filter((one) => one !== undefined),
      8,
      String,
      rethrow,
    ).emit(batchOf(['a']))
    const [batch] = batchesIn(channel)
    expect(batch?.timestamps).toBeUndefined()
    expect(batch?.origins).toBeUndefined()
  })

  test('shares the bytes of the batch out by number of records', () => {
    const channels = openChannels(3)
    void keyWriter(channels, 128, keyOf, rethrow).emit(columned(Array.from({ length: 90 }, (_, n) => n)))
    const batches = channels.flatMap(batchesIn)
    expect(batches.map(({ bytes, records }) => bytes / records.length)).toEqual(batches.map(() => 100))
    expect(batches.length).toBeGreaterThan(1)
  })

  test('waits for every channel that is full', async () => {
    const channels = openChannels(2, 1)
    const wait = keyWriter(channels, 128, keyOf, rethrow).emit(columned(Array.from({ length: 50 }, (_, n) => n)))
    let done = false
    void Promise.resolve(wait).then(() => {
      done = true
    })
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    channels[0]?.receive()
    await turn()
    expect(done).toBe(false)
    channels[1]?.receive()
    await turn()
    expect(done).toBe(true)
  })

  test('sends nothing of a batch in which a key cannot be had, and tells which record it was', () => {
    const channels = openChannels(2)
    const failing = (record: unknown): Key => {
      if ((record as Keyed).n === 3) throw new Error('no key')
      return keyOf(record)
    }
    const places: number[] = []
    const writer = keyWriter(channels, 128, failing, (thrown, _, index) => {
      places.push(index)
      return rethrow(thrown)
    })
    expect(() => writer.emit(columned([1, 2, 3, 4, 5]))).toThrow('no key')
    expect(places).toEqual([3])
    expect(channels.flatMap(batchesIn)).toEqual([])
  })
})

describe('a rebalance writer', () => {
  test('deals whole batches round, beginning with its own subtask', () => {
    const channels = openChannels(3)
    const writer = rebalanceWriter(channels, 2)
    for (const name of ['a', 'b', 'c', 'd']) void writer.emit(batchOf([name]))
    const dealt = channels.map((channel) => batchesIn(channel).map(({ records }) => records[0]))
    expect(dealt).toEqual([['b'], ['c'], ['a', 'd']])
  })

  test('begins somewhere also when there are fewer channels than senders', () => {
    const channels = openChannels(2)
    void rebalanceWriter(channels, 7).emit(batchOf(['a']))
    expect(channels.map(({ batches }) => batches)).toEqual([0, 1])
  })
})

describe('a forward writer', () => {
  test('hands the batch on as it is', () => {
    const [channel] = openChannels(1)
    if (channel === undefined) throw new Error('there is one channel')
    const batch = columned([1, 2])
    void forwardWriter(channel).emit(batch)
    expect(channel.receive()).toBe(batch)
  })
})

describe('every record writer', () => {
  const barrier = { kind: 'barrier', id: checkpointId(1) } as const

  test('sends control elements to all channels, also full ones, behind the records sent before', () => {
    for (const make of [
      (channels: BoundedChannel[]) => keyWriter(channels, 128, keyOf, rethrow),
      (channels: BoundedChannel[]) => rebalanceWriter(channels, 0),
    ]) {
      const channels = openChannels(3, 1)
      const writer = make(channels)
      void writer.emit(columned(Array.from({ length: 64 }, (_, n) => n)))
      writer.broadcast(barrier)
      for (const channel of channels) {
        const elements = [channel.receive(), channel.receive()].filter((element) => element !== undefined)
        expect(elements.at(-1)).toBe(barrier)
      }
    }
  })
})
