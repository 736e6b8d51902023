import assert from 'node:assert/strict'
import { generatorSource } from '../connectors/memory/index.ts'
import { type Job, job } from '../job/index.ts'
import type { Sink } from '../sink/index.ts'
import { rateLimited } from '../source/index.ts'
import type { ContractCheck } from './contract.ts'
import { type BenchRun, JobBench } from './job-bench.ts'
import { type FaultKind, singleFaultPlans } from './simulation/faults.ts'

/** The outside of an exactly-once sink under test. */
export interface SinkSystem {
  sink(): Sink<string, 'exactly-once'>
  /** Every record a reader can see now. */
  read(): string[]
  /** What is staged and not visible. */
  staged(): string[]
  /** From now on no record can be written, for good. */
  breakForGood(): void
}

export type SinkUnderTest = (bench: JobBench) => SinkSystem

const recordOf = (index: number): string => `record-${index}`
const all = (count: number): string[] => Array.from({ length: count }, (_, index) => recordOf(index)).sort()

interface SinkJobOptions {
  readonly count: number
  readonly parallelism: number
  readonly perSecond?: number
  readonly unbounded?: boolean
  readonly tolerableFailures?: number
}

class SinkTest {
  readonly bench: JobBench
  readonly system: SinkSystem

  constructor(make: SinkUnderTest, bench = new JobBench()) {
    this.bench = bench
    this.system = make(bench)
  }

  job(options: SinkJobOptions): Job {
    const { count, parallelism, perSecond = 400, unbounded = false, tolerableFailures = 3 } = options
    const generator = generatorSource({ generate: recordOf, splits: 4, ...(unbounded ? {} : { count }) })
    return job(
      'sink-conformance',
      {
        checkpoint: { dir: 'ck', every: 50, retained: 2, tolerableFailures },
        parallelism,
        batchRecords: 5,
        restart: 'none',
      },
      (flow) => flow.from('source', rateLimited(generator, perSecond)).to('sink', this.system.sink()),
    )
  }

  start(options: SinkJobOptions): BenchRun {
    return this.bench.start(this.job(options))
  }

  get seen(): string[] {
    return this.system.read().sort()
  }
}

/** Half of the records, a stop, and the other half at another parallelism. */
const restarted = async (make: SinkUnderTest, from: number, to: number): Promise<void> => {
  const test = new SinkTest(make)
  const first = test.start({ count: 200, parallelism: from })
  await test.bench.until('half of it', () => test.system.read().length > 80)
  first.stop()
  await test.bench.finish(first)
  const half = test.seen
  assert.equal(new Set(half).size, half.length)
  assert(half.length < 200, 'it stopped on the way')
  await test.bench.finish(test.start({ count: 200, parallelism: to }))
  assert.deepEqual(test.seen, all(200))
}

/** Runs a job that is hit by a fault, then restarts until it finishes; gives the runs it took. */
const survive = async (test: SinkTest, options: SinkJobOptions): Promise<number> => {
  for (let runs = 1; runs < 10; runs++) {
    const run = test.start({ ...options, parallelism: 1 + ((options.parallelism + runs) % 3) })
    await test.bench.until('the run ends', () => run.end !== undefined)
    const seen = test.system.read()
    assert.equal(new Set(seen).size, seen.length, 'nothing is visible twice')
    if (run.end?.kind === 'returned') return runs
  }
  throw new Error('it never finished')
}

/** One fault of each kind at each operation of a small run: the points ① to ⑫ of the two-phase matrix, and all between. */
const crashMatrix = async (
  make: SinkUnderTest,
  kinds: readonly FaultKind[],
  every: number,
  from: number,
): Promise<void> => {
  const options = { count: 12, parallelism: 2, perSecond: 100_000 }
  const dry = new SinkTest(make, new JobBench({ recordSites: true }))
  await dry.bench.finish(dry.start(options))
  let index = 0
  let applied = 0
  for (const plan of singleFaultPlans(dry.bench.world.faults.sites, kinds)) {
    if (index++ % every !== from) continue
    const test = new SinkTest(make, new JobBench({ plan }))
    await survive(test, options)
    applied += test.bench.world.faults.injected.length
    assert.deepEqual(test.seen, all(12), `after ${JSON.stringify(plan)}`)
    assert.deepEqual(test.system.staged(), [], `nothing staged is left after ${JSON.stringify(plan)}`)
  }
  assert(applied > 0, 'a fault happened')
}

/**
 * What every exactly-once sink keeps (flink-semantics paper, sections C1, C3 and D4). Each check runs real jobs as
 * processes of a simulated machine.
 */
export const sinkConformance = (make: SinkUnderTest): ContractCheck[] => [
  {
    name: 'conf-K1 writes a bounded input completely',
    run: async () => {
      const test = new SinkTest(make)
      await test.bench.finish(test.start({ count: 100, parallelism: 1 }))
      assert.deepEqual(test.seen, all(100))
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
      const run = test.start({ count: 0, unbounded: true, parallelism: 1 })
      await test.bench.until('it works', () => test.system.read().length > 20)
      test.system.breakForGood()
      const before = run.checkpoints
      await test.bench.until('the job fails', () => run.end !== undefined)
      assert.equal(run.end?.kind, 'threw')
      assert(run.checkpoints <= before + 1, 'no checkpoint completes over a failed write')
      const seen = test.seen
      assert.equal(new Set(seen).size, seen.length)
    },
  },
  { name: 'conf-K10 is exact when killed before any operation', run: () => crashMatrix(make, ['kill'], 2, 0) },
  { name: 'conf-K10 is exact when killed after any operation', run: () => crashMatrix(make, ['killAfter'], 2, 1) },
  { name: 'conf-K10 is exact when killed within any append', run: () => crashMatrix(make, ['partial'], 1, 0) },
  {
    name: 'conf-K10 is exact when power fails after any operation',
    run: () => crashMatrix(make, ['powerAfter'], 2, 0),
  },
  {
    name: 'conf-K11 a completion nobody heard of is made up for',
    run: async () => {
      // Killed at once after every publication: its commit is always the next process's business.
      const test = new SinkTest(make)
      for (let life = 0; life < 40; life++) {
        const run = test.start({ count: 80, parallelism: 2 })
        const published = (): number => test.bench.disk.files('ck').filter(({ path }) => /\/ck-\d+$/.test(path)).length
        await test.bench.until('it started', () => run.end !== undefined || run.checkpoints >= 1)
        let before = published()
        await test.bench.until('a publication', () => {
          if (run.end !== undefined || published() > before) return true
          before = Math.min(before, published())
          return false
        })
        if (run.end?.kind === 'returned') break
        run.kill()
      }
      await survive(test, { count: 80, parallelism: 2 })
      assert.deepEqual(test.seen, all(80))
    },
  },
  {
    name: 'conf-K12 receipts that wait are honoured once at another parallelism, and orphans are removed',
    run: async () => {
      const test = new SinkTest(make)
      for (const parallelism of [4, 1, 3, 2]) {
        const run = test.start({ count: 0, unbounded: true, parallelism })
        await test.bench.until('checkpoints', () => run.checkpoints >= 3)
        run.kill()
      }
      const last = test.start({ count: 0, unbounded: true, parallelism: 1 })
      await test.bench.until('a checkpoint', () => last.checkpoints >= 2)
      last.stop()
      await test.bench.finish(last)
      const seen = test.seen
      assert.equal(new Set(seen).size, seen.length)
      assert.deepEqual(test.system.staged(), [])
    },
  },
  {
    name: 'conf-K14 the end of input, a drain and a plain stop leave everything visible',
    run: async () => {
      const test = new SinkTest(make)
      for (const drain of [false, true]) {
        const run = test.start({ count: 0, unbounded: true, parallelism: 2 })
        await test.bench.until('it works', () => run.checkpoints >= 2)
        run.stop({ drain })
        await test.bench.finish(run)
        assert.deepEqual(test.system.staged(), [], 'nothing waits any more')
        const sent = run.handle?.metrics().sum('millrace_records_send_total', 'sink') ?? 0
        assert(sent > 0 && test.system.read().length >= sent)
      }
      const seen = test.seen
      assert.equal(new Set(seen).size, seen.length)
    },
  },
]
