import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { arraySource, collectSink, functionSink, generatorSource } from '../../src/connectors/memory/index.ts'
import { metricTable } from '../../src/core/index.ts'
import { job } from '../../src/job/index.ts'
import { type MetricsFrame, valueState } from '../../src/runtime/index.ts'
import { openSink, type Sink } from '../../src/sink/index.ts'
import { failureOf } from '../runtime/operator-bench.ts'
import { HandLog } from './hand-source.ts'
import { eventsOf, Machine, told, until } from './harness.ts'
import { checkpoint, type Hit, hit, type Total, totals } from './totals.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('events$', () => {
  test('tells what happened, in order, with what is worth knowing', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    let fail = true
    const look = (): void => {
      if (fail) {
        fail = false
        throw new RangeError('boom')
      }
    }
    const handle = machine.start(totals({ log, sink: collectSink<Total>(), look }))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await until(machine, () => told(events).includes('started 2'))
    await machine.finish(handle.stop())
    expect(told(events)).toEqual([
      'started afresh',
      'checkpoint 2',
      'restarting 1',
      'started 2',
      'stopping',
      'checkpoint 4',
      'stopped',
    ])
    expect(events[0]).toEqual({ kind: 'started', generation: 1, restored: undefined })
    expect(events[1]).toMatchObject({ checkpointId: 2, durationMs: 0, bytes: expect.any(Number) })
    expect(events[2]).toMatchObject({ attempt: 1, delayMs: expect.any(Number), cause: { code: 'STEP_FAILED' } })
    expect(events[3]).toEqual({ kind: 'started', generation: 2, restored: 2 })
    expect(events[4]).toEqual({ kind: 'stopping', drain: false })
  })

  test('tells a late listener all of it, and then completes', async () => {
    const machine = new Machine()
    const copying = job('copying', { checkpoint }, (flow) => {
      flow.from('in', arraySource([1])).to('out', collectSink<number>())
    })
    const handle = machine.start(copying)
    await machine.finish(handle.done)
    let completed = false
    handle.events$.subscribe({
      complete: () => {
        completed = true
      },
    })
    expect(completed).toBe(true)
    expect(told(eventsOf(handle))).toEqual(['started afresh', 'checkpoint 2', 'checkpoint 3', 'finished'])
  })

  test('ends with the failure that ended the job, and does not throw at its listeners', async () => {
    const machine = new Machine()
    const failing = job('failing', (flow) => {
      flow
        .from('in', arraySource([1]))
        .map((): number => {
          throw new Error('boom')
        })
        .to('out', collectSink<number>())
    })
    const handle = machine.start(failing)
    const events = eventsOf(handle)
    const error = await machine.finish(failureOf(() => handle.done))
    expect(events.at(-1)).toEqual({ kind: 'failed', cause: error })
  })

  test('tells of a checkpoint that was given up and why', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const unstorable = job('unstorable', { checkpoint, restart: 'none' }, (flow) => {
      flow
        .from('in', log.source())
        .keyBy(({ key }) => key)
        .process('keep', {
          state: { callback: valueState<() => void>() },
          each: (_, { state }): Hit[] => {
            state.callback.set(() => {})
            return []
          },
        })
        .to('out', collectSink<Hit>())
    })
    const handle = machine.start(unstorable)
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    const error = await machine.finish(failureOf(() => handle.done))
    expect(error).toMatchObject({ code: 'STEP_MISUSED', place: { step: 'keep' } })
    expect(events.find(({ kind }) => kind === 'checkpoint-failed')).toMatchObject({
      checkpointId: 3,
      reason: 'declined',
      message: expect.stringContaining('a state value cannot be stored'),
    })
  })
})

describe('metrics$', () => {
  test('gives a frame at once, one a second, and a last one at the end', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const handle = machine.start(totals({ log, sink: collectSink<Total>() }))
    const frames: MetricsFrame[] = []
    let completed = false
    handle.metrics$.subscribe({
      next: (frame) => frames.push(frame),
      complete: () => {
        completed = true
      },
    })
    expect(frames).toHaveLength(1)
    await machine.pass(3_000, 100)
    expect(frames).toHaveLength(4)
    await machine.finish(handle.stop())
    await machine.settle()
    expect(completed).toBe(true)
    expect(frames.length).toBeGreaterThanOrEqual(5)
    expect(frames.slice(0, 4).map(({ atMs }) => atMs - (frames[0]?.atMs ?? 0))).toEqual([0, 1_000, 2_000, 3_000])
    expect(machine.clock.pendingTimers).toBe(0)
  })

  test('keeps no timer for a listener that has gone, nor one without listeners', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const handle = machine.start(totals({ log, sink: collectSink<Total>() }))
    await machine.settle()
    const before = machine.clock.pendingTimers
    const subscription = handle.metrics$.subscribe()
    expect(machine.clock.pendingTimers).toBe(before + 1)
    subscription.unsubscribe()
    expect(machine.clock.pendingTimers).toBe(before)
    await machine.finish(handle.stop())
  })

  test('counts what went in and out of every step, as it was', async () => {
    const machine = new Machine()
    const schema = z.number().refine((n) => n % 10 !== 0)
    const counting = job('counting', { checkpoint, parallelism: 2 }, (flow) => {
      flow
        .from('in', arraySource(numbers(1_000), { splits: 2 }))
        .parse(schema, { onInvalid: 'skip' })
        .filter((n) => n % 2 === 0)
        .keyBy((n) => n)
        .reduce('sum', 0, (sum, n) => sum + n)
        .to('out', collectSink<number>())
    })
    const handle = machine.start(counting)
    await machine.finish(handle.done)
    const { sum } = handle.metrics()
    expect(sum('millrace_records_out_total', 'in')).toBe(1_000)
    expect(sum('millrace_bytes_in_total', 'in')).toBe(64_000)
    expect(sum('millrace_records_in_total', 'parse')).toBe(1_000)
    expect(sum('millrace_records_in_errors_total', 'parse')).toBe(100)
    expect(sum('millrace_records_in_total', 'filter')).toBe(900)
    expect(sum('millrace_records_in_total', 'sum')).toBe(400)
    expect(sum('millrace_records_send_total', 'out')).toBe(400)
    expect(sum('millrace_checkpoints_completed_total')).toBe(2)
    expect(sum('millrace_checkpoints_failed_total')).toBe(0)
    expect(sum('millrace_job_restarts_total')).toBeUndefined()
  })

  test('knows the age, the duration and the size of the last checkpoint, and nothing of them before', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const handle = machine.start(totals({ log, sink: collectSink<Total>() }))
    expect(handle.metrics().sum('millrace_checkpoint_age_ms')).toBeUndefined()
    expect(handle.metrics().sum('millrace_checkpoint_bytes')).toBeUndefined()
    await machine.settle()
    await machine.clock.advance(400)
    expect(handle.metrics().sum('millrace_checkpoint_age_ms')).toBe(400)
    expect(handle.metrics().sum('millrace_checkpoint_bytes')).toBeGreaterThan(0)
    await machine.pass(900, 100)
    expect(handle.metrics().sum('millrace_checkpoint_age_ms')).toBeLessThan(400)
    await machine.finish(handle.stop())
  })

  test('counts restarts', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    let left = 2
    const look = (): void => {
      if (left-- > 0) throw new Error('boom')
    }
    const sink = collectSink<Total>()
    const handle = machine.start(totals({ log, sink, look }))
    log.push(0, hit('a', 1))
    await until(machine, () => sink.records.length === 1)
    expect(handle.metrics().sum('millrace_job_restarts_total')).toBe(2)
    await machine.finish(handle.stop())
  })

  test('knows how many splits each source subtask holds, and nothing of it while the job waits for its restart', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>(3)
    let left = 1
    const look = (): void => {
      if (left-- > 0) throw new Error('boom')
    }
    const handle = machine.start(totals({ log, sink: collectSink<Total>(), look, options: { parallelism: 2 } }))
    const assigned = () =>
      handle
        .metrics()
        .samples.filter(({ name }) => name === 'millrace_splits_assigned')
        .map(({ labels, value }) => [labels.subtask, value])
    expect(assigned()).toEqual([])
    await machine.settle()
    expect(assigned()).toEqual([
      [0, 2],
      [1, 1],
    ])
    log.push(0, hit('a', 1))
    await machine.settle()
    expect(told(eventsOf(handle)).at(-1)).toBe('restarting 1')
    expect(assigned()).toEqual([])
    await until(machine, () => told(eventsOf(handle)).includes('started 2'))
    await machine.settle()
    expect(assigned()).toEqual([
      [0, 2],
      [1, 1],
    ])
    await machine.finish(handle.stop())
  })

  test('names every sample as the table does, with the job', async () => {
    const machine = new Machine()
    const handle = machine.start(totals({ log: new HandLog<Hit>(), sink: collectSink<Total>() }))
    await machine.settle()
    const { samples } = handle.metrics()
    expect(samples.length).toBeGreaterThan(5)
    for (const { name, labels } of samples) {
      expect(Object.keys(metricTable)).toContain(name)
      expect(labels.job).toBe('totals')
    }
    await machine.finish(handle.stop())
  })

  test('shares the time of a subtask out into working, waiting for records and waiting for room', async () => {
    const machine = new Machine()
    const slow = functionSink<number>('slow', () => machine.clock.sleep(100))
    const options = { checkpoint, guarantee: 'at-least-once', batchRecords: 1, channelBatches: 1 } as const
    const slowed = job('slowed', options, (flow) => {
      flow
        .from('in', arraySource(numbers(20)))
        .rebalance()
        .to('out', slow)
    })
    const handle = machine.start(slowed)
    await machine.finish(handle.done)
    const { sum } = handle.metrics()
    expect(sum('millrace_backpressured_ms_total', 'in')).toBeGreaterThanOrEqual(1_700)
    expect(sum('millrace_backpressured_ms_total', 'rebalance')).toBeGreaterThanOrEqual(2_000)
    expect(sum('millrace_idle_ms_total', 'in')).toBeLessThan(500)
  })
})

/** A sink that stands still until it is let go. */
const gatedSink = (): { sink: Sink<unknown, 'exactly-once'>; letGo: () => void } => {
  let letGo = (): void => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const sink: Sink<unknown, 'exactly-once'> = {
    kind: 'gated',
    guarantee: 'exactly-once',
    guaranteeReason: 'it says so',
    open: () =>
      openSink<unknown, never, never>({
        createWriter: async ({ waiting }) => ({
          write: async () => {
            waiting('the gate')
            await gate
            waiting(undefined)
          },
          async flush() {},
          async close() {},
        }),
      }),
  }
  return { sink, letGo: () => letGo() }
}

describe('waitingFor()', () => {
  const waits = (handle: { waitingFor(): readonly { subtask: string; waitingFor: string | undefined }[] }) =>
    Object.fromEntries(handle.waitingFor().map(({ subtask, waitingFor }) => [subtask, waitingFor]))

  test('is empty before there are subtasks', () => {
    const machine = new Machine()
    const handle = machine.start(totals({ log: new HandLog<Hit>(), sink: collectSink<Total>() }))
    expect(handle.waitingFor()).toEqual([])
    handle.cancel().catch(() => {})
  })

  test('names where records would come from', async () => {
    const machine = new Machine()
    const options = { parallelism: 2 }
    const handle = machine.start(totals({ log: new HandLog<Hit>(), sink: collectSink<Total>(), options }))
    await machine.settle()
    expect(waits(handle)).toEqual({
      'in/0': 'the hand of the test',
      'in/1': 'the hand of the test',
      'total/0': 'records from in/0, in/1',
      'total/1': 'records from in/0, in/1',
    })
    await machine.finish(handle.stop())
  })

  test('names who has no room, down to what the sink waits for', async () => {
    const machine = new Machine()
    const { sink, letGo } = gatedSink()
    const piling = job('piling', { checkpoint, batchRecords: 1, channelBatches: 1 }, (flow) => {
      flow
        .from('in', generatorSource({ generate: (n) => n, count: 100 }))
        .rebalance()
        .keyBy((n) => n)
        .reduce('sum', 0, (sum, n) => sum + n)
        .to('out', sink)
    })
    const handle = machine.start(piling)
    await machine.settle()
    expect(waits(handle)).toEqual({
      'in/0': 'room after in',
      'rebalance/0': 'room after rebalance',
      'sum/0': 'out: the gate',
    })
    letGo()
    await machine.finish(handle.done)
  })

  test('names who has no room also behind a step that has waited for something else', async () => {
    const machine = new Machine()
    const { sink, letGo } = gatedSink()
    const piling = job('piling', { checkpoint, batchRecords: 1, channelBatches: 1 }, (flow) => {
      flow
        .from('in', generatorSource({ generate: (n) => n, count: 100 }))
        .mapAsync('look up', {}, async (n) => n)
        .rebalance()
        .to('out', sink)
    })
    const handle = machine.start(piling)
    await machine.settle()
    expect(waits(handle)).toEqual({ 'in/0': 'room after in', 'rebalance/0': 'out: the gate' })
    letGo()
    await machine.finish(handle.done)
  })

  test('names whose barrier is missing', async () => {
    const machine = new Machine()
    const free = new HandLog<Hit>()
    const stuck = new HandLog<Hit>()
    let letGo = (): void => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const aligning = job('aligning', { checkpoint }, (flow) => {
      const quick = flow.from('quick', free.source())
      const slow = flow.from('slow', stuck.source()).mapAsync('hold', {}, async (record) => {
        await gate
        return record
      })
      quick.union(slow).to('out', collectSink<Hit>())
    })
    const handle = machine.start(aligning)
    await machine.settle()
    stuck.push(0, hit('a', 1))
    await machine.settle()
    await machine.clock.advance(1_000)
    await machine.settle()
    expect(waits(handle)).toEqual({
      'quick/0': 'the hand of the test',
      'slow/0': 'hold: the promises of mapAsync',
      'union/0': 'the barrier of checkpoint 3 from slow/0',
    })
    letGo()
    await machine.finish(handle.stop())
  })

  test('says that the start positions are not stored yet', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    let letGo = (): void => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const sink: Sink<unknown, 'exactly-once'> = {
      kind: 'slow',
      guarantee: 'exactly-once',
      guaranteeReason: 'it says so',
      open: () =>
        openSink<unknown, never, never>({
          createWriter: async () => ({ write() {}, flush: () => gate, async close() {} }),
        }),
    }
    const starting = job('starting', { checkpoint }, (flow) => {
      flow.from('in', log.source()).rebalance().to('out', sink)
    })
    const handle = machine.start(starting)
    await machine.settle()
    expect(waits(handle)).toEqual({
      'in/0': 'the first checkpoint, which holds the start positions',
      'rebalance/0': 'the sinks to flush for checkpoint 2',
    })
    letGo()
    await machine.finish(handle.stop())
  })

  test('says that nothing is left to do', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const other = new HandLog<Hit>()
    const both = job('both', { checkpoint }, (flow) => {
      flow.from('done', log.source()).to('a', collectSink<Hit>())
      flow.from('open', other.source()).to('b', collectSink<Hit>())
    })
    const handle = machine.start(both)
    log.end()
    await machine.settle()
    expect(waits(handle)).toEqual({ 'done/0': 'the end of the job', 'open/0': 'the hand of the test' })
    await machine.finish(handle.stop())
  })
})
