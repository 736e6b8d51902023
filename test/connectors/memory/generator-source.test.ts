import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arraySource, type GeneratorOptions, generatorSource } from '../../../src/connectors/memory/index.ts'
import { checkpointId, generation } from '../../../src/core/index.ts'
import type { OpenSource, PollResult, Source, SourceContext, SourceReader, Split } from '../../../src/source/index.ts'
import { memoryEnvironment } from '../../../src/testing/index.ts'
import { noMetrics } from '../../core/no-metrics.ts'

type Reader = SourceReader<unknown, Split>

const contextOf = (change: Partial<SourceContext> = {}): SourceContext => ({
  ...memoryEnvironment(),
  job: 'test',
  step: 'in',
  parallelism: 1,
  generation: generation(1),
  batchRecordsMax: 10,
  batchBytesMax: 1_000_000,
  ...change,
})

/** What a checkpoint holds of a source: every split and the state of its enumerator, as they are stored. */
interface Stored {
  readonly splits: readonly Uint8Array[]
  readonly enumerator: Uint8Array
}

/** Runs a source by hand: readers, what they were given, and the snapshot of all of it. */
class Rig {
  readonly open: OpenSource<unknown>
  readonly readers: Reader[]
  readonly assigned: string[] = []
  readonly #snapshotEnumerator: () => unknown

  constructor(source: Source<unknown>, change: Partial<SourceContext> = {}, stored?: Stored) {
    const context = contextOf(change)
    const { parallelism } = context
    this.open = source.open(context)
    const { splitSerializer, enumeratorSerializer } = this.open
    this.readers = Array.from({ length: parallelism }, (_, subtask) =>
      this.open.createReader({
        subtask,
        parallelism,
        metrics: noMetrics(),
        sendEventToEnumerator() {},
        sendSplitRequest() {},
      }),
    )
    const enumerator = this.open.createEnumerator(
      {
        parallelism,
        clock: context.clock,
        log: context.log,
        metrics: noMetrics(),
        assignSplits: (subtask, splits) => {
          this.assigned.push(...splits.map(({ splitId }) => splitId))
          this.readers[subtask]?.addSplits(splits)
        },
        signalNoMoreSplits: (subtask) => this.readers[subtask]?.notifyNoMoreSplits(),
        sendEventToReader() {},
        fail: (error) => {
          throw error
        },
      },
      stored === undefined
        ? undefined
        : enumeratorSerializer.deserialize(enumeratorSerializer.version, stored.enumerator),
    )
    this.#snapshotEnumerator = () => enumerator.snapshotState(checkpointId(1))
    stored?.splits.forEach((bytes, index) => {
      this.readers[index % parallelism]?.addSplits([splitSerializer.deserialize(splitSerializer.version, bytes)])
    })
    void enumerator.start()
  }

  snapshot(): Stored {
    const { splitSerializer, enumeratorSerializer } = this.open
    return {
      splits: this.readers.flatMap((reader) =>
        reader.snapshotState(checkpointId(1)).map((split) => splitSerializer.serialize(split)),
      ),
      enumerator: enumeratorSerializer.serialize(this.#snapshotEnumerator()),
    }
  }

  get reader(): Reader {
    const [reader] = this.readers
    if (reader === undefined) throw new Error('there is a reader')
    return reader
  }

  poll(): PollResult<unknown> {
    return this.reader.poll()
  }

  /** Records of up to so many polls, over all readers. */
  records(polls: number): unknown[] {
    const records: unknown[] = []
    for (let poll = 0; poll < polls; poll++) {
      for (const reader of this.readers) {
        const result = reader.poll()
        if (result.kind === 'records') records.push(...result.batch.records)
      }
    }
    return records
  }

  get ended(): boolean {
    return this.readers.every((reader) => reader.poll().kind === 'end')
  }
}

const generator = (options: Partial<GeneratorOptions<number>> = {}) =>
  generatorSource({ generate: (index) => index, ...options })
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const sorted = (list: readonly unknown[]): unknown[] => [...list].sort((a, b) => Number(a) - Number(b))

describe('a generator source', () => {
  test('gives the record of every number once, in order within each split', () => {
    const rig = new Rig(generator({ count: 25, splits: 3 }))
    expect(rig.assigned).toEqual(['generator-0', 'generator-1', 'generator-2'])
    const records = rig.records(20)
    expect(sorted(records)).toEqual(numbers(25))
    for (const split of [0, 1, 2]) {
      const own = records.filter((n) => Number(n) % 3 === split)
      expect(own).toEqual(sorted(own))
    }
    expect(rig.ended).toBe(true)
  })

  test('says where each record came from', () => {
    const rig = new Rig(generator({ count: 10, splits: 2 }))
    const results = [rig.poll(), rig.poll()]
    const origins = results.flatMap((result) =>
      result.kind === 'records' ? result.batch.records.map((n, index) => [n, result.batch.origins?.at(index)]) : [],
    )
    expect(origins).toHaveLength(10)
    for (const [n, origin] of origins)
      expect(origin).toEqual({ split: `generator-${Number(n) % 2}`, position: String(n) })
  })

  test('keeps to the limits of a batch, by records and by bytes, and gives at least one', () => {
    const sizes = (source: Source<unknown>, change: Partial<SourceContext>): number[] => {
      const rig = new Rig(source, change)
      const result = [rig.poll(), rig.poll()].flatMap((one) => (one.kind === 'records' ? [one.batch] : []))
      expect(result.every(({ bytes, records }) => bytes === records.length * 100)).toBe(true)
      return result.map(({ records }) => records.length)
    }
    const source = generator({ recordBytes: 100 })
    expect(sizes(source, { batchRecordsMax: 7 })).toEqual([7, 7])
    expect(sizes(source, { batchRecordsMax: 7, batchBytesMax: 350 })).toEqual([3, 3])
    expect(sizes(source, { batchBytesMax: 1 })).toEqual([1, 1])
  })

  test('never ends without a count', () => {
    const rig = new Rig(generator({ splits: 2 }))
    expect(rig.records(1_000)).toHaveLength(10_000)
    expect(rig.ended).toBe(false)
    expect(generator().boundedness).toBe('unbounded')
    expect(generator({ count: 0 }).boundedness).toBe('bounded')
  })

  test('goes on from any snapshot at any parallelism, and gives every number once', () => {
    const shape = fc.record({
      count: fc.integer({ min: 0, max: 120 }),
      splits: fc.integer({ min: 1, max: 6 }),
      parallelisms: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      polls: fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
      batchRecordsMax: fc.integer({ min: 1, max: 12 }),
    })
    fc.assert(
      fc.property(shape, ({ count, splits, parallelisms, polls, batchRecordsMax }) => {
        const source = generator({ count, splits })
        const given: unknown[] = []
        let stored: Stored | undefined
        for (const [index, parallelism] of parallelisms.entries()) {
          const rig = new Rig(source, { parallelism, batchRecordsMax }, stored)
          given.push(...rig.records(polls[index % polls.length] ?? 0))
          stored = rig.snapshot()
          // What is given out after the snapshot is given out again.
          rig.records(2)
        }
        const last = new Rig(source, { parallelism: 2, batchRecordsMax }, stored)
        given.push(...last.records(count + 1))
        expect(sorted(given)).toEqual(numbers(count))
        expect(last.ended).toBe(true)
      }),
    )
  })

  test('deals its splits out once, also when it is restored', () => {
    const rig = new Rig(generator({ count: 9, splits: 3 }))
    const again = new Rig(generator({ count: 9, splits: 3 }), {}, rig.snapshot())
    expect(again.assigned).toEqual([])
    expect(sorted(again.records(10))).toEqual(numbers(9))
  })

  test('loses nothing when it has another number of splits after a restore', () => {
    const rig = new Rig(generator({ count: 100, splits: 2 }))
    const before = rig.records(3)
    const again = new Rig(generator({ count: 100, splits: 5 }), {}, rig.snapshot())
    expect(sorted([...before, ...again.records(100)])).toEqual(numbers(100))
  })

  test('moves no position when its function throws', () => {
    let fail = true
    const rig = new Rig(
      generator({
        count: 10,
        generate: (index) => {
          if (index === 5 && fail) throw new RangeError('boom')
          return index
        },
      }),
    )
    expect(() => rig.poll()).toThrow('boom')
    fail = false
    expect(rig.records(5)).toEqual(numbers(10))
  })

  test('gives nothing of a split that is paused, still owns it, and does not end before it', () => {
    const rig = new Rig(generator({ count: 20, splits: 2 }))
    rig.reader.pauseOrResumeSplits(['generator-0'], [])
    expect(rig.records(10)).toEqual(numbers(20).filter((n) => n % 2 === 1))
    expect(rig.poll().kind).toBe('nothing')
    expect(rig.reader.unfinishedSplitIds()).toEqual(['generator-0'])
    expect(rig.snapshot().splits).toHaveLength(2)
    rig.reader.pauseOrResumeSplits([], ['generator-0'])
    expect(rig.records(10)).toEqual(numbers(20).filter((n) => n % 2 === 0))
    expect(rig.reader.unfinishedSplitIds()).toEqual([])
    expect(rig.poll().kind).toBe('end')
  })

  test('tells everyone who waits that there is something, also when it is closed', async () => {
    const rig = new Rig(generator({ count: 20, splits: 1 }))
    rig.reader.pauseOrResumeSplits(['generator-0'], [])
    let woken = 0
    for (let waiter = 0; waiter < 3; waiter++) void rig.reader.available().then(() => woken++)
    await Promise.resolve()
    expect(woken).toBe(0)
    rig.reader.pauseOrResumeSplits([], ['generator-0'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(woken).toBe(3)
    void rig.reader.available().then(() => woken++)
    await rig.reader.close()
    await rig.reader.close()
    await new Promise((resolve) => setImmediate(resolve))
    expect(woken).toBe(4)
  })

  test('waits for splits until it is told that none will come', () => {
    const { open } = new Rig(generator({ count: 3 }))
    const calls = { sendEventToEnumerator() {}, sendSplitRequest() {} }
    const reader = open.createReader({ subtask: 0, parallelism: 1, metrics: noMetrics(), ...calls })
    expect(reader.poll().kind).toBe('nothing')
    expect(reader.waitingFor()).toBe('splits')
    reader.notifyNoMoreSplits()
    expect(reader.poll().kind).toBe('end')
  })
})

describe('an array source', () => {
  test('gives its records, in order within each split', () => {
    const rig = new Rig(arraySource(['a', 'b', 'c', 'd', 'e'], { splits: 2 }))
    expect(rig.records(5)).toEqual(['a', 'c', 'e', 'b', 'd'])
    expect(rig.ended).toBe(true)
  })

  test('gives records that are undefined as well', () => {
    const rig = new Rig(arraySource([undefined, null, 0]))
    expect(rig.records(3)).toEqual([undefined, null, 0])
  })
})
