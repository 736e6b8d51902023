import { EMPTY, map, mergeAll, NEVER, Observable, of, take, tap, toArray } from 'rxjs'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { batchOf, type DeadLetter, parseInput } from '../../src/core/index.ts'
import {
  mapAsyncOperator,
  type ParseSettings,
  parseOperator,
  type RxSegment,
  rxOperator,
} from '../../src/runtime/async-transforms.ts'
import { failureOf, numbered, OperatorBench, processAll } from './operator-bench.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Calls that the test settles one by one, in any order. */
class Calls {
  readonly begun: unknown[] = []
  readonly #open = new Map<unknown, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()

  readonly fn = (record: unknown): Promise<unknown> => {
    this.begun.push(record)
    return new Promise((resolve, reject) => this.#open.set(record, { resolve, reject }))
  }

  async finish(record: unknown, value: unknown = `${String(record)}!`): Promise<void> {
    this.#open.get(record)?.resolve(value)
    this.#open.delete(record)
    await turn()
  }

  async fail(record: unknown, error: Error): Promise<void> {
    this.#open.get(record)?.reject(error)
    this.#open.delete(record)
    await turn()
  }

  get underWay(): unknown[] {
    return [...this.#open.keys()]
  }
}

/** Keeps an eye on a promise without waiting for it. */
const watch = (promise: void | Promise<void>): { state: 'pending' | 'done' | 'failed'; error: unknown } => {
  const watched = { state: 'pending' as 'pending' | 'done' | 'failed', error: undefined as unknown }
  Promise.resolve(promise).then(
    () => {
      watched.state = 'done'
    },
    (error: unknown) => {
      watched.state = 'failed'
      watched.error = error
    },
  )
  return watched
}

describe('mapAsync', () => {
  test('keeps the order of the records, whatever the order of the answers, and their columns', async () => {
    const bench = new OperatorBench()
    const calls = new Calls()
    const done = watch(mapAsyncOperator(bench.context, { concurrency: 3 }, calls.fn).process(numbered(['a', 'b', 'c'])))
    await calls.finish('c')
    await calls.finish('a')
    expect(done.state).toBe('pending')
    await calls.finish('b')
    expect(done.state).toBe('done')
    expect(bench.rows()).toEqual([
      ['a!', 1_000, 'p0'],
      ['b!', 1_001, 'p1'],
      ['c!', 1_002, 'p2'],
    ])
  })

  test('has no more calls under way than allowed, and a new one as soon as one ends', async () => {
    const calls = new Calls()
    const operator = mapAsyncOperator(new OperatorBench().context, { concurrency: 2 }, calls.fn)
    const done = watch(operator.process(batchOf([1, 2, 3, 4, 5])))
    expect(calls.underWay).toEqual([1, 2])
    await calls.finish(2)
    expect(calls.underWay).toEqual([1, 3])
    await calls.finish(1)
    expect(calls.underWay).toEqual([3, 4])
    for (const record of [4, 3, 5]) await calls.finish(record)
    expect(calls.begun).toEqual([1, 2, 3, 4, 5])
    expect(done.state).toBe('done')
  })

  test('takes a plain value for an answer', async () => {
    const bench = new OperatorBench()
    const plain = (n: unknown): PromiseLike<unknown> => `${String(n)}?` as never
    await processAll(mapAsyncOperator(bench.context, { concurrency: 1 }, plain), batchOf([1]))
    expect(bench.records()).toEqual(['1?'])
  })

  test('begins nothing more after a rejection, waits for what is under way, and then says where it was', async () => {
    const bench = new OperatorBench()
    const calls = new Calls()
    const operator = mapAsyncOperator(bench.context, { concurrency: 2 }, calls.fn)
    const done = watch(operator.process(numbered([1, 2, 3, 4])))
    await calls.fail(2, new RangeError('no answer'))
    expect(done.state).toBe('pending')
    expect(calls.underWay).toEqual([1])
    await calls.finish(1)
    expect(done.state).toBe('failed')
    expect(calls.begun).toEqual([1, 2])
    expect(done.error).toMatchObject({
      code: 'STEP_FAILED',
      cause: expect.any(RangeError),
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
    expect(bench.records()).toEqual([])
  })

  test('takes a throw for a rejection', async () => {
    const operator = mapAsyncOperator(new OperatorBench().context, { concurrency: 1 }, () => {
      throw new RangeError('at once')
    })
    expect(await failureOf(() => operator.process(numbered([1])))).toMatchObject({
      code: 'STEP_FAILED',
      place: { position: 'p0' },
    })
  })

  test('warns when an answer is slow and fails the step when it does not come at all', async () => {
    const bench = new OperatorBench()
    const done = watch(
      mapAsyncOperator(bench.context, { concurrency: 1 }, () => new Promise(() => {})).process(batchOf([1])),
    )
    expect(bench.status.waitingFor).toBe('the step: the promises of mapAsync')
    await bench.clock.advance(999)
    expect(bench.log).toEqual([])
    await bench.clock.advance(1)
    expect(bench.log).toEqual([
      {
        level: 'warn',
        fields: { step: 'the step', subtaskIndex: 3, waitedMs: 1_000, what: 'the promises of mapAsync' },
        message: 'a step is slow',
      },
    ])
    await bench.clock.advance(58_999)
    expect(done.state).toBe('pending')
    await bench.clock.advance(1)
    expect(done.state).toBe('failed')
    expect(done.error).toMatchObject({ code: 'STEP_TIMED_OUT', remedy: 'restart' })
    expect(String(done.error)).toContain('waited 60000 ms for the promises of mapAsync')
    expect(bench.status.waitingFor).toBeUndefined()
  })

  test('leaves no timer and no listener behind when the answers came', async () => {
    const bench = new OperatorBench()
    await processAll(
      mapAsyncOperator(bench.context, { concurrency: 2 }, async (n) => n),
      batchOf([1, 2, 3]),
      batchOf([4]),
    )
    expect(bench.clock.pendingTimers).toBe(0)
    expect(bench.status.waitingFor).toBeUndefined()
    expect(bench.records()).toEqual([1, 2, 3, 4])
  })

  test('gives up at once when the attempt ends, also when it has ended before, and tells the function', async () => {
    const bench = new OperatorBench()
    const heard: boolean[] = []
    const hang = (_: unknown, signal: AbortSignal): Promise<never> => {
      heard.push(signal.aborted)
      signal.addEventListener('abort', () => heard.push(signal.aborted))
      return new Promise(() => {})
    }
    const operator = mapAsyncOperator(bench.context, { concurrency: 1 }, hang)
    const first = watch(operator.process(batchOf([1])))
    const reason = new Error('the attempt ends')
    bench.controller.abort(reason)
    await turn()
    expect(first).toEqual({ state: 'failed', error: reason })
    const second = watch(operator.process(batchOf([2])))
    await turn()
    expect(second).toEqual({ state: 'failed', error: reason })
    expect(heard).toEqual([false, true, true])
    expect(bench.clock.pendingTimers).toBe(0)
  })
})

const rx = (bench: OperatorBench, segment: RxSegment) => rxOperator(bench.context, segment)

describe('an RxJS segment', () => {
  test('sees one batch at a time and has completed before the next one', async () => {
    const bench = new OperatorBench()
    const operator = rx(bench, (input) => input.pipe(toArray()))
    await processAll(operator, batchOf([1, 2, 3]), batchOf([4]))
    expect(bench.records()).toEqual([[1, 2, 3], [4]])
  })

  test('may give more or fewer records than it gets, in batches of the size of the job', async () => {
    const bench = new OperatorBench({ batchRecordsMax: 4 })
    const operator = rx(bench, (input) =>
      input.pipe(
        map((n) => of(n, n, n)),
        mergeAll(),
      ),
    )
    await processAll(operator, batchOf([1, 2]))
    expect(bench.batches().map(({ records }) => records)).toEqual([
      [1, 1, 1, 2],
      [2, 2],
    ])
    const silent = new OperatorBench()
    await processAll(
      rx(silent, () => EMPTY),
      batchOf([1, 2]),
    )
    expect(silent.batches()).toEqual([])
  })

  test('may complete without having seen all', async () => {
    const bench = new OperatorBench()
    await processAll(
      rx(bench, () => of('done')),
      batchOf([1, 2]),
    )
    expect(bench.records()).toEqual(['done'])
  })

  test('is not drawn on once nobody listens', async () => {
    const seen: unknown[] = []
    const bench = new OperatorBench()
    const first: RxSegment = (input) =>
      input.pipe(
        tap((record) => seen.push(record)),
        take(2),
      )
    await processAll(rx(bench, first), batchOf([1, 2, 3, 4]))
    expect(bench.records()).toEqual([1, 2])
    expect(seen).toEqual([1, 2])
  })

  test('that fails fails the step', async () => {
    const failing = rx(
      new OperatorBench(),
      () => new Observable((subscriber) => subscriber.error(new RangeError('boom'))),
    )
    expect(await failureOf(() => failing.process(batchOf([1])))).toMatchObject({
      code: 'STEP_FAILED',
      cause: expect.any(RangeError),
      place: { step: 'the step' },
    })
  })

  test('whose operator throws while it is put together or while it runs fails the step', async () => {
    const thrown = () => {
      throw new RangeError('boom')
    }
    for (const segment of [thrown, ((input) => input.pipe(map(thrown))) satisfies RxSegment]) {
      const operator = rx(new OperatorBench(), segment)
      expect(await failureOf(() => operator.process(batchOf([1])))).toMatchObject({ code: 'STEP_FAILED' })
    }
  })

  test('that never completes fails the step in the end', async () => {
    const bench = new OperatorBench()
    const done = watch(rx(bench, () => NEVER).process(batchOf([1])))
    expect(bench.status.waitingFor).toBe('the step: the RxJS segment to complete')
    await bench.clock.advance(60_000)
    expect(done.error).toMatchObject({ code: 'STEP_TIMED_OUT' })
    expect(String(done.error)).toContain('for the RxJS segment to complete')
  })

  test('is unsubscribed from when the attempt ends', async () => {
    const bench = new OperatorBench()
    let ended = false
    const endless: RxSegment = () =>
      new Observable(() => () => {
        ended = true
      })
    const done = watch(rx(bench, endless).process(batchOf([1])))
    bench.controller.abort(new Error('over'))
    await turn()
    expect(ended).toBe(true)
    expect(done.state).toBe('failed')
  })

  test('may wait inside a batch', async () => {
    const bench = new OperatorBench()
    const calls = new Calls()
    const done = watch(rx(bench, (input) => input.pipe(map(calls.fn), mergeAll())).process(batchOf([1, 2])))
    await calls.finish(2)
    expect(done.state).toBe('pending')
    await calls.finish(1)
    expect(done.state).toBe('done')
    expect(bench.records()).toEqual(['2!', '1!'])
  })
})

const settings = (change: Partial<ParseSettings> = {}): ParseSettings => ({
  onInvalid: 'fail',
  invalidInRowMax: 1_000,
  ...change,
})
const zodSchema = z.object({ path: z.string(), ms: z.coerce.number().int() })
const valibotSchema = v.object({ path: v.string(), ms: v.pipe(v.unknown(), v.transform(Number), v.integer()) })
const good = (n: number) => ({ path: `/${n}`, ms: String(n) })

describe.each([
  ['zod', zodSchema],
  ['valibot', valibotSchema],
])('parse with %s', (_, schema) => {
  test('gives the output of the schema, with the columns of the record', async () => {
    const bench = new OperatorBench()
    await processAll(parseOperator(bench.context, schema, settings()), numbered([good(1), good(2)]))
    expect(bench.rows()).toEqual([
      [{ path: '/1', ms: 1 }, 1_000, 'p0'],
      [{ path: '/2', ms: 2 }, 1_001, 'p1'],
    ])
  })

  test('fails with the reason, the property, split and position', async () => {
    const operator = parseOperator(new OperatorBench().context, schema, settings())
    const error = await failureOf(() => operator.process(numbered([good(1), { path: 5, ms: 'x' }])))
    expect(error).toMatchObject({
      code: 'RECORD_INVALID',
      remedy: 'stop',
      place: { job: 'test', step: 'the step', subtaskIndex: 3, split: 'shard-7', position: 'p1' },
    })
    expect(error.message).toMatch(/the record does not fit the schema: path: .*; ms: /)
  })

  test('skips and counts what it refuses', async () => {
    const bench = new OperatorBench()
    const operator = parseOperator(bench.context, schema, settings({ onInvalid: 'skip' }))
    await processAll(operator, numbered([good(1), null, good(2), 'text']))
    expect(bench.rows().map(([, , position]) => position)).toEqual(['p0', 'p2'])
    expect(bench.metrics.sum('millrace_records_in_errors_total')).toBe(2)
  })

  test('sends what it refuses to the dead letters as it was, with reason, split and position', async () => {
    const bench = new OperatorBench({ sides: ['dead-letter'] })
    const operator = parseOperator(bench.context, schema, settings({ onInvalid: 'dead-letter' }))
    await processAll(operator, numbered([good(1), { ms: 5 }]))
    expect(bench.records()).toHaveLength(1)
    const [letter] = bench.records('dead-letter') as DeadLetter[]
    expect(letter).toMatchObject({
      step: 'the step',
      split: 'shard-7',
      position: 'p1',
      raw: '{"ms":5}',
      encoding: 'json',
    })
    expect(letter?.reason).toMatch(/^path: /)
    expect(bench.metrics.sum('millrace_records_in_errors_total')).toBe(1)
  })
})

describe('parse', () => {
  const even = z.number().refine(async (n) => n % 2 === 0, 'is odd')

  test('waits for a schema that is asynchronous, record by record and in order', async () => {
    const bench = new OperatorBench()
    const operator = parseOperator(bench.context, even, settings({ onInvalid: 'skip' }))
    await processAll(operator, numbered([2, 3, 4]))
    expect(bench.rows()).toEqual([
      [2, 1_000, 'p0'],
      [4, 1_002, 'p2'],
    ])
  })

  test('takes an asynchronous valibot schema', async () => {
    const bench = new OperatorBench()
    const schema = v.pipeAsync(
      v.number(),
      v.checkAsync(async (n) => n > 1, 'too small'),
    )
    await processAll(parseOperator(bench.context, schema, settings({ onInvalid: 'skip' })), batchOf([1, 2]))
    expect(bench.records()).toEqual([2])
  })

  test('fails the step when an asynchronous schema never answers', async () => {
    const bench = new OperatorBench()
    const hanging = z.number().refine(() => new Promise<boolean>(() => {}))
    const done = watch(parseOperator(bench.context, hanging, settings()).process(batchOf([1])))
    await turn()
    expect(bench.status.waitingFor).toBe('the step: the schema')
    await bench.clock.advance(60_000)
    expect(done.error).toMatchObject({ code: 'STEP_TIMED_OUT' })
  })

  test('gives the schema what a record shows of itself', async () => {
    const bench = new OperatorBench()
    const line = { bytes: new Uint8Array(), [parseInput]: () => ({ path: '/', ms: 1 }) }
    await processAll(parseOperator(bench.context, zodSchema, settings()), batchOf([line]))
    expect(bench.records()).toEqual([{ path: '/', ms: 1 }])
  })

  test('takes a record that cannot show itself for an invalid one, and keeps its bytes', async () => {
    const bench = new OperatorBench({ sides: ['dead-letter'] })
    const line = {
      bytes: new TextEncoder().encode('{"ms": '),
      [parseInput]: () => JSON.parse('{"ms": ') as unknown,
    }
    const operator = parseOperator(bench.context, zodSchema, settings({ onInvalid: 'dead-letter' }))
    await processAll(operator, batchOf([line]))
    expect(bench.records('dead-letter')).toMatchObject([
      { raw: '{"ms": ', encoding: 'utf8', reason: expect.stringContaining('JSON'), split: undefined },
    ])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('bad schema')
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad schema'))],
  ])('fails when the schema %s: it has judged nothing', async (_, validate) => {
    const schema = { '~standard': { version: 1 as const, vendor: 'test', validate } }
    const error = await failureOf(() =>
      parseOperator(new OperatorBench().context, schema, settings({ onInvalid: 'skip' })).process(batchOf([1])),
    )
    expect(error).toMatchObject({ code: 'STEP_FAILED' })
    expect(error.message).toContain('bad schema')
  })

  test.each(['skip', 'dead-letter'] as const)(
    'with %s fails when too many in a row are invalid, also across batches',
    async (onInvalid) => {
      const bench = new OperatorBench({ sides: ['dead-letter'] })
      const operator = parseOperator(bench.context, zodSchema, settings({ onInvalid, invalidInRowMax: 3 }))
      await processAll(operator, numbered([null, null, null, good(1)]), numbered([null, null]))
      const error = await failureOf(() => operator.process(numbered([null, null])))
      expect(error).toMatchObject({ code: 'RECORD_INVALID', place: { position: 'p1' } })
      expect(error.message).toContain('4 invalid records in a row, probably a wrong schema')
    },
  )

  test('names properties inside properties and at most three problems', async () => {
    const schema = z.object({ a: z.object({ b: z.array(z.number()) }) })
    const error = await failureOf(() =>
      parseOperator(new OperatorBench().context, schema, settings()).process(
        batchOf([{ a: { b: ['1', '2', '3', '4'] } }]),
      ),
    )
    expect(error.message).toContain('a.b.0: ')
    expect(error.message).toContain('a.b.2: ')
    expect(error.message).not.toContain('a.b.3')
  })

  test('emits nothing for a batch in which nothing is valid', async () => {
    const bench = new OperatorBench()
    await processAll(parseOperator(bench.context, zodSchema, settings({ onInvalid: 'skip' })), batchOf([1, 2]))
    expect(bench.batches()).toEqual([])
  })
})
