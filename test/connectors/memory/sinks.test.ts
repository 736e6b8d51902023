import { describe, expect, test } from 'vitest'
import { collectSink, discardSink, functionSink } from '../../../src/connectors/memory/index.ts'
import { batchOf, checkpointId, generation } from '../../../src/core/index.ts'
import type { CommitRequest, OpenSink, Sink, SinkContext } from '../../../src/sink/index.ts'
import { memoryEnvironment } from '../../../src/testing/index.ts'
import { noMetrics } from '../../core/no-metrics.ts'
import { failureOf } from '../../runtime/operator-bench.ts'

const openOn = <T>(sink: Sink<T>, at = 1): OpenSink<T> => {
  const context: SinkContext = {
    ...memoryEnvironment(),
    job: 'test',
    step: 'out',
    parallelism: 1,
    generation: generation(at),
    metrics: noMetrics(),
  }
  return sink.open(context)
}

const writerOf = <T>(sink: OpenSink<T>, waiting: (forWhat: string | undefined) => void = () => {}, subtask = 0) =>
  sink.createWriter(
    { subtask, parallelism: 1, metrics: noMetrics(), signal: new AbortController().signal, waiting },
    [],
  )

const requestsFor = (committables: readonly unknown[], signals: string[] = []): CommitRequest<unknown>[] =>
  committables.map((committable) => ({
    committable,
    checkpointId: checkpointId(1),
    retries: 0,
    signalAlreadyCommitted: () => signals.push('already committed'),
    retryLater: () => signals.push('later'),
    signalFailed: () => signals.push('failed'),
  }))

describe('a collect sink', () => {
  const staged = async (sink: Sink<number>, records: readonly number[], at = 1) => {
    const open = openOn(sink, at)
    const writer = await writerOf(open)
    await writer.write(batchOf(records))
    await writer.flush(false)
    const receipts = (await writer.prepareCommit?.(checkpointId(1))) ?? []
    const committer = await open.createCommitter?.()
    if (committer === undefined) throw new Error('it has a committer')
    return { open, writer, receipts, committer }
  }

  test('shows records when they are committed and not before', async () => {
    const sink = collectSink<number>()
    const { receipts, committer } = await staged(sink, [1, 2])
    expect(sink.records).toEqual([])
    await committer.commit(requestsFor(receipts))
    expect(sink.records).toEqual([1, 2])
  })

  test('shows them once, however often they are committed, and says so', async () => {
    const sink = collectSink<number>()
    const { receipts, committer } = await staged(sink, [1, 2])
    const signals: string[] = []
    await committer.commit(requestsFor(receipts))
    await committer.commit(requestsFor(receipts, signals))
    expect(sink.records).toEqual([1, 2])
    expect(signals).toEqual(['already committed'])
  })

  test('knows its receipts again after a restore', async () => {
    const sink = collectSink<number>()
    const { open, receipts, committer } = await staged(sink, [1, 2])
    const { committableSerializer } = open
    if (committableSerializer === undefined) throw new Error('it has receipts')
    const stored = receipts.map((receipt) => committableSerializer.serialize(receipt))
    await committer.commit(requestsFor(receipts))
    const restored = stored.map((bytes) => committableSerializer.deserialize(committableSerializer.version, bytes))
    await committer.commit(requestsFor(restored))
    expect(sink.records).toEqual([1, 2])
  })

  test('gives no receipt for nothing', async () => {
    const { writer, receipts } = await staged(collectSink<number>(), [])
    expect(receipts).toEqual([])
    expect(await writer.prepareCommit?.(checkpointId(2))).toEqual([])
  })

  test('takes receipts of several attempts, places and runs for different ones', async () => {
    const sink = collectSink<number>()
    for (const [records, at] of [
      [[1], 1],
      [[2], 1],
      [[3], 2],
    ] as const) {
      const { receipts, committer } = await staged(sink, records, at)
      await committer.commit(requestsFor(receipts))
    }
    const open = openOn(sink)
    for (const subtask of [0, 1]) {
      const writer = await writerOf(open, undefined, subtask)
      await writer.write(batchOf([10 + subtask]))
      const receipts = (await writer.prepareCommit?.(checkpointId(1))) ?? []
      await (await open.createCommitter?.())?.commit(requestsFor(receipts))
    }
    expect(sink.records).toEqual([1, 2, 3, 10, 11])
  })
})

describe('a function sink', () => {
  test('calls its function with every batch', async () => {
    const seen: (readonly number[])[] = []
    const writer = await writerOf(openOn(functionSink<number>('list', (records) => void seen.push(records))))
    await writer.write(batchOf([1, 2]))
    await writer.write(batchOf([3]))
    expect(seen).toEqual([[1, 2], [3]])
  })

  test('waits for a promise of its function, and says so', async () => {
    const waits: (string | undefined)[] = []
    let letGo = (): void => {}
    const slow = functionSink<number>('slow', () => new Promise((resolve) => (letGo = resolve)))
    const writer = await writerOf(openOn(slow), (forWhat) => waits.push(forWhat))
    let done = false
    const writing = Promise.resolve(writer.write(batchOf([1]))).then(() => {
      done = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect([done, waits]).toEqual([false, ['its function']])
    letGo()
    await writing
    expect(waits).toEqual(['its function', undefined])
  })

  test.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new RangeError('full')
      },
    ],
    ['rejects', () => Promise.reject(new RangeError('full'))],
  ])('that %s fails with its place and the cause, and may be tried again', async (_, consume) => {
    const waits: (string | undefined)[] = []
    const writer = await writerOf(openOn(functionSink<number>('list', consume)), (forWhat) => waits.push(forWhat), 2)
    const error = await failureOf(() => writer.write(batchOf([1])))
    expect(error).toMatchObject({
      code: 'SINK_UNAVAILABLE',
      remedy: 'restart',
      place: { step: 'out', subtaskIndex: 2 },
      cause: expect.any(RangeError),
    })
    expect(error.message).toContain('the function of the sink threw RangeError: full')
    expect(waits.at(-1)).toBeUndefined()
  })

  test('promises at-least-once and says why', () => {
    const sink = functionSink('print', () => {})
    expect(sink).toMatchObject({ kind: 'print', guarantee: 'at-least-once' })
    expect(sink.guaranteeReason).toContain('called again')
  })
})

describe('a discard sink', () => {
  test('takes anything and gives no receipt', async () => {
    const writer = await writerOf(openOn(discardSink()))
    await writer.write(batchOf([1, 'a', null]))
    await writer.flush(true)
    expect(writer.prepareCommit).toBeUndefined()
    await writer.close()
    await writer.close()
  })
})
