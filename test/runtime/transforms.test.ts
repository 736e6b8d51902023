import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf, estimateBytes, StepError } from '../../src/core/index.ts'
import type { Operator } from '../../src/runtime/operator.ts'
import { filterOperator, flatMapOperator, mapOperator, splitOperator } from '../../src/runtime/transforms.ts'
import { failureOf, numbered, OperatorBench, processAll } from './operator-bench.ts'

const boom = (): never => {
  throw new RangeError('boom')
}

describe('map', () => {
  test('puts each record through the function, and keeps event times and origins', async () => {
    const bench = new OperatorBench()
    await processAll(
      mapOperator(bench.context, (n) => `${n}!`),
      numbered([1, 2, 3]),
    )
    expect(bench.rows()).toEqual([
      ['1!', 1_000, 'p0'],
      ['2!', 1_001, 'p1'],
      ['3!', 1_002, 'p2'],
    ])
  })

  test('estimates the size of what it made, not of what came in', async () => {
    const bench = new OperatorBench()
    const long = 'x'.repeat(10_000)
    await processAll(
      mapOperator(bench.context, () => long),
      numbered([1, 2]),
    )
    expect(bench.batches()[0]?.bytes).toBe(2 * estimateBytes(long))
  })

  test('makes the step wait when there is no room behind it', async () => {
    const full = Promise.resolve()
    const bench = new OperatorBench({ room: () => full })
    expect(mapOperator(bench.context, String).process(batchOf([1]))).toBe(full)
  })

  test('says step, split and position of the record whose function threw', async () => {
    const bench = new OperatorBench()
    const operator = mapOperator(bench.context, (n) => (n === 2 ? boom() : n))
    const error = await failureOf(() => operator.process(numbered([1, 2, 3])))
    expect(error).toMatchObject({ code: 'STEP_FAILED', cause: expect.any(RangeError) })
    expect(error.message).toMatchInlineSnapshot(`
      "STEP_FAILED (job test, step the step, subtaskIndex 3, split shard-7, position p1): the function of the step threw RangeError: boom
        fix: correct the function, or let it handle such records; the cause has the stack"
    `)
    expect(bench.records()).toEqual([])
  })

  test('passes an error of ours on unchanged', async () => {
    const ours = new StepError('STEP_MISUSED', { message: 'mine' })
    const operator = mapOperator(new OperatorBench().context, () => {
      throw ours
    })
    expect(await failureOf(() => operator.process(batchOf([1])))).toBe(ours)
  })

  test('refuses a function that returns a promise, and leaves no rejection behind', async () => {
    const operator = mapOperator(new OperatorBench().context, async () => boom())
    const error = await failureOf(() => operator.process(batchOf([1, 2])))
    expect(error.message).toMatchInlineSnapshot(`
      "STEP_MISUSED (job test, step the step, subtaskIndex 3): the function of map returned a promise
        fix: make it synchronous, or use .mapAsync(name, options, fn) for work that waits"
    `)
  })

  test('refuses a promise for any one record, not only for the first', async () => {
    const bench = new OperatorBench()
    const operator = mapOperator(bench.context, (n) => (n === 2 ? Promise.resolve(n) : n))
    expect(await failureOf(() => operator.process(batchOf([1, 2, 3])))).toMatchObject({ code: 'STEP_MISUSED' })
    expect(bench.records()).toEqual([])
  })
})

describe('filter', () => {
  test('lets through the records with a true value, with their columns', async () => {
    const bench = new OperatorBench()
    await processAll(
      filterOperator(bench.context, (n) => (n as number) % 2 === 0),
      numbered([1, 2, 3, 4], 400),
    )
    expect(bench.rows()).toEqual([
      [2, 1_001, 'p1'],
      [4, 1_003, 'p3'],
    ])
    expect(bench.batches()[0]?.bytes).toBe(200)
  })

  test('takes any true value for true', async () => {
    const bench = new OperatorBench()
    const verdicts: readonly unknown[] = [1, 'a', {}, 0, '', null, undefined, Number.NaN, false]
    await processAll(
      filterOperator(bench.context, (verdict) => verdict),
      batchOf(verdicts),
    )
    expect(bench.records()).toEqual([1, 'a', {}])
  })

  test('emits nothing when nothing is left', async () => {
    const bench = new OperatorBench()
    await processAll(
      filterOperator(bench.context, () => false),
      numbered([1, 2]),
    )
    expect(bench.batches()).toEqual([])
  })

  test('says step, split and position of the record whose function threw', async () => {
    const operator = filterOperator(new OperatorBench().context, (n) => (n === 3 ? boom() : true))
    expect(await failureOf(() => operator.process(numbered([1, 2, 3])))).toMatchObject({
      code: 'STEP_FAILED',
      place: { step: 'the step', split: 'shard-7', position: 'p2' },
    })
  })

  test.each([1, 2, 3])('refuses a promise for record %d, which would always be true', async (which) => {
    const bench = new OperatorBench()
    const operator = filterOperator(bench.context, (n) => (n === which ? Promise.resolve(false) : true))
    expect(await failureOf(() => operator.process(batchOf([1, 2, 3])))).toMatchObject({ code: 'STEP_MISUSED' })
    expect(bench.records()).toEqual([])
  })
})

describe('flatMap', () => {
  test('gives every record of every iterable, each with the columns of the record it came from', async () => {
    const bench = new OperatorBench({ batchRecordsMax: 100 })
    await processAll(
      flatMapOperator(bench.context, (n) => Array.from({ length: n as number }, (_, index) => `${n}.${index}`)),
      numbered([2, 0, 1]),
    )
    expect(bench.rows()).toEqual([
      ['2.0', 1_000, 'p0'],
      ['2.1', 1_000, 'p0'],
      ['1.0', 1_002, 'p2'],
    ])
  })

  test('cuts what it gives into batches of the size of the job, also across records', async () => {
    const bench = new OperatorBench({ batchRecordsMax: 4 })
    await processAll(
      flatMapOperator(bench.context, (n) => [n, n, n]),
      numbered([1, 2, 3]),
    )
    expect(bench.batches().map(({ records }) => records)).toEqual([[1, 1, 1, 2], [2, 2, 3, 3], [3]])
    expect(bench.rows()[4]).toEqual([2, 1_001, 'p1'])
  })

  test('equals the flat list of all results, whatever waits in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(9), { maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 1 }),
        fc.integer({ min: 1, max: 5 }),
        async (counts, waits, batchRecordsMax) => {
          let emits = 0
          const room = (): void | Promise<void> => (waits[emits++ % waits.length] ? Promise.resolve() : undefined)
          const bench = new OperatorBench({ batchRecordsMax, room })
          const expected = counts.flatMap((count, index) => Array.from({ length: count }, (_, n) => [index, n]))
          function* results(record: unknown): Iterable<unknown> {
            const [index = 0, count = 0] = record as number[]
            for (let n = 0; n < count; n++) yield [index, n]
          }
          await processAll(
            flatMapOperator(bench.context, results),
            numbered(counts.map((count, index) => [index, count])),
          )
          expect(bench.records()).toEqual(expected)
          expect(bench.rows().map(([, , position]) => position)).toEqual(expected.map(([index]) => `p${index}`))
          for (const { records } of bench.batches()) expect(records.length).toBeLessThanOrEqual(batchRecordsMax)
        },
      ),
    )
  })

  test('draws on an iterable only as there is room for its records', async () => {
    let drawn = 0
    let letGo = (): void => {}
    const room = (): Promise<void> =>
      new Promise((resolve) => {
        letGo = resolve
      })
    const bench = new OperatorBench({ batchRecordsMax: 10, room })
    function* endless(): Iterable<number> {
      for (;;) yield drawn++
    }
    void flatMapOperator(bench.context, endless).process(batchOf([1]))
    await bench.clock.yield()
    expect(drawn).toBe(10)
    letGo()
    await bench.clock.yield()
    expect(drawn).toBe(20)
  })

  test('says step, split and position of the record whose function threw', async () => {
    const operator = flatMapOperator(new OperatorBench().context, (n) => (n === 2 ? boom() : [n]))
    expect(await failureOf(() => operator.process(numbered([1, 2])))).toMatchObject({
      code: 'STEP_FAILED',
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
  })

  test.each([
    ['before the first batch is full', 2],
    ['after a batch had to wait for room', 6],
  ])('says step, split and position when a lazy iterable throws %s', async (_, after) => {
    const bench = new OperatorBench({ batchRecordsMax: 4, room: () => Promise.resolve() })
    function* failing(n: unknown): Iterable<number> {
      if (n !== 2) return
      for (let index = 0; index < after; index++) yield index
      boom()
    }
    const operator = flatMapOperator(bench.context, failing)
    expect(await failureOf(() => operator.process(numbered([1, 2, 3])))).toMatchObject({
      code: 'STEP_FAILED',
      cause: expect.any(RangeError),
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
  })

  test.each([
    ['behind a full batch', [1, 2, 3, 4, 5]],
    ['at the end of the batch', [1]],
  ])('does not take the failure of a later step for its own, %s', async (_, results) => {
    const foreign = new Error('the disk is full')
    const bench = new OperatorBench({ batchRecordsMax: 4, room: () => Promise.reject(foreign) })
    const operator = flatMapOperator(bench.context, () => results)
    expect(await failureOf(() => operator.process(numbered([1])))).toBe(foreign)
  })

  test.each([
    ['undefined', undefined],
    ['a number', 5],
    ['null', null],
    ['a plain object', {}],
  ])('refuses a function that returns %s', async (_, nonsense) => {
    const operator = flatMapOperator(new OperatorBench().context, () => nonsense as never)
    const error = await failureOf(() => operator.process(numbered([1])))
    expect(error).toMatchObject({ code: 'STEP_MISUSED', fix: 'return an array or another iterable' })
    expect(error.message).toContain('the function of flatMap returned')
  })

  test('refuses a function that returns a promise', async () => {
    const operator = flatMapOperator(new OperatorBench().context, (async () => []) as never)
    const error = await failureOf(() => operator.process(numbered([1])))
    expect(error.message).toContain('the function of flatMap returned a promise')
  })
})

describe('split', () => {
  const isEven = (n: unknown): boolean => (n as number) % 2 === 0
  const isLarge = (n: unknown): boolean => (n as number) > 10
  const branches = [
    ['even', isEven],
    ['large', isLarge],
  ] as const
  const open = () => new OperatorBench({ sides: ['even', 'large', 'rest'] })

  test('sends each record to the first branch that takes it, else to rest, with its columns', async () => {
    const bench = open()
    await processAll(splitOperator(bench.context, branches), numbered([1, 2, 11, 12, 3]))
    expect(bench.rows('even')).toEqual([
      [2, 1_001, 'p1'],
      [12, 1_003, 'p3'],
    ])
    expect(bench.rows('large')).toEqual([[11, 1_002, 'p2']])
    expect(bench.records('rest')).toEqual([1, 3])
    expect(bench.records('main')).toEqual([])
  })

  test('loses and doubles nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(30), { minLength: 1 }), async (records) => {
        const bench = open()
        await processAll(splitOperator(bench.context, branches), numbered(records))
        const positions = ['even', 'large', 'rest'].flatMap((name) =>
          bench.rows(name).map(([, , position]) => position),
        )
        expect(positions.sort()).toEqual(records.map((_, index) => `p${index}`).sort())
        expect(bench.records('even')).toEqual(records.filter(isEven))
      }),
    )
  })

  test('says step, split and position of the record whose test threw', async () => {
    const operator = splitOperator(open().context, [['all', (n) => (n === 2 ? boom() : true)]])
    expect(await failureOf(() => operator.process(numbered([1, 2])))).toMatchObject({
      code: 'STEP_FAILED',
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
  })

  test('refuses a test that returns a promise, which would always be true', async () => {
    const bench = open()
    const operator = splitOperator(bench.context, [['even', async (n) => isEven(n)]])
    const error = await failureOf(() => operator.process(numbered([1])))
    expect(error).toMatchObject({ code: 'STEP_MISUSED' })
    expect(error.message).toContain('the function of split returned a promise')
    expect(bench.records('even')).toEqual([])
  })
})

describe('every transform', () => {
  const transforms: Readonly<Record<string, (bench: OperatorBench) => Operator>> = {
    map: ({ context }) => mapOperator(context, (n) => n),
    filter: ({ context }) => filterOperator(context, () => true),
    flatMap: ({ context }) => flatMapOperator(context, (n) => [n]),
    split: ({ context }) => splitOperator(context, [['main', () => true]]),
  }

  test.each(Object.keys(transforms))('%s does without columns where the batch has none', async (name) => {
    const bench = new OperatorBench({ sides: ['main'] })
    const operator = transforms[name]?.(bench)
    await operator?.process(batchOf(['a', 'b']))
    expect(bench.rows()).toEqual([
      ['a', undefined, undefined],
      ['b', undefined, undefined],
    ])
  })
})
