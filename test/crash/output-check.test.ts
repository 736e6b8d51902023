import { appendFile, mkdir, mkdtemp, rm, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseCrashPoint } from '../../src/platform/index.ts'
import { crashPlaces, requiredClasses } from './crash-points.ts'
import { ConcurrentReader, checkLeftovers, checkOutput, Problems } from './output-check.ts'
import { type InputFile, idOf, keyOf, lineOf, writeInput } from './records.ts'

const records = 60
let directory: string
let files: InputFile[]
let problems: Problems

const places = () => ({
  archive: join(directory, 'archive'),
  counts: join(directory, 'counts'),
  checkpoints: join(directory, 'checkpoints'),
})

const archivePart = (name: string): string => join(places().archive, name)
const countsPart = (bucket: number): string => join(places().counts, `bucket=${bucket}`, 'part-1-0-0.jsonl')

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-crash-check-'))
  problems = new Problems()
  const input = join(directory, 'input')
  await mkdir(input)
  files = await writeInput(input, records)
  const { archive, counts, checkpoints } = places()
  await mkdir(archive)
  await mkdir(join(checkpoints, 'g000001'), { recursive: true })
  await writeFile(join(checkpoints, 'g000001', 'ck-0000000001'), '{}')
  const ids = Array.from({ length: records }, (_, id) => id)
  const archived = (of: readonly number[]): Buffer => Buffer.concat(of.flatMap((id) => [lineOf(id), Buffer.from('\n')]))
  await writeFile(archivePart('part-1-0-0.txt'), archived(ids.slice(0, 20)))
  await writeFile(archivePart('part-2-0-0.txt'), archived(ids.slice(20)))
  const count = new Map<number, number>()
  for (const id of ids) {
    const key = keyOf(id)
    count.set(key, (count.get(key) ?? 0) + 1)
    await mkdir(join(counts, `bucket=${key % 3}`), { recursive: true })
    await appendFile(countsPart(key % 3), `${JSON.stringify({ id, key, count: count.get(key) })}\n`)
  }
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const found = async (finished = true): Promise<string> => {
  await checkOutput(places(), files, finished, problems)
  await checkLeftovers(places(), 3, problems)
  return problems.texts.join('\n')
}

describe('the comparison of a crash run', () => {
  test('finds nothing in an output that is right', async () => {
    expect(await found()).toBe('')
  })

  test('finds records that are lost', async () => {
    await unlink(archivePart('part-2-0-0.txt'))
    expect(await found()).toContain(`${records - 20} records are lost`)
  })

  test('finds a record that is there twice', async () => {
    await writeFile(archivePart('part-3-1-0.txt'), Buffer.concat([lineOf(3), Buffer.from('\n')]))
    expect(await found()).toMatch(/1 records are there twice[\s\S]*record 3 is archived 2 times/)
  })

  test('finds records of a file that are not in order', async () => {
    await writeFile(
      archivePart('part-1-0-0.txt'),
      Buffer.concat([lineOf(1), Buffer.from('\n'), lineOf(0), Buffer.from('\n')]),
    )
    expect(await found()).toContain('record 1 of')
  })

  test('finds a line that is cut short, and one with another payload', async () => {
    await truncate(archivePart('part-1-0-0.txt'), 30)
    expect(await found()).toMatch(/does not end with a whole line[\s\S]*a line that is none of the input/)
  })

  test('finds state that differs from a recount', async () => {
    const id = 7
    await appendFile(countsPart(keyOf(id) % 3), `${JSON.stringify({ id, key: keyOf(id), count: 5 })}\n`)
    expect(await found()).toMatch(/the state of key \d+ is 5 where a recount gives \d/)
  })

  test('finds an archive and counts of different checkpoints after a clean stop', async () => {
    await unlink(archivePart('part-2-0-0.txt'))
    expect(await found(false)).toContain('record 20 is archived 0 times and counted 1 times')
  })

  test.each([
    ['archive/.ip-2-0-0.txt', 'is left over in the output'],
    ['checkpoints/g000001/tmp-ck-0000000002', 'is left over in the checkpoints'],
    ['checkpoints/g000001/ck-0000000009.keyed.count.0.part', 'belongs to no checkpoint that is kept'],
  ])('finds %s', async (path, problem) => {
    await writeFile(join(directory, path), 'x\n')
    expect(await found()).toContain(problem)
  })

  test('finds more checkpoints than are retained, and empty parts', async () => {
    for (const id of [2, 3, 4]) await writeFile(join(places().checkpoints, 'g000001', `ck-000000000${id}`), '{}')
    await writeFile(archivePart('part-3-0-0.txt'), '')
    expect(await found()).toMatch(/part-3-0-0.txt is empty[\s\S]*4 checkpoints are kept/)
  })
})

describe('the concurrent reader', () => {
  test('finds a part that vanishes, one that changes and a record that comes twice', async () => {
    const reader = new ConcurrentReader(places(), records, problems)
    await reader.stop()
    expect(problems.texts).toEqual([])
    expect(reader.archivedLines).toBe(records)
    await unlink(archivePart('part-2-0-0.txt'))
    await appendFile(archivePart('part-1-0-0.txt'), 'more\n')
    await writeFile(archivePart('part-9-0-0.txt'), Buffer.concat([lineOf(0), Buffer.from('\n')]))
    await reader.stop()
    expect(problems.texts.join('\n')).toMatch(
      /changed after it was committed[\s\S]*record 0 is there twice[\s\S]*vanished/,
    )
  })
})

describe('the input of a crash run', () => {
  test('has the same bytes for a record every time, and an id that can be read from them', () => {
    for (const id of [0, 17, 5, 60, 123_456]) expect(idOf(lineOf(id))).toBe(id)
    expect(lineOf(17)).toEqual(lineOf(17))
    expect(Math.max(...Array.from({ length: 20_000 }, (_, id) => lineOf(id).length))).toBeGreaterThan(200_000)
  })
})

describe('the crash points', () => {
  test('are ones that a process understands', () => {
    for (const { operation, pathPart, phases, occurrences } of crashPlaces) {
      for (const phase of phases) parseCrashPoint(`${operation}:${pathPart}:${occurrences[0]}:${phase}`)
    }
  })

  test('begin with one of each class that every run must hit while the job runs', () => {
    const head = crashPlaces.slice(0, 4).map(({ killClass }) => killClass)
    expect(requiredClasses.filter((name) => !head.includes(name))).toEqual(['restore'])
  })
})
