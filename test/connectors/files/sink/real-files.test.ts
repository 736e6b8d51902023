import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { type FileSinkOptions, fileSink } from '../../../../src/connectors/files/index.ts'
import { type Environment, generation } from '../../../../src/core/index.ts'
import { nodeEnvironment } from '../../../../src/platform/index.ts'
import type { OpenSink } from '../../../../src/sink/index.ts'
import { noMetrics } from '../../../core/no-metrics.ts'
import { barrier, commitWith, sentence, type Writer, write } from './sink-bench.ts'

const roots: string[] = []

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true })
})

const newRoot = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'file-sink-'))
  roots.push(root)
  return root
}

const open = <T>(options: FileSinkOptions<T>, attempt = 1, environment: Environment = nodeEnvironment()): OpenSink<T> =>
  fileSink<T>(options).open({
    ...environment,
    job: 'j',
    step: 's',
    parallelism: 1,
    generation: generation(attempt),
    metrics: noMetrics(),
  })

const writerOf = <T>(sink: OpenSink<T>): Promise<Writer<T>> => {
  const { signal } = new AbortController()
  return sink.createWriter({ subtask: 0, parallelism: 1, metrics: noMetrics(), signal, waiting() {} }, [])
}

const committerOf = <T>(sink: OpenSink<T>) => sink.createCommitter?.() ?? Promise.reject(new Error('no committer'))

describe('fileSink on real files', () => {
  test('stages, commits, commits again and cleans up', async () => {
    const dir = join(await newRoot(), 'new', 'out')
    const options: FileSinkOptions<number> = {
      dir,
      partition: (n) => `odd=${n % 2}`,
      compression: 'gzip',
      buffer: 64,
      roll: { size: '1KiB' },
    }
    const numbers = Array.from({ length: 1000 }, (_, index) => index)
    const first = await writerOf(open(options))
    await write(first, [1, 2, 3])
    await first.flush(false)
    await first.close()

    const sink = open(options, 2)
    const writer = await writerOf(sink)
    for (let from = 0; from < numbers.length; from += 100) await write(writer, numbers.slice(from, from + 100))
    const receipts = await barrier(writer)
    await writer.close()
    const committer = await committerOf(sink)
    expect(new Set(await commitWith(committer, receipts))).toEqual(new Set(['committed']))
    expect(new Set(await commitWith(committer, receipts))).toEqual(new Set(['already committed']))
    await committer.abortOrphans()

    const found: number[] = []
    for (const partition of await readdir(dir)) {
      for (const name of await readdir(join(dir, partition))) {
        expect(name).toMatch(/^part-2-0-\d+\.jsonl\.gz$/)
        const text = gunzipSync(await readFile(join(dir, partition, name))).toString()
        found.push(...text.trimEnd().split('\n').map(Number))
      }
    }
    expect(found.sort((a, b) => a - b)).toEqual(numbers)
  })

  test('a link in the place of a partition never leads out of the directory', async () => {
    const root = await newRoot()
    const dir = join(root, 'out')
    const outside = join(root, 'outside')
    await mkdir(dir)
    await mkdir(outside)
    await symlink(outside, join(dir, 'evil'))
    await symlink('.', join(dir, 'loop'))
    for (const partition of ['evil', 'evil/deeper', 'loop']) {
      const writer = await writerOf(open({ dir, partition: () => partition }))
      await write(writer, [1])
      const complaint = await sentence(barrier(writer))
      expect(complaint).toContain('SINK_REFUSED')
      expect(complaint).toContain('it is a link to a directory elsewhere')
      await writer.close()
    }
    expect(await readdir(outside)).toEqual([])
  })

  test('the directory itself may be a link', async () => {
    const root = await newRoot()
    await mkdir(join(root, 'disk2'))
    await symlink(join(root, 'disk2'), join(root, 'out'))
    const sink = open({ dir: join(root, 'out'), partition: () => 'a/b' })
    const writer = await writerOf(sink)
    await write(writer, ['x'])
    expect(await commitWith(await committerOf(sink), await barrier(writer))).toEqual(['committed'])
    expect(await readdir(join(root, 'disk2', 'a', 'b'))).toEqual(['part-1-0-0.jsonl'])
  })

  test('abortOrphans follows no link out of the directory, nor in circles', async () => {
    const root = await newRoot()
    const dir = join(root, 'out')
    await mkdir(join(dir, 'p=1'), { recursive: true })
    await mkdir(join(root, 'outside'))
    await symlink('../outside', join(dir, 'evil'))
    await symlink('..', join(dir, 'p=1', 'up'))
    await symlink('nowhere', join(dir, 'dangling'))
    for (const place of [root, join(root, 'outside'), join(dir, 'p=1')]) {
      await writeFile(join(place, '.ip-1-0-0.jsonl'), 'x')
    }
    const committer = await committerOf(open({ dir, partition: () => 'p=1' }, 2))
    await committer.abortOrphans()
    expect(await readdir(root)).toEqual(['.ip-1-0-0.jsonl', 'out', 'outside'])
    expect(await readdir(join(root, 'outside'))).toEqual(['.ip-1-0-0.jsonl'])
    expect(await readdir(join(dir, 'p=1'))).toEqual(['up'])
  })

  test('refuses at the start what no process may write', async () => {
    // True for root as well, who is denied nothing by permissions.
    for (const dir of ['/proc/self/nowhere', '/dev/null/out']) {
      expect(await sentence(writerOf(open({ dir })))).toMatch(/STORAGE_(REFUSED|FAILED) \(path \/(proc|dev)/)
    }
  })
})
