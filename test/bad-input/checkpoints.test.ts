import { beforeEach, describe, expect, test } from 'vitest'
import { fileSink, filesSource } from '../../src/connectors/files/index.ts'
import { type Job, type JobOptions, job } from '../../src/job/index.ts'
import { nodeDigest } from '../../src/platform/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { allLines, expectGoesOn, linesJob, putInput, written } from './lines-job.ts'
import { expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
  putInput(machine)
})

interface Names {
  readonly source?: string
  readonly count?: string
  readonly sink?: string
  readonly state?: 'seen' | 'total'
  readonly options?: JobOptions
}

/** Numbers the lines of each file: what is written depends on positions and on keyed state. */
const countingJob = ({ source = 'lines', count = 'count', sink = 'out', state = 'seen', options }: Names = {}): Job => {
  const common: JobOptions = { checkpoint: { dir: 'ck', every: '20ms' }, restart: 'none', batchRecords: 8, ...options }
  return job('count', common, (flow) => {
    flow
      .from(source, filesSource({ paths: 'in', readBytes: 64 }))
      .keyBy((line) => line.text.slice(0, 1))
      .process(count, {
        state: { [state]: valueState<number>() },
        each: (line, context) => {
          const handle = context.state[state]
          const seen = (handle?.get() ?? 0) + 1
          handle?.set(seen)
          return [`${line.text} is ${seen}`]
        },
      })
      .to(sink, fileSink({ dir: 'out', format: 'text' }))
  })
}
const counted = allLines.map((line) => `${line} is ${Number(line.slice(2)) + 1}`).sort()

/** The newest manifest. */
const manifest = (): string => {
  const found = machine.disk.files('ck').filter(({ path }) => /\/ck-\d+$/.test(path))
  return found.at(-1)?.path ?? 'there is none'
}

const parts = (): string[] =>
  machine.disk.files('ck').flatMap(({ path }) => (path.startsWith(manifest()) && path.endsWith('.part') ? [path] : []))

/** Gives a file other bytes, and the way back: to its directory as it is called then. */
const damage = (path: string, change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | undefined): (() => void) => {
  const whole = new Uint8Array(machine.disk.bytes(path) ?? [])
  const replace = (bytes: Uint8Array | undefined): void => {
    const [root = '', generation = '', name = ''] = path.split('/')
    const directory = machine.disk.names(root).find((found) => found.startsWith(generation)) ?? generation
    const place = `${root}/${directory}/${name}`
    if (machine.disk.bytes(place) !== undefined) machine.disk.unlink(place)
    if (bytes !== undefined) machine.disk.put(place, bytes)
  }
  replace(change(new Uint8Array(whole)))
  return () => replace(whole)
}

const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes
}

/** A keyed state that is too large to stand in the manifest. */
const largeJob = (): Job =>
  job('large', { checkpoint: { dir: 'ck', every: '20ms' }, restart: 'none', batchRecords: 8 } as JobOptions, (flow) => {
    flow
      .from('lines', filesSource({ paths: 'in', readBytes: 64 }))
      .keyBy((line) => line.text)
      .reduce('last', '', (_, line) => `${line.text}${' '.repeat(100)}`)
      .map((text) => text.trim())
      .to('out', fileSink({ dir: 'out', format: 'text' }))
  })

describe('a checkpoint of another job', () => {
  test('is refused, naming both jobs, and neither is touched', async () => {
    await machine.killAfter(linesJob(), 4)
    const error = await machine.complaint(linesJob({ name: 'other' }))
    expectComplaint(error, {
      code: 'CHECKPOINT_FOREIGN',
      exitCode: 4,
      place: {
        job: 'other',
        checkpointId: expect.any(Number) as unknown as number,
        path: expect.stringMatching(/^ck\//) as unknown as string,
      },
      message: /belongs to job 'lines', and this is job 'other'/,
      fix: /give job 'other' a checkpoint directory of its own, or name the job 'lines' again/,
    })
    await expectGoesOn(machine, linesJob())
  })
})

describe('a damaged checkpoint', () => {
  const kinds: readonly [string, () => string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | undefined, RegExp][] = [
    [
      'a truncated manifest',
      manifest,
      (bytes) => bytes.subarray(0, -50),
      /the file has \d+ bytes, but says that it has/,
    ],
    [
      'a flipped byte in the manifest',
      manifest,
      (bytes) => flip(bytes, Math.floor(bytes.length / 2)),
      /the CRC-32 of its \d+ bytes is/,
    ],
    ['an empty manifest', manifest, () => new Uint8Array(0), /the file is empty/],
    ['a missing part', () => parts()[0] ?? 'none', () => undefined, /the part is missing; the manifest says/],
    [
      'a short part',
      () => parts()[0] ?? 'none',
      (bytes) => bytes.subarray(0, -1),
      /the part has \d+ bytes; the manifest says/,
    ],
    ['a flipped byte in a part', () => parts()[0] ?? 'none', (bytes) => flip(bytes, 7), /have SHA-256 [0-9a-f]+, not/],
  ]

  test.each(kinds)(
    '%s is refused, never passed over for an older one, and usable when put back',
    async (_, which, change, message) => {
      await machine.killAfter(largeJob(), 5)
      const path = which()
      const mend = damage(path, change)
      const before = written(machine)
      for (let attempt = 0; attempt < 2; attempt++) {
        const error = await machine.complaint(largeJob())
        // A starter that gets as far as the parts has sealed the directory of its predecessor.
        const found = path.replace(/\/(g\d+)\//, path.endsWith('.part') ? '/$1.sealed/' : '/$1/')
        expectComplaint(error, {
          code: 'CHECKPOINT_CORRUPT',
          exitCode: 4,
          place: { path: found },
          message,
          fix: new RegExp(
            `put ${found} back from a copy, or restore an older checkpoint by id with allowRollback: true`,
          ),
        })
      }
      expect(written(machine)).toEqual(before)
      mend()
      await expectGoesOn(machine, largeJob())
    },
  )

  test('can be left for an older one by id, when its output is removed and the rollback allowed', async () => {
    await machine.killAfter(linesJob(), 5)
    const newest = manifest()
    const id = Number(newest.slice(-10)) - 1
    const mend = damage(newest, (bytes) => bytes.subarray(1))
    expect(await machine.complaint(linesJob(), { restore: id })).toMatchObject({ code: 'ROLLBACK_REFUSED' })
    await machine.finish(linesJob(), { restore: id, allowRollback: true })
    expect([...new Set(written(machine))]).toEqual(allLines)
    expect(typeof mend).toBe('function')
  })
})

describe('a checkpoint of a newer version', () => {
  test('is refused with both versions', async () => {
    await machine.killAfter(linesJob(), 4)
    const path = manifest()
    const mend = damage(path, (bytes) => {
      const tail = /,\n {2}"crc32": "[0-9a-f]{8}"\n\}\n$/
      const body = new TextDecoder()
        .decode(bytes)
        .replace(tail, '')
        .replace(/Version": 1/g, 'Version": 9')
      const crc32 = nodeDigest.crc32(new TextEncoder().encode(body)).toString(16).padStart(8, '0')
      return new TextEncoder().encode(`${body},\n  "crc32": "${crc32}"\n}\n`)
    })
    expectComplaint(await machine.complaint(linesJob()), {
      code: 'CHECKPOINT_NEWER',
      exitCode: 4,
      place: { path },
      message: /it has format version 9 and needs a reader of version 9; this program reads up to version 1\n/,
      fix: /run the version that wrote it, or a newer one/,
    })
    mend()
    await expectGoesOn(machine, linesJob())
  })
})

describe('a checkpoint that does not fit the job', () => {
  const refusal = async (changed: Job): Promise<Error> => {
    await machine.killAfter(countingJob(), 5)
    return await machine.complaint(changed)
  }
  const expectMismatch = (error: Error, message: RegExp): void =>
    expectComplaint(error, {
      code: 'CHECKPOINT_MISMATCH',
      exitCode: 4,
      place: { job: 'count', checkpointId: expect.any(Number) as unknown as number },
      message,
      fix: /change the job or the options as each line says/,
    })

  test('changed maxParallelism is refused with the old value', async () => {
    const error = await refusal(countingJob({ options: { maxParallelism: 64 } }))
    expectMismatch(error, /maxParallelism is 64 now and 128 in the checkpoint; .*: set maxParallelism: 128/)
    await expectGoesOn(machine, countingJob(), counted)
  })

  test('a renamed step is refused with a renaming to copy, which works', async () => {
    const renamed = countingJob({ count: 'counting' })
    const error = await refusal(renamed)
    expectMismatch(error, /no operator 'count' .*: renameState: \{ 'count': 'counting' \} or dropState: \['count'\]/)
    const remedy = /renameState: \{ '(\w+)': '(\w+)' \}/.exec(error.message)
    await machine.finish(renamed, { renameState: { [remedy?.[1] ?? '']: remedy?.[2] ?? '' } })
    expect(written(machine)).toEqual(counted)
  })

  test('a renamed source and a renamed sink keep positions and pending output', async () => {
    const renamed = countingJob({ source: 'input', sink: 'output' })
    const error = await refusal(renamed)
    expectMismatch(error, /'lines'.*renameState: \{ 'lines': 'input' \}/s)
    await machine.finish(renamed, { renameState: { lines: 'input', out: 'output' } })
    expect(written(machine)).toEqual(counted)
  })

  test('a removed step is refused with a drop to copy, which works', async () => {
    await machine.killAfter(countingJob(), 5)
    const without = job('count', countingOptions, (flow) => {
      flow
        .from('lines', filesSource({ paths: 'in', readBytes: 64 }))
        .map((line) => line.text)
        .to('out', fileSink({ dir: 'out', format: 'text' }))
    })
    const error = await machine.complaint(without)
    expectMismatch(error, /no operator 'count' for the keyed state.*dropState: \['count'\]/)
    await machine.finish(without, { dropState: ['count'] })
    const lines = written(machine).map((line) => line.replace(/ is \d+$/, ''))
    expect(lines.sort()).toEqual(allLines)
  })

  test('a removed state of a step is refused with a drop to copy, which works', async () => {
    await machine.killAfter(countingJob(), 5)
    const other = countingJob({ state: 'total' })
    const error = await machine.complaint(other)
    expectComplaint(error, {
      code: 'CHECKPOINT_MISMATCH',
      exitCode: 4,
      place: { step: 'count' },
      message: /keeps states that the step does not declare: seen \(value\)/,
      fix: /declare them again with the same kind, or accept the loss with dropState: \['count\/seen'\]/,
    })
    await machine.finish(other, { dropState: ['count/seen'] })
    const lines = written(machine).map((line) => line.replace(/ is \d+$/, ''))
    expect(lines.sort()).toEqual(allLines)
  })

  test('a renaming of nothing is told with the name that was probably meant', async () => {
    await machine.killAfter(countingJob(), 5)
    await machine.finish(countingJob(), { renameState: { coun: 'count' } })
    expect(written(machine)).toEqual(counted)
    const told = machine.log.filter(({ level }) => level === 'warn').map(({ fields }) => JSON.stringify(fields))
    expect(told.join()).toMatch(/'coun' has no state in the checkpoint; did you mean 'count'\?/)
  })
})

const countingOptions: JobOptions = { checkpoint: { dir: 'ck', every: '20ms' }, restart: 'none', batchRecords: 8 }

describe('an older checkpoint', () => {
  test('is refused with the ids whose output would be written again', async () => {
    await machine.killAfter(linesJob(), 5)
    const newest = Number(manifest().slice(-10))
    expectComplaint(await machine.complaint(linesJob(), { restore: newest - 1 }), {
      code: 'ROLLBACK_REFUSED',
      exitCode: 4,
      place: { checkpointId: newest - 1, path: expect.stringMatching(/^ck\//) as unknown as string },
      message: new RegExp(`checkpoint ${newest - 1} is older than ${newest}`),
      fix: new RegExp(
        `remove the output that came after checkpoint ${newest - 1}, then restore with allowRollback: true`,
      ),
    })
    await expectGoesOn(machine, linesJob())
  })

  test('is restored when that is allowed, and then the output is written again as announced', async () => {
    await machine.killAfter(linesJob(), 5)
    const newest = Number(manifest().slice(-10))
    await machine.finish(linesJob(), { restore: newest - 1, allowRollback: true })
    expect([...new Set(written(machine))]).toEqual(allLines)
  })

  test('that does not exist is refused with those that do', async () => {
    await machine.killAfter(linesJob(), 4)
    expectComplaint(await machine.complaint(linesJob(), { restore: 4_711 }), {
      code: 'CHECKPOINT_NOT_FOUND',
      exitCode: 4,
      place: { job: 'lines' },
      message: /there is no checkpoint 4711; there are \d+/,
      fix: /restore one of \d+.*, or 'latest'/,
    })
    expectComplaint(await machine.complaint(linesJob(), { restore: 'nowhere' }), {
      code: 'CHECKPOINT_NOT_FOUND',
      exitCode: 4,
      place: { job: 'lines', path: 'nowhere' },
      message: /no such directory/,
      fix: /restore one of its ids, 'latest' or 'none'/,
    })
    await expectGoesOn(machine, linesJob())
  })
})
