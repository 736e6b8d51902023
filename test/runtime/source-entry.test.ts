import { describe, expect, test } from 'vitest'
import type { DeadLetter, RecordBatch } from '../../src/core/index.ts'
import { sourceEntry } from '../../src/runtime/source-entry.ts'
import { failureOf, numbered, OperatorBench, type OperatorBenchOptions } from './operator-bench.ts'

const letter = (name: string, raw = name): DeadLetter => ({ step: 'in', reason: 'broken', raw, encoding: 'utf8' })

const entryOf = (options: OperatorBenchOptions = {}, givesLetters = true) => {
  const bench = new OperatorBench({ sides: ['dead-letter'], ...options })
  const labels = { step: 'in' }
  const entry = sourceEntry({
    context: bench.context,
    givesLetters,
    batchBytesMax: 1_000,
    records: bench.metrics.metric('millrace_records_out_total', labels),
    bytes: bench.metrics.metric('millrace_bytes_in_total', labels),
  })
  return { bench, entry }
}

describe('where a source enters its job', () => {
  test('batches without dead letters are passed on as they are', () => {
    const { bench, entry } = entryOf()
    const batch = numbered(['a', 'b'])
    expect(entry.emit(batch)).toBeUndefined()
    expect(bench.batches()[0]).toBe(batch)
    expect(bench.metrics.sum('millrace_records_out_total')).toBe(2)
    expect(bench.metrics.sum('millrace_bytes_in_total')).toBe(20)
    expect(bench.metrics.sum('millrace_records_in_errors_total')).toBe(0)
  })

  test('letters go out before the records of their batch, which lose nothing else', async () => {
    const order: string[] = []
    const { bench, entry } = entryOf({ room: (output) => void order.push(output) })
    await entry.emit({ ...numbered(['a', 'b']), deadLetters: [() => letter('x'), () => letter('y')] })
    expect(order).toEqual(['dead-letter', 'main'])
    expect(bench.records('dead-letter')).toEqual([letter('x'), letter('y')])
    expect(bench.rows()).toEqual([
      ['a', 1_000, 'p0'],
      ['b', 1_001, 'p1'],
    ])
    expect(bench.batches()[0]?.deadLetters).toBeUndefined()
    expect(bench.metrics.sum('millrace_records_in_errors_total')).toBe(2)
    expect(bench.metrics.sum('millrace_records_out_total')).toBe(2)
  })

  test('a batch of letters alone gives no batch of records', async () => {
    const { bench, entry } = entryOf()
    await entry.emit({ ...numbered([]), deadLetters: [() => letter('x')] })
    expect(bench.batches()).toEqual([])
    expect(bench.records('dead-letter')).toEqual([letter('x')])
  })

  test('letters are made a batch at a time, when the one before has found room', async () => {
    let made = 0
    const waiting: (() => void)[] = []
    const room = (output: string): Promise<void> | undefined =>
      output === 'main' ? undefined : new Promise((resolve) => waiting.push(resolve))
    const { bench, entry } = entryOf({ room })
    const make = (raw: string) => (): DeadLetter => {
      made++
      return letter('x', raw)
    }
    const large = make('x'.repeat(2_000))
    const deadLetters: RecordBatch['deadLetters'] = [large, large, ...Array.from({ length: 6 }, () => make('x'))]
    const done = entry.emit({ ...numbered(['a']), deadLetters })
    const seen: number[] = []
    while (waiting.length > 0 || bench.batches().length === 0) {
      seen.push(made)
      waiting.shift()?.()
      for (let turn = 0; turn < 5; turn++) await undefined
    }
    await done
    expect(seen).toEqual([1, 2, 6, 8])
    expect(bench.batches('dead-letter').map(({ records }) => records.length)).toEqual([1, 1, 4, 2])
    expect(bench.batches('dead-letter')[0]?.bytes).toBe(2_006)
  })

  test('a letter of a source that does not say it gives any is no letter lost', async () => {
    const { bench, entry } = entryOf({}, false)
    const error = await failureOf(() => entry.emit({ ...numbered(['a']), deadLetters: [() => letter('x')] }))
    expect(error).toMatchObject({
      code: 'STEP_MISUSED',
      place: { step: 'the step' },
      fix: expect.stringContaining('deadLetters: true'),
    })
    expect(bench.batches()).toEqual([])
  })
})
