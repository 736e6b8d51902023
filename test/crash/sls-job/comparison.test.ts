import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseCrashPoint } from '../../../src/platform/index.ts'
import { encodeCursor, viewLogGroup } from '../../../src/wire/index.ts'
import { Draws } from '../random.ts'
import { keyOf } from '../records.ts'
import { CopiesJudge, type Copy } from './copies.ts'
import { jobMoment, serviceMoment } from './crash-places.ts'
import type { Life } from './lives.ts'
import { checkArchive, checkCounts } from './outputs.ts'
import { groupOf, textOf } from './records.ts'
import { Positions, StoredLogs } from './stored.ts'

/** Shard 0 was split into 1 and 2. Two groups of two logs in shard 0, one of two in 1, none in 2. */
const stored = new StoredLogs([
  { id: 0, range: { begin: '00', end: 'ff' }, begin: 100n, end: 102n, starts: [0, 2], ids: [10, 11, 12, 13] },
  { id: 1, range: { begin: '00', end: '80' }, begin: 7n, end: 8n, starts: [0], ids: [14, 15] },
  { id: 2, range: { begin: '80', end: 'ff' }, begin: 9n, end: 9n, starts: [], ids: [] },
])

interface Place {
  readonly shard: number
  readonly position: bigint
  readonly index: number
  readonly id: number
}

const places: readonly Place[] = [
  { shard: 0, position: 100n, index: 0, id: 10 },
  { shard: 0, position: 100n, index: 1, id: 11 },
  { shard: 0, position: 101n, index: 0, id: 12 },
  { shard: 0, position: 101n, index: 1, id: 13 },
  { shard: 1, position: 7n, index: 0, id: 14 },
  { shard: 1, position: 7n, index: 1, id: 15 },
]

const at = (place: number): Place => {
  const found = places[place]
  if (found === undefined) throw new Error(`there is no place ${place}`)
  return found
}

const archived = (place: number, order: number): string => {
  const { shard, position, index, id } = at(place)
  return `${shard} ${encodeCursor(position)} ${index} ${order} ${id} ${textOf(id)}\n`
}

const counted = (place: number, count = 1): string => {
  const { shard, position, index, id } = at(place)
  return `${JSON.stringify({ shard, cursor: encodeCursor(position), index, key: keyOf(id), count })}\n`
}

let directory: string
let found: string[]
const problem = (text: string): void => {
  found.push(text)
}
const archive = (): string => join(directory, 'archive')
const counts = (): string => join(directory, 'counts')
const inArchive = (name: string): string => join(archive(), name)
const inCounts = (name: string): string => join(counts(), name)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-crash-sls-check-'))
  found = []
  await mkdir(archive())
  await mkdir(counts())
  await writeFile(inArchive('part-1-0-0.txt'), archived(0, 0) + archived(1, 1) + archived(2, 2))
  await writeFile(inArchive('part-3-1-0.txt'), archived(3, 0))
  await writeFile(inArchive('part-3-0-0.txt'), archived(4, 1) + archived(5, 2))
  await writeFile(inCounts('part-1-0-0.jsonl'), counted(0) + counted(1) + counted(2))
  await writeFile(inCounts('part-3-0-0.jsonl'), counted(3) + counted(4) + counted(5))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

describe('the places of what is stored', () => {
  test('are numbers of logs, and nothing else has one', () => {
    expect(places.map(({ shard, position, index }) => stored.placeOf(shard, position, index))).toEqual([
      0, 1, 2, 3, 4, 5,
    ])
    for (const [shard, position, index] of [
      [0, 99n, 0],
      [0, 102n, 0],
      [0, 100n, 2],
      [0, 101n, -1],
      [2, 9n, 0],
      [5, 7n, 0],
    ] as const) {
      expect(stored.placeOf(shard, position, index)).toBeUndefined()
    }
  })

  test('are told from cursors, and from no other text', () => {
    const positions = new Positions()
    expect([encodeCursor(7n), encodeCursor(7n), encodeCursor(8n)].map((cursor) => positions.of(cursor))).toEqual([
      7n,
      7n,
      8n,
    ])
    expect(positions.of('?')).toBeUndefined()
  })
})

describe('the comparison of the archive', () => {
  test('finds nothing wrong with one that is right, and knows which attempt each log is from', async () => {
    const { generations, ...rest } = await checkArchive(archive(), stored, problem)
    expect(found).toEqual([])
    expect(rest).toEqual({ lines: 6, lost: 0, duplicate: 0 })
    expect([...generations]).toEqual([1, 1, 1, 3, 3, 3])
  })

  test('finds a log that is lost', async () => {
    await writeFile(inArchive('part-3-1-0.txt'), '')
    expect(await checkArchive(archive(), stored, problem)).toMatchObject({ lost: 1 })
    expect(found.join('\n')).toMatch(/is empty[\s\S]*1 of 6 logs are missing in the archive/)
  })

  test('finds a log that is there twice, and one that comes too early', async () => {
    await appendFile(inArchive('part-3-0-0.txt'), archived(4, 3))
    await writeFile(inArchive('part-1-0-0.txt'), archived(0, 0) + archived(2, 1) + archived(1, 2))
    expect(await checkArchive(archive(), stored, problem)).toMatchObject({ duplicate: 1 })
    expect(found.join('\n')).toMatch(/log 2 of shard 0 comes where 1 is due[\s\S]*1 logs are in the archive twice/)
  })

  test('finds a line that is cut short and a text that nobody wrote', async () => {
    await writeFile(inArchive('part-3-1-0.txt'), archived(3, 0).slice(0, -3))
    await checkArchive(archive(), stored, problem)
    expect(found.join('\n')).toMatch(/does not end with a whole line[\s\S]*no log of the source/)
  })

  test('finds a shard that was begun before the end of the one it was split from', async () => {
    await writeFile(inArchive('part-3-1-0.txt'), archived(3, 9))
    await checkArchive(archive(), stored, problem)
    expect(found).toEqual(['shard 1 was begun before shard 0, which it follows, was read to its end'])
  })
})

describe('the comparison of the counts', () => {
  test('finds nothing wrong with those that are right', async () => {
    expect(await checkCounts(counts(), stored, problem)).toEqual({ lines: 6, lost: 0, duplicate: 0 })
    expect(found).toEqual([])
  })

  test('finds state that has counted a record twice', async () => {
    await writeFile(inCounts('part-1-0-0.jsonl'), counted(0) + counted(1, 2) + counted(2))
    await checkCounts(counts(), stored, problem)
    expect(found.join('\n')).toMatch(/is 2 where a recount gives 1[\s\S]*a recount gives 1/)
  })

  test('finds a record that was not counted, and one counted under another key', async () => {
    const other = counted(4).replace(`"key":${keyOf(14)}`, `"key":${keyOf(14) + 1}`)
    await writeFile(inCounts('part-3-0-0.jsonl'), counted(3) + other)
    expect(await checkCounts(counts(), stored, problem)).toMatchObject({ lost: 2 })
    expect(found.join('\n')).toMatch(/a count that cannot be[\s\S]*2 of 6 logs are missing in the counts/)
  })
})

describe('the comparison of the copies', () => {
  const life = (over: Partial<Life>): Life => ({
    generations: [],
    serviceDeaths: 0,
    floor: new Map(),
    ambiguous: undefined,
    ambiguousAtLeast: 0,
    ...over,
  })
  const lives: readonly Life[] = [
    life({ generations: [1], serviceDeaths: 1 }),
    life({ generations: [2] }),
    life({ generations: [3], floor: new Map([[0, 101n]]), ambiguous: 0 }),
  ]
  const generations = Int32Array.from([1, 1, 1, 3, 3, 3])
  const copy = (place: number, by: number, packTag: string): Copy => {
    const { shard, position, index, id } = at(place)
    return { id, shard, cursor: encodeCursor(position), index, life: by, text: textOf(id), packTag }
  }
  /** Places 0 to 2 were settled by process 0, the rest by process 2. */
  const needed = [
    copy(0, 0, 'A-0'),
    copy(1, 0, 'A-0'),
    copy(2, 0, 'A-1'),
    copy(3, 2, 'C-0'),
    copy(4, 2, 'C-0'),
    copy(5, 2, 'C-0'),
  ]
  const judge = (copies: readonly Copy[], of: readonly Life[] = lives) => {
    const judging = new CopiesJudge(stored, of, problem)
    for (const each of copies) judging.add(each)
    return judging.judge(generations)
  }

  test('finds nothing wrong with one copy of each log', () => {
    const none = { afterRestores: 0, afterAmbiguity: 0 }
    // Each log of process 0 may have been there once more: the service died once.
    expect(judge(needed)).toEqual({ logs: 6, lost: 0, ...none, bound: 3 })
    expect(found).toEqual([])
  })

  test('allows copies after a restore and after a lost answer, and counts them apart', () => {
    const more = [copy(0, 0, 'A-0'), copy(3, 1, 'B-0'), copy(3, 0, 'A-2')]
    expect(judge([...needed, ...more])).toMatchObject({ logs: 9, afterRestores: 2, afterAmbiguity: 1 })
    expect(found).toEqual([])
  })

  test.each<[string, readonly Copy[], RegExp]>([
    ['a log that no process sent', needed.slice(1), /1 of 6 logs are missing in the target/],
    [
      'a log sent again after a checkpoint had it',
      [...needed, copy(2, 1, 'B-0')],
      /which a checkpoint of process 0 had/,
    ],
    ['a log sent again that the group had as done', [...needed, copy(0, 2, 'C-0')], /consumer group had as done/],
    ['a log sent twice by one attempt', [...needed, copy(4, 2, 'C-1')], /in the packages C-0, C-1/],
    [
      'a log sent by two writers of one attempt',
      [...needed, copy(4, 2, 'D-0')],
      /in the packages C-0, D-0, with 1 starts/,
    ],
    [
      'a package there too often',
      [...needed, copy(0, 0, 'A-0'), copy(0, 0, 'A-0')],
      /3 times; the service died 1 times/,
    ],
    ['a package sent again without a lost answer', [...needed, copy(4, 2, 'C-0')], /1 are there once too often/],
    ['a log that its checkpoint did not wait for', [...needed.slice(0, 5), copy(5, 1, 'B-0')], /did not send/],
    ['a package of two processes', [...needed, copy(3, 1, 'A-0')], /package A-0 has logs of two processes/],
    ['a log that nobody wrote', [...needed, { ...copy(0, 0, 'A-0'), text: '?' }], /none of the source/],
  ])('finds %s', (_, copies, text) => {
    judge(copies)
    expect(found.join('\n')).toMatch(text)
  })
})

describe('the records and the crash points', () => {
  test('a group holds its records with key and text', () => {
    const logs = [...viewLogGroup(groupOf(5, 8)).logs()].map((log) => log.toObject())
    expect(logs).toEqual([5, 6, 7].map((id) => ({ id: String(id), key: String(keyOf(id)), text: textOf(id) })))
  })

  test('the points are ones that a process understands', () => {
    const draws = new Draws(1)
    const points = Array.from({ length: 300 }, (_, index) =>
      index % 2 === 0 ? jobMoment(draws) : serviceMoment(draws),
    )
    expect(new Set(points.map(({ text }) => parseCrashPoint(text).operation)).size).toBeGreaterThan(8)
  })
})
