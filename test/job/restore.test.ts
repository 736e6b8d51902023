import { describe, expect, test } from 'vitest'
import { decodeManifest, encodeManifest } from '../../src/checkpoint/index.ts'
import { type CollectSink, collectSink } from '../../src/connectors/memory/index.ts'
import { readWhole } from '../../src/core/index.ts'
import { type Job, job } from '../../src/job/index.ts'
import { listState, mapState, type StateSpec, valueState } from '../../src/runtime/index.ts'
import { failureOf } from '../runtime/operator-bench.ts'
import { HandLog } from './hand-source.ts'
import { eventsOf, Machine, type StartOptions, told, until } from './harness.ts'
import { checkpoint, type Hit, hit, type Total, totals } from './totals.ts'

const open = () => {
  const machine = new Machine()
  const log = new HandLog<Hit>()
  const sink = collectSink<Total>()
  const counting = totals({ log, sink })
  /** One run of the job that reads these records and stops. */
  const run = async (hits: readonly Hit[], options: StartOptions = {}, one: Job = counting) => {
    const handle = machine.start(one, options)
    const events = eventsOf(handle)
    await machine.settle()
    log.push(0, ...hits)
    await machine.settle()
    const result = await machine.finish(handle.stop())
    return { result, events: told(events) }
  }
  return { machine, log, sink, counting, run }
}

const totalsOf = (sink: { readonly records: readonly Total[] }): number[] => sink.records.map(({ total }) => total)
const startOf = (machine: Machine, one: Job, options: StartOptions): Promise<Error> =>
  machine.finish(failureOf(() => machine.start(one, options).done))

describe('starting a job', () => {
  test('goes on from the newest checkpoint', async () => {
    const { sink, run } = open()
    const first = await run([hit('a', 1)])
    const second = await run([hit('a', 10)])
    expect(second.events[0]).toBe(`started ${first.result.lastCheckpointId}`)
    expect(totalsOf(sink)).toEqual([1, 11])
  })

  test('with restore none begins afresh, and leaves alone what is visible already', async () => {
    const { sink, run } = open()
    await run([hit('a', 1)])
    const second = await run([hit('a', 10)], { restore: 'none' })
    expect(second.events[0]).toBe('started afresh')
    expect(totalsOf(sink)).toEqual([1, 1, 11])
  })

  test('with restore none goes on from its own checkpoints after a failure', async () => {
    const { machine, log, sink, run } = open()
    await run([hit('a', 1)])
    let fail = false
    const look = (): void => {
      if (fail) {
        fail = false
        throw new Error('boom')
      }
    }
    const handle = machine.start(totals({ log, sink, look }), { restore: 'none' })
    await machine.pass(1_500)
    expect(totalsOf(sink)).toEqual([1, 1])
    fail = true
    log.push(0, hit('a', 5))
    await until(machine, () => sink.records.length === 3)
    await machine.finish(handle.stop())
    expect(totalsOf(sink)).toEqual([1, 1, 6])
  })

  test('from a checkpoint by its id goes back to it, when that is allowed', async () => {
    const { machine, sink, counting, run } = open()
    const first = await run([hit('a', 1)])
    await run([hit('a', 10)])
    const restore = first.result.lastCheckpointId ?? 0
    const refused = await startOf(machine, counting, { restore })
    expect(refused).toMatchObject({ code: 'ROLLBACK_REFUSED', exitCode: 4 })
    await run([hit('a', 100)], { restore, allowRollback: true })
    expect(totalsOf(sink)).toEqual([1, 11, 11, 111])
  })

  test('from an id that does not exist says which there are', async () => {
    const { machine, counting, run } = open()
    await run([hit('a', 1)])
    const error = await startOf(machine, counting, { restore: 77 })
    expect(error).toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
    expect(error.message).toMatch(/there is no checkpoint 77; there are 3, 2/)
  })

  test('from a directory goes on from the newest checkpoint in it', async () => {
    const { log, sink, run } = open()
    await run([hit('a', 1)])
    const moved = totals({ log, sink })
    const graph = { ...moved.graph, settings: { ...moved.graph.settings } }
    const elsewhere = { ...checkpoint, intervalMs: 1_000, timeoutMs: 600_000, minPauseMs: 0, tolerableFailures: 3 }
    const there: Job = {
      ...moved,
      graph: { ...graph, settings: { ...graph.settings, checkpoint: { ...elsewhere, dir: '/other', retained: 3 } } },
    }
    const second = await run([hit('a', 10)], { restore: '/checkpoints' }, there)
    expect(second.events[0]).toBe('started 3')
    expect(totalsOf(sink)).toEqual([1, 11])
    const third = await run([hit('a', 100)], {}, there)
    expect(third.events[0]).not.toBe('started afresh')
    expect(totalsOf(sink)).toEqual([1, 11, 111])
  })

  test('refuses the directory of another job', async () => {
    const { machine, log, run } = open()
    await run([hit('a', 1)])
    const other = job('other', { checkpoint }, (flow) => {
      flow.from('in', log.source()).to('out', collectSink<Hit>())
    })
    expect(await startOf(machine, other, {})).toMatchObject({ code: 'CHECKPOINT_FOREIGN' })
  })

  test('refuses another maxParallelism than the state was written with', async () => {
    const { machine, log, sink, run } = open()
    await run([hit('a', 1)])
    const error = await startOf(machine, totals({ log, sink, options: { maxParallelism: 64 } }), {})
    expect(error).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    expect(error.message).toContain('set maxParallelism: 128')
  })

  test('makes the process that ran the job before stop, and says so', async () => {
    const { machine, sink, counting, log } = open()
    const old = machine.start(counting)
    await machine.settle()
    log.push(0, hit('a', 1))
    const young = machine.start(counting)
    await machine.settle()
    expect(await machine.finish(failureOf(() => old.done))).toMatchObject({ code: 'FENCED', exitCode: 3 })
    await machine.pass(1_200)
    await machine.finish(young.stop())
    expect(totalsOf(sink)).toEqual([1])
  })
})

describe('a savepoint', () => {
  test('is a checkpoint of its own from which the job can go on, as often as one likes', async () => {
    const { machine, log, sink, counting, run } = open()
    const handle = machine.start(counting)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.settle()
    const manifest = await machine.finish(handle.savepoint('/saved/one'))
    expect(manifest).toMatchObject({ kind: 'savepoint', job: 'totals' })
    log.push(0, hit('a', 10))
    await machine.settle()
    await machine.finish(handle.stop())
    for (let time = 0; time < 2; time++) {
      const { events } = await run([], { restore: '/saved/one', allowRollback: true })
      expect(events[0]).toBe(`started ${manifest.checkpointId}`)
    }
    expect(totalsOf(sink)).toEqual([1, 11, 11, 11])
  })

  test('makes nothing visible by itself, and what it names is visible once', async () => {
    const { machine, log, sink, counting } = open()
    const handle = machine.start(counting)
    await machine.settle()
    log.push(0, hit('a', 1))
    await machine.settle()
    await machine.finish(handle.savepoint('/saved/one'))
    await machine.settle()
    expect(sink.records).toEqual([])
    await machine.finish(handle.stop())
    expect(totalsOf(sink)).toEqual([1])
    const again = machine.start(counting, { restore: '/saved/one', allowRollback: true })
    await machine.settle()
    await machine.finish(again.stop())
    expect(totalsOf(sink)).toEqual([1])
  })

  test('lies in the checkpoint directory when no other is named', async () => {
    const { machine, counting, run } = open()
    const handle = machine.start(counting)
    await machine.settle()
    const { checkpointId } = await machine.finish(handle.savepoint())
    await machine.finish(handle.stop())
    const { events } = await run([], { restore: checkpointId, allowRollback: true })
    expect(events[0]).toBe(`started ${checkpointId}`)
  })

  test('is never cleaned up', async () => {
    const { machine, counting } = open()
    const handle = machine.start(counting)
    await machine.settle()
    const { checkpointId } = await machine.finish(handle.savepoint())
    await machine.pass(20_000, 500)
    await machine.finish(handle.stop())
    const again = machine.start(counting, { restore: checkpointId, allowRollback: true })
    const events = eventsOf(again)
    await machine.settle()
    await machine.finish(again.stop())
    expect(told(events)[0]).toBe(`started ${checkpointId}`)
  })

  test('needs a job that keeps checkpoints, and says so instead of writing nothing', async () => {
    const machine = new Machine()
    const log = new HandLog<Hit>()
    const keepsNothing = job('keeps-nothing', (flow) => {
      flow.from('in', log.source()).to('out', collectSink<Hit>())
    })
    const handle = machine.start(keepsNothing)
    await machine.settle()
    const error = await machine.finish(failureOf(() => handle.savepoint('/saved/one')))
    expect(error).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
    expect(error.message).toContain('checkpoint: { dir')
    await machine.finish(handle.cancel())
  })

  test('before the job has started is refused, not left waiting', async () => {
    const { machine, counting } = open()
    const handle = machine.start(counting)
    expect(await machine.finish(failureOf(() => handle.savepoint('/saved/one')))).toMatchObject({
      code: 'CHECKPOINT_DECLINED',
    })
    await machine.finish(handle.cancel())
  })

  test('does not make a job forget that its state was renamed', async () => {
    const { machine, log, sink, run } = open()
    await run([hit('a', 1)])
    let fail = false
    const renamed = job('totals', { checkpoint: { ...checkpoint, every: '1h' } }, (flow) => {
      flow
        .from('in', log.source())
        .map((record) => {
          if (fail) {
            fail = false
            throw new Error('boom')
          }
          return record
        })
        .keyBy(({ key }) => key)
        .reduce(
          'sum',
          (key): Total => ({ key, n: -1, total: 0 }),
          ({ key, total }, { n }) => ({ key, n, total: total + n }),
        )
        .to('out', sink)
    })
    const handle = machine.start(renamed, { renameState: { total: 'sum' } })
    await machine.settle()
    await machine.finish(handle.savepoint('/saved/one'))
    fail = true
    log.push(0, hit('a', 10))
    await machine.pass(3_000)
    expect(await machine.finish(handle.stop())).toMatchObject({ restarts: 1 })
    expect(totalsOf(sink)).toEqual([1, 11])
  })
})

type States = Readonly<Record<string, StateSpec>>

/** Counts into whatever states it is given, under whatever name. */
const keeping = (log: HandLog<Hit>, sink: CollectSink<string>, name: string, states: States): Job =>
  job('keeping', { checkpoint }, (flow) => {
    flow
      .from('in', log.source())
      .keyBy(({ key }) => key)
      .process(name, {
        state: states as { total: ReturnType<typeof valueState<number>>; seen: ReturnType<typeof listState<number>> },
        each: ({ key, n }, { state }) => {
          if (state.total !== undefined) state.total.set((state.total.get() ?? 0) + n)
          if (state.seen !== undefined) state.seen.add(n)
          return [`${key} ${state.total?.get() ?? '-'} ${state.seen?.get().join() ?? '-'}`]
        },
      })
      .to('out', sink)
  })

describe('state whose step has changed', () => {
  const both: States = { total: valueState<number>(), seen: listState<number>() }
  const start = async () => {
    const { log, machine, run } = open()
    const sink = collectSink<string>()
    const as = (name: string, states: States): Job => keeping(log, sink, name, states)
    await run([hit('a', 1), hit('a', 2)], {}, as('count', both))
    expect(sink.records).toEqual(['a 1 1', 'a 3 1,2'])
    return { log, machine, run, as, newest: () => sink.records.slice(2) }
  }

  test('is found again under the new name of a step, when the old one is told', async () => {
    const { machine, run, as, newest } = await start()
    const refused = await startOf(machine, as('tally', both), {})
    expect(refused).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    expect(refused.message).toContain("renameState: { 'count': 'tally' }")
    await run([hit('a', 4)], { renameState: { count: 'tally' } }, as('tally', both))
    expect(newest()).toEqual(['a 7 1,2,4'])
    await run([hit('a', 8)], { renameState: { count: 'tally' } }, as('tally', both))
    expect(newest()).toEqual(['a 7 1,2,4', 'a 15 1,2,4,8'])
  })

  test('can be given up with its step', async () => {
    const { run, as, newest } = await start()
    await run([hit('a', 4)], { dropState: ['count'] }, as('tally', both))
    expect(newest()).toEqual(['a 4 4'])
  })

  test('can be given up one by one, and the others are kept', async () => {
    const { machine, run, as, newest } = await start()
    const less = as('count', { total: valueState<number>() })
    const refused = await startOf(machine, less, {})
    expect(refused).toMatchObject({ code: 'CHECKPOINT_MISMATCH', place: { step: 'count' } })
    expect(refused.message).toContain("dropState: ['count/seen']")
    await run([hit('a', 4)], { dropState: ['count/seen'] }, less)
    expect(newest()).toEqual(['a 7 -'])
  })

  test('can be renamed and given up in part at once, by the name the step has now', async () => {
    const { run, as, newest } = await start()
    const options = { renameState: { count: 'tally' }, dropState: ['tally/total'] }
    await run([hit('a', 4)], options, as('tally', { seen: listState<number>() }))
    expect(newest()).toEqual(['a - 1,2,4'])
  })

  test('may have more states beside it, which begin empty', async () => {
    const { run, as, newest } = await start()
    await run([hit('a', 4)], {}, as('count', { byName: mapState<string, number>(), ...both }))
    expect(newest()).toEqual(['a 7 1,2,4'])
  })

  test('is not taken by a step of another kind', async () => {
    const { log, machine } = await start()
    const other = job('keeping', { checkpoint }, (flow) => {
      flow.from('in', log.source()).to('count', collectSink<Hit>()).to('out', collectSink<Hit>())
    })
    expect(await startOf(machine, other, {})).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
  })

  test('that came from a newer version is refused with both numbers', async () => {
    const { machine, as } = await start()
    const { fs } = machine.environment
    const [newest] = (await fs.list('/checkpoints')).filter((name) => /^g\d+$/.test(name)).reverse()
    const directory = `/checkpoints/${newest}`
    const [manifest] = (await fs.list(directory)).filter((name) => /^ck-\d+$/.test(name)).reverse()
    await rewrite(machine, `${directory}/${manifest}`, (text) =>
      text.replace(/("serializer":"millrace.keyed","version":)1/, '$12'),
    )
    const error = await startOf(machine, as('count', both), {})
    expect(error).toMatchObject({ code: 'CHECKPOINT_NEWER', place: { step: 'count' } })
    expect(error.message).toContain('is of version 2; this program reads up to version 1')
  })
})

/** Changes a manifest and makes its checksum fit again, as somebody from the future would have written it. */
const rewrite = async (machine: Machine, path: string, change: (text: string) => string): Promise<void> => {
  const { fs, digest } = machine.environment
  const manifest = decodeManifest(await readWhole(fs, path, 1 << 20), path, digest)
  const before = JSON.stringify(manifest)
  expect(change(before)).not.toBe(before)
  await fs.unlink(path)
  const file = await fs.create(path)
  await file.append(encodeManifest(JSON.parse(change(before)) as typeof manifest, digest))
  await file.close()
}

describe('reduce', () => {
  test('begins every key with a value of its own, also when it is given an object', async () => {
    const { machine, log } = open()
    const sink = collectSink<string>()
    const summing = job('summing', { checkpoint }, (flow) => {
      flow
        .from('in', log.source())
        .keyBy(({ key }) => key)
        .reduce('sum', { total: 0, list: [] as number[] }, (sum, { n }) => {
          sum.total += n
          sum.list.push(n)
          return sum
        })
        .map(({ total, list }) => `${total} ${list.join()}`)
        .to('out', sink)
    })
    const handle = machine.start(summing)
    await machine.settle()
    log.push(0, hit('a', 1), hit('b', 10), hit('a', 2))
    await machine.settle()
    await machine.finish(handle.stop())
    expect(sink.records).toEqual(['1 1', '10 10', '3 1,2'])
  })
})
