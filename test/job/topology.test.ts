import { map, mergeAll } from 'rxjs'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { arraySource, collectSink } from '../../src/connectors/memory/index.ts'
import type { DeadLetter } from '../../src/core/index.ts'
import { job, type Stream } from '../../src/job/index.ts'
import type { Sink } from '../../src/sink/index.ts'
import { Machine } from './harness.ts'
import { checkpoint } from './totals.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b)

describe('union', () => {
  test('has every record of every stream, and keeps the order within each', async () => {
    const machine = new Machine()
    const sink = collectSink<string>()
    const joined = job('joined', { checkpoint }, (flow) => {
      const a = flow.from('a', arraySource(numbers(700).map((n) => `a${n}`)))
      const b = flow.from('b', arraySource(numbers(900).map((n) => `b${n}`)))
      const c = flow.from('c', arraySource(['c0']))
      a.union(b, c).to('out', sink)
    })
    await machine.run(joined)
    const of = (name: string): string[] => sink.records.filter((record) => record.startsWith(name))
    expect(of('a')).toEqual(numbers(700).map((n) => `a${n}`))
    expect(of('b')).toEqual(numbers(900).map((n) => `b${n}`))
    expect(of('c')).toEqual(['c0'])
  })

  test('of a stream with itself has every record twice', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const doubled = job('doubled', { checkpoint, parallelism: 2 }, (flow) => {
      const stream = flow.from('in', arraySource(numbers(50), { splits: 3 }))
      stream
        .union(
          stream,
          stream.map((n) => n),
        )
        .to('out', sink)
    })
    await machine.run(doubled)
    expect(sorted(sink.records)).toEqual(numbers(50).flatMap((n) => [n, n, n]))
  })

  test('of streams of different parallelism loses nothing', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const joined = job('joined', { checkpoint, parallelism: 2 }, (flow) => {
      const wide = flow.from('wide', arraySource(numbers(100), { splits: 4 }), { parallelism: 4 })
      const narrow = flow.from('narrow', arraySource(numbers(100).map((n) => n + 100)), { parallelism: 1 })
      wide.union(narrow).to('out', sink, { parallelism: 3 })
    })
    await machine.run(joined)
    expect(sorted(sink.records)).toEqual(numbers(200))
  })

  test('does not take streams of another job', () => {
    let foreign: Stream<number> | undefined
    job('first', (flow) => {
      const stream = flow.from('in', arraySource([1]))
      foreign = stream
      stream.to('out', collectSink<number>())
    })
    expect(() =>
      job('second', (flow) => {
        const stream: Stream<number> = flow.from('in', arraySource([1]))
        if (foreign !== undefined) stream.union(foreign)
      }),
    ).toThrow(/union of streams of two different jobs/)
  })
})

describe('split', () => {
  test('sends each record down one branch, also over channels', async () => {
    const machine = new Machine()
    const small = collectSink<number>()
    const even = collectSink<number>()
    const rest = collectSink<number>()
    const parted = job('parted', { checkpoint, parallelism: 2 }, (flow) => {
      const branches = flow
        .from('in', arraySource(numbers(300), { splits: 2 }))
        .split({ small: (n) => n < 10, even: (n) => n % 2 === 0 })
      branches.small.to('small', small)
      branches.even.rebalance({ parallelism: 3 }).to('even', even)
      branches.rest
        .keyBy((n) => n % 5)
        .reduce('sum', 0, (_, n) => n)
        .to('rest', rest)
    })
    await machine.run(parted)
    expect(sorted(small.records)).toEqual(numbers(10))
    expect(sorted(even.records)).toEqual(numbers(300).filter((n) => n >= 10 && n % 2 === 0))
    expect(sorted(rest.records)).toEqual(numbers(300).filter((n) => n >= 10 && n % 2 === 1))
  })

  test('drops the records of a branch nobody uses', async () => {
    const machine = new Machine()
    const even = collectSink<number>()
    const parted = job('parted', { checkpoint }, (flow) => {
      flow
        .from('in', arraySource(numbers(10)))
        .split({ even: (n) => n % 2 === 0 })
        .even.to('out', even)
    })
    await machine.run(parted)
    expect(even.records).toEqual([0, 2, 4, 6, 8])
  })

  test.each(['rest', 'main', 'dead-letter'])('has no branch named %s', (name) => {
    expect(() =>
      job('parted', (flow) => {
        flow.from('in', arraySource([1])).split({ [name]: () => true })
      }),
    ).toThrow(/cannot name a branch/)
  })
})

describe('rebalance', () => {
  test('spreads the records of one split over all subtasks', async () => {
    const machine = new Machine()
    const seen = new Map<number, number>()
    const sink = collectSink<number>()
    const spread = job('spread', { checkpoint, batchRecords: 5 }, (flow) => {
      flow
        .from('in', arraySource(numbers(200)))
        .rebalance({ parallelism: 4 })
        .keyBy((n) => n)
        .reduce('one', 0, (_, n) => n)
        .to('out', sink)
    })
    const handle = machine.start(spread)
    await machine.finish(handle.done)
    for (const { name, labels, value } of handle.metrics().samples) {
      if (name === 'millrace_records_in_total' && labels.step === 'rebalance') seen.set(labels.subtask ?? -1, value)
    }
    expect([...seen]).toEqual([
      [0, 50],
      [1, 50],
      [2, 50],
      [3, 50],
    ])
    expect(sorted(sink.records)).toEqual(numbers(200))
  })
})

describe('several sinks of one stream', () => {
  test('have every record each', async () => {
    const machine = new Machine()
    const sinks = [collectSink<number>(), collectSink<number>(), collectSink<number>()]
    const fanned = job('fanned', { checkpoint }, (flow) => {
      const stream = flow.from('in', arraySource(numbers(100)))
      for (const [index, sink] of sinks.entries()) stream.to(`out ${index}`, sink, { parallelism: index + 1 })
    })
    await machine.run(fanned)
    for (const sink of sinks) expect(sorted(sink.records)).toEqual(numbers(100))
  })

  test('may be the same one', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const fanned = job('fanned', { checkpoint }, (flow) => {
      flow
        .from('in', arraySource([1, 2]))
        .to('a', sink)
        .to('b', sink)
    })
    await machine.run(fanned)
    expect(sorted(sink.records)).toEqual([1, 1, 2, 2])
  })
})

describe('dead letters', () => {
  const lines: readonly unknown[] = ['{"n":1}', 5, { n: 2 }, null, { n: 'three' }, { n: 4 }]
  const options = (deadLetter: Sink<DeadLetter, 'exactly-once'>) => ({ checkpoint, deadLetter }) as const

  test('of every step that sends any go to the one sink of the job, and become visible with a checkpoint', async () => {
    const machine = new Machine()
    const dead = collectSink<DeadLetter>()
    const good = collectSink<{ n: number }>()
    const parsing = job('parsing', { checkpoint, deadLetter: dead }, (flow) => {
      const stream = flow.from('in', arraySource(lines))
      const byZod = stream.parse(z.object({ n: z.number() }), { onInvalid: 'dead-letter', name: 'zod' })
      const byValibot = stream.parse(v.object({ n: v.string() }), { onInvalid: 'dead-letter', name: 'valibot' })
      byZod.to('out', good)
      byValibot.map(({ n }) => ({ n: n.length })).to('texts', good)
    })
    await machine.run(parsing)
    expect(good.records.map(({ n }) => n).sort()).toEqual([2, 4, 5])
    const told = dead.records.map(({ step, split, position, raw }) => `${step} ${split} ${position} ${raw}`)
    expect(told.sort()).toEqual([
      'valibot generator-0 0 {"n":1}',
      'valibot generator-0 1 5',
      'valibot generator-0 2 {"n":2}',
      'valibot generator-0 3 null',
      'valibot generator-0 5 {"n":4}',
      'zod generator-0 0 {"n":1}',
      'zod generator-0 1 5',
      'zod generator-0 3 null',
      'zod generator-0 4 {"n":"three"}',
    ])
  })

  test('keep the place of a record through the steps before', async () => {
    const machine = new Machine()
    const dead = collectSink<DeadLetter>()
    const parsing = job('parsing', { checkpoint, deadLetter: dead, parallelism: 2 }, (flow) => {
      flow
        .from('in', arraySource(numbers(40), { splits: 2 }))
        .filter((n) => n % 4 === 1)
        .flatMap((n) => [n, n * 100])
        .rebalance({ parallelism: 3 })
        .parse(z.number().max(50), { onInvalid: 'dead-letter' })
        .to('out', collectSink<number>())
    })
    await machine.run(parsing)
    expect(dead.records).toHaveLength(10)
    for (const { raw, position, split } of dead.records) {
      expect(Number(raw)).toBe(Number(position) * 100)
      expect(split).toBe('generator-1')
    }
  })

  test('have a sink only when some step sends any', () => {
    const dead = collectSink<DeadLetter>()
    const quiet = job('quiet', options(dead), (flow) => {
      flow.from('in', arraySource([1])).to('out', collectSink<number>())
    })
    expect(quiet.graph.nodes.map(({ name }) => name)).toEqual(['in', 'out'])
  })

  test('need a sink of the job', () => {
    const sendsNowhere = () =>
      job('nowhere', { checkpoint }, (flow) => {
        flow
          .from('in', arraySource([1]))
          .parse(z.number(), { onInvalid: 'dead-letter' as 'skip' })
          .to('out', collectSink<number>())
      })
    expect(sendsNowhere).toThrow(/the job has no dead-letter sink/)
  })

  test('need a sink as good as the promise of the job', () => {
    const weak: Sink<DeadLetter> = { ...collectSink<DeadLetter>(), guarantee: 'at-least-once' }
    const weakens = () =>
      job('weakens', options(weak as Sink<DeadLetter, 'exactly-once'>), (flow) => {
        flow
          .from('in', arraySource([1]))
          .parse(z.number(), { onInvalid: 'dead-letter' })
          .to('out', collectSink<number>())
      })
    expect(weakens).toThrow(/'dead-letter' \(collect\) can give at-least-once at best/)
  })
})

describe('a chain of every kind of step', () => {
  test('gives what the same steps on an array give', async () => {
    const machine = new Machine()
    const sink = collectSink<string>()
    const schema = z.object({ n: z.number() }).transform(({ n }) => n + 0.5)
    const everything = job('everything', { checkpoint, parallelism: 2, batchRecords: 7 }, (flow) => {
      flow
        .from('in', arraySource(numbers(500), { splits: 3 }))
        .map((n) => ({ n }))
        .filter(({ n }) => n % 3 !== 0)
        .parse(schema)
        .flatMap((n) => (n % 2 === 0.5 ? [n] : [n, -n]))
        .mapAsync('wait', { concurrency: 3 }, async (n) => n * 2)
        .rx(
          'rx',
          map((n) => [n, n]),
          mergeAll(),
        )
        .keyBy((n) => Math.abs(n))
        .reduce(
          'count',
          (key) => ({ key, count: 0 }),
          ({ key, count }) => ({ key, count: count + 1 }),
        )
        .map(({ key, count }) => `${key} ${count}`)
        .to('out', sink)
    })
    await machine.run(everything)
    const expected = numbers(500)
      .filter((n) => n % 3 !== 0)
      .flatMap((n) => {
        const times = (n + 0.5) % 2 === 0.5 ? 2 : 4
        return numbers(times).map((count) => `${(n + 0.5) * 2} ${count + 1}`)
      })
    expect([...sink.records].sort()).toEqual(expected.sort())
  })
})
