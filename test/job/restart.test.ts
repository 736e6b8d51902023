import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collectSink, functionSink } from '../../src/connectors/memory/index.ts'
import { DataLossError, jsonSerializer, SinkError, SourceError } from '../../src/core/index.ts'
import { type JobOptions, job } from '../../src/job/index.ts'
import { openSink, type Sink, type SinkParts } from '../../src/sink/index.ts'
import type { Source } from '../../src/source/index.ts'
import { failureOf } from '../runtime/operator-bench.ts'
import { HandLog } from './hand-source.ts'
import { eventsOf, Machine, told, until } from './harness.ts'
import { byKey, checkpoint, expectedTotals, type Hit, hit, type Total, totals } from './totals.ts'

const open = (splits = 2) => {
  const machine = new Machine()
  const log = new HandLog<Hit>(splits)
  const sink = collectSink<Total>()
  return { machine, log, sink }
}

/** Throws at the n-th record each number names, once. */
const throwingAt = (...numbers: readonly number[]) => {
  const left = new Set(numbers)
  let seen = 0
  return (): void => {
    if (left.delete(++seen)) throw new Error(`boom at ${seen}`)
  }
}

describe('a job whose function fails', () => {
  test('goes back to its last checkpoint and counts every record once', async () => {
    const { machine, log, sink } = open()
    const handle = machine.start(totals({ log, sink, look: throwingAt(5) }))
    const events = eventsOf(handle)
    await machine.settle()
    const all = [hit('a', 1), hit('b', 2), hit('a', 4), hit('b', 8), hit('a', 16), hit('b', 32)]
    for (const [index, one] of all.slice(0, 4).entries()) log.push(index % 2, one)
    await machine.pass(1_500)
    expect(sink.records).toHaveLength(4)
    for (const [index, one] of all.slice(4).entries()) log.push(index % 2, one)
    await until(machine, () => sink.records.length === 6)
    expect(await machine.finish(handle.stop())).toMatchObject({ outcome: 'stopped', restarts: 1 })
    expect(byKey(sink.records)).toEqual(byKey(expectedTotals(all)))
    expect(told(events).filter((what) => /started|restarting/.test(what))).toEqual([
      'started afresh',
      'restarting 1',
      'started 3',
    ])
  })

  test('before its second checkpoint begins where it began, although there is more by now', async () => {
    const { machine, log, sink } = open(1)
    log.push(0, hit('a', 1), hit('a', 2))
    const handle = machine.start(totals({ log, sink, look: throwingAt(2) }))
    await machine.settle()
    log.push(0, hit('a', 4))
    await until(machine, () => sink.records.length === 3)
    await machine.finish(handle.stop())
    expect(sink.records).toEqual(expectedTotals([hit('a', 1), hit('a', 2), hit('a', 4)]))
  })

  test('counts every record once, wherever it fails and whenever checkpoints are taken', async () => {
    const someRun = fc.record({
      hits: fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), n: fc.nat(9) }), {
        minLength: 1,
        maxLength: 25,
        size: 'max',
      }),
      failures: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }),
      pauses: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 5 }),
      parallelism: fc.integer({ min: 1, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(someRun, async ({ hits, failures, pauses, parallelism }) => {
        const { machine, log, sink } = open(3)
        const options: JobOptions = {
          parallelism,
          checkpoint: { every: '300ms' },
          restart: { strategy: 'fixed', attempts: 10, delay: '100ms' },
        }
        const handle = machine.start(totals({ log, sink, options, look: throwingAt(...failures) }))
        await machine.settle()
        for (const [index, one] of hits.entries()) {
          // A key stays in one split, so that its order is known.
          log.push(one.key.charCodeAt(0) % 3, one)
          await machine.pass(pauses[index % pauses.length] ?? 0, 100)
        }
        await until(machine, () => sink.records.length >= hits.length)
        await machine.finish(handle.stop())
        expect(byKey(sink.records)).toEqual(byKey(expectedTotals(hits)))
      }),
      { numRuns: 20 },
    )
  })

  test('is given up when the restart strategy says so, with the last failure as the cause', async () => {
    const { machine, log, sink } = open()
    const look = (): void => {
      throw new RangeError('always')
    }
    const options: JobOptions = { restart: { strategy: 'fixed', attempts: 2, delay: '1s' } }
    const handle = machine.start(totals({ log, sink, options, look }))
    const events = eventsOf(handle)
    log.push(0, hit('a', 1))
    const error = await machine.finish(failureOf(() => handle.done))
    expect(error).toMatchObject({ code: 'JOB_FAILED', exitCode: 1, place: { job: 'totals' } })
    expect(error.message).toContain('3 failures; the last one: STEP_FAILED (job totals, step map')
    expect(error.cause).toMatchObject({ code: 'STEP_FAILED', place: { split: '0', position: '0' } })
    expect(told(events).filter((what) => what.startsWith('restarting'))).toEqual(['restarting 1', 'restarting 2'])
    expect(machine.clock.pendingTimers).toBe(0)
  })

  test('waits before it restarts as the strategy says', async () => {
    const { machine, log, sink } = open()
    const options: JobOptions = { restart: { strategy: 'exponential', initial: '2s', multiplier: 3, jitter: 0 } }
    const handle = machine.start(totals({ log, sink, options, look: throwingAt(1, 2, 3) }))
    const events = eventsOf(handle)
    log.push(0, hit('a', 1))
    await until(machine, () => sink.records.length === 1)
    await machine.finish(handle.stop())
    const delays = events.flatMap((event) => (event.kind === 'restarting' ? [event.delayMs] : []))
    expect(delays).toEqual([2_000, 6_000, 18_000])
  })

  test('is not restarted when there are no checkpoints to go back to', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const failing = job('failing', (flow) => {
      flow
        .from('in', log.source())
        .map(() => {
          throw new Error('boom')
        })
        .to('out', collectSink<never>())
    })
    const handle = machine.start(failing)
    log.push(0, hit('a', 1))
    expect(await machine.finish(failureOf(() => handle.done))).toMatchObject({ code: 'STEP_FAILED' })
  })

  test('gives up after the allowed number of restarts, also when that is a large one', async () => {
    const { machine, log, sink } = open(1)
    const look = (): void => {
      throw new Error('always')
    }
    const options: JobOptions = { restart: { strategy: 'fixed', attempts: 1_005, delay: 0 } }
    const handle = machine.start(totals({ log, sink, options, look }))
    log.push(0, hit('a', 1))
    const error = await machine.finish(failureOf(() => handle.done))
    expect(error.message).toContain('1006 failures')
  })
})

/** A sink that at-least-once jobs use, with one part replaced. */
const sinkWith = (parts: Partial<SinkParts<unknown, never, string>>): Sink<unknown, 'exactly-once'> => ({
  kind: 'test',
  guarantee: 'exactly-once',
  guaranteeReason: 'it says so',
  open: () =>
    openSink<unknown, never, string>({
      createWriter: async () => ({ write() {}, async flush() {}, async close() {} }),
      ...parts,
    }),
})

const feeding = (sink: Sink<unknown, 'exactly-once'>, log: HandLog<Hit>, options: JobOptions = {}) =>
  job('feeding', { ...options, checkpoint: { ...checkpoint, ...options.checkpoint, dir: checkpoint.dir } }, (flow) => {
    flow.from('in', log.source()).to('out', sink)
  })

const receipts = jsonSerializer<string>('test.receipt', 1, (_, value) => value as string)

describe('a job whose sink fails', () => {
  test('names the sink and goes back to its last checkpoint', async () => {
    const { machine, log } = open()
    let left = 1
    const seen: number[] = []
    const sink = sinkWith({
      createWriter: async () => ({
        write: (batch) => {
          if (left-- > 0) throw new Error('connection reset')
          seen.push(...batch.records.map((record) => (record as Hit).n))
        },
        async flush() {},
        async close() {},
      }),
    })
    const handle = machine.start(feeding(sink, log))
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 7))
    await until(machine, () => seen.length === 1)
    const [restarting] = events.filter((event) => event.kind === 'restarting')
    expect(restarting).toMatchObject({
      cause: { message: expect.stringContaining('connection reset'), place: { step: 'out', subtaskIndex: 0 } },
    })
    await machine.finish(handle.stop())
  })

  test('fails the whole attempt when it cannot flush for a checkpoint', async () => {
    const { machine, log } = open()
    let left = 1
    const sink = sinkWith({
      createWriter: async () => ({
        write() {},
        flush: async () => {
          if (left-- > 0) throw new SinkError('SINK_UNAVAILABLE', { message: 'cannot flush' })
        },
        async close() {},
      }),
    })
    const handle = machine.start(feeding(sink, log))
    const events = eventsOf(handle)
    await until(machine, () => told(events).includes('restarting 1'))
    expect(told(events)).not.toContain('checkpoint 2 declined')
    await machine.finish(handle.stop())
  })

  test('ends when the failure is one that a restart cannot mend', async () => {
    const { machine, log } = open()
    const refused = new SinkError('SINK_REFUSED', { message: 'no permission' })
    const sink = sinkWith({
      createWriter: async () => ({ write: () => Promise.reject(refused), async flush() {}, async close() {} }),
    })
    const handle = machine.start(feeding(sink, log))
    const events = eventsOf(handle)
    log.push(0, hit('a', 1))
    expect(await machine.finish(failureOf(() => handle.done))).toBe(refused)
    expect(told(events).at(-1)).toBe('failed')
    expect(told(events).join()).not.toContain('restarting')
  })

  test('ends with data loss when a receipt cannot be honoured', async () => {
    const { machine, log } = open()
    const sink = sinkWith({
      committableSerializer: receipts,
      createWriter: async () => ({
        write() {},
        async flush() {},
        prepareCommit: () => ['the part'],
        async close() {},
      }),
      createCommitter: async () => ({
        commit: async ([request]) => request?.signalFailed(new Error('the part is gone')),
        async abortOrphans() {},
        async close() {},
      }),
    })
    const error = await machine.finish(failureOf(() => machine.start(feeding(sink, log)).done))
    expect(error).toBeInstanceOf(DataLossError)
    expect(error).toMatchObject({ exitCode: 5, place: { step: 'out', checkpointId: 2 } })
  })

  test('commits after a restart what a checkpoint had named', async () => {
    const { machine, log } = open()
    const visible: string[] = []
    let failing = true
    let number = 0
    const sink = sinkWith({
      committableSerializer: receipts,
      createWriter: async () => ({
        write() {},
        async flush() {},
        prepareCommit: (id) => [`${id}.${number++}`],
        async close() {},
      }),
      createCommitter: async () => ({
        commit: async (requests) => {
          if (failing) {
            failing = false
            throw new Error('killed in the middle')
          }
          visible.push(...requests.map(({ committable }) => committable))
        },
        async abortOrphans() {},
        async close() {},
      }),
    })
    const handle = machine.start(feeding(sink, log))
    await until(machine, () => visible.length > 0)
    expect(visible[0]).toBe('2.0')
    await machine.finish(handle.stop())
    expect(new Set(visible).size).toBe(visible.length)
  })
})

describe('a job whose source fails', () => {
  const broken = (
    log: HandLog<Hit>,
    change: (open: ReturnType<Source<Hit>['open']>) => void,
  ): Source<Hit, 'exactly-once'> => {
    const source = log.source()
    return {
      ...source,
      open: (context) => {
        const opened = source.open(context)
        change(opened)
        return opened
      },
    }
  }
  const reading = (source: Source<Hit, 'exactly-once'>, options: JobOptions = {}) =>
    job(
      'reading',
      { ...options, checkpoint: { ...checkpoint, ...options.checkpoint, dir: checkpoint.dir } },
      (flow) => {
        flow.from('in', source).to('out', collectSink<Hit>())
      },
    )
  const failOnce = { restart: { strategy: 'fixed', attempts: 0 } } as const

  test('tells the source the generation of every attempt, which the checkpoints have too', async () => {
    const { machine, log } = open()
    const generations: number[] = []
    const source = log.source()
    let left = 1
    const telling: Source<Hit, 'exactly-once'> = {
      ...source,
      open: (context) => {
        generations.push(context.generation)
        return source.open(context)
      },
    }
    const handle = machine.start(
      job('telling', { checkpoint }, (flow) => {
        flow
          .from('in', telling)
          .map((record) => {
            if (left-- > 0) throw new Error('boom')
            return record
          })
          .to('out', collectSink<Hit>())
      }),
    )
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await until(machine, () => told(events).includes('started 2'))
    await machine.finish(handle.stop())
    expect(generations).toEqual([1, 2])
    expect(events.flatMap((event) => (event.kind === 'started' ? [event.generation] : []))).toEqual(generations)
  })

  test('names the source when reading fails', async () => {
    const { machine, log } = open()
    const source = broken(log, (opened) => {
      const { createReader } = opened
      opened.createReader = (context) => {
        const reader = createReader(context)
        reader.poll = () => {
          throw new Error('the shard is gone')
        }
        return reader
      }
    })
    const error = await machine.finish(failureOf(() => machine.start(reading(source, failOnce)).done))
    expect(error).toMatchObject({
      code: 'JOB_FAILED',
      cause: { place: { job: 'reading', step: 'in', subtaskIndex: 0 } },
    })
    expect(error.message).toContain('the shard is gone')
  })

  test('ends when the failure is one that a restart cannot mend', async () => {
    const { machine, log } = open()
    const refused = new SourceError('SOURCE_REFUSED', { message: 'no permission' })
    const source = broken(log, (opened) => {
      const { createReader } = opened
      opened.createReader = (context) => {
        const reader = createReader(context)
        reader.available = () => Promise.reject(refused)
        return reader
      }
    })
    expect(await machine.finish(failureOf(() => machine.start(reading(source)).done))).toBe(refused)
  })

  test('is restarted when its enumerator cannot give its state, not left without checkpoints', async () => {
    const { machine, log } = open()
    let left = 1
    const source = broken(log, (opened) => {
      const { createEnumerator } = opened
      opened.createEnumerator = (context, restored) => {
        const enumerator = createEnumerator(context, restored)
        const { snapshotState } = enumerator
        enumerator.snapshotState = (id) => {
          if (left-- > 0) throw new Error('confused')
          return snapshotState(id)
        }
        return enumerator
      }
    })
    const handle = machine.start(reading(source))
    const events = eventsOf(handle)
    await until(machine, () => told(events).includes('restarting 1'))
    await machine.finish(handle.stop())
  })
})

describe('a part of a job that hangs', () => {
  const limitMs = 10_000

  /** Starts, lets it hang, cancels, and gives the virtual time that took. */
  const cancelMs = async (machine: Machine, handle: ReturnType<Machine['start']>): Promise<number> => {
    await machine.settle()
    const startMs = machine.clock.monoMs()
    await machine.finish(handle.cancel(), 60_000)
    expect(await failureOf(() => handle.done)).toMatchObject({ code: 'JOB_CANCELLED' })
    return machine.clock.monoMs() - startMs
  }
  const forever = <T>(): Promise<T> => new Promise<T>(() => {})

  test('does not hold up a cancel when it is a promise of mapAsync', async () => {
    const { machine, log } = open()
    const handle = machine.start(
      job('hanging', { checkpoint }, (flow) => {
        flow
          .from('in', log.source())
          .mapAsync('hang', {}, () => forever<Hit>())
          .to('out', collectSink<Hit>())
      }),
    )
    await machine.settle()
    log.push(0, hit('a', 1))
    expect(await cancelMs(machine, handle)).toBe(0)
  })

  test('does not hold up a cancel when others wait for room behind it', async () => {
    const { machine, log } = open()
    const handle = machine.start(
      job('hanging', { checkpoint, channelBatches: 1 }, (flow) => {
        flow
          .from('in', log.source())
          .rebalance()
          .rebalance()
          .mapAsync('hang', {}, () => forever<Hit>())
          .to('out', collectSink<Hit>())
      }),
    )
    await machine.settle()
    log.push(0, ...Array.from({ length: 20 }, (_, n) => hit('a', n)))
    await machine.settle()
    expect(handle.waitingFor().map(({ waitingFor }) => waitingFor)).toEqual([
      'room after in',
      'room after rebalance',
      'hang: the promises of mapAsync',
    ])
    expect(await cancelMs(machine, handle)).toBe(0)
  })

  test.each(['write', 'flush', 'close'] as const)(
    'does not hold up a cancel longer than its limit when it is the %s of a sink',
    async (method) => {
      const { machine, log } = open()
      const writer = { write() {}, async flush() {}, async close() {}, [method]: () => forever<void>() }
      const handle = machine.start(feeding(sinkWith({ createWriter: async () => writer }), log))
      await machine.settle()
      log.push(0, hit('a', 1))
      expect(await cancelMs(machine, handle)).toBeLessThanOrEqual(limitMs + 100)
      const left = machine.lines.filter(({ message }) => message.includes('left behind'))
      expect(left).toHaveLength(1)
    },
  )

  test('does not hold up a cancel when it is a commit that is put off again and again', async () => {
    const { machine, log } = open()
    const sink = sinkWith({
      committableSerializer: receipts,
      createWriter: async () => ({ write() {}, async flush() {}, prepareCommit: () => ['r'], async close() {} }),
      createCommitter: async () => ({
        commit: async ([request]) => request?.retryLater(new Error('busy')),
        async abortOrphans() {},
        async close() {},
      }),
    })
    expect(await cancelMs(machine, machine.start(feeding(sink, log)))).toBe(0)
  })

  test.each(['createWriter', 'createCommitter'] as const)(
    'does not hold up a cancel longer than its limit when it is the %s of a sink',
    async (method) => {
      const { machine, log } = open()
      const sink = sinkWith({ committableSerializer: receipts, [method]: () => forever<never>() })
      expect(await cancelMs(machine, machine.start(feeding(sink, log)))).toBeLessThanOrEqual(limitMs + 100)
    },
  )

  test('does not hold up a cancel longer than its limit when it is the start of an enumerator', async () => {
    const { machine, log } = open()
    const source = log.source()
    const stuck: Source<Hit, 'exactly-once'> = {
      ...source,
      open: (context) => {
        const opened = source.open(context)
        const { createEnumerator } = opened
        opened.createEnumerator = (enumeratorContext, restored) => ({
          ...createEnumerator(enumeratorContext, restored),
          start: () => forever<void>(),
        })
        return opened
      },
    }
    const handle = machine.start(
      job('stuck', { checkpoint }, (flow) => {
        flow.from('in', stuck).to('out', collectSink<Hit>())
      }),
    )
    expect(await cancelMs(machine, handle)).toBeLessThanOrEqual(limitMs + 100)
  })

  test('fails its step in the end, and the job goes on after a restart', async () => {
    const { machine, log } = open()
    const sink = collectSink<Hit>()
    let hang = true
    const handle = machine.start(
      job('hanging', { checkpoint, stepTimeout: '2m' }, (flow) => {
        flow
          .from('in', log.source())
          .mapAsync('hang', {}, (record) => {
            const answer = hang ? forever<Hit>() : Promise.resolve(record)
            hang = false
            return answer
          })
          .to('out', sink)
      }),
    )
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, hit('a', 1))
    await until(machine, () => sink.records.length === 1)
    expect(events.find((event) => event.kind === 'restarting')).toMatchObject({ cause: { code: 'STEP_TIMED_OUT' } })
    await machine.finish(handle.stop())
  })
})

describe('an attempt that is cancelled while it starts', () => {
  test('closes also what is opened only afterwards', async () => {
    const { machine, log } = open()
    const closed: string[] = []
    const sink = sinkWith({
      committableSerializer: receipts,
      createWriter: async () => {
        await machine.clock.sleep(3_000)
        return { write() {}, async flush() {}, close: async () => void closed.push('writer') }
      },
      createCommitter: async () => ({
        async commit() {},
        async abortOrphans() {},
        close: async () => void closed.push('committer'),
      }),
    })
    const handle = machine.start(feeding(sink, log))
    await machine.settle()
    await machine.finish(handle.cancel())
    expect(closed.sort()).toEqual(['committer', 'writer'])
    expect(machine.clock.pendingTimers).toBe(0)
  })
})

describe('an attempt that cannot be started', () => {
  test.each([
    ['an id', 3],
    ['none', 'none'],
    ['a directory', '/checkpoints'],
  ] as const)('after it has taken over what it was told to restore by %s is tried again', async (_, restore) => {
    const { machine, log } = open()
    let failures = 0
    const sink = sinkWith({
      committableSerializer: receipts,
      createCommitter: async () => ({
        async commit() {},
        abortOrphans: async () => {
          if (failures-- > 0) throw new Error('cannot list')
        },
        async close() {},
      }),
    })
    const first = machine.start(feeding(sink, log))
    await machine.settle()
    expect(await machine.finish(first.stop())).toMatchObject({ lastCheckpointId: 3 })
    failures = 1
    const second = machine.start(feeding(sink, log), { restore })
    const events = eventsOf(second)
    await until(machine, () => told(events).some((what) => what.startsWith('started')))
    expect(await machine.finish(second.stop())).toMatchObject({ outcome: 'stopped', restarts: 1 })
  })

  test('closes what it had opened', async () => {
    const { machine, log } = open()
    const openedWriters = new Set<number>()
    let number = 0
    const fragile = (fails: boolean) =>
      sinkWith({
        createWriter: async () => {
          if (fails) throw new Error('no connection')
          const mine = number++
          openedWriters.add(mine)
          return {
            write() {},
            async flush() {},
            close: async () => void openedWriters.delete(mine),
          }
        },
      })
    const several = job('several', { checkpoint, restart: { strategy: 'fixed', attempts: 1, delay: '1s' } }, (flow) => {
      const stream = flow.from('in', log.source())
      stream.to('in a chain of its own', fragile(false), { parallelism: 3 })
      const together = stream.rebalance()
      together.to('bad', fragile(true))
      together.to('in the same chain', fragile(false))
    })
    const error = await machine.finish(failureOf(() => machine.start(several).done))
    expect(error).toMatchObject({ code: 'JOB_FAILED' })
    expect(number).toBeGreaterThanOrEqual(4)
    expect([...openedWriters]).toEqual([])
  })
})

describe('at-least-once output', () => {
  test('has every record after a failure, some of them twice', async () => {
    const { machine, log } = open(1)
    const seen: number[] = []
    let left = 1
    const handle = machine.start(
      job('writing', { checkpoint, guarantee: 'at-least-once' }, (flow) => {
        flow.from('in', log.source()).to(
          'out',
          functionSink<Hit>('list', (records) => {
            seen.push(...records.map(({ n }) => n))
            if (seen.length === 3 && left-- > 0) throw new Error('boom')
          }),
        )
      }),
    )
    await machine.settle()
    log.push(0, hit('a', 1), hit('a', 2), hit('a', 3), hit('a', 4))
    await until(machine, () => seen.includes(4))
    await machine.finish(handle.stop())
    expect([...new Set(seen)].sort()).toEqual([1, 2, 3, 4])
    expect(seen.length).toBeGreaterThan(4)
  })
})
