import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { fileSink } from '../../src/connectors/files/index.ts'
import { job } from '../../src/job/index.ts'
import { type FaultKind, JobBench, SeededRandom, singleFaultPlans } from '../../src/testing/index.ts'
import { ShardedLog, shardedLogSource } from '../simulation/sharded-log.ts'

/** A log whose shards split and merge, all written before the job starts. */
const reshardedLog = (): ShardedLog => {
  const log = new ShardedLog(2)
  const random = new SeededRandom(5)
  const write = (): void => {
    for (let n = 0; n < 6; n++) log.append(random, 3)
  }
  write()
  log.split(random)
  write()
  log.merge(random)
  write()
  log.split(random)
  write()
  return log
}

class LineageTest {
  readonly bench: JobBench
  readonly log = reshardedLog()

  constructor(bench = new JobBench()) {
    this.bench = bench
  }

  start(parallelism: number) {
    return this.bench.start((_, process) => {
      const { world } = this.bench
      const random = world.random.fork(`service of ${process.name}`)
      const source = shardedLogSource({
        log: this.log,
        process,
        world,
        random,
        pullMax: 3,
        failureRate: 0,
        discoveryMs: 40,
      })
      return job(
        'lineage',
        { checkpoint: { dir: 'ck', every: 40 }, parallelism, batchRecords: 2, restart: 'none' },
        (flow) =>
          flow
            .from('log', source)
            .map((record) => record.line)
            .to('archive', fileSink({ dir: 'out', format: 'text' })),
      )
    })
  }

  get archived(): string[] {
    const { disk } = this.bench
    if (!disk.names('').includes('out')) return []
    return disk
      .files('out')
      .filter(({ path }) => /\/part-/.test(path))
      .flatMap((file) => new TextDecoder().decode(file.bytes()).split('\n').slice(0, -1))
  }

  /** Runs until everything is archived, restarting at other parallelisms whenever a process ends. */
  async complete(): Promise<void> {
    for (let life = 1; life < 8; life++) {
      const run = this.start(1 + (life % 3))
      await this.bench.until(
        'all is archived, or the process ends',
        () => run.end !== undefined || this.archived.length >= this.log.size,
      )
      run.stop()
      await this.bench.until('the process ends', () => run.end !== undefined)
      if (run.end?.kind === 'returned') break
      assert.equal(run.end?.kind, 'killed', `a process ended with ${run.errorCode}`)
    }
    assert.deepEqual([...this.archived].sort(), [...this.log.byLine.keys()].sort())
  }
}

const sweep = async (kind: FaultKind): Promise<void> => {
  const dry = new LineageTest(new JobBench({ recordSites: true }))
  await dry.complete()
  const sites = dry.bench.world.faults.sites.length
  assert(sites > 100, `${sites} operations`)
  let index = 0
  for (const plan of singleFaultPlans(dry.bench.world.faults.sites, [kind])) {
    if (index++ % 3 === 0) await new LineageTest(new JobBench({ plan })).complete()
  }
}

describe('a source whose splits have parents', () => {
  test('conf-S12 opens a child when all its parents have ended, and reads everything once', () =>
    new LineageTest().complete())
  test('conf-S13 loses no lineage when killed before any operation', () => sweep('kill'))
  test('conf-S13 loses no lineage when killed after any operation', () => sweep('killAfter'))
})
