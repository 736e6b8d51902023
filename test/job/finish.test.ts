import { describe, expect, test } from 'vitest'
import { arraySource, collectSink, functionSink, generatorSource } from '../../src/connectors/memory/index.ts'
import { job } from '../../src/job/index.ts'
import { eventsOf, Machine, told } from './harness.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b)
const checkpoint = { dir: '/checkpoints', every: '1s' } as const

describe('a bounded job', () => {
  test('gives every record once, takes a final checkpoint and finishes', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const doubling = job('doubling', { checkpoint }, (flow) => {
      flow
        .from('in', arraySource(numbers(2_000)))
        .map((n) => n * 2)
        .to('out', sink)
    })
    const handle = machine.start(doubling)
    const events = eventsOf(handle)
    const result = await machine.finish(handle.done)
    expect(sink.records).toEqual(numbers(2_000).map((n) => n * 2))
    expect(result).toEqual({ outcome: 'finished', lastCheckpointId: 3, restarts: 0 })
    expect(told(events)).toEqual(['started afresh', 'checkpoint 2', 'checkpoint 3', 'finished'])
    expect(machine.clock.pendingTimers).toBe(0)
  })

  test('that is run again begins behind its last record, and gives nothing twice', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const copying = job('copying', { checkpoint }, (flow) => {
      flow.from('in', arraySource(numbers(100))).to('out', sink)
    })
    await machine.run(copying)
    const again = machine.start(copying)
    const events = eventsOf(again)
    expect(await machine.finish(again.done)).toMatchObject({ outcome: 'finished' })
    expect(told(events)[0]).toBe('started 3')
    expect(sink.records).toEqual(numbers(100))
  })

  test('without checkpoints gives every record as well, and keeps nothing', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const copying = job('copying', (flow) => {
      flow.from('in', arraySource(numbers(100))).to('out', sink)
    })
    expect(await machine.run(copying)).toMatchObject({ outcome: 'finished', restarts: 0 })
    expect(sink.records).toEqual(numbers(100))
    expect(await machine.environment.fs.list('/')).toEqual([])
  })

  test('finishes without any record', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const nothing = job('nothing', { checkpoint, parallelism: 3 }, (flow) => {
      flow
        .from('in', arraySource<number>([]))
        .keyBy((n) => n)
        .reduce('sum', 0, (sum, n) => sum + n)
        .to('out', sink)
    })
    expect(await machine.run(nothing)).toMatchObject({ outcome: 'finished' })
    expect(sink.records).toEqual([])
  })

  test('finishes with fewer splits than subtasks, and with more', async () => {
    for (const [splits, parallelism] of [
      [1, 4],
      [7, 3],
    ] as const) {
      const machine = new Machine()
      const sink = collectSink<number>()
      const copying = job('copying', { checkpoint, parallelism }, (flow) => {
        flow.from('in', arraySource(numbers(500), { splits })).to('out', sink)
      })
      await machine.run(copying)
      expect(sorted(sink.records)).toEqual(numbers(500))
    }
  })

  test('keeps state per key over all its subtasks', async () => {
    const machine = new Machine()
    const sink = collectSink<{ key: string; count: number }>()
    const counting = job('counting', { checkpoint, parallelism: 4 }, (flow) => {
      flow
        .from('in', arraySource(numbers(1_000), { splits: 5 }))
        .keyBy((n) => `k${n % 7}`)
        .reduce(
          'count',
          (key) => ({ key, count: 0 }),
          ({ key, count }) => ({ key, count: count + 1 }),
        )
        .to('out', sink)
    })
    await machine.run(counting)
    expect(sink.records).toHaveLength(1_000)
    for (let key = 0; key < 7; key++) {
      const counts = sink.records.filter((record) => record.key === `k${key}`).map(({ count }) => count)
      expect(counts).toEqual(numbers(counts.length).map((n) => n + 1))
    }
  })

  test('ends when all of its sources have ended, also when one ends much later', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const both = job('both', { checkpoint }, (flow) => {
      const short = flow.from('short', arraySource([1]))
      const long = flow.from('long', generatorSource({ generate: (n) => n + 100, count: 5_000 }))
      short.union(long).to('out', sink)
    })
    await machine.run(both)
    expect(sink.records).toHaveLength(5_001)
  })

  test('makes a slow sink hold up its source instead of filling its memory', async () => {
    const machine = new Machine()
    let made = 0
    let written = 0
    let most = 0
    const slow = functionSink<number>('slow', async (records) => {
      await machine.clock.sleep(10)
      written += records.length
    })
    const options = { checkpoint, guarantee: 'at-least-once', batchRecords: 10, channelBatches: 2 } as const
    const piling = job('piling', options, (flow) => {
      const generate = (n: number): number => {
        made = n + 1
        most = Math.max(most, made - written)
        return n
      }
      flow
        .from('in', generatorSource({ generate, count: 1_000 }))
        .rebalance()
        .to('out', slow)
    })
    await machine.run(piling)
    expect(written).toBe(1_000)
    expect(most).toBeLessThanOrEqual(10 * 5)
  })
})

describe('building a job', () => {
  test('opens nothing and reads nothing', () => {
    const never = (): never => {
      throw new Error('opened')
    }
    const source = { kind: 'test', guarantee: 'exactly-once', boundedness: 'bounded', open: never } as const
    const sink = { kind: 'test', guarantee: 'exactly-once', guaranteeReason: 'none', open: never } as const
    const built = job('closed', { checkpoint }, (flow) => {
      flow.from('in', source).to('out', sink)
    })
    expect(built.name).toBe('closed')
    expect(String(built.explain())).toContain('job closed')
  })

  test('gives the same job to run any number of times', async () => {
    const machine = new Machine()
    const sink = collectSink<number>()
    const copying = job('copying', (flow) => {
      flow.from('in', arraySource(numbers(10))).to('out', sink)
    })
    await machine.run(copying)
    await machine.run(copying)
    expect(sink.records).toEqual([...numbers(10), ...numbers(10)])
  })
})
