import { renameSync, writeFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accessLog } from '../../examples/06-count-and-archive/access-log.ts'
import { parseArguments } from '../../examples/06-count-and-archive/arguments.ts'
import { Results } from '../../examples/06-count-and-archive/output.ts'
import type { Plan } from '../../examples/06-count-and-archive/plan.ts'
import { program } from '../../examples/06-count-and-archive/program.ts'
import { verify } from '../../examples/06-count-and-archive/verify.ts'
import { levelOf } from '../../examples/shared/level.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-example-'))
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
  readonly onReport?: (report: Report) => void
}

/** Runs the program as on a pipe, in a directory of its own. */
const start = async (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
  const lines: Report[] = []
  let stderr = ''
  const handlers: (() => void)[] = []
  let signals = options.signals ?? 1
  const stdout = {
    write(text: string) {
      for (const line of text.trimEnd().split('\n')) {
        const report = JSON.parse(line) as Report
        lines.push(report)
        options.onReport?.(report)
        while (options.signalAfter?.(report) === true && signals-- > 0) handlers[0]?.()
      }
    },
  }
  const exitCode = await program({
    args: ['--out', join(directory, 'out'), '--state', join(directory, 'state'), ...args],
    stdout,
    stderr: {
      write(text: string) {
        stderr += text
      },
    },
    onSignal: (_, hear) => handlers.push(hear),
    places: { logs: join(directory, 'logs'), ownLog: join(directory, 'own', 'access.log') },
  })
  return { exitCode, lines, last: lines.at(-1) ?? {}, stderr }
}

const input = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(directory, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
  return path
}

const numbered = (count: number, prefix = 'line'): string =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index} INFO\n`).join('')

const archived = async (): Promise<string[]> => {
  const out = join(directory, 'out')
  const names = (await readdir(out)).filter((name) => name.startsWith('part-'))
  const texts = await Promise.all(names.map((name) => readFile(join(out, name), 'latin1')))
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).sort()
}

const fullyRight = (lines: number) => ({ in: lines, out: lines, lost: 0, duplicate: 0, counted: lines })

describe('the example that counts and archives', () => {
  test('archives every line of every kind of file, and counts them by level', async () => {
    const paths = [
      await input('plain.log', 'one ERROR\ntwo WARN\n\nfour\r\r\n'),
      await input('crlf.log', 'a INFO\r\nb INFO\r\n'),
      await input('end.log', 'last line without newline'),
      await input('raw.log', Buffer.from([0xff, 0xfe, 0x0a, 0xc3, 0x28, 0x0a])),
      await input('packed.log.gz', gzipSync('x debug\ny debug\n')),
      await input('empty.log', ''),
    ]
    const { exitCode, last, stderr } = await start(['--once', ...paths])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(last).toMatchObject({ event: 'finished', ...fullyRight(11) })
    const raw = ['\xff\xfe', '\xc3(']
    const expected = ['one ERROR', 'two WARN', '', 'four\r', 'a INFO', 'b INFO', 'last line without newline', ...raw]
    expect(await archived()).toEqual([...expected, 'x debug', 'y debug'].sort())
    const results = new Results(join(directory, 'out'))
    await results.refresh()
    expect(Object.fromEntries(results.levels())).toEqual({ OTHER: 5, INFO: 2, DEBUG: 2, ERROR: 1, WARN: 1 })
  })

  test('goes on where a signal stopped it, and both closing lines are right', async () => {
    const path = await input('long.log', numbered(3_000))
    const command = ['--once', '--rate', '500', path]
    const first = await start(command, {
      signalAfter: ({ event, in: read }) => event === 'progress' && Number(read) > 0,
    })
    expect(first.exitCode).toBe(0)
    expect(first.last).toMatchObject({ event: 'stopped', lost: 0, duplicate: 0 })
    const before = Number(first.last['in'])
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(3_000)
    expect(await archived()).toHaveLength(before)
    const second = await start(['--once', path])
    expect(second.lines.find(({ event }) => event === 'started')?.['restored']).toBeGreaterThan(0)
    expect(second.last).toMatchObject({ event: 'finished', ...fullyRight(3_000) })
  })

  test('gives up at the second signal, with the exit code of a forced stop, and loses nothing', async () => {
    const path = await input('long.log', numbered(3_000))
    const stop = { signalAfter: ({ event }: Report) => event === 'started', signals: 2 }
    expect((await start(['--once', '--rate', '500', path], stop)).exitCode).toBe(130)
    expect((await start(['--once', path])).last).toMatchObject({ event: 'finished', ...fullyRight(3_000) })
  })

  test('writes nothing more when it is started again after its end', async () => {
    const path = await input('a.log', numbered(10))
    await start(['--once', path])
    const before = await readdir(join(directory, 'out'))
    const again = await start(['--once', path])
    expect(again).toMatchObject({ exitCode: 0, last: { event: 'finished', ...fullyRight(10) } })
    expect(await readdir(join(directory, 'out'))).toEqual(before)
  })

  test('follows files until it is stopped, and finds later what was written meanwhile', async () => {
    const path = await input('growing.log', numbered(5))
    const idle = ({ event, out }: Report): boolean => event === 'progress' && Number(out) >= 5
    expect((await start([path], { signalAfter: idle })).last).toMatchObject({ event: 'stopped', ...fullyRight(5) })
    await writeFile(path, numbered(3, 'later'), { flag: 'a' })
    const more = ({ event, out }: Report): boolean => event === 'progress' && Number(out) >= 8
    const second = await start([path], { signalAfter: more })
    expect(second.last).toMatchObject({ event: 'stopped', ...fullyRight(8) })
  })

  test('reads the text files it finds among the logs, and none else', async () => {
    await input('logs/app.log', numbered(3))
    await input('logs/deep/other', numbered(2))
    await input('logs/binary', Buffer.from([1, 0, 2, 10]))
    await input('logs/old.gz', gzipSync('packed\n'))
    await input('logs/.hidden', 'hidden\n')
    expect((await start(['--once'])).last).toMatchObject({ event: 'finished', ...fullyRight(5) })
  })

  test('makes an access log when there are no logs, once and always the same one', async () => {
    expect((await start(['--once'])).last).toMatchObject({ event: 'finished', ...fullyRight(50_000) })
    const own = join(directory, 'own', 'access.log')
    const { mtimeMs } = await stat(own)
    await start(['--once', '--fresh'])
    expect((await stat(own)).mtimeMs).toBe(mtimeMs)
    expect([...accessLog(100)]).toEqual([...accessLog(200)].slice(0, 100))
    expect([...accessLog(50)].every((line) => /^[1-5]xx$/.test(levelOf(line)))).toBe(true)
  })

  test('reads up to where the files ended at the first start, although they grow', async () => {
    const path = await input('growing.log', numbered(2_000))
    const grow = ({ event, in: read }: Report): void => {
      if (event === 'progress' && Number(read) > 0) writeFileSync(path, numbered(100, 'too late'), { flag: 'a' })
    }
    const { exitCode, last } = await start(['--once', '--rate', '1500', path], { onReport: grow })
    expect(exitCode).toBe(0)
    expect(last).toMatchObject({ event: 'finished', ...fullyRight(2_000) })
    expect((await readFile(path, 'utf8')).length).toBeGreaterThan(numbered(2_000).length)
  })

  test('counts by the number of lines when an input was replaced meanwhile, and names it', async () => {
    const path = await input('rotated.log', numbered(20))
    await start([path], { signalAfter: ({ event, out }) => event === 'progress' && Number(out) >= 20 })
    await rename(path, join(directory, 'rotated.log.1'))
    await input('rotated.log', numbered(1, 'new'))
    const seen = ({ event, out }: Report): boolean => event === 'progress' && Number(out) >= 21
    const { exitCode, last } = await start([path], { signalAfter: seen })
    expect({ exitCode, last }).toMatchObject({ exitCode: 0, last: { ...fullyRight(21), gone: [path] } })
  })
})

describe('its verification', () => {
  const finishedRun = async (): Promise<Plan> => {
    const path = await input('a.log', numbered(50))
    await start(['--once', '--parallelism', '1', path])
    return JSON.parse(await readFile(join(directory, 'state', 'run.json'), 'utf8')) as Plan
  }
  const part = async (): Promise<string> => {
    const [name] = (await readdir(join(directory, 'out'))).filter((found) => found.startsWith('part-'))
    return join(directory, 'out', name ?? '')
  }

  test('finds a line that is missing', async () => {
    const { files, out } = await finishedRun()
    const path = await part()
    await writeFile(path, (await readFile(path, 'utf8')).replace('line 7 INFO\n', ''))
    expect(await verify({ out, files, finished: true })).toMatchObject({ in: 50, out: 49, lost: 1, duplicate: 0 })
  })

  test('finds a line that is there twice', async () => {
    const { files, out } = await finishedRun()
    const path = await part()
    await writeFile(path, 'line 7 INFO\n', { flag: 'a' })
    expect(await verify({ out, files, finished: true })).toMatchObject({ in: 50, out: 51, lost: 0, duplicate: 1 })
  })

  test('finds a line of which one byte is wrong', async () => {
    const { files, out } = await finishedRun()
    const path = await part()
    await writeFile(path, (await readFile(path, 'utf8')).replace('line 7 ', 'line 7_'))
    expect(await verify({ out, files, finished: true })).toMatchObject({ in: 50, out: 50, lost: 1, duplicate: 1 })
  })

  test('finds that a finished job did not read to the end of its input', async () => {
    const { files, out } = await finishedRun()
    const longer = files.map((file) => ({ ...file, size: file.size + 12 }))
    await writeFile(files[0]?.path ?? '', 'not read \nat\n', { flag: 'a' })
    expect(await verify({ out, files: longer, finished: true })).toMatchObject({ in: 52, lost: 2, duplicate: 0 })
    expect(await verify({ out, files: longer, finished: false })).toMatchObject({ in: 50, lost: 0, duplicate: 0 })
  })

  test('fails the program when the results are wrong', async () => {
    await finishedRun()
    const path = await part()
    await writeFile(path, (await readFile(path, 'utf8')).replace('line 7 ', 'line 7_'))
    const { exitCode, last } = await start(['--once', join(directory, 'a.log')])
    expect(exitCode).toBe(1)
    expect(last).toMatchObject({ event: 'finished', in: 50, out: 50, lost: 1, duplicate: 1 })
  })
})

describe('a wrong call of the example', () => {
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, last, stderr } = await start(args)
    expect({ exitCode, event: last['event'], code: last['code'] }).toEqual({
      exitCode: 2,
      event: 'failed',
      code: 'USAGE',
    })
    expect(stderr).toContain('fix: ')
    return String(last['message'])
  }

  test('names every unknown option with the nearest one there is', async () => {
    expect(await refusal('--onec', '--ratee=5')).toMatch(
      /--onec, did you mean --once\?.*--ratee, did you mean --rate\?/,
    )
  })

  test.each([
    [['--rate', 'fast'], /--rate fast is not a number/],
    [['--rate'], /--rate needs a value/],
    [['--parallelism', '0'], /--parallelism 0 is not from 1 to 64/],
    [['--once=yes'], /--once takes no value/],
  ])('%s is refused', async (args, message) => {
    expect(await refusal(...args)).toMatch(message)
  })

  test('with files that do not exist is refused before anything is written', async () => {
    expect(await refusal('--once', join(directory, 'nowhere'))).toContain('there is no file or directory')
    expect(await readdir(directory)).toEqual([])
  })

  test('with other files than the run in the state directory does not mix the two', async () => {
    const [a, b] = [await input('a.log', numbered(3)), await input('b.log', numbered(4))]
    await start(['--once', a])
    expect(await refusal('--once', b)).toMatch(/reads .*a\.log, not .*b\.log/)
    expect(await refusal(a)).toContain('was started with --once')
    expect((await start(['--once', '--fresh', b])).last).toMatchObject({ event: 'finished', ...fullyRight(4) })
  })

  test('with an output directory that has the results of another run says so', async () => {
    const path = await input('a.log', numbered(3))
    await start(['--once', path])
    await rm(join(directory, 'state'), { recursive: true })
    expect(await refusal('--once', path)).toContain('holds the results of another run')
    await cp(join(directory, 'out'), join(directory, 'copy'), { recursive: true })
    await input('out/mine.txt', 'not a result\n')
    expect((await start(['--once', '--fresh', path])).last).toMatchObject({ event: 'finished', ...fullyRight(3) })
    expect(await readdir(join(directory, 'out'))).toContain('mine.txt')
  })

  test('with a state directory that cannot be used says which', async () => {
    const path = await input('a.log', numbered(3))
    expect(await refusal('--once', '--state', path, path)).toContain(`the state cannot be kept in ${path}`)
  })

  test('takes what follows -- for files', () => {
    expect(parseArguments(['--once', '--', '--rate', '-']).paths).toEqual(['--rate', '-'])
  })
})

describe('an error of the job', () => {
  test('is printed with its code and its fix, and decides the exit code', async () => {
    const path = await input('a.log', numbered(2_000))
    const gone = ({ event }: Report): void => {
      if (event === 'started') renameSync(join(directory, 'state', 'checkpoints'), join(directory, 'elsewhere'))
    }
    const { exitCode, last, stderr } = await start(['--once', '--rate', '1000', path], { onReport: gone })
    expect({ exitCode, code: last['code'], event: last['event'] }).toEqual({
      exitCode: 3,
      code: 'FENCED',
      event: 'failed',
    })
    expect(stderr).toMatch(/^✗ FENCED .*\n {2}fix: /)
  })
})

describe('levelOf', () => {
  test.each([
    ['127.0.0.1 - - [1/Jan/2026] "GET /error HTTP/1.1" 503 12', '5xx'],
    ['[Sun Dec 04 04:47:44 2005] [error] mod_jk child', 'ERROR'],
    ['081109 203518 143 INFO dfs.DataNode: Receiving error', 'INFO'],
    ['2026-01-01 WARNING disk nearly full', 'WARN'],
    ['{"level":"debug","msg":"x"}', 'DEBUG'],
    ['<11>Jan  1 host app: text', 'ERROR'],
    ['<190>Jan  1 host app: text', 'INFO'],
    ['kernel panic: not syncing', 'FATAL'],
    ['informational terror', 'OTHER'],
    ['', 'OTHER'],
  ])('of %j is %s', (line, level) => {
    expect(levelOf(line)).toBe(level)
  })
})
