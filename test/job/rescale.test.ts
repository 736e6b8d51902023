import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collectSink } from '../../src/connectors/memory/index.ts'
import { jsonSerializer, type Key } from '../../src/core/index.ts'
import { job } from '../../src/job/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { openSink, type Sink } from '../../src/sink/index.ts'
import { failureOf } from '../runtime/operator-bench.ts'
import { HandLog } from './hand-source.ts'
import { Machine } from './harness.ts'
import { byKey, checkpoint, expectedTotals, type Hit, hit, type Total, totals } from './totals.ts'

describe('a job that is started again with the same parallelism', () => {
  test('gives each subtask its own splits back', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(3)
    const sink = collectSink<Total>()
    const readBy = async (): Promise<number[]> => {
      const handle = machine.start(totals({ log, sink, options: { parallelism: 3 } }))
      await machine.settle()
      for (const [split, count] of [1, 2, 3].entries()) {
        for (let n = 0; n < count; n++) log.push(split, hit('a', n))
      }
      await machine.settle()
      await machine.finish(handle.stop())
      return handle
        .metrics()
        .samples.filter(({ name, labels }) => name === 'millrace_records_out_total' && labels.step === 'in')
        .map(({ value }) => value)
    }
    expect(await readBy()).toEqual([1, 2, 3])
    expect(await readBy()).toEqual([1, 2, 3])
  })
})

describe('a job that is started with another parallelism', () => {
  test('keeps its state and its positions: 1 → 4 → 2 → 3 gives what no change gives', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(5)
    const sink = collectSink<Total>()
    const all: Hit[] = []
    for (const [round, parallelism] of [1, 4, 2, 3].entries()) {
      const handle = machine.start(totals({ log, sink, options: { parallelism } }))
      await machine.settle()
      for (let n = 0; n < 60; n++) {
        const one = hit(`k${n % 20}`, round * 100 + n)
        all.push(one)
        log.push((n % 20) % 5, one)
      }
      await machine.settle()
      await machine.finish(handle.stop())
    }
    expect(byKey(sink.records)).toEqual(byKey(expectedTotals(all)))
  })

  test('counts every record once, whatever the parallelisms, the keys and the splits', async () => {
    const someRounds = fc.array(
      fc.record({ parallelism: fc.integer({ min: 1, max: 6 }), keys: fc.array(fc.nat(12), { maxLength: 15 }) }),
      { minLength: 2, maxLength: 5 },
    )
    await fc.assert(
      fc.asyncProperty(someRounds, fc.integer({ min: 1, max: 7 }), async (rounds, splits) => {
        const machine = new Machine()
        const log = new HandLog<Hit>(splits)
        const sink = collectSink<Total>()
        const all: Hit[] = []
        for (const { parallelism, keys } of rounds) {
          const handle = machine.start(totals({ log, sink, options: { parallelism, maxParallelism: 16 } }))
          await machine.settle(8)
          for (const key of keys) {
            const one = hit(`k${key}`, all.length)
            all.push(one)
            log.push(key % splits, one)
          }
          await machine.settle(8)
          await machine.finish(handle.stop())
        }
        expect(byKey(sink.records)).toEqual(byKey(expectedTotals(all)))
      }),
      { numRuns: 15 },
    )
  })

  test('has every timer with its key', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(3)
    const sink = collectSink<string>()
    const alarms = (parallelism: number) =>
      job('alarms', { checkpoint, parallelism }, (flow) => {
        flow
          .from('in', log.source())
          .keyBy(({ key }): Key => [key, key.length])
          .process('alarm', {
            state: { n: valueState<number>() },
            each: ({ n }, context) => {
              context.state.n.set(n)
              context.setTimer(context.nowMs + 60_000)
              return undefined
            },
            timer: (_, { key, state }) => {
              const n = state.n.get()
              state.n.clear()
              return [`${String(key)} ${n}`]
            },
          })
          .to('out', sink)
      })
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`)
    const first = machine.start(alarms(2))
    await machine.settle()
    log.deal(keys.map((key, n) => hit(key, n)))
    await machine.settle()
    await machine.finish(first.stop())
    const second = machine.start(alarms(5))
    await machine.pass(65_000, 1_000)
    await machine.finish(second.stop())
    expect([...sink.records].sort()).toEqual(keys.map((key, n) => `${key},${key.length} ${n}`).sort())
  })

  test('commits once what was pending, also from subtasks that are no more', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(4)
    const visible: string[] = []
    let committing = false
    const sink: Sink<Hit, 'exactly-once'> = {
      kind: 'test',
      guarantee: 'exactly-once',
      guaranteeReason: 'it says so',
      open: () =>
        openSink<Hit, never, string>({
          committableSerializer: jsonSerializer<string>('test.receipt', 1, (_, value) => value as string),
          createWriter: async ({ subtask }) => {
            let staged: string[] = []
            return {
              write: ({ records }) => void staged.push(...records.map(({ n }) => `${n} of ${subtask}`)),
              flush: async () => {},
              prepareCommit: () => staged.splice(0, staged.length),
              close: async () => {
                staged = []
              },
            }
          },
          createCommitter: async () => ({
            commit: async (requests) => {
              if (!committing) throw new Error('not now')
              visible.push(...requests.map(({ committable }) => committable))
            },
            abortOrphans: async () => {},
            close: async () => {},
          }),
        }),
    }
    const writing = (parallelism: number) =>
      job('writing', { checkpoint, parallelism, restart: 'none' }, (flow) => {
        flow.from('in', log.source()).to('out', sink)
      })
    const first = machine.start(writing(4))
    await machine.settle()
    log.deal([1, 2, 3, 4].map((n) => hit('k', n)))
    await machine.settle()
    await machine.finish(failureOf(() => first.stop()))
    expect(visible).toEqual([])
    committing = true
    const second = machine.start(writing(1))
    await machine.settle()
    expect([...visible].sort()).toEqual(['1 of 0', '2 of 1', '3 of 2', '4 of 3'])
    await machine.finish(second.stop())
    expect(visible).toHaveLength(4)
  })

  test('deals the states of sink writers out again, and gives each back its own when nothing changed', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(1)
    const restored: string[][] = []
    const sink: Sink<Hit, 'exactly-once'> = {
      kind: 'test',
      guarantee: 'exactly-once',
      guaranteeReason: 'it says so',
      open: () =>
        openSink<Hit, string, never>({
          stateSerializer: jsonSerializer<string>('test.writer', 1, (_, value) => value as string),
          createWriter: async ({ subtask, parallelism }, states) => {
            restored.push([`${subtask}/${parallelism}`, ...states])
            const mine = states.length > 0 ? states : [`a${subtask}`, `b${subtask}`]
            return { write() {}, flush: async () => {}, snapshotState: () => mine, close: async () => {} }
          },
        }),
    }
    const run = async (parallelism: number): Promise<string[][]> => {
      restored.length = 0
      const handle = machine.start(
        job('writing', { checkpoint, parallelism }, (flow) => {
          flow.from('in', log.source()).to('out', sink)
        }),
      )
      await machine.settle()
      await machine.finish(handle.stop())
      return [...restored]
    }
    expect(await run(3)).toEqual([['0/3'], ['1/3'], ['2/3']])
    expect(await run(3)).toEqual([
      ['0/3', 'a0', 'b0'],
      ['1/3', 'a1', 'b1'],
      ['2/3', 'a2', 'b2'],
    ])
    expect(await run(2)).toEqual([
      ['0/2', 'a0', 'a1', 'a2'],
      ['1/2', 'b0', 'b1', 'b2'],
    ])
  })

  test('is refused when it is more than its key groups', () => {
    const log = new HandLog<Hit>()
    const wide = () => totals({ log, sink: collectSink<Total>(), options: { parallelism: 9, maxParallelism: 8 } })
    expect(wide).toThrow(/'total' has parallelism 9, more than maxParallelism 8/)
  })
})
