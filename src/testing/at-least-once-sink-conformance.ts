import assert from 'node:assert/strict'
import { generatorSource } from '../connectors/memory/index.ts'
import type { Environment } from '../core/index.ts'
import { type Job, job } from '../job/index.ts'
import type { Sink } from '../sink/index.ts'
import { rateLimited } from '../source/index.ts'
import type { ContractCheck } from './contract.ts'
import { type BenchRun, JobBench } from './job-bench.ts'
import { type FaultKind, singleFaultPlans } from './simulation/faults.ts'

/** What goes wrong between a sink and its target, until something else is asked for. */
export type SinkDisturbance = 'none' | 'unreachable' | 'answers-lost' | 'overloaded' | 'refused-for-good'

/** The outside of an at-least-once sink under test. It gathers records into packages. */
export interface AtLeastOnceSinkSystem {
  /** A sink in a process of the bench. @param lingerMs how long a package stays open at most */
  sink(environment: Environment, lingerMs: number): Sink<string, 'at-least-once'>
  /** Records that were stored so far, copies included: to wait for. */
  readonly stored: number
  /** Every record a reader can see, copies included. */
  read(): Promise<string[]>
  /** Every third request or so, or all of them when it is for good. */
  disturb(how: SinkDisturbance): void
  /** Requests whose outcome the sink could not know. */
  readonly inDoubt: number
}

export type AtLeastOnceSinkUnderTest = (bench: JobBench) => AtLeastOnceSinkSystem

const recordOf = (index: number): string => `record-${index}`
const all = (count: number): string[] => Array.from({ length: count }, (_, index) => recordOf(index)).sort()

interface SinkJobOptions {
  readonly count: number
  readonly parallelism: number
  readonly perSecond?: number
  readonly unbounded?: boolean
  readonly lingerMs?: number
}

class SinkTest {
  readonly bench: JobBench
  readonly system: AtLeastOnceSinkSystem

  constructor(make: AtLeastOnceSinkUnderTest, bench = new JobBench()) {
    this.bench = bench
    this.system = make(bench)
  }

  start(options: SinkJobOptions): BenchRun {
    return this.bench.start((environment) => this.#job(options, environment))
  }

  async copies(): Promise<Map<string, number>> {
    const copies = new Map<string, number>()
    for (const record of await this.system.read()) copies.set(record, (copies.get(record) ?? 0) + 1)
    return copies
  }

  /** Every record is there, and no more often than `copiesMax`. */
  async expectAll(count: number, copiesMax: number, why = ''): Promise<void> {
    const copies = await this.copies()
    assert.deepEqual([...copies.keys()].sort(), all(count), `nothing is lost and nothing is invented ${why}`)
    const most = Math.max(...copies.values())
    assert(most <= copiesMax, `a record is there ${most} times, not more than ${copiesMax} ${why}`)
  }

  #job(options: SinkJobOptions, environment: Environment): Job {
    const { count, parallelism, perSecond = 400, unbounded = false, lingerMs = 20 } = options
    const generator = generatorSource({ generate: recordOf, splits: 4, ...(unbounded ? {} : { count }) })
    return job(
      'sink-conformance',
      {
        guarantee: 'at-least-once',
        checkpoint: { dir: 'ck', every: 50, retained: 2 },
        parallelism,
        batchRecords: 5,
        restart: 'none',
      },
      (flow) =>
        flow.from('source', rateLimited(generator, perSecond)).to('sink', this.system.sink(environment, lingerMs)),
    )
  }
}

/** Half of the records, a stop, and the other half at another parallelism. A stop loses nothing and repeats nothing. */
const restarted = async (make: AtLeastOnceSinkUnderTest, from: number, to: number): Promise<void> => {
  const test = new SinkTest(make)
  const first = test.start({ count: 200, parallelism: from })
  await test.bench.until('half of it', () => test.system.stored > 80)
  first.stop()
  await test.bench.finish(first)
  const half = await test.system.read()
  assert.equal(new Set(half).size, half.length)
  assert(half.length < 200, 'it stopped on the way')
  await test.bench.finish(test.start({ count: 200, parallelism: to }))
  await test.expectAll(200, 1)
}

/** Runs a job that is hit by a fault, then restarts until it finishes; gives the runs it took. */
const survive = async (test: SinkTest, options: SinkJobOptions): Promise<number> => {
  for (let runs = 1; runs < 10; runs++) {
    const run = test.start({ ...options, parallelism: 1 + ((options.parallelism + runs) % 3) })
    await test.bench.until('the run ends', () => run.end !== undefined)
    if (run.end?.kind === 'returned') return runs
  }
  throw new Error('it never finished')
}

/** One fault of each kind at each operation of a small run. */
const crashMatrix = async (
  make: AtLeastOnceSinkUnderTest,
  kinds: readonly FaultKind[],
  every: number,
  from: number,
): Promise<void> => {
  const options = { count: 24, parallelism: 2, perSecond: 200 }
  const dry = new SinkTest(make, new JobBench({ recordSites: true }))
  await dry.bench.finish(dry.start(options))
  let index = 0
  let restarts = 0
  for (const plan of singleFaultPlans(dry.bench.world.faults.sites, kinds)) {
    if (index++ % every !== from) continue
    const test = new SinkTest(make, new JobBench({ plan }))
    const runs = await survive(test, options)
    restarts += runs - 1
    await test.expectAll(24, runs + test.system.inDoubt, `after ${JSON.stringify(plan)}`)
  }
  assert(restarts > 0, 'a run was hit')
}

/** A bounded job while requests go wrong now and then. */
const disturbed = async (make: AtLeastOnceSinkUnderTest, how: SinkDisturbance, copies: boolean): Promise<void> => {
  const test = new SinkTest(make)
  test.system.disturb(how)
  await test.bench.finish(test.start({ count: 120, parallelism: 2 }))
  const { inDoubt } = test.system
  assert.equal(inDoubt > 0, copies, 'requests ended in doubt')
  await test.expectAll(120, 1 + inDoubt)
}

/**
 * What every at-least-once sink keeps that gathers records into packages (flink-semantics paper, sections C1, C3; oracle-S9
 * of the reliability paper). Each check runs real jobs as processes of a simulated machine.
 */
export const atLeastOnceSinkConformance = (make: AtLeastOnceSinkUnderTest): ContractCheck[] => [
  {
    name: 'conf-K1 writes a bounded input completely',
    run: async () => {
      const test = new SinkTest(make)
      await test.bench.finish(test.start({ count: 100, parallelism: 1 }))
      await test.expectAll(100, 1)
    },
  },
  { name: 'conf-K2 goes on from a stop', run: () => restarted(make, 2, 2) },
  { name: 'conf-K3 goes on at a higher parallelism', run: () => restarted(make, 2, 4) },
  { name: 'conf-K4 goes on at a lower parallelism', run: () => restarted(make, 4, 2) },
  {
    name: 'conf-K5 counts the records handed to the writer',
    run: async () => {
      const test = new SinkTest(make)
      const run = test.start({ count: 60, parallelism: 2 })
      await test.bench.finish(run)
      assert.equal(run.handle?.metrics().sum('millrace_records_send_total', 'sink'), 60)
    },
  },
  {
    name: 'conf-K6 a failure for good fails the checkpoint and the job, and nothing is swallowed',
    run: async () => {
      const test = new SinkTest(make)
      const options = { count: 150, parallelism: 2 }
      const run = test.start(options)
      await test.bench.until('it works', () => run.checkpoints >= 1 && test.system.stored > 20)
      test.system.disturb('refused-for-good')
      const before = run.checkpoints
      await test.bench.until('the job fails', () => run.end !== undefined)
      assert.equal(run.end?.kind, 'threw')
      assert(run.checkpoints <= before + 1, 'no checkpoint completes over a failed package')
      test.system.disturb('none')
      await test.bench.finish(test.start(options))
      await test.expectAll(150, 2)
    },
  },
  {
    name: 'conf-K7 a checkpoint does not wait for the linger',
    run: async () => {
      const test = new SinkTest(make)
      const run = test.start({ count: 0, unbounded: true, parallelism: 2, lingerMs: 600_000 })
      const startMs = test.bench.world.nowMs
      await test.bench.until('checkpoints', () => run.checkpoints >= 10)
      const tookMs = test.bench.world.nowMs - startMs
      assert(tookMs < 10_000, `ten checkpoints took ${Math.round(tookMs)} ms`)
      assert(test.system.stored > 0)
      run.stop()
      await test.bench.finish(run)
    },
  },
  {
    name: 'conf-K14 the end of input, a drain and a plain stop leave everything stored',
    run: async () => {
      const test = new SinkTest(make)
      let sent = 0
      for (const drain of [false, true]) {
        const run = test.start({ count: 0, unbounded: true, parallelism: 2, lingerMs: 600_000 })
        await test.bench.until('it works', () => run.checkpoints >= 2)
        run.stop({ drain })
        await test.bench.finish(run)
        sent += run.handle?.metrics().sum('millrace_records_send_total', 'sink') ?? 0
      }
      const seen = await test.system.read()
      assert.equal(seen.length, sent)
      assert.equal(new Set(seen).size, sent)
    },
  },
  {
    name: 'oracle-S9 nothing is lost, and nothing is there twice, while the target cannot be reached',
    run: () => disturbed(make, 'unreachable', false),
  },
  {
    name: 'oracle-S9 nothing is lost, and nothing is there twice, while the target is overloaded',
    run: () => disturbed(make, 'overloaded', false),
  },
  {
    name: 'oracle-S9 nothing is lost while answers are, and copies are bounded by the requests in doubt',
    run: () => disturbed(make, 'answers-lost', true),
  },
  {
    name: 'oracle-S9 copies are bounded by restarts when killed before any operation',
    run: () => crashMatrix(make, ['kill'], 3, 0),
  },
  {
    name: 'oracle-S9 copies are bounded by restarts when killed after any operation',
    run: () => crashMatrix(make, ['killAfter'], 3, 1),
  },
]
