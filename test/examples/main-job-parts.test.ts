import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Ledger } from '../../examples/main/ledger.ts'
import { LineTable } from '../../examples/main/line-table.ts'
import { isRight, type Verdict, verify } from '../../examples/main/verify.ts'
import { type LocalService, startLocalService } from '../../examples/shared/local-service.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-main-parts-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

describe('LineTable', () => {
  test('counts copies of each line and place as a plain map does, through every growth', () => {
    const line = fc.record({
      place: fc.constantFrom('input', 'access', 'targets'),
      file: fc.constantFrom('a', 'b'),
      offset: fc.nat(40),
      text: fc.constantFrom('', 'x', 'yy'),
    })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 300 }), (lines) => {
        const table = new LineTable()
        const model = new Map<string, number>()
        for (const { place, file, offset, text } of lines) {
          table.add(place, file, offset, Buffer.from(text))
          const key = `${place} ${file} ${offset} ${text}`
          model.set(key, (model.get(key) ?? 0) + 1)
        }
        for (const place of ['input', 'access', 'targets'] as const) {
          const copies = [...model].filter(([key]) => key.startsWith(place)).map(([, count]) => count)
          const again = copies.reduce((sum, count) => sum + count - 1, 0)
          expect(table.countOf(place)).toEqual({ lines: copies.length, again })
        }
        for (const { place, file, offset, text } of lines) {
          expect(table.has(place, file, offset, Buffer.from(text))).toBe(true)
          expect(table.has(place, file, offset, Buffer.from(`${text}!`))).toBe(false)
        }
      }),
    )
    const large = new LineTable()
    for (let offset = 0; offset < 30_000; offset++) large.add('input', 'file', offset, new Uint8Array())
    expect(large.countOf('input')).toEqual({ lines: 30_000, again: 0 })
  })
})

describe('Ledger', () => {
  test('bounds what restarts write again, whatever happens between them', async () => {
    // A model of the job: an attempt begins at what the checkpoint covers, so it writes the lines beyond that again.
    const attempt = fc.record({
      lines: fc.nat(50),
      coveredPart: fc.double({ min: 0, max: 1, noNaN: true }),
      /** Lines of the attempt that are written before anybody looks; none when the job waits for the look. */
      late: fc.option(fc.nat(50)),
    })
    let file = 0
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: 1, maxLength: 12 }), async (attempts) => {
        const path = join(directory, `restarts-${file++}.json`)
        let [highest, covered, written] = [0, 0, 0]
        for (const [index, { lines, coveredPart, late }] of attempts.entries()) {
          if (index > 0) {
            const early = Math.min(late ?? 0, lines)
            const distinct = Math.max(highest, covered + early)
            const ledger = await Ledger.open(path)
            const job = late === null ? 'stands' : 'goes on'
            await ledger.restarted({ job, written: written + early, copies: written + early - distinct, covered })
          }
          written += lines
          highest = Math.max(highest, covered + lines)
          covered += Math.floor(lines * coveredPart)
        }
        const ledger = await Ledger.open(path)
        expect(written - highest).toBeLessThanOrEqual(ledger.bound(0))
        expect(ledger.restarts).toBe(attempts.length - 1)
      }),
      { numRuns: 50 },
    )
  })

  test('adds what was sent again because an answer was lost, of this process and of those before', async () => {
    const path = join(directory, 'restarts.json')
    const first = await Ledger.open(path)
    for (const groups of [0, 2, 5]) await first.sentAgain(groups)
    const second = await Ledger.open(path)
    await second.sentAgain(1)
    expect((await Ledger.open(path)).bound(10)).toBe(60)
  })
})

describe('the verification of the main job', () => {
  let service: LocalService
  let path: string

  const lines = ['one ERROR', 'two', 'three']
  const offsets = [0, 10, 14]

  const put = async (logstore: string, numbers: readonly number[], changed: Record<string, string> = {}) => {
    const logs = numbers.map((number) => {
      const contents = {
        level: 'L',
        file: path,
        offset: String(offsets[number]),
        line: lines[number] ?? '',
        ...changed,
      }
      return { time: 1_700_000_000, contents }
    })
    if (logs.length > 0) await service.client.put(logstore, { logs })
  }

  const counted = (logs: number): Promise<void> =>
    writeFile(join(directory, 'counts-1-0-1.jsonl'), `${JSON.stringify({ level: 'L', logs })}\n`)

  const look = async (): Promise<Verdict> => {
    const { size, ino, mtimeMs } = await stat(path)
    const files = [{ path, size, inode: ino, modifiedMs: mtimeMs }]
    return verify({ client: service.client, counts: directory, files, finished: true, allRead: true })
  }

  beforeEach(async () => {
    path = join(directory, 'input.log')
    await writeFile(path, `${lines.join('\n')}\n`)
    service = await startLocalService({
      directory: join(directory, 'log-service'),
      project: 'millrace',
      logstores: Object.fromEntries(['access', 'errors', 'warnings', 'routine'].map((name) => [name, {}])),
    })
  })

  afterEach(() => service.close())

  test('finds nothing wrong where nothing is', async () => {
    await put('access', [0, 1, 2])
    await put('errors', [0])
    await put('routine', [1, 2])
    await counted(3)
    const found = await look()
    expect(found).toMatchObject({ in: 3, out: 3, lost: 0, duplicate: 0, rewritten: 0, foreign: 0, gone: [] })
    expect(isRight(found, 0)).toBe(true)
  })

  test('finds a line that is in no target', async () => {
    await put('access', [0, 1, 2])
    await put('routine', [0, 2])
    await counted(3)
    const found = await look()
    expect(found).toMatchObject({ in: 3, out: 2, lost: 1 })
    expect(isRight(found, 0)).toBe(false)
  })

  test('finds a line that was never written', async () => {
    await put('access', [0, 1])
    await put('routine', [0, 1])
    await counted(2)
    expect(await look()).toMatchObject({ in: 3, out: 2, lost: 1, duplicate: 0 })
  })

  test('tells a line that was written again from one that was counted twice', async () => {
    await put('access', [0, 1, 2])
    await put('routine', [0, 1, 2])
    await put('routine', [1])
    await counted(4)
    const found = await look()
    expect(found).toMatchObject({ in: 3, out: 3, lost: 0, duplicate: 1, rewritten: 1 })
    expect(isRight({ ...found, duplicate: 0 }, 1)).toBe(true)
    expect(isRight({ ...found, duplicate: 0 }, 0)).toBe(false)
  })

  test('finds a log that was not counted', async () => {
    await put('access', [0, 1, 2])
    await put('routine', [0, 1, 2])
    await counted(2)
    expect(await look()).toMatchObject({ in: 3, out: 3, lost: 1, duplicate: 0 })
  })

  test('finds a line of which one byte is wrong', async () => {
    await put('access', [0, 1, 2])
    await put('routine', [0, 1])
    await put('routine', [2], { line: 'thrEe' })
    await counted(3)
    const found = await look()
    expect(found).toMatchObject({ in: 3, out: 2, lost: 1, foreign: 1 })
    expect(isRight({ ...found, lost: 0 }, 0)).toBe(false)
  })

  test('takes what was written of a file for the file when that is gone, and names it', async () => {
    await put('access', [0, 1])
    await put('routine', [0])
    await counted(2)
    const { size, ino, mtimeMs } = await stat(path)
    const files = [{ path, size, inode: ino + 1, modifiedMs: mtimeMs }]
    const found = await verify({ client: service.client, counts: directory, files, finished: true, allRead: true })
    expect(found).toMatchObject({ in: 2, out: 1, lost: 1, gone: [path] })
  })
})
