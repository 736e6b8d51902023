import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkpointId, hashKey, type Key } from '../../src/core/index.ts'
import {
  type ProcessContext,
  type ProcessFunctions,
  ProcessOperator,
  reduceOperator,
} from '../../src/runtime/keyed-operators.ts'
import { KeyedStateStore, type StateDeclaration } from '../../src/runtime/keyed-state.ts'
import type { ListState, MapState, ValueState } from '../../src/runtime/state-handles.ts'
import { contentOf, keyedBatch, keyText, restoreInto } from './keyed-bench.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf, OperatorBench, type OperatorBenchOptions, processAll } from './operator-bench.ts'

interface Hit {
  readonly path: string
  readonly ms: number
}

const byPath = (hit: Hit): Key => hit.path
const hits = (...list: readonly (readonly [string, number])[]) =>
  keyedBatch(
    list.map(([path, ms]): Hit => ({ path, ms })),
    byPath,
  )
const openStore = (...states: readonly StateDeclaration[]): KeyedStateStore => new KeyedStateStore(states, 0, 1, 128)

describe('reduce', () => {
  const open = (
    initial: (key: Key) => unknown,
    fn: (accumulator: never, record: never, key: Key) => unknown,
    options: OperatorBenchOptions = {},
  ) => {
    const bench = new OperatorBench(options)
    const store = openStore({ name: 'value', kind: 'value' })
    const operator = reduceOperator(
      bench.context,
      store,
      initial,
      fn as (accumulator: unknown, record: unknown, key: Key) => unknown,
    )
    return { bench, store, operator }
  }
  const sum = (total: number, { ms }: Hit): number => total + ms

  test('folds the records of each key and emits the result after every record, with its columns', async () => {
    const { bench, operator } = open(() => 0, sum)
    await processAll(operator, hits(['/a', 1], ['/b', 10], ['/a', 2]), hits(['/b', 5]))
    expect(bench.rows()).toEqual([
      [1, 1_000, 'p0'],
      [10, 1_001, 'p1'],
      [3, 1_002, 'p2'],
      [15, 1_000, 'p0'],
    ])
    expect(bench.batches().every(({ keys, keyHashes }) => keys === undefined && keyHashes === undefined)).toBe(true)
  })

  test('begins with what it is given for the key', async () => {
    const { bench, operator } = open(
      (key) => `${String(key)}:`,
      (text: string, { ms }: Hit) => `${text}${ms}`,
    )
    await processAll(operator, hits(['/a', 1], ['/b', 2], ['/a', 3]))
    expect(bench.records()).toEqual(['/a:1', '/b:2', '/a:13'])
  })

  test('keeps null as a value of its own', async () => {
    const { bench, operator } = open(
      () => 'first',
      (known: string | null) => (known === null ? 'again' : null),
    )
    await processAll(operator, hits(['/a', 1], ['/a', 1], ['/a', 1]))
    expect(bench.records()).toEqual([null, 'again', null])
  })

  test('equals a fold per key, for any keys and batches', async () => {
    const someHits = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', ''), fc.nat(9)), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.array(someHits, { maxLength: 8 }), async (batches) => {
        const { bench, operator, store } = open(() => 0, sum)
        await processAll(operator, ...batches.map((batch) => hits(...batch)))
        const totals = new Map<string, number>()
        const expected = batches.flat().map(([path, ms]) => {
          totals.set(path, (totals.get(path) ?? 0) + ms)
          return totals.get(path)
        })
        expect(bench.records()).toEqual(expected)
        expect(contentOf(store)).toEqual(
          new Map([...totals].map(([path, total]) => [keyText(path), { values: [total], timers: [] }])),
        )
      }),
    )
  })

  test.each([
    ['undefined', () => undefined, 'the function of reduce returned undefined'],
    ['a promise', async () => 1, 'the function of reduce returned a promise'],
  ])('refuses a function that returns %s', async (_, fn, message) => {
    const { operator } = open(() => 0, fn)
    const error = await failureOf(() => operator.process(hits(['/a', 1])))
    expect(error).toMatchObject({ code: 'STEP_MISUSED', place: { step: 'the step', subtaskIndex: 3 } })
    expect(error.message).toContain(message)
  })

  test('leaves no rejection behind when it refuses a promise', async () => {
    const { operator } = open(
      () => 0,
      async () => Promise.reject(new Error('nobody hears this')),
    )
    expect(await failureOf(() => operator.process(hits(['/a', 1])))).toMatchObject({ code: 'STEP_MISUSED' })
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('says step, split and position of the record whose function threw', async () => {
    const { operator } = open(
      () => 0,
      (total: number, { ms }: Hit) => {
        if (ms === 2) throw new RangeError('boom')
        return total
      },
    )
    expect(await failureOf(() => operator.process(hits(['/a', 1], ['/b', 2])))).toMatchObject({
      code: 'STEP_FAILED',
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
  })

  test('leaves its state to a checkpoint, and a newer checkpoint ends an older one', async () => {
    const { operator, bench } = open(() => 0, sum)
    await processAll(operator, hits(['/a', 1]))
    const old = operator.snapshot?.(checkpointId(1))
    await processAll(operator, hits(['/a', 2], ['/b', 5]))
    const next = operator.snapshot?.(checkpointId(2))
    const writer = new MemoryWriter(2)
    expect(await failureOf(() => old?.persist(new MemoryWriter(1)))).toMatchObject({
      message: 'the checkpoint was given up',
    })
    await next?.persist(writer)
    expect(next?.uid).toBe(bench.context.step)
    expect(writer.parts[0]?.header).toMatchObject({ uid: 'the step', kind: 'keyed', subtask: 3 })
    const layout = { states: [{ name: 'value', kind: 'value' }], maxParallelism: 128, parallelism: 1 } as const
    const [restored] = await restoreInto(layout, 1, [writer.parts[0]?.bytes ?? new Uint8Array()])
    expect(restored?.touch('/a', hashKey('/a')).values).toEqual([3])
    expect(restored?.touch('/b', hashKey('/b')).values).toEqual([5])
  })
})

interface States {
  readonly total: ValueState<number>
  readonly last: ListState<string>
  readonly byName: MapState<string, number>
}

const declarations: readonly StateDeclaration[] = [
  { name: 'total', kind: 'value' },
  { name: 'last', kind: 'list' },
  { name: 'byName', kind: 'map' },
]

interface Functions {
  readonly each: (hit: Hit, context: ProcessContext<States>) => Iterable<unknown> | undefined
  readonly timer?: (atMs: number, context: ProcessContext<States>) => Iterable<unknown> | undefined
}

const openProcess = (functions: Functions, options: OperatorBenchOptions = {}) => {
  const bench = new OperatorBench({ batchRecordsMax: 100, ...options })
  const store = openStore(...declarations)
  const operator = new ProcessOperator(bench.context, store, functions as unknown as ProcessFunctions)
  return { bench, store, operator }
}

describe('process', () => {
  test('gives each record its key and the state of that key', async () => {
    const { bench, operator } = openProcess({
      each: ({ ms }, { key, state }) => {
        state.total.set((state.total.get() ?? 0) + ms)
        return [`${String(key)} ${state.total.get()}`]
      },
    })
    await processAll(operator, hits(['/a', 1], ['/b', 10], ['/a', 2]))
    expect(bench.rows()).toEqual([
      ['/a 1', 1_000, 'p0'],
      ['/b 10', 1_001, 'p1'],
      ['/a 3', 1_002, 'p2'],
    ])
  })

  test('keeps a list per key', async () => {
    const { bench, operator } = openProcess({
      each: ({ ms }, { state: { last } }) => {
        if (ms === 0) last.clear()
        else if (ms < 0) last.set(['set', 'twice'])
        else last.add(`${ms}`, `${ms}`)
        return [last.get().join('')]
      },
    })
    await processAll(operator, hits(['/a', 1], ['/a', 2], ['/b', 3], ['/a', -1], ['/a', 4], ['/a', 0]))
    expect(bench.records()).toEqual(['11', '1122', '33', 'settwice', 'settwice44', ''])
  })

  test('does not let a list in state be changed through what was given or taken', async () => {
    const given = ['x']
    const { bench, operator } = openProcess({
      each: ({ ms }, { state: { last } }) => {
        if (ms === 1) last.set(given)
        given.push('changed')
        return [[...last.get()]]
      },
    })
    await processAll(operator, hits(['/a', 1], ['/a', 2]))
    expect(bench.records()).toEqual([['x'], ['x']])
  })

  test('keeps a map per key', async () => {
    const { bench, operator } = openProcess({
      each: ({ ms }, { state: { byName } }) => {
        if (ms === 0) byName.clear()
        else if (ms < 0) return [[byName.delete(`${-ms}`), byName.has(`${-ms}`), byName.size]]
        else byName.set(`${ms}`, ms * 2)
        return [[byName.get(`${ms}`), byName.size, [...byName.entries()]]]
      },
    })
    await processAll(operator, hits(['/a', 1], ['/a', 2], ['/b', 3], ['/a', -1], ['/a', -1], ['/a', 0]))
    expect(bench.records()).toEqual([
      [2, 1, [['1', 2]]],
      [
        4,
        2,
        [
          ['1', 2],
          ['2', 4],
        ],
      ],
      [6, 1, [['3', 6]]],
      [true, false, 1],
      [false, false, 1],
      [undefined, 0, []],
    ])
  })

  test('keeps nothing for a key whose state is empty again', async () => {
    const { store, operator } = openProcess({
      each: ({ ms }, { state }) => {
        if (ms > 0) {
          state.total.set(ms)
          state.last.add('a')
          state.byName.set('a', 1)
        } else {
          state.total.clear()
          state.last.set([])
          state.byName.delete('a')
        }
        return undefined
      },
    })
    await processAll(operator, hits(['/a', 1], ['/b', 1], ['/c', 0]))
    expect(store.size).toBe(2)
    await processAll(operator, hits(['/a', 0]))
    expect([...contentOf(store).keys()]).toEqual(['string /b'])
  })

  test('keeps a key that only has a timer until the timer has fired', async () => {
    const { store, operator } = openProcess({
      each: (_, context) => {
        context.setTimer(5)
        return undefined
      },
    })
    await processAll(operator, hits(['/a', 1]))
    expect(store.size).toBe(1)
    await operator.fireTimers(5)
    expect(store.size).toBe(0)
  })

  test('may give nothing, and draws on an iterable while the key is still chosen', async () => {
    const { bench, operator } = openProcess(
      {
        *each({ ms }, { state }) {
          for (let n = 0; n < ms; n++) {
            state.total.set((state.total.get() ?? 0) + 1)
            yield state.total.get()
          }
        },
      },
      { batchRecordsMax: 2, room: () => Promise.resolve() },
    )
    await processAll(operator, hits(['/a', 5], ['/b', 0], ['/b', 3], ['/a', 1]))
    expect(bench.records()).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 6])
  })

  test('tells the time of the wall', async () => {
    const { bench, operator } = openProcess({ each: (_, { nowMs }) => [nowMs] })
    await bench.clock.advance(1_234)
    await processAll(operator, hits(['/a', 1]))
    expect(bench.records()).toEqual([bench.clock.wallMs()])
  })

  test.each<[string, unknown, string]>([
    ['a promise', Promise.resolve([]), 'the function of process returned a promise'],
    ['a number', 5, 'the function of process returned number'],
    ['text', 'abc', 'the function of process returned string'],
    ['an object', {}, 'the function of process returned object'],
  ])('refuses a function that returns %s', async (_, result, message) => {
    const { operator } = openProcess({ each: () => result as never })
    const error = await failureOf(() => operator.process(hits(['/a', 1])))
    expect(error).toMatchObject({ code: 'STEP_MISUSED', place: { step: 'the step' } })
    expect(error.message).toContain(message)
  })

  test('leaves no rejection behind when it refuses a promise', async () => {
    const { operator } = openProcess({ each: () => Promise.reject(new Error('nobody hears this')) as never })
    expect(await failureOf(() => operator.process(hits(['/a', 1])))).toMatchObject({ code: 'STEP_MISUSED' })
    await new Promise((resolve) => setImmediate(resolve))
  })

  test.each([
    ['at once', 0],
    ['in the middle of what it gives', 1],
    ['after it had to wait for room', 5],
  ])('says step, split and position of the record whose function threw %s', async (_, after) => {
    const { operator } = openProcess(
      {
        *each({ ms }) {
          if (ms !== 2) return
          for (let n = 0; n < after; n++) yield n
          throw new RangeError('boom')
        },
      },
      { batchRecordsMax: 4, room: () => Promise.resolve() },
    )
    expect(await failureOf(() => operator.process(hits(['/a', 1], ['/b', 2])))).toMatchObject({
      code: 'STEP_FAILED',
      cause: expect.any(RangeError),
      place: { step: 'the step', split: 'shard-7', position: 'p1' },
    })
  })

  test('does not take the failure of a later step for its own', async () => {
    const foreign = new Error('the disk is full')
    const { operator } = openProcess(
      { each: () => [1, 2, 3] },
      { batchRecordsMax: 2, room: () => Promise.reject(foreign) },
    )
    expect(await failureOf(() => operator.process(hits(['/a', 1])))).toBe(foreign)
  })

  test('refuses the use of state, key and timers outside its function', async () => {
    let kept: ProcessContext<States> | undefined
    const { operator } = openProcess({
      each: (_, context) => {
        kept = context
        return undefined
      },
    })
    await processAll(operator, hits(['/a', 1]))
    expect(() => kept?.state.total.get()).toThrow('state can be used only while the function it was given to runs')
    expect(() => kept?.state.last.add('x')).toThrow('only while')
    expect(() => kept?.state.byName.size).toThrow('only while')
    expect(() => kept?.key).toThrow('only while')
    expect(() => kept?.setTimer(1)).toThrow('only while')
    expect(() => kept?.deleteTimer(1)).toThrow('only while')
  })

  test('keeps its own copy of a key that is bytes, which belong to the batch', async () => {
    const { operator, store } = openProcess({
      each: (_, { state }) => {
        state.total.set(1)
        return undefined
      },
    })
    // A Buffer is what most clients give, and its `slice` is no copy.
    const bytes = Buffer.of(1, 2, 3)
    const tuple = ['user', Uint8Array.of(4)] as const
    await processAll(
      operator,
      keyedBatch([{ path: '', ms: 0 }], () => bytes),
    )
    await processAll(
      operator,
      keyedBatch([{ path: '', ms: 0 }], () => tuple),
    )
    bytes.fill(9)
    tuple[1].fill(9)
    expect([...contentOf(store).keys()].sort()).toEqual(['[string user, bytes 04]', 'bytes 010203'])
  })
})

describe('a timer of process', () => {
  const opening = (timer: NonNullable<Functions['timer']>) =>
    openProcess({
      each: ({ ms }, context) => {
        context.setTimer(ms)
        return undefined
      },
      timer,
    })

  test('fires when its time has come, for its key, once', async () => {
    const { bench, operator } = opening((at, { key }) => [`${at} ${String(key)}`])
    await processAll(operator, hits(['/a', 30], ['/b', 10], ['/a', 20], ['/b', 10]))
    expect(operator.nextTimerMs()).toBe(10)
    await operator.fireTimers(9)
    expect(bench.records()).toEqual([])
    await operator.fireTimers(25)
    expect(bench.records()).toEqual(['10 /b', '20 /a'])
    expect(operator.nextTimerMs()).toBe(30)
    await operator.fireTimers(1_000)
    await operator.fireTimers(1_000)
    expect(bench.records()).toEqual(['10 /b', '20 /a', '30 /a'])
    expect(operator.nextTimerMs()).toBeUndefined()
  })

  test('that is deleted does not fire, and can be set again', async () => {
    const { bench, operator } = openProcess({
      each: ({ ms }, context) => {
        if (ms > 0) context.setTimer(ms)
        else context.deleteTimer(-ms)
        return undefined
      },
      timer: (at) => [at],
    })
    await processAll(operator, hits(['/a', 10], ['/a', -10], ['/a', -99]))
    await operator.fireTimers(50)
    expect(bench.records()).toEqual([])
    await processAll(operator, hits(['/a', 10], ['/a', -10], ['/a', 10]))
    await operator.fireTimers(50)
    expect(bench.records()).toEqual([10])
  })

  test('sees and changes the state of its key', async () => {
    const { bench, operator, store } = openProcess({
      each: ({ ms }, context) => {
        context.state.total.set((context.state.total.get() ?? 0) + ms)
        context.setTimer(100)
        return undefined
      },
      timer: (_, { key, state }) => {
        const total = state.total.get()
        state.total.clear()
        return [`${String(key)} ${total}`]
      },
    })
    await processAll(operator, hits(['/a', 1], ['/b', 5], ['/a', 2]))
    await operator.fireTimers(100)
    expect(bench.records()).toEqual(['/a 3', '/b 5'])
    expect(store.size).toBe(0)
  })

  test('that sets itself again has to wait for its next turn, also when that is due at once', async () => {
    let fired = 0
    const { operator } = opening((at, context) => {
      fired++
      context.setTimer(at)
      return undefined
    })
    await processAll(operator, hits(['/a', 10]))
    await operator.fireTimers(10)
    expect(fired).toBe(1)
    await operator.fireTimers(10)
    expect(fired).toBe(2)
  })

  test('that is still set fires at the end of the input, in order of time', async () => {
    const { bench, operator } = opening((at, { key }) => [`${at} ${String(key)}`])
    await processAll(operator, hits(['/a', 3_000_000_000_000], ['/b', 20], ['/a', 10]))
    await operator.endInput()
    expect(bench.records()).toEqual(['10 /a', '20 /b', '3000000000000 /a'])
  })

  test('that sets itself again at the end of the input does not fire for ever', async () => {
    let fired = 0
    const { operator, store } = opening((at, context) => {
      fired++
      context.setTimer(at + 1)
      return undefined
    })
    await processAll(operator, hits(['/a', 10]))
    await operator.endInput()
    expect(fired).toBe(1)
    expect([...contentOf(store).values()]).toEqual([{ values: [undefined, undefined, undefined], timers: [11] }])
  })

  test('may delete another timer of its key that is due at the same moment', async () => {
    const { bench, operator } = opening((at, context) => {
      context.deleteTimer(20)
      return [at]
    })
    await processAll(operator, hits(['/a', 10], ['/a', 20], ['/b', 20]))
    await operator.fireTimers(50)
    expect(bench.records()).toEqual([10, 20])
  })

  test('of a step without a timer function is forgotten when it is due', async () => {
    const { operator, store } = openProcess({
      each: ({ ms }, context) => {
        context.setTimer(ms)
        return undefined
      },
    })
    await processAll(operator, hits(['/a', 10]))
    await operator.fireTimers(10)
    expect(operator.nextTimerMs()).toBeUndefined()
    expect(store.size).toBe(0)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('cannot be set to %d', async (at) => {
    const { operator } = opening(() => undefined)
    const error = await failureOf(() => operator.process(hits(['/a', at])))
    expect(error).toMatchObject({ code: 'STEP_FAILED', cause: expect.any(RangeError) })
  })

  test('whose function throws fails the step', async () => {
    const { operator } = opening(() => {
      throw new RangeError('boom')
    })
    await processAll(operator, hits(['/a', 10]))
    expect(await failureOf(() => operator.fireTimers(10))).toMatchObject({
      code: 'STEP_FAILED',
      place: { step: 'the step', split: undefined },
    })
  })

  test('is in the snapshot taken before it fires and not in the one after', async () => {
    const { operator } = opening(() => undefined)
    await processAll(operator, hits(['/a', 10], ['/b', 20]))
    const timersOf = async (): Promise<number[]> => {
      const writer = new MemoryWriter()
      await operator.snapshot().persist(writer)
      const layout = { states: declarations, maxParallelism: 128, parallelism: 1 }
      const [store] = await restoreInto(layout, 1, [writer.parts[0]?.bytes ?? new Uint8Array()])
      return store === undefined ? [] : [...contentOf(store).values()].flatMap(({ timers }) => timers).sort()
    }
    expect(await timersOf()).toEqual([10, 20])
    await operator.fireTimers(10)
    expect(await timersOf()).toEqual([20])
  })

  test('equals a model of timers, whatever is set, deleted and fired', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), key: fc.constantFrom('a', 'b'), at: fc.nat(20) }),
      fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom('a', 'b'), at: fc.nat(20) }),
      fc.record({ kind: fc.constant('fire' as const), key: fc.constant(''), at: fc.nat(20) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        let remove = false
        const { bench, operator } = openProcess({
          each: ({ ms }, context) => {
            if (remove) context.deleteTimer(ms)
            else context.setTimer(ms)
            return undefined
          },
          timer: (at, { key }) => [`${at} ${String(key)}`],
        })
        const model = new Set<string>()
        const expected: string[] = []
        for (const { kind, key, at } of steps) {
          if (kind === 'fire') {
            const due = [...model].filter((timer) => Number(timer.split(' ')[0]) <= at)
            due.sort((a, b) => Number(a.split(' ')[0]) - Number(b.split(' ')[0]))
            for (const timer of due) model.delete(timer)
            expected.push(...due)
            await operator.fireTimers(at)
          } else {
            remove = kind === 'delete'
            if (remove) model.delete(`${at} ${key}`)
            else model.add(`${at} ${key}`)
            await processAll(operator, hits([key, at]))
          }
        }
        const inTime = (list: readonly unknown[]): number[] => list.map((timer) => Number(String(timer).split(' ')[0]))
        expect([...bench.records()].sort()).toEqual([...expected].sort())
        expect(inTime(bench.records())).toEqual(inTime(expected))
      }),
    )
  })
})
