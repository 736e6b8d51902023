import assert from 'node:assert/strict'
import { decodeManifest } from '../checkpoint/index.ts'
import { fileSink } from '../connectors/files/index.ts'
import { type Job, job } from '../job/index.ts'
import type { Source, SourceReader, Split } from '../source/index.ts'
import type { ContractCheck } from './contract.ts'
import { cryptoDigest } from './crypto-digest.ts'
import { type BenchRun, JobBench } from './job-bench.ts'

/** The outside of a source under test, as its tests act on it. It lives on the machine of a bench. */
export interface SourceSystem {
  /** Makes a split; its records come with `write`. */
  addSplit(): string
  /** Adds records to a split, at once and for good. */
  write(split: string, records: readonly string[]): void
  /** A source over all of it. Unbounded ones also find splits that are added later. */
  source(mode: 'bounded' | 'unbounded', start?: 'earliest' | 'latest'): Source<unknown, 'exactly-once'>
  /** The text of a record that `write` was given. */
  textOf(record: unknown): string
}

/** Makes the outside on the machine of a bench. */
export type SourceUnderTest = (bench: JobBench) => SourceSystem

const archive = 'out'
const words = (split: string, from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${split}:${from + index}`)

/** One test: a bench, the outside on it, and an archive that shows what a job gave out, exactly once. */
class SourceTest {
  readonly bench: JobBench
  readonly system: SourceSystem
  readonly splits: string[] = []
  readonly written: string[] = []

  constructor(make: SourceUnderTest, bench = new JobBench()) {
    this.bench = bench
    this.system = make(bench)
  }

  add(count: number): void {
    for (let index = 0; index < count; index++) this.splits.push(this.system.addSplit())
  }

  /** Writes `count` records to every split. */
  write(count: number, splits: readonly string[] = this.splits): void {
    for (const split of splits) {
      const known = this.written.filter((record) => record.startsWith(`${split}:`)).length
      const records = words(split, known, count)
      this.system.write(split, records)
      this.written.push(...records)
    }
  }

  job(
    mode: 'bounded' | 'unbounded',
    parallelism: number,
    options: { batchRecords?: number; start?: 'latest' } = {},
  ): Job {
    return this.jobOver(this.system.source(mode, options.start), parallelism, options.batchRecords)
  }

  jobOver(source: Source<unknown, 'exactly-once'>, parallelism: number, batchRecords = 7): Job {
    return job(
      'source-conformance',
      { checkpoint: { dir: 'ck', every: 50, retained: 2 }, parallelism, batchRecords, restart: 'none' },
      (flow) =>
        flow
          .from('source', source)
          .map((record) => this.system.textOf(record))
          .to('archive', fileSink({ dir: archive, format: 'text' })),
    )
  }

  start(mode: 'bounded' | 'unbounded', parallelism: number, options?: Parameters<SourceTest['job']>[2]): BenchRun {
    return this.bench.start(this.job(mode, parallelism, options))
  }

  /** What can be seen in the archive, part by part. */
  get archived(): string[] {
    const { disk } = this.bench
    if (!disk.names('').includes(archive)) return []
    return disk
      .files(archive)
      .filter(({ path }) => /\/part-[^/]*$/.test(path))
      .flatMap((file) => new TextDecoder().decode(file.bytes()).split('\n').slice(0, -1))
  }

  async untilArchived(): Promise<void> {
    await this.bench.until('all is archived', () => this.archived.length >= this.written.length)
  }

  /** Everything written is archived, each once, and in order inside every part of a split. */
  check(): void {
    assert.deepEqual([...this.archived].sort(), [...this.written].sort())
  }

  /** Ids of the splits in the newest checkpoint; each must be there once. */
  splitIds(): string[] {
    const { disk } = this.bench
    const manifests = disk.files('ck').filter(({ path }) => /\/ck-\d+$/.test(path))
    manifests.sort((a, b) => (a.path.slice(-10) < b.path.slice(-10) ? 1 : -1))
    const [newest] = manifests
    assert(newest !== undefined, 'there is a checkpoint')
    const { operators } = decodeManifest(newest.bytes(), newest.path, cryptoDigest)
    const parts = operators.find(({ uid }) => uid === 'source')?.parts.filter(({ kind }) => kind === 'splits') ?? []
    const texts = parts.map(({ text, file }) => text ?? disk.text(`${newest.path.replace(/[^/]*$/, '')}${file}`) ?? '')
    return texts.flatMap((text) => [...text.matchAll(/"splitId":"((?:[^"\\]|\\.)*)"/g)].map(([, id]) => id ?? ''))
  }
}

const inOrder = (records: readonly string[], split: string): void => {
  const indexes = records
    .filter((record) => record.startsWith(`${split}:`))
    .map((record) => Number(record.split(':').at(-1)))
  assert.deepEqual(
    indexes,
    [...indexes].sort((a, b) => a - b),
    `records of ${split} are in order`,
  )
}

/** The source, and its readers as they are made. */
const tapped = (
  source: Source<unknown, 'exactly-once'>,
  readers: SourceReader<unknown, Split>[],
): Source<unknown, 'exactly-once'> => ({
  ...source,
  open: (context) => {
    const opened = source.open(context)
    return {
      ...opened,
      createEnumerator: (enumerator, restored) => opened.createEnumerator(enumerator, restored),
      createReader: (reader) => {
        const made = opened.createReader(reader)
        readers.push(made)
        return made
      },
    }
  },
})

/** Stops at some parallelism with new records written meanwhile, goes on at another. */
const rescaled = async (make: SourceUnderTest, from: number, to: number): Promise<void> => {
  const test = new SourceTest(make)
  test.add(4)
  test.write(20)
  const first = test.start('unbounded', from)
  await test.untilArchived()
  first.stop()
  await test.bench.finish(first)
  const before = test.archived.length
  test.write(10)
  const second = test.start('unbounded', to)
  await test.untilArchived()
  assert.equal(test.archived.length, before + 40, 'only the new records appear')
  second.stop()
  await test.bench.finish(second)
  test.check()
}

/**
 * What every source keeps, as Flink's own suite and the conformance list of this project have it (flink-semantics paper,
 * sections C1 and C3). Each check runs real jobs as processes of a simulated machine.
 */
export const sourceConformance = (make: SourceUnderTest): ContractCheck[] => [
  {
    name: 'conf-S1 reads one split in order, and the job finishes',
    run: async () => {
      const test = new SourceTest(make)
      test.add(1)
      test.write(100)
      await test.bench.finish(test.start('bounded', 1))
      assert.deepEqual(test.archived, test.written)
    },
  },
  {
    name: 'conf-S2 reads several splits side by side, each in order',
    run: async () => {
      const test = new SourceTest(make)
      test.add(4)
      test.write(50)
      await test.bench.finish(test.start('bounded', 4))
      test.check()
      for (const split of test.splits) inOrder(test.archived, split)
    },
  },
  { name: 'conf-S3 after a stop and a restore only new records appear', run: () => rescaled(make, 4, 4) },
  { name: 'conf-S4 the same at a higher parallelism', run: () => rescaled(make, 2, 4) },
  { name: 'conf-S5 the same at a lower parallelism', run: () => rescaled(make, 4, 2) },
  {
    name: 'conf-S6 counts as many records as were written',
    run: async () => {
      const test = new SourceTest(make)
      test.add(4)
      test.write(25)
      const run = test.start('unbounded', 4)
      await test.untilArchived()
      assert.equal(run.handle?.metrics().sum('millrace_records_out_total', 'source'), test.written.length)
      run.kill()
    },
  },
  {
    name: 'conf-S7 a reader without a split does not keep a bounded job from finishing',
    run: async () => {
      const test = new SourceTest(make)
      test.add(4)
      test.write(10)
      await test.bench.finish(test.start('bounded', 5))
      test.check()
    },
  },
  {
    name: 'conf-S8 after a crash exactly the records of before and after are there',
    run: async () => {
      const test = new SourceTest(make)
      test.add(1)
      test.write(30)
      const first = test.start('unbounded', 1)
      await test.untilArchived()
      first.kill()
      test.write(30)
      const second = test.start('unbounded', 1)
      await test.untilArchived()
      second.stop()
      await test.bench.finish(second)
      assert.deepEqual([...test.archived].sort(), [...test.written].sort())
    },
  },
  {
    name: 'conf-S9 a restore reads nothing again, and finished splits stay finished',
    run: async () => {
      const test = new SourceTest(make)
      test.add(3)
      test.write(5, test.splits.slice(0, 2))
      test.write(200, test.splits.slice(2))
      const first = test.start('bounded', 2, { batchRecords: 2 })
      await test.bench.until('a checkpoint in the middle', () => first.checkpoints >= 3 && test.archived.length > 20)
      first.kill()
      const second = test.start('bounded', 2, { batchRecords: 2 })
      await test.bench.finish(second)
      test.check()
      const read = second.handle?.metrics().sum('millrace_records_out_total', 'source') ?? 0
      assert(read < test.written.length, `${read} of ${test.written.length} records were read again`)
    },
  },
  {
    name: 'conf-S10 at another parallelism every split is in exactly one reader',
    run: async () => {
      const test = new SourceTest(make)
      test.add(5)
      for (const parallelism of [2, 3, 2, 1, 5]) {
        test.write(8)
        const run = test.start('unbounded', parallelism)
        await test.untilArchived()
        const ids = run.checkpoints
        await test.bench.until('one more checkpoint', () => run.checkpoints > ids)
        run.kill()
        const found = test.splitIds()
        assert.equal(new Set(found).size, found.length, `no split is in two readers: ${found.join(', ')}`)
      }
      test.check()
    },
  },
  {
    name: 'conf-S11 a split found while running is read from its beginning, also from a latest start',
    run: async () => {
      const test = new SourceTest(make)
      test.add(1)
      test.system.write(test.splits[0] ?? '', words('old', 0, 5))
      const run = test.start('unbounded', 2, { start: 'latest' })
      await test.bench.until('two checkpoints', () => run.checkpoints >= 2)
      test.add(1)
      test.write(12, test.splits.slice(1))
      await test.untilArchived()
      run.kill()
      test.check()
    },
  },
  {
    name: 'conf-S14 a crash loop does not move the start',
    run: async () => {
      const test = new SourceTest(make)
      test.add(1)
      test.system.write(test.splits[0] ?? '', words('old', 0, 5))
      const first = test.start('unbounded', 1, { start: 'latest' })
      await test.bench.until('the start is durable', () => first.checkpoints >= 1)
      first.kill()
      for (let crash = 0; crash < 3; crash++) {
        test.write(3)
        const run = test.start('unbounded', 1, { start: 'latest' })
        await test.bench.until('it runs', () => run.events.length > 0)
        run.kill()
      }
      const last = test.start('unbounded', 1, { start: 'latest' })
      await test.untilArchived()
      last.kill()
      test.check()
    },
  },
  {
    name: 'conf-S15 a crash while splits are placed anew loses nothing',
    run: async () => {
      // Killed at every operation of a start at another parallelism, then started at a third one.
      for (let operation = 0; operation < 60; operation += 3) {
        const test = new SourceTest(make)
        test.add(4)
        test.write(6)
        const first = test.start('unbounded', 2)
        await test.untilArchived()
        first.kill()
        test.write(4)
        const second = test.start('unbounded', 3)
        const from = test.bench.world.faults.operations
        await test.bench.until('the operation', () => test.bench.world.faults.operations - from >= operation)
        second.kill()
        const third = test.start('unbounded', 1)
        await test.untilArchived()
        third.kill()
        test.check()
      }
    },
  },
  {
    name: 'conf-S16 a bounded job ends, also after a restore, and with idle readers',
    run: async () => {
      const test = new SourceTest(make)
      test.add(2)
      test.write(60)
      const first = test.start('bounded', 4, { batchRecords: 1 })
      await test.bench.until('a checkpoint', () => first.checkpoints >= 2)
      first.kill()
      const second = test.start('bounded', 3, { batchRecords: 1 })
      await test.bench.finish(second)
      assert.equal(second.events.at(-1)?.kind, 'finished')
      const third = test.start('bounded', 2)
      await test.bench.finish(third)
      test.check()
    },
  },
  {
    name: 'conf-S20 a barrier falls between any two records of one fetch',
    run: async () => {
      const test = new SourceTest(make)
      test.add(1)
      test.write(40)
      for (let crash = 0; test.archived.length < 40 && crash < 60; crash++) {
        const run = test.start('bounded', 1, { batchRecords: 1 })
        const before = test.archived.length
        await test.bench.until('some progress', () => run.end !== undefined || test.archived.length > before)
        run.kill()
      }
      const last = test.start('bounded', 1, { batchRecords: 1 })
      await test.bench.finish(last)
      test.check()
    },
  },
  {
    name: 'conf-S21 a paused split gives nothing and holds up no other, and gives everything when it is resumed',
    run: async () => {
      const test = new SourceTest(make)
      test.add(2)
      test.write(5)
      const readers: SourceReader<unknown, Split>[] = []
      const run = test.bench.start(test.jobOver(tapped(test.system.source('unbounded'), readers), 1))
      await test.untilArchived()
      const [reader] = readers
      assert(reader !== undefined, 'there is a reader')
      const [paused] = reader.unfinishedSplitIds()
      assert(paused !== undefined, 'a split is being read')
      run.process.after(0, () => reader.pauseOrResumeSplits([paused], []))
      await test.bench.pass(5)
      const before = test.archived.length
      test.write(20)
      await test.bench.until('the other split is archived', () => test.archived.length >= before + 20)
      await test.bench.pass(500)
      const split = (record: string): string => record.slice(0, record.lastIndexOf(':'))
      const perSplit = test.splits.map((name) => test.archived.filter((record) => split(record) === name).length)
      assert.deepEqual(perSplit.sort(), [25, 5], 'one split is read on, and the paused one is not')
      run.process.after(0, () => reader.pauseOrResumeSplits([], [paused]))
      await test.untilArchived()
      run.kill()
      test.check()
      for (const name of test.splits) inOrder(test.archived, name)
    },
  },
  {
    name: 'conf-S24 a cancelled job ends within a second, whatever it waits for',
    run: async () => {
      for (const waitMs of [1, 20, 60, 130, 400]) {
        const test = new SourceTest(make)
        test.add(2)
        test.write(100)
        const run = test.start('unbounded', 2, { batchRecords: 1 })
        await test.bench.pass(waitMs)
        const from = test.bench.world.nowMs
        run.process.after(0, () => void run.handle?.cancel())
        if (run.handle === undefined) run.kill()
        await test.bench.until('it ends', () => run.end !== undefined)
        assert(test.bench.world.nowMs - from < 1_000, `ended after ${test.bench.world.nowMs - from} ms`)
        assert.equal(run.process.openFiles, 0)
      }
    },
  },
]
