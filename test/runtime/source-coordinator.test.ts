import { describe, expect, test } from 'vitest'
import { batchOf, checkpointId, jsonSerializer } from '../../src/core/index.ts'
import { readerOperator, SourceCoordinator, type StoredSource } from '../../src/runtime/source-coordinator.ts'
import { SourceInput } from '../../src/runtime/source-input.ts'
import { encodeList } from '../../src/runtime/state-list.ts'
import {
  endOfReader,
  nothingToRead,
  type OpenSource,
  openSource,
  type PollResult,
  type SourceReader,
  type Split,
  type SplitEnumerator,
  type SplitEnumeratorContext,
} from '../../src/source/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { noMetrics } from '../core/no-metrics.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf, rememberingLogger } from './operator-bench.ts'

interface TestSplit extends Split {
  readonly at: number
}

const id = checkpointId
const splitSerializer = jsonSerializer<TestSplit>('test.split', 1, (_, value) => value as TestSplit)
const stateSerializer = jsonSerializer<string>('test.enumerator', 1, (_, value) => value as string)
const split = (splitId: string, at = 0): TestSplit => ({ splitId, at })

/** A reader that says what is asked of it. */
class FakeReader implements SourceReader<string, TestSplit> {
  readonly heard: string[] = []
  owned: TestSplit[] = []
  finished = new Set<string>()
  next: PollResult<string> = nothingToRead
  watched = 0
  #wake = (): void => {}
  #fail = (_: Error): void => {}

  start(): void {
    this.heard.push('start')
  }
  poll(): PollResult<string> {
    const result = this.next
    if (result.kind === 'records') this.next = nothingToRead
    return result
  }
  available(): Promise<void> {
    this.watched++
    return new Promise((resolve, reject) => {
      this.#wake = resolve
      this.#fail = reject
    })
  }
  give(next: PollResult<string>): void {
    this.next = next
    this.#wake()
  }
  break(error: Error): void {
    this.#fail(error)
  }
  addSplits(splits: readonly TestSplit[]): void {
    this.owned.push(...splits)
    this.heard.push(`splits ${splits.map(({ splitId }) => splitId).join()}`)
  }
  notifyNoMoreSplits(): void {
    this.heard.push('no more')
  }
  handleSourceEvent(event: unknown): void {
    this.heard.push(`event ${String(event)}`)
  }
  snapshotState(): readonly TestSplit[] {
    return [...this.owned]
  }
  unfinishedSplitIds(): readonly string[] {
    return this.owned.map(({ splitId }) => splitId).filter((splitId) => !this.finished.has(splitId))
  }
  notifyCheckpointComplete(checkpoint: number): void {
    this.heard.push(`complete ${checkpoint}`)
  }
  notifyCheckpointAborted(checkpoint: number): void {
    this.heard.push(`aborted ${checkpoint}`)
  }
  pauseOrResumeSplits(): void {}
  waitingFor(): string {
    return 'the test'
  }
  async close(): Promise<void> {
    this.heard.push('close')
  }
}

type Enumerator = SplitEnumerator<TestSplit, string>

const open = (
  parallelism: number,
  change: Partial<Enumerator> & { readonly restoredState?: (state: string | undefined) => void } = {},
  stored?: StoredSource,
) => {
  const failures: Error[] = []
  const enumerators: SplitEnumeratorContext<TestSplit>[] = []
  const readers = Array.from({ length: parallelism }, () => new FakeReader())
  const { restoredState, ...methods } = change
  const source: OpenSource<string> = openSource<string, TestSplit, string>({
    splitSerializer,
    enumeratorSerializer: stateSerializer,
    createEnumerator: (context, restored) => {
      enumerators.push(context)
      restoredState?.(restored)
      return {
        start: async () => {},
        addSplitsBack: () => {},
        snapshotState: () => 'the state',
        unassignedSplitIds: () => [],
        close: async () => {},
        ...methods,
      }
    },
    createReader: ({ subtask }) => readers[subtask] ?? new FakeReader(),
  })
  const coordinator = new SourceCoordinator(
    {
      job: 'test',
      uid: 'in',
      source,
      parallelism,
      clock: new VirtualClock(),
      log: rememberingLogger([]),
      metrics: noMetrics(),
      fail: (error) => failures.push(error),
    },
    stored,
  )
  const inputFailures: unknown[] = []
  const inputs = readers.map((reader, subtask) => {
    const input = new SourceInput(reader, (error) => inputFailures.push(error))
    coordinator.attach(subtask, input)
    return input
  })
  const [enumerator] = enumerators
  if (enumerator === undefined) throw new Error('there is an enumerator')
  const operators = readers.map((reader, subtask) =>
    readerOperator(coordinator, { uid: 'in', source }, subtask, reader),
  )
  return { coordinator, enumerator, readers, inputs, operators, failures, inputFailures }
}

/** Polls until there is nothing, and gives what came. */
const drain = (input: SourceInput | undefined): string[] => {
  const events: string[] = []
  for (let event = input?.poll(); event !== undefined; event = input?.poll()) {
    events.push(
      event.kind === 'batch' ? event.batch.records.join() : event.kind === 'end' ? 'end' : `${event.kind} ${event.id}`,
    )
  }
  return events
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const records = (...list: readonly string[]): PollResult<string> => ({ kind: 'records', batch: batchOf(list) })

describe('the input of a source subtask', () => {
  test('reads nothing before it is opened, and takes splits and barriers all the same', () => {
    const { coordinator, enumerator, readers, inputs } = open(1)
    const [reader] = readers
    reader?.give(records('a'))
    enumerator.assignSplits(0, [split('s')])
    coordinator.begin(id(1))
    expect(inputs[0]?.waitingFor()).toBe('the first checkpoint, which holds the start positions')
    expect(drain(inputs[0])).toEqual(['aligned 1'])
    expect(reader?.heard).toEqual(['splits s'])
    coordinator.tellAll({ kind: 'open' })
    expect(drain(inputs[0])).toEqual(['a'])
    expect(inputs[0]?.waitingFor()).toBe('the test')
  })

  test('keeps what it is told in order: a split that comes before a barrier is there at the barrier', () => {
    const { coordinator, enumerator, readers, inputs } = open(1)
    enumerator.assignSplits(0, [split('before')])
    coordinator.begin(id(1))
    enumerator.assignSplits(0, [split('after')])
    enumerator.signalNoMoreSplits(0)
    enumerator.sendEventToReader(0, 'hello')
    expect(inputs[0]?.poll()).toEqual({ kind: 'aligned', id: 1 })
    expect(readers[0]?.heard).toEqual(['splits before'])
    expect(drain(inputs[0])).toEqual([])
    expect(readers[0]?.heard).toEqual(['splits before', 'splits after', 'no more', 'event hello'])
  })

  test('rings when the reader has something, and watches it once', async () => {
    const { coordinator, readers, inputs } = open(1)
    let rings = 0
    inputs[0]?.onAvailable(() => rings++)
    coordinator.tellAll({ kind: 'open' })
    expect(rings).toBe(1)
    for (let poll = 0; poll < 3; poll++) expect(drain(inputs[0])).toEqual([])
    expect(readers[0]?.watched).toBe(1)
    readers[0]?.give(records('a'))
    await turn()
    expect(rings).toBe(2)
    expect(drain(inputs[0])).toEqual(['a'])
  })

  test('gives barriers behind the end of its records', () => {
    const { coordinator, readers, inputs } = open(1)
    coordinator.tellAll({ kind: 'open' })
    readers[0]?.give(endOfReader)
    expect(drain(inputs[0])).toEqual(['end'])
    coordinator.begin(id(1))
    expect(drain(inputs[0])).toEqual(['aligned 1'])
    expect(inputs[0]?.waitingFor()).toBe('the end of the job')
  })

  test('stops without an end, or with one when it is drained, and ends once', () => {
    for (const drained of [false, true]) {
      const { coordinator, readers, inputs } = open(1)
      coordinator.tellAll({ kind: 'open' })
      readers[0]?.give(records('a'))
      coordinator.tellAll({ kind: 'stop', drain: drained })
      coordinator.tellAll({ kind: 'stop', drain: true })
      expect(drain(inputs[0])).toEqual(['end'])
      coordinator.begin(id(1))
      expect(drain(inputs[0])).toEqual(['aligned 1'])
    }
    const { coordinator, readers, inputs } = open(1)
    coordinator.tellAll({ kind: 'open' })
    readers[0]?.give(records('a'))
    coordinator.tellAll({ kind: 'stop', drain: false })
    expect(drain(inputs[0])).toEqual([])
  })

  test('passes on that a checkpoint is given up', () => {
    const { coordinator, inputs } = open(1)
    coordinator.begin(id(1))
    coordinator.tellAll({ kind: 'cancel-barrier', id: id(1) })
    expect(drain(inputs[0])).toEqual(['aligned 1', 'aborted 1'])
  })

  test('tells of a reader that fails, when it is asked and when it is waited for, and asks no more', async () => {
    const asked = open(1)
    asked.coordinator.tellAll({ kind: 'open' })
    const [reader] = asked.readers
    const broken = new Error('the shard is gone')
    let polls = 0
    if (reader !== undefined) {
      reader.poll = () => {
        polls++
        throw broken
      }
    }
    expect(drain(asked.inputs[0])).toEqual([])
    expect(drain(asked.inputs[0])).toEqual([])
    expect(asked.inputFailures).toEqual([broken])
    expect(polls).toBe(1)

    const waited = open(1)
    waited.coordinator.tellAll({ kind: 'open' })
    expect(drain(waited.inputs[0])).toEqual([])
    waited.readers[0]?.break(broken)
    await turn()
    expect(waited.inputFailures).toEqual([broken])
  })
})

describe('a source coordinator', () => {
  test('puts the state of the enumerator and the barriers at one moment', () => {
    let unassigned = ['a', 'b']
    const { coordinator, enumerator, inputs } = open(2, {
      snapshotState: () => unassigned.join(),
      unassignedSplitIds: () => unassigned,
    })
    enumerator.assignSplits(1, [split('b')])
    unassigned = ['a']
    const state = coordinator.begin(id(4))
    expect(new TextDecoder().decode(state.bytes)).toBe('"a"')
    expect(state).toMatchObject({ name: 'test.enumerator', version: 1 })
    expect(inputs.map(drain)).toEqual([['aligned 4'], ['aligned 4']])
  })

  test('writes the state of its enumerator as a part of its own', async () => {
    const { coordinator } = open(1)
    const writer = new MemoryWriter()
    await coordinator.persist(coordinator.begin(id(1)), writer)
    expect(writer.parts[0]?.header).toEqual({
      uid: 'in',
      kind: 'enumerator',
      serializer: 'test.enumerator',
      version: 1,
    })
  })

  test('gives the splits of a checkpoint back to whom they belonged', () => {
    const stored: StoredSource = {
      parallelism: 2,
      enumerator: { name: 'test.enumerator', version: 1, bytes: stateSerializer.serialize('old') },
      readers: new Map([
        [0, [storedSplits(split('a', 5), split('b', 6))]],
        [1, [storedSplits(split('c', 7))]],
      ]),
    }
    const states: (string | undefined)[] = []
    const { readers, inputs } = open(2, { restoredState: (state) => states.push(state) }, stored)
    inputs.map(drain)
    expect(states).toEqual(['old'])
    expect(readers.map(({ owned }) => owned)).toEqual([[split('a', 5), split('b', 6)], [split('c', 7)]])
  })

  test('deals them out evenly when the parallelism has changed, or as its enumerator says', () => {
    const stored: StoredSource = {
      parallelism: 2,
      enumerator: undefined,
      readers: new Map([
        [1, [storedSplits(split('c'), split('a'))]],
        [0, [storedSplits(split('d'), split('b'))]],
      ]),
    }
    const even = open(3, {}, stored)
    even.inputs.map(drain)
    expect(even.readers.map(({ owned }) => owned.map(({ splitId }) => splitId))).toEqual([['a', 'd'], ['b'], ['c']])
    const placed = open(1, { reassign: (splits) => new Map([[0, [...splits].reverse()]]) }, stored)
    placed.inputs.map(drain)
    expect(placed.readers[0]?.owned.map(({ splitId }) => splitId)).toEqual(['a', 'c', 'b', 'd'])
  })

  test('refuses an enumerator that loses or doubles a split when it places them', () => {
    const stored: StoredSource = {
      parallelism: 2,
      enumerator: undefined,
      readers: new Map([[0, [storedSplits(split('a'), split('b'))]]]),
    }
    for (const reassign of [
      () => new Map([[0, [split('a')]]]),
      () => new Map([[0, [split('a'), split('a')]]]),
      () => new Map([[0, [split('a'), split('b'), split('c')]]]),
    ]) {
      expect(() => open(1, { reassign }, stored)).toThrow(/reassign places each of 2 restored splits exactly once/)
    }
  })

  test('refuses a second owner for a split', () => {
    const { enumerator } = open(2)
    enumerator.assignSplits(0, [split('a')])
    expect(() => enumerator.assignSplits(1, [split('a')])).toThrow(
      /split a has one owner; it is with subtask 0 already/,
    )
    expect(() => enumerator.assignSplits(0, [split('a')])).toThrow(/has one owner/)
    expect(() => enumerator.assignSplits(7, [split('b')])).toThrow(/there is a subtask 7/)
  })

  test('refuses a checkpoint that lacks a split or has one twice', () => {
    const { coordinator, enumerator, readers, inputs, operators } = open(2, { unassignedSplitIds: () => ['c'] })
    enumerator.assignSplits(0, [split('a')])
    enumerator.assignSplits(1, [split('b')])
    coordinator.begin(id(1))
    inputs.map(drain)
    readers[0]?.owned.splice(0)
    expect(() => operators[0]?.snapshot?.(id(1))).toThrow(/split a is in the snapshot of subtask 0/)
    readers[1]?.owned.push(split('c'))
    expect(() => operators[1]?.snapshot?.(id(1))).toThrow(/split c is in one snapshot; it is in the enumerator too/)
  })

  test('lets a finished split go once a snapshot had it', () => {
    const { coordinator, enumerator, readers, inputs, operators } = open(1)
    enumerator.assignSplits(0, [split('a'), split('b')])
    inputs.map(drain)
    readers[0]?.finished.add('a')
    coordinator.begin(id(1))
    operators[0]?.snapshot?.(id(1))
    readers[0]?.owned.splice(0, 1)
    coordinator.begin(id(2))
    expect(() => operators[0]?.snapshot?.(id(2))).not.toThrow()
    enumerator.assignSplits(0, [split('a')])
  })

  test('fails the job with what its enumerator throws in a callback', () => {
    const broken = new Error('confused')
    const throwing = (): never => {
      throw broken
    }
    const { coordinator, failures } = open(1, {
      handleReaderEvent: throwing,
      handleSplitRequest: throwing,
      notifyCheckpointComplete: throwing,
    })
    coordinator.handleReaderEvent(0, 'event')
    coordinator.handleSplitRequest(0)
    coordinator.notifyCheckpointComplete(id(1))
    expect(failures).toEqual([broken, broken, broken])
  })

  test('names the source when its enumerator cannot start', async () => {
    const { coordinator } = open(1, { start: () => Promise.reject(new Error('no connection')) })
    const error = await failureOf(() => coordinator.start())
    expect(error).toMatchObject({ place: { job: 'test', step: 'in' } })
    expect(error.message).toContain('no connection')
  })

  test('lets the reader of a subtask take part in checkpoints', async () => {
    const { enumerator, readers, inputs, operators } = open(1)
    enumerator.assignSplits(0, [split('a', 3), split('b', 4)])
    inputs.map(drain)
    const writer = new MemoryWriter()
    await operators[0]?.snapshot?.(id(1)).persist(writer)
    operators[0]?.notifyCheckpointComplete?.(id(1))
    operators[0]?.notifyCheckpointAborted?.(id(2))
    await operators[0]?.close?.()
    expect(writer.parts[0]?.header).toMatchObject({ uid: 'in', kind: 'splits', subtask: 0, serializer: 'test.split' })
    expect(new TextDecoder().decode(writer.parts[0]?.bytes)).toBe('T\n{"splitId":"a","at":3}\n{"splitId":"b","at":4}\n')
    expect(readers[0]?.heard).toEqual(['splits a,b', 'complete 1', 'aborted 2', 'close'])
  })
})

const storedSplits = (...splits: readonly TestSplit[]) => ({
  name: 'test.split',
  version: 1,
  bytes: encodeList(splits.map((one) => splitSerializer.serialize(one))),
})
