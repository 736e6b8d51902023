import type { StandardSchemaV1 } from '@standard-schema/spec'
import { beforeEach, describe, expect, test } from 'vitest'
import { fileSink, filesSource } from '../../src/connectors/files/index.ts'
import { type Job, job } from '../../src/job/index.ts'
import { allLines, expectGoesOn, linesJob, putInput, written } from './lines-job.ts'
import { expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
  putInput(machine)
})

const schemaOf = (refuse: (line: string) => string | undefined): StandardSchemaV1<string, string> => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const message = refuse(String(value))
      return message === undefined ? { value: String(value) } : { issues: [{ message, path: ['number'] }] }
    },
  },
})
const odd = (line: string): boolean => Number(line.slice(2)) % 100 === 99
const noOdd = schemaOf((line) => (odd(line) ? 'must not end with 99' : undefined))
const even = allLines.filter((line) => !odd(line))

const parsing = (onInvalid: 'fail' | 'skip', schema = noOdd, invalidInRowMax?: number): Job =>
  linesJob({ steps: (lines) => lines.parse(schema, { name: 'checked', onInvalid, invalidInRowMax }) })

describe('a schema that refuses a record', () => {
  test('fails the job by default, with reason, step, split and position', async () => {
    const error = await machine.complaint(linesJob({ steps: (lines) => lines.parse(noOdd, { name: 'checked' }) }))
    expectComplaint(error, {
      code: 'RECORD_INVALID',
      exitCode: 1,
      place: {
        job: 'lines',
        step: 'checked',
        subtaskIndex: 0,
        split: expect.stringMatching(/in\/[abc]\.log/) as unknown as string,
        position: expect.stringMatching(/^\d+$/) as unknown as string,
      },
      message:
        /split in\/[abc]\.log#\d, position \d+.*: the record does not fit the schema: number: must not end with 99/,
      fix: /correct the record or the schema, or divert such records with onInvalid: 'skip' or 'dead-letter'/,
    })
    expect(written(machine).filter(odd)).toEqual([])
    await expectGoesOn(machine, linesJob())
  })

  test('skips it when told, and counts it', async () => {
    const run = await machine.finish(parsing('skip'))
    expect(written(machine)).toEqual(even)
    expect(run.handle?.metrics().sum('millrace_records_in_errors_total', 'checked')).toBe(allLines.length - even.length)
  })

  test('sends it to the dead letters when told, exactly once, also through a kill', async () => {
    const options = {
      checkpoint: { dir: 'ck', every: '20ms' },
      restart: 'none',
      batchRecords: 8,
      deadLetter: fileSink({ dir: 'dead' }),
    } as const
    const dead = job('dead', options, (flow) =>
      flow
        .from('lines', filesSource({ paths: 'in', readBytes: 64 }))
        .map((line) => line.text)
        .parse(noOdd, { name: 'checked', onInvalid: 'dead-letter' })
        .to('out', fileSink({ dir: 'out', format: 'text' })),
    )
    await machine.killAfter(dead, 5)
    await machine.finish(dead)
    expect(written(machine)).toEqual(even)
    const letters = written(machine, 'dead').map((text) => JSON.parse(text) as Record<string, unknown>)
    expect(letters).toHaveLength(allLines.length - even.length)
    for (const letter of letters) {
      expect(letter).toMatchObject({
        step: 'checked',
        reason: 'number: must not end with 99',
        split: expect.stringMatching(/in\/[abc]\.log/),
        position: expect.stringMatching(/^\d+$/),
      })
    }
    expect(new Set(letters.map(({ split, position }) => `${split} ${position}`)).size).toBe(letters.length)
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('boom')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('boom'))],
  ])('that %s has judged nothing: the job fails, also when invalid records are skipped', async (_, refuse) => {
    const validate = (value: unknown): unknown => (value === 'b 200' ? refuse() : { value })
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as StandardSchemaV1<string, string>
    expectComplaint(await machine.complaint(parsing('skip', schema)), {
      code: 'STEP_FAILED',
      exitCode: 1,
      place: { job: 'lines', step: 'checked', subtaskIndex: 0, split: 'in/b.log#2', position: '1090' },
      message: /boom/,
      fix: /./,
    })
    await expectGoesOn(machine, linesJob())
  })

  test('fails the job whatever the policy when too many come in a row: it is the wrong schema', async () => {
    const nothing = schemaOf(() => 'must be a visit')
    const error = await machine.complaint(parsing('skip', nothing, 20))
    expectComplaint(error, {
      code: 'RECORD_INVALID',
      exitCode: 1,
      place: {
        job: 'lines',
        step: 'checked',
        subtaskIndex: 0,
        split: expect.any(String) as unknown as string,
        position: expect.any(String) as unknown as string,
      },
      message: /must be a visit; 21 invalid records in a row, probably a wrong schema/,
      fix: /correct the record or the schema/,
    })
    expect(written(machine)).toEqual([])
  })
})

describe('a partition that is no directory below the output', () => {
  test.each<[string, string, RegExp]>([
    ['leads out with ..', 'a/../../etc', /has a segment '\.\.', which leads out/],
    ['is absolute', '/etc', /is an absolute path/],
    ['has a NUL', 'a\0b', /has a control character/],
    ['is too long as a whole', 'a/'.repeat(700), /is longer than 1024 bytes/],
    ['has too long a name', 'x'.repeat(256), /has a segment longer than 255 bytes/],
    ['is hidden', '.ssh', /has a hidden segment/],
    ['is empty', '', /is empty/],
  ])('because it %s fails the job, and nothing is written there', async (_, partition, message) => {
    const job = (bad: string): Job =>
      linesJob({ sink: { partition: (line) => (line === 'b 200' ? bad : `first=${line[0]}`) } })
    const error = await machine.complaint(job(partition))
    expectComplaint(error, {
      code: 'SINK_REFUSED',
      exitCode: 1,
      place: { step: 'out', subtaskIndex: 0, split: 'in/b.log#2', position: '1090' },
      message,
      fix: /return|encode/,
    })
    const outside = machine.disk.files('').filter(({ path }) => !/^(in|ck|out\/first=[abc])\//.test(path))
    expect(outside.map(({ path }) => path)).toEqual([])
    await expectGoesOn(machine, job('first=b'))
  })
})
