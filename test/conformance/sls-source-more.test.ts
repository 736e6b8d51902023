import { describe, expect, test } from 'vitest'
import { decodeManifest } from '../../src/checkpoint/index.ts'
import { fileSink } from '../../src/connectors/files/index.ts'
import type { SlsSourceOptions } from '../../src/connectors/sls/index.ts'
import { job } from '../../src/job/index.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { type BenchRun, JobBench } from '../../src/testing/index.ts'
import { recordText, SlsOnBench } from './sls-on-bench.ts'

const group = (records: readonly string[]) => ({ logs: records.map((record) => ({ time: 1, contents: { record } })) })
const key = (digit: string): string => digit.padEnd(32, '0')

/** One logstore `access`, and jobs that archive it exactly once. */
class Archive {
  readonly bench = new JobBench()
  readonly sls = new SlsOnBench(this.bench)
  readonly written: string[] = []

  constructor(shardCount: number) {
    this.sls.act((client) => client.logstores.create('access', { shardCount }))
  }

  write(digit: string, count: number): void {
    const from = this.written.filter((record) => record.startsWith(digit)).length
    const records = Array.from({ length: count }, (_, index) => `${digit}:${from + index}`)
    this.written.push(...records)
    this.sls.act((client) => client.put('access', group(records), { hashKey: key(digit) }))
  }

  start(options: Partial<SlsSourceOptions> = {}, parallelism = 2): BenchRun {
    return this.bench.start(
      job(
        'archive',
        { checkpoint: { dir: 'ck', every: 50, retained: 2 }, parallelism, batchRecords: 3, restart: 'none' },
        (flow) =>
          flow
            .from('source', this.sls.source({ logstore: 'access', pullGroupsMax: 2, ...options }))
            .map(recordText)
            .to('archive', fileSink({ dir: 'out', format: 'text' })),
      ),
    )
  }

  get archived(): string[] {
    const { disk } = this.bench
    if (!disk.names('').includes('out')) return []
    const parts = disk.files('out').filter(({ path }) => /\/part-[^/]*$/.test(path))
    return parts.flatMap((file) => new TextDecoder().decode(file.bytes()).split('\n').slice(0, -1))
  }

  async untilArchived(): Promise<void> {
    await this.bench.until('all is archived', () => this.archived.length >= this.written.length)
    expect([...this.archived].sort()).toEqual([...this.written].sort())
  }

  /** The cursor of a shard in the newest published checkpoint. */
  completed(shard: number): bigint {
    const { disk } = this.bench
    const [newest] = disk
      .files('ck')
      .filter(({ path }) => /\/ck-\d+$/.test(path))
      .sort((a, b) => (a.path.slice(-10) < b.path.slice(-10) ? 1 : -1))
    if (newest === undefined) return 0n
    const { operators } = decodeManifest(newest.bytes(), newest.path, cryptoDigest)
    const parts = operators.find(({ uid }) => uid === 'source')?.parts.filter(({ kind }) => kind === 'splits') ?? []
    const texts = parts.map(({ text, file }) => text ?? disk.text(`${newest.path.replace(/[^/]*$/, '')}${file}`) ?? '')
    const found = texts.flatMap((text) => [...text.matchAll(/"shard":(\d+),"createTime":\d+,"cursor":"(\d+)"/g)])
    return BigInt(found.find(([, id]) => Number(id) === shard)?.[2] ?? 0)
  }

  split(shard: number): void {
    this.sls.act((client) => client.shards.split('access', shard))
  }

  merge(shard: number): void {
    this.sls.act((client) => client.shards.merge('access', shard))
  }

  /** Lets what was asked of the service be done. */
  async settled(): Promise<void> {
    let done = false
    this.sls.act(async () => {
      done = true
    })
    await this.bench.until('the service is ready', () => done)
  }
}

describe('slsSource', () => {
  test('conf-S12 keeps the order of every key over splits and merges, and ends the shards that were split', async () => {
    const archive = new Archive(1)
    const run = archive.start({}, 3)
    for (const change of [() => archive.split(0), () => archive.merge(1), () => archive.split(3)]) {
      for (const digit of ['0', '7', '8', 'f']) archive.write(digit, 4)
      change()
      for (const digit of ['0', '7', '8', 'f']) archive.write(digit, 3)
      await archive.bench.pass(30)
    }
    await archive.untilArchived()
    run.kill()
    // With one subtask the archive is in the order in which the source gave out the records.
    const single = new Archive(1)
    for (const digit of ['0', 'f']) single.write(digit, 9)
    single.split(0)
    for (const digit of ['0', 'f']) single.write(digit, 9)
    single.merge(1)
    for (const digit of ['0', 'f']) single.write(digit, 9)
    const ordered = single.start({ end: 'now' }, 1)
    await single.bench.finish(ordered)
    for (const digit of ['0', 'f']) {
      const mine = single.archived.filter((record) => record.startsWith(digit))
      expect(mine).toEqual(single.written.filter((record) => record.startsWith(digit)))
    }
  })

  test('conf-S13 opens the children of a shard whenever the job goes down around its end', async () => {
    for (let operation = 0; operation < 90; operation += 6) {
      const archive = new Archive(1)
      archive.write('0', 5)
      archive.write('f', 5)
      const first = archive.start()
      await archive.untilArchived()
      archive.split(0)
      archive.write('0', 5)
      archive.write('f', 5)
      const from = archive.bench.world.faults.operations
      await archive.bench.until('the operation', () => archive.bench.world.faults.operations - from >= operation)
      first.kill()
      const second = archive.start({}, operation % 4 === 0 ? 3 : 2)
      await archive.untilArchived()
      second.kill()
    }
  })

  test('conf-S17 fails with a loss on an expired cursor, or goes on as it is told to', async () => {
    const archive = new Archive(1)
    archive.write('0', 4)
    const first = archive.start()
    await archive.untilArchived()
    await archive.bench.until('a checkpoint', () => first.checkpoints >= 2)
    first.kill()
    // The shard is deleted with what nobody has read.
    archive.write('0', 4)
    archive.split(0)
    archive.write('0', 4)
    archive.sls.act((client) => client.shards.delete('access', 0))
    await archive.settled()
    const second = archive.start()
    await archive.bench.until('it ends', () => second.end !== undefined)
    expect(second.errorCode).toBe('DATA_LOSS')
    const third = archive.start({ onDataLoss: 'earliest' })
    await archive.bench.until('the rest is archived', () => archive.archived.length >= 8)
    expect([...archive.archived].sort()).toEqual(archive.written.filter((_, index) => index < 4 || index >= 8).sort())
    third.kill()
  })

  test('conf-S18 takes a shard that vanished after its end for no loss, before and after a restore', async () => {
    const archive = new Archive(1)
    archive.write('0', 4)
    const first = archive.start()
    await archive.untilArchived()
    archive.split(0)
    archive.write('f', 4)
    await archive.untilArchived()
    archive.sls.act((client) => client.shards.delete('access', 0))
    archive.write('0', 2)
    await archive.untilArchived()
    await archive.bench.until('a checkpoint', () => first.checkpoints >= 2)
    first.kill()
    archive.write('f', 3)
    const second = archive.start()
    await archive.untilArchived()
    second.kill()
  })

  test('conf-S21 is as far in event time as its slowest shard, and an idle shard lets it go on', async () => {
    const archive = new Archive(2)
    const timeMs = (n: number): number => (1_700_000_000 + n) * 1_000
    const put = async (digit: string, n: number): Promise<void> => {
      const record = `${digit}:${n}`
      archive.written.push(record)
      const logs = [{ time: timeMs(n) / 1_000, contents: { record } }]
      archive.sls.act((client) => client.put('access', { logs }, { hashKey: key(digit) }))
      await archive.untilArchived()
    }
    const run = archive.start({ idleAfter: '2s', outOfOrderness: '10s' }, 1)
    const watermarkMs = () => run.handle?.metrics().sum('millrace_watermark_ms', 'source')
    const idle = () => run.handle?.metrics().sum('millrace_splits_idle', 'source')
    await put('0', 100)
    expect([watermarkMs(), idle()]).toEqual([undefined, 0])
    await put('f', 40)
    expect([watermarkMs(), idle()]).toEqual([timeMs(30) - 1, 0])
    await put('0', 200)
    expect([watermarkMs(), idle()]).toEqual([timeMs(30) - 1, 0])
    for (let n = 201; n < 210; n++) {
      await put('0', n)
      await archive.bench.pass(300)
    }
    expect([watermarkMs(), idle()]).toEqual([timeMs(199) - 1, 1])
    await put('f', 50)
    await put('0', 300)
    expect([watermarkMs(), idle()]).toEqual([timeMs(199) - 1, 0])
    run.kill()
  })

  test('conf-S19 mirrors to the consumer group no more than a completed checkpoint holds, and all of it in the end', async () => {
    const archive = new Archive(2)
    const seen: (readonly [shard: number, cursor: bigint])[] = []
    const look = (): void =>
      archive.sls.act(async (client) => {
        const checkpoints = await client.consumerGroups.checkpoints('access', 'watchers').catch(() => [])
        for (const { shard, position } of checkpoints) {
          if (position === undefined) continue
          expect(position).toBeLessThanOrEqual(archive.completed(shard))
          seen.push([shard, position - (await client.shards.cursor('access', shard, 'begin'))])
        }
      })
    const run = archive.start({ consumerGroup: 'watchers' })
    for (let round = 0; round < 12; round++) {
      archive.write('0', 2)
      archive.write('f', 2)
      await archive.bench.pass(60)
      look()
    }
    await archive.untilArchived()
    run.stop()
    await archive.bench.finish(run)
    look()
    await archive.settled()
    expect(seen.length).toBeGreaterThan(8)
    expect(seen.slice(-2)).toEqual([
      [0, 12n],
      [1, 12n],
    ])
  })
})
