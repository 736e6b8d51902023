import { describe, expect, test } from 'vitest'
import { collectSink } from '../../src/connectors/memory/index.ts'
import { job } from '../../src/job/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { failureOf } from '../runtime/operator-bench.ts'
import { HandLog } from './hand-source.ts'
import { eventsOf, Machine, told, until } from './harness.ts'
import { byKey, checkpoint, expectedTotals, type Hit, hit, type Total, totals } from './totals.ts'

const open = () => {
  const machine = new Machine()
  const log = new HandLog<Hit>(2)
  const sink = collectSink<Total>()
  return { machine, log, sink }
}

describe('stopping a job', () => {
  test('takes a last checkpoint behind everything it has read, and makes its output visible', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink }))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1), hit('a', 2))
    await machine.settle()
    expect(sink.records).toEqual([])
    const result = await machine.finish(handle.stop())
    expect(result).toEqual({ outcome: 'stopped', lastCheckpointId: 3, restarts: 0 })
    expect(sink.records).toEqual(expectedTotals([hit('a', 1), hit('a', 2)]))
    expect(told(events)).toEqual(['started afresh', 'checkpoint 2', 'stopping', 'checkpoint 3', 'stopped'])
    expect(machine.clock.pendingTimers).toBe(0)
  })

  test('lets it go on later where it was, with its state', async () => {
    const { machine, log, sink } = open()
    const all: Hit[] = []
    for (let run = 0; run < 4; run++) {
      const handle = machine.start(totals({ log, sink }))
      await machine.settle()
      for (const key of ['a', 'b', 'a']) {
        all.push(hit(key, run + 1))
        log.push(key === 'a' ? 0 : 1, hit(key, run + 1))
      }
      await machine.settle()
      expect(await machine.finish(handle.stop())).toMatchObject({ outcome: 'stopped' })
    }
    expect(byKey(sink.records)).toEqual(byKey(expectedTotals(all)))
  })

  test('reads nothing more, although there is more', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink }))
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.settle()
    const stopped = machine.finish(handle.stop())
    log.push(0, hit('a', 2))
    await stopped
    expect(sink.records).toHaveLength(1)
  })

  test('before it has begun to read leaves it at its beginning', async () => {
    const { machine, log, sink } = open()
    log.push(0, hit('a', 1))
    const handle = machine.start(totals({ log, sink }))
    expect(await machine.finish(handle.stop())).toMatchObject({ outcome: 'stopped' })
    expect(sink.records).toEqual([])
    const again = machine.start(totals({ log, sink }))
    await machine.settle()
    await machine.finish(again.stop())
    expect(sink.records).toHaveLength(1)
  })

  test('without drain leaves timers set, and they fire after the job has gone on', async () => {
    const { machine, log } = open()
    const sink = collectSink<string>()
    const alarms = job('alarms', { checkpoint }, (flow) => {
      flow
        .from('in', log.source())
        .keyBy(({ key }) => key)
        .process('alarm', {
          state: { seen: valueState<number>() },
          each: ({ n }, context) => {
            context.state.seen.set(n)
            context.setTimer(context.nowMs + 60_000)
            return undefined
          },
          timer: (_, { key, state }) => [`${key} ${state.seen.get()}`],
        })
        .to('out', sink)
    })
    const first = machine.start(alarms)
    await machine.settle()
    log.push(0, hit('a', 7))
    await machine.settle()
    await machine.finish(first.stop())
    expect(sink.records).toEqual([])
    const second = machine.start(alarms)
    await machine.pass(59_000, 1_000)
    expect(sink.records).toEqual([])
    await machine.pass(3_000, 500)
    expect(sink.records).toEqual(['a 7'])
    await machine.finish(second.stop())
    expect(sink.records).toEqual(['a 7'])
  })

  test('with drain ends the input: timers fire, and what they give is visible', async () => {
    const { machine, log } = open()
    const sink = collectSink<string>()
    const alarms = job('alarms', { checkpoint, parallelism: 2 }, (flow) => {
      flow
        .from('in', log.source())
        .keyBy(({ key }) => key)
        .process('alarm', {
          state: { seen: valueState<number>() },
          each: ({ n }, context) => {
            context.state.seen.set(n)
            context.setTimer(context.nowMs + 60_000 * n)
            return undefined
          },
          timer: (_, { key, state }) => {
            const seen = state.seen.get()
            state.seen.clear()
            return [`${key} ${seen}`]
          },
        })
        .to('out', sink)
    })
    const handle = machine.start(alarms)
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 2))
    log.push(1, hit('b', 1))
    await machine.settle()
    expect(await machine.finish(handle.stop({ drain: true }))).toMatchObject({ outcome: 'stopped' })
    expect([...sink.records].sort()).toEqual(['a 2', 'b 1'])
    expect(told(events)).toContain('draining')
    expect(machine.clock.monoMs()).toBeLessThan(60_000)
  })

  test('that is asked for twice is one stop, and the first word counts', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink }))
    const events = eventsOf(handle)
    await machine.settle()
    const both = Promise.all([handle.stop(), handle.stop({ drain: true })])
    const [first, second] = await machine.finish(both)
    expect(first).toEqual(second)
    expect(told(events).filter((what) => what.includes('ing'))).toEqual(['stopping'])
  })

  test('that takes too long cancels the job, and its last checkpoint holds', async () => {
    const { machine, log, sink } = open()
    let hang = false
    const slow = job('totals', { checkpoint, stopDeadline: '5s' }, (flow) => {
      flow
        .from('in', log.source())
        .mapAsync('slow', {}, (record) => (hang ? new Promise<Hit>(() => {}) : Promise.resolve(record)))
        .keyBy(({ key }) => key)
        .reduce(
          'total',
          (key): Total => ({ key, n: -1, total: 0 }),
          ({ key, total }, { n }) => ({ key, n, total: total + n }),
        )
        .to('out', sink)
    })
    const handle = machine.start(slow)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.pass(1_500)
    hang = true
    log.push(0, hit('a', 2))
    await machine.settle()
    const startMs = machine.clock.monoMs()
    expect(await machine.finish(failureOf(() => handle.stop()))).toMatchObject({ code: 'JOB_CANCELLED' })
    expect(machine.clock.monoMs() - startMs).toBeLessThan(6_000)
    hang = false
    const again = machine.start(slow)
    await machine.settle()
    await machine.finish(again.stop())
    expect(sink.records).toEqual(expectedTotals([hit('a', 1), hit('a', 2)]))
  })

  test('gets the deadline it is asked with', async () => {
    const { machine, log, sink } = open()
    const stuck = job('stuck', { checkpoint }, (flow) => {
      flow
        .from('in', log.source())
        .mapAsync('stuck', {}, () => new Promise<Total>(() => {}))
        .to('out', sink)
    })
    const handle = machine.start(stuck)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.settle()
    const startMs = machine.clock.monoMs()
    const error = await machine.finish(failureOf(() => handle.stop({ deadlineMs: 200 })))
    expect(error).toMatchObject({ code: 'JOB_CANCELLED', message: expect.stringContaining('deadline of 200 ms') })
    expect(machine.clock.monoMs() - startMs).toBeLessThan(400)
  })

  test('while it waits to restart stops it after the restart', async () => {
    const { machine, log, sink } = open()
    let fail = true
    const look = (): void => {
      if (fail) throw new Error('boom')
    }
    const handle = machine.start(totals({ log, sink, look }))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await until(machine, () => told(events).includes('restarting 1'))
    fail = false
    expect(await machine.finish(handle.stop())).toMatchObject({ outcome: 'stopped', restarts: 1 })
  })

  test('that fails on the way fails the job, and does not start it again', async () => {
    const { machine, log } = open()
    let fail = (_: Error): void => {}
    const failing = job('failing', { checkpoint }, (flow) => {
      flow
        .from('in', log.source())
        .mapAsync('fail', {}, () => new Promise<Total>((_, reject) => (fail = reject)))
        .to('out', collectSink<Total>())
    })
    const handle = machine.start(failing)
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.settle()
    const stopping = failureOf(() => handle.stop({ drain: true }))
    await machine.settle()
    fail(new Error('boom'))
    expect(await machine.finish(stopping)).toMatchObject({ code: 'JOB_FAILED', cause: { code: 'STEP_FAILED' } })
    expect(told(events)).not.toContain('restarting 1')
  })

  test('is what happens at the end of a block that holds it', async () => {
    const { machine, log, sink } = open()
    let done: Promise<unknown> = Promise.resolve()
    const block = async (): Promise<void> => {
      await using handle = machine.start(totals({ log, sink }))
      done = handle.done
      await machine.settle()
      log.push(0, hit('a', 1))
      await machine.settle()
    }
    await machine.finish(block())
    expect(await done).toMatchObject({ outcome: 'stopped' })
    expect(sink.records).toHaveLength(1)
  })

  test('after it has ended gives the result it had', async () => {
    const { machine, log, sink } = open()
    log.end()
    const handle = machine.start(totals({ log, sink }))
    const result = await machine.finish(handle.done)
    expect(await machine.finish(handle.stop())).toEqual(result)
    await handle.cancel()
    expect(machine.clock.pendingTimers).toBe(0)
  })
})

describe('cancelling a job', () => {
  test('gives up at once, and nothing of what came after the last checkpoint is visible', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink }))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.pass(1_200)
    log.push(0, hit('a', 2))
    await machine.settle()
    const startMs = machine.clock.monoMs()
    await machine.finish(handle.cancel())
    expect(machine.clock.monoMs()).toBe(startMs)
    expect(sink.records).toEqual(expectedTotals([hit('a', 1)]))
    expect(await failureOf(() => handle.done)).toMatchObject({
      code: 'JOB_CANCELLED',
      exitCode: 1,
      place: { job: 'totals' },
    })
    expect(told(events).at(-1)).toBe('failed')
    expect(machine.clock.pendingTimers).toBe(0)
    const again = machine.start(totals({ log, sink }))
    await machine.settle()
    await machine.finish(again.stop())
    expect(sink.records).toEqual(expectedTotals([hit('a', 1), hit('a', 2)]))
  })

  test('right after the start is fine', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink }))
    await machine.finish(handle.cancel())
    expect(await failureOf(() => handle.done)).toMatchObject({ code: 'JOB_CANCELLED' })
    expect(machine.clock.pendingTimers).toBe(0)
  })

  test('while it waits to restart ends it with what it failed with', async () => {
    const { machine, log, sink } = open()
    const look = (): void => {
      throw new RangeError('boom')
    }
    const handle = machine.start(totals({ log, sink, look }))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await until(machine, () => told(events).includes('restarting 1'))
    await machine.finish(handle.cancel())
    expect(await failureOf(() => handle.done)).toMatchObject({ code: 'STEP_FAILED' })
    expect(machine.clock.pendingTimers).toBe(0)
  })
})
