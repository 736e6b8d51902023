import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { program } from '../../examples/main/program.ts'
import { startLocalService } from '../../examples/shared/local-service.ts'
import { readLogs } from '../../examples/shared/logs.ts'

const recorded = fileURLToPath(new URL('../../examples/main/recorded-access.txt', import.meta.url))

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-main-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

type Report = Readonly<Record<string, unknown>>

interface Ran {
  readonly exitCode: number
  readonly lines: readonly Report[]
  readonly last: Report
  readonly stderr: string
}

interface RunOptions {
  /** Sends the signal when a report of that kind has been written. */
  readonly signalAfter?: (report: Report) => boolean
  readonly signals?: number
}

/** Runs the program as on a pipe, in a directory of its own. */
const start = async (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
  const lines: Report[] = []
  let stderr = ''
  const handlers: (() => void)[] = []
  let signals = options.signals ?? 1
  const exitCode = await program({
    args: ['--state', join(directory, 'state'), ...args],
    stdout: {
      write(text: string) {
        for (const line of text.trimEnd().split('\n')) {
          const report = JSON.parse(line) as Report
          lines.push(report)
          while (options.signalAfter?.(report) === true && signals-- > 0) handlers[0]?.()
        }
      },
    },
    stderr: {
      write(text: string) {
        stderr += text
      },
    },
    onSignal: (_, hear) => handlers.push(hear),
    places: { logs: join(directory, 'logs'), recorded },
  })
  return { exitCode, lines, last: lines.at(-1) ?? {}, stderr }
}

const input = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(directory, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
  return path
}

const levels = ['INFO', 'INFO', 'ERROR', 'WARN']
const numbered = (count: number, prefix = 'line'): string =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index} ${levels[index % 4]}\n`).join('')

const fullyRight = (lines: number) => ({ in: lines, out: lines, lost: 0, duplicate: 0, counted: lines })

const isWithinBound = ({ rewritten, bound }: Report): boolean => Number(rewritten) <= Number(bound)

/** What the target logstores hold, each line once, as text. */
const targets = async (): Promise<Record<string, string[]>> => {
  const place = { directory: join(directory, 'state', 'log-service'), project: 'millrace', logstores: {} }
  const { client, close } = await startLocalService(place)
  const found: Record<string, string[]> = {}
  for (const name of ['errors', 'warnings', 'routine']) {
    const logs = await readLogs(client, name)
    const lines = new Map(logs.map(({ fields }) => [`${fields['file']} ${fields['offset']}`, fields['line'] ?? '']))
    found[name] = [...lines.values()].sort()
  }
  await close()
  return found
}

describe('the main job', () => {
  test('brings every line of every kind of file to its target', async () => {
    const paths = [
      await input('plain.log', 'one ERROR\ntwo WARN\n\nfour\r\r\n'),
      await input('crlf.log', 'a INFO\r\nb INFO\r\n'),
      await input('end.log', 'last line without newline'),
      await input('raw.log', Buffer.from([0xff, 0xfe, 0x0a, 0xc3, 0x28, 0x0a])),
      await input('packed.log.gz', gzipSync('x debug\ny fatal\n')),
      await input('empty.log', ''),
    ]
    const { exitCode, last, stderr } = await start(['--once', ...paths])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(last).toMatchObject({ event: 'finished', ...fullyRight(11) })
    expect(isWithinBound(last)).toBe(true)
    const damaged = ['\ufffd\ufffd', '\ufffd(']
    expect(await targets()).toEqual({
      errors: ['one ERROR', 'y fatal'],
      warnings: ['two WARN'],
      routine: ['', 'a INFO', 'b INFO', 'four\r', 'last line without newline', 'x debug', ...damaged].sort(),
    })
  })

  test('splits a shard and kills a subtask on the way, and shows it once a second', async () => {
    const { lines, last: end } = await start(['--once', '--rate', '500', await input('long.log', numbered(1_500))])
    const mishaps = lines.filter(({ event }) => event === 'mishap' || event === 'restarting')
    expect(mishaps.map(({ what, cause }) => what ?? cause)).toEqual([
      'shard 0 is split into 4 and 5',
      expect.stringContaining('killed on purpose'),
    ])
    expect(end).toMatchObject({ event: 'finished', ...fullyRight(1_500), restarts: 1 })
    expect(isWithinBound(end)).toBe(true)
    const frames = lines.filter(({ event }) => event === 'progress')
    expect(frames.length).toBeGreaterThan(2)
    const last = frames.at(-1)
    expect(last).toMatchObject({ in: 1_500, lag: 0, restarts: 1, checkpoint: { id: expect.any(Number) } })
    const shards = last?.['shards'] as readonly Report[]
    expect(shards.find(({ id }) => id === 0)).toMatchObject({ status: 'readonly', behind: 0, parents: [] })
    expect(shards.filter(({ parents }) => String(parents) === '0').map(({ id }) => id)).toEqual([4, 5])
  })

  test('goes on where a signal stopped it, and both closing lines are right', async () => {
    const path = await input('long.log', numbered(3_000))
    const first = await start(['--once', '--rate', '600', path], {
      signalAfter: ({ event, in: read }) => event === 'progress' && Number(read) > 300,
    })
    expect(first.exitCode).toBe(0)
    expect(first.last).toMatchObject({ event: 'stopped', lost: 0, duplicate: 0 })
    expect(Number(first.last['in'])).toBeLessThan(3_000)
    const second = await start(['--once', '--rate', '5000', path])
    expect(second.lines.find(({ event }) => event === 'started')?.['restored']).toBeGreaterThan(0)
    expect(second.last).toMatchObject({ event: 'finished', ...fullyRight(3_000) })
    expect(isWithinBound(second.last)).toBe(true)
  })

  test('gives up at the second signal, with the exit code of a forced stop, and loses nothing', async () => {
    const path = await input('long.log', numbered(2_000))
    const stop = { signalAfter: ({ event }: Report) => event === 'started', signals: 2 }
    expect((await start(['--once', '--rate', '500', path], stop)).exitCode).toBe(130)
    const { last } = await start(['--once', '--rate', '5000', path])
    expect(last).toMatchObject({ event: 'finished', ...fullyRight(2_000) })
    expect(isWithinBound(last)).toBe(true)
  })

  test('writes nothing more when it is started again after its end', async () => {
    const path = await input('a.log', numbered(40))
    await start(['--once', '--rate', '40', path])
    const before = await targets()
    const again = await start(['--once', path])
    expect(again).toMatchObject({ exitCode: 0, last: { event: 'finished', ...fullyRight(40) } })
    expect(await targets()).toEqual(before)
  })

  test('follows files until it is stopped, and finds later what was written meanwhile', async () => {
    const path = await input('growing.log', numbered(5))
    const seen = (lines: number) => (report: Report) =>
      report['event'] === 'progress' && Number(report['counted']) >= lines
    expect((await start([path], { signalAfter: seen(5) })).last).toMatchObject({ event: 'stopped', ...fullyRight(5) })
    await writeFile(path, numbered(3, 'later'), { flag: 'a' })
    const second = await start([path], { signalAfter: seen(8) })
    expect(second.last).toMatchObject({ event: 'stopped', ...fullyRight(8) })
  })

  test('reads the recorded access log when there is nothing else, and draws it on a terminal', async () => {
    const drawn: string[] = []
    const stdout = { isTTY: true, columns: 120, write: (text: string) => drawn.push(text) }
    const exitCode = await program({
      args: ['--state', join(directory, 'state'), '--once', '--rate', '1500'],
      stdout,
      stderr: stdout,
      onSignal: () => {},
      places: { logs: join(directory, 'logs'), recorded },
    })
    const lines = (await readFile(recorded, 'utf8')).split('\n').length - 1
    expect(lines).toBeGreaterThan(2_000)
    const text = drawn.join('')
    expect({ exitCode, text }).toMatchObject({ exitCode: 0 })
    const count = String(lines).replace(/(\d)(\d{3})$/, '$1 $2')
    expect(text).toContain(`✓ finished: ${count} in · ${count} out · 0 lost · 0 duplicate in state`)
    expect(text).toMatch(/shards \(0[^\n]* · 4◀0[^\n]* · 5◀0/)
    expect(text).toMatch(/\d+ written again, at most [\d ]+ after \d restarts?\n/)
    const { errors, warnings } = await targets()
    expect([errors, warnings].map((found) => (found ?? []).length > 10)).toEqual([true, true])
  })
})

describe('a wrong call of the main job', () => {
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, last, stderr } = await start(args)
    const said = { exitCode, event: last['event'], code: last['code'] }
    expect(said).toEqual({ exitCode: 2, event: 'failed', code: 'USAGE' })
    expect(stderr).toContain('fix: ')
    return String(last['message'])
  }

  test.each([
    [['--onec'], /--onec, did you mean --once\?/],
    [['--rate', 'fast'], /--rate fast is not a number/],
    [['--parallelism', '0'], /--parallelism 0 is not from 1 to 64/],
    [['--once=yes'], /--once takes no value/],
    [['--once', 'nowhere/to/be/found'], /there is no file or directory/],
  ])('is refused: %s', async (args, message) => {
    expect(await refusal(...args)).toMatch(message)
  })

  test('with other files than the run in the state directory does not mix the two', async () => {
    const [a, b] = [await input('a.log', numbered(3)), await input('b.log', numbered(4))]
    await start(['--once', a])
    expect(await refusal('--once', b)).toMatch(/reads .*a\.log, not .*b\.log/)
    expect(await refusal(a)).toContain('was started with --once')
    expect((await start(['--once', '--fresh', b])).last).toMatchObject({ event: 'finished', ...fullyRight(4) })
  })

  test('with a state directory that cannot be used says which', async () => {
    const path = await input('a.log', numbered(3))
    expect(await refusal('--once', '--state', path, path)).toContain(`the state cannot be kept in ${path}`)
  })
})
