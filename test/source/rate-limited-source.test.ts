import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generatorSource } from '../../src/connectors/memory/index.ts'
import { batchOf, generation, jsonSerializer, silentLogger } from '../../src/core/index.ts'
import {
  type OpenSource,
  openSource,
  rateLimited,
  type Source,
  type SourceContext,
  type SourceParts,
  type SourceReader,
  type Split,
  type SplitEnumerator,
} from '../../src/source/index.ts'
import { type MemoryEnvironment, memoryEnvironment } from '../../src/testing/index.ts'
import { noMetrics } from '../core/no-metrics.ts'

interface Given {
  readonly atMs: number
  readonly subtask: number
  readonly records: number
}

/** Readers of an opened source, each read by a loop of its own as a subtask reads it. */
class Reading<T> {
  readonly open: OpenSource<T>
  readonly readers: SourceReader<T, Split>[]
  readonly given: Given[] = []
  readonly records: T[] = []
  readonly ends: number[] = []
  #stopped = false

  constructor(source: Source<T>, environment: MemoryEnvironment, parallelism: number, batchRecordsMax = 512) {
    const step = { job: 'test', step: 'numbers', parallelism, generation: generation(1) }
    const context: SourceContext = { ...environment, ...step, batchRecordsMax, batchBytesMax: 1 << 20 }
    this.open = source.open(context)
    this.readers = Array.from({ length: parallelism }, (_, subtask) =>
      this.open.createReader({
        subtask,
        parallelism,
        metrics: noMetrics(),
        sendEventToEnumerator() {},
        sendSplitRequest() {},
      }),
    )
  }

  async start(environment: MemoryEnvironment): Promise<void> {
    const { readers, open } = this
    const enumerator = open.createEnumerator(
      {
        parallelism: readers.length,
        clock: environment.clock,
        log: silentLogger,
        metrics: noMetrics(),
        assignSplits: (subtask, splits) => readers[subtask]?.addSplits(splits),
        signalNoMoreSplits: (subtask) => readers[subtask]?.notifyNoMoreSplits(),
        sendEventToReader() {},
        fail() {},
      },
      undefined,
    )
    await enumerator.start()
    readers.forEach((reader, subtask) => {
      reader.start()
      void this.#loop(reader, subtask, environment)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.readers.map((reader) => reader.close()))
  }

  async #loop(reader: SourceReader<T, Split>, subtask: number, { clock }: MemoryEnvironment): Promise<void> {
    while (!this.#stopped) {
      const result = reader.poll()
      if (result.kind === 'end') {
        this.ends.push(clock.monoMs())
        return
      }
      if (result.kind === 'nothing') await reader.available()
      else {
        this.given.push({ atMs: clock.monoMs(), subtask, records: result.batch.records.length })
        this.records.push(...result.batch.records)
      }
    }
  }
}

/** Records given out in any window of that length, at most. */
const mostIn = (given: readonly Given[], windowMs: number): number => {
  let most = 0
  let inside = 0
  let first = 0
  for (const { atMs, records } of given) {
    inside += records
    for (let oldest = given[first]; oldest !== undefined && oldest.atMs < atMs - windowMs; oldest = given[++first]) {
      inside -= oldest.records
    }
    most = Math.max(most, inside)
  }
  return most
}

const numbers = (count: number, splits = 1): Source<number, 'exactly-once'> =>
  generatorSource({ generate: (index) => index, count, splits })

describe('a rate-limited source', () => {
  test('gives no window of time more records than its rate and a burst of 100 ms', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.5, max: 5_000, noNaN: true }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(1, 3, 512),
        async (rate, parallelism, splits, batchRecordsMax) => {
          const environment = memoryEnvironment()
          const reading = new Reading(
            rateLimited(numbers(100_000, splits), rate),
            environment,
            parallelism,
            batchRecordsMax,
          )
          await reading.start(environment)
          await environment.clock.advance(1_000)
          await reading.stop()
          const burst = Math.max(rate / 10, parallelism + 1)
          for (const windowMs of [0, 10, 100, 1_000]) {
            expect(mostIn(reading.given, windowMs)).toBeLessThanOrEqual(burst + (rate * windowMs) / 1000 + 1e-6)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test.each([1, 2, 4])('keeps its rate with %i readers that all have work', async (parallelism) => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(1_000_000, 4), 1_500), environment, parallelism)
    await reading.start(environment)
    await environment.clock.advance(10_000)
    const total = reading.records.length
    expect(total).toBeGreaterThan(14_800)
    expect(total).toBeLessThan(15_200)
    const each = reading.readers.map((_, subtask) =>
      reading.given.filter((given) => given.subtask === subtask).reduce((sum, { records }) => sum + records, 0),
    )
    expect(Math.min(...each)).toBeGreaterThan(0.9 * Math.max(...each))
  })

  test('lets readers without work leave their share to the others', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(1_000_000, 1), 1_500), environment, 4)
    await reading.start(environment)
    await environment.clock.advance(4_000)
    expect(reading.records.length).toBeGreaterThan(5_900)
  })

  test('gives one record at once and the next after its time when the rate is low', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(100), 0.5), environment, 1)
    await reading.start(environment)
    await environment.clock.advance(8_500)
    expect(reading.given.map(({ atMs, records }) => [atMs, records])).toEqual([0, 2, 4, 6, 8].map((s) => [s * 1000, 1]))
  })

  test('ends when the source does, without waiting for permits it has no use for', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(2), 0.1), environment, 2)
    await reading.start(environment)
    await environment.clock.advance(10_000)
    expect(reading.records).toEqual([0, 1])
    expect(reading.ends).toEqual([0, 10_000])
  })

  test('has no position past what it gave out, at any moment', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(100_000), 2_000), environment, 1)
    await reading.start(environment)
    const seen = new Set<number>()
    for (let checkpoint = 1; checkpoint <= 200; checkpoint++) {
      await environment.clock.advance(7)
      const [split] = reading.readers[0]?.snapshotState(checkpoint) ?? []
      expect(split).toMatchObject({ splitId: 'generator-0', next: reading.records.length })
      seen.add(reading.records.length)
    }
    expect(seen.size).toBeGreaterThan(20)
  })

  test('says that it waits for its turn, and leaves no timer behind when it is closed', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(100), 1), environment, 1)
    await reading.start(environment)
    await environment.clock.advance(500)
    expect(reading.readers[0]?.waitingFor()).toBe('its turn under the rate limit')
    expect(environment.clock.pendingTimers).toBe(1)
    await reading.stop()
    expect(environment.clock.pendingTimers).toBe(0)
  })

  test('charges a source that does not keep to the size of its batches for what it gave', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(unruly(100), 1_000), environment, 1)
    await reading.start(environment)
    await environment.clock.advance(10_000)
    expect(reading.records.length).toBeGreaterThan(9_800)
    expect(reading.records.length).toBeLessThan(10_300)
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the rate %d', (rate) => {
    expect(() => rateLimited(numbers(1), rate)).toThrow(/not a number of records per second/)
  })

  test('is described as the source it limits', () => {
    const { kind, guarantee, boundedness } = rateLimited(numbers(1), 10)
    expect({ kind, guarantee, boundedness }).toEqual({
      kind: 'generator',
      guarantee: 'exactly-once',
      boundedness: 'bounded',
    })
  })
})

/** Gives batches of a size of its own, for ever. */
const unruly = (batchRecords: number): Source<number> => ({
  kind: 'unruly',
  guarantee: 'best-effort',
  boundedness: 'unbounded',
  open: () =>
    openSource({
      ...serializers,
      createEnumerator: ({ assignSplits }) => ({
        async start() {
          assignSplits(0, [{ splitId: 'only' }])
        },
        addSplitsBack() {},
        snapshotState: () => null,
        unassignedSplitIds: () => [],
        async close() {},
      }),
      createReader: () => ({
        start() {},
        poll: () => ({ kind: 'records', batch: batchOf(new Array<number>(batchRecords).fill(0)) }),
        available: () => Promise.resolve(),
        addSplits() {},
        notifyNoMoreSplits() {},
        snapshotState: () => [],
        unfinishedSplitIds: () => ['only'],
        pauseOrResumeSplits() {},
        waitingFor: () => '',
        async close() {},
      }),
    }),
})

const serializers = {
  splitSerializer: jsonSerializer<Split>('test-split', 1, (_, value) => value as Split),
  enumeratorSerializer: jsonSerializer<null>('test-enumerator', 1, () => null),
}

/** Every method of the two interfaces, optional ones too: one more in either of them does not compile here. */
const readerMethods: Record<keyof SourceReader<unknown, Split>, readonly unknown[]> = {
  start: [],
  poll: [],
  available: [],
  addSplits: [[{ splitId: 'a' }]],
  notifyNoMoreSplits: [],
  handleSourceEvent: [{ kind: 'event' }],
  snapshotState: [7],
  unfinishedSplitIds: [],
  notifyCheckpointComplete: [7],
  notifyCheckpointAborted: [8],
  pauseOrResumeSplits: [['a'], ['b']],
  waitingFor: [],
  close: [],
}
const enumeratorMethods: Record<keyof SplitEnumerator<Split, unknown>, readonly unknown[]> = {
  start: [],
  handleSplitRequest: [3],
  handleReaderEvent: [3, { kind: 'event' }],
  addSplitsBack: [[{ splitId: 'a' }], 3],
  reassign: [[{ splitId: 'a' }]],
  snapshotState: [7],
  unassignedSplitIds: [],
  notifyCheckpointComplete: [7],
  close: [],
}

type Call = readonly [method: string, args: readonly unknown[]]

/** An object of those methods that notes every call and answers each with an object of its own. */
const recorder = (methods: object, calls: Call[], answers: Map<string, unknown>): object =>
  Object.fromEntries(
    Object.keys(methods).map((name) => [
      name,
      (...args: unknown[]) => {
        calls.push([name, args])
        return answers.get(name)
      },
    ]),
  )

const openRecorder = (calls: Call[], answers: Map<string, unknown>): SourceParts<unknown, Split, unknown> =>
  openSource({
    ...serializers,
    createEnumerator: () => recorder(enumeratorMethods, calls, answers) as SplitEnumerator<Split, null>,
    createReader: () => recorder(readerMethods, calls, answers) as SourceReader<unknown, Split>,
  })

describe('the parts of a rate-limited source', () => {
  const limited = (calls: Call[], answers: Map<string, unknown>): OpenSource<unknown> => {
    const source: Source<unknown> = {
      kind: 'recorder',
      guarantee: 'exactly-once',
      boundedness: 'bounded',
      open: () => openRecorder(calls, answers),
    }
    const step = { job: 'test', step: 'limited', parallelism: 1, generation: generation(1) }
    return rateLimited(source, 1000).open({
      ...memoryEnvironment(),
      ...step,
      batchRecordsMax: 10,
      batchBytesMax: 1000,
    })
  }
  const readerContext = {
    subtask: 0,
    parallelism: 1,
    metrics: noMetrics(),
    sendEventToEnumerator() {},
    sendSplitRequest() {},
  }

  test.each(Object.entries(readerMethods))('pass %s of a reader on', async (name, args) => {
    const calls: Call[] = []
    const answer = name === 'poll' ? { kind: 'nothing' } : name === 'available' ? Promise.resolve() : ['answer']
    const answers = new Map<string, unknown>([
      ['unfinishedSplitIds', ['a']],
      [name, answer],
    ])
    const reader = limited(calls, answers).createReader(readerContext) as unknown as Record<
      string,
      (...args: readonly unknown[]) => unknown
    >
    const returned = reader[name]?.(...args)
    expect(calls.filter(([called]) => called === name)).toEqual([[name, args]])
    const silent = ['start', 'addSplits', 'notifyNoMoreSplits', 'pauseOrResumeSplits', 'close']
    if (!silent.includes(name) && !/^(notify|handle)/.test(name)) expect(returned).toBe(answer)
    await returned
  })

  test.each(Object.entries(enumeratorMethods))('pass %s of an enumerator on', (name, args) => {
    const calls: Call[] = []
    const answer = ['answer']
    const context = { parallelism: 1, clock: memoryEnvironment().clock, log: silentLogger, metrics: noMetrics() }
    const nothing = { assignSplits() {}, signalNoMoreSplits() {}, sendEventToReader() {}, fail() {} }
    const enumerator = limited(calls, new Map([[name, answer]])).createEnumerator(
      { ...context, ...nothing },
      undefined,
    ) as unknown as Record<string, (...args: readonly unknown[]) => unknown>
    expect(enumerator[name]?.(...args)).toBe(answer)
    expect(calls).toEqual([[name, args]])
  })

  test('serialize with the very serializers of the source, so checkpoints are interchangeable', () => {
    const { splitSerializer, enumeratorSerializer } = limited([], new Map())
    expect({ splitSerializer, enumeratorSerializer }).toEqual(serializers)
    expect(splitSerializer).toBe(serializers.splitSerializer)
  })

  test('go on where the unlimited source stopped, and the other way round', async () => {
    const environment = memoryEnvironment()
    const reading = new Reading(rateLimited(numbers(1_000), 1_000), environment, 1)
    await reading.start(environment)
    await environment.clock.advance(300)
    const split = reading.readers[0]?.snapshotState(1)[0]
    const { splitSerializer } = reading.open
    const plain = new Reading(numbers(1_000), environment, 1)
    const stored = splitSerializer.serialize(split as Split)
    plain.readers[0]?.addSplits([plain.open.splitSerializer.deserialize(splitSerializer.version, stored)])
    const rest: number[] = []
    for (let result = plain.readers[0]?.poll(); result?.kind === 'records'; result = plain.readers[0]?.poll()) {
      rest.push(...result.batch.records)
    }
    expect([...reading.records, ...rest]).toEqual(Array.from({ length: 1_000 }, (_, index) => index))
  })
})
