import type { StandardSchemaV1 } from '@standard-schema/spec'
import { concatMap, map, NEVER, type Observable } from 'rxjs'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Key, StepError } from '../../src/core/index.ts'
import type { JobOptions, Stream } from '../../src/job/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { allLines, expectGoesOn, linesJob, putInput, written } from './lines-job.ts'
import { type Complaint, expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
  putInput(machine)
})

type Steps = (lines: Stream<string>) => Stream<string>

/** The line whose record is refused: in the middle, when much is committed already. */
const poison = 'b 200'
const schemaOf = (validate: (value: unknown) => unknown): StandardSchemaV1<string, string> => ({
  '~standard': { version: 1, vendor: 'test', validate: validate as never },
})
const any = expect.any(String) as unknown as string
const somewhere = { split: any, position: expect.stringMatching(/^\d+$/) as unknown as string }
const boom = (line: string): string => {
  if (line === poison) throw new TypeError('boom')
  return line
}
const rejects = (line: string): Promise<string> =>
  line === poison ? Promise.reject(new TypeError('boom')) : Promise.resolve(line)
const never = new Promise<never>(() => {})

const expectFailure = async (steps: Steps, complaint: Complaint, options: JobOptions = {}): Promise<void> => {
  expectComplaint(await machine.complaint(linesJob({ steps, options })), complaint)
  expect(written(machine)).not.toContain(poison)
  await expectGoesOn(machine, linesJob({ steps: (lines) => corrected(steps, lines), options }))
}

/** The same steps, so that the state still fits, with functions that do what they should. */
const corrected = (steps: Steps, lines: Stream<string>): Stream<string> => {
  repaired = true
  try {
    return steps(lines)
  } finally {
    repaired = false
  }
}
let repaired = false
/** What a step calls: the bad function, or once it was corrected the good one. */
const either = <F>(bad: F, good: F): F => (repaired ? good : bad)
const same = (line: string): string => line

describe("a user's function that throws or rejects", () => {
  const failed = (step: string, place: object = somewhere): Complaint => ({
    code: 'STEP_FAILED',
    exitCode: 1,
    place: { job: 'lines', step, subtaskIndex: 0, ...place },
    message: /TypeError: boom/,
    fix: /correct the function, or let it handle such records/,
  })
  const cases: readonly [string, Steps, Complaint][] = [
    ['map', (lines) => lines.map(either(boom, same), { name: 'odd' }), failed('odd')],
    ['filter', (lines) => lines.filter(either(boom, same), { name: 'odd' }), failed('odd')],
    [
      'flatMap',
      (lines) =>
        lines.flatMap(
          either(
            (line: string) => [boom(line)],
            (line) => [line],
          ),
          { name: 'odd' },
        ),
      failed('odd'),
    ],
    [
      'flatMap, in its iterable',
      (lines) =>
        lines.flatMap(
          either(
            function* (line: string) {
              yield boom(line)
            },
            function* (line: string) {
              yield line
            },
          ),
          { name: 'odd' },
        ),
      failed('odd'),
    ],
    [
      'mapAsync',
      (lines) =>
        lines.mapAsync(
          'odd',
          { concurrency: 3 },
          either(rejects, async (line) => line),
        ),
      failed('odd'),
    ],
    ['rx', (lines) => lines.rx('odd', map(either(boom, same))), failed('odd', {})],
    ['keyBy', (lines) => lines.keyBy(either(boom, same)).reduce('last', '', (_, line) => line), failed('map')],
    [
      'reduce',
      (lines) =>
        lines.keyBy(same).reduce(
          'odd',
          '',
          either(
            (_: string, line: string) => boom(line),
            (_, line) => line,
          ),
        ),
      failed('odd'),
    ],
    [
      'process',
      (lines) =>
        lines.keyBy(same).process('odd', {
          state: { seen: valueState<number>() },
          each: either(
            (line: string) => [boom(line)],
            (line) => [line],
          ),
        }),
      failed('odd'),
    ],
    [
      'split',
      (lines) => {
        const { long, rest } = lines.split({ long: either(boom, same) }, { name: 'odd' })
        return long.union(rest)
      },
      failed('odd'),
    ],
  ]
  test.each(cases)(
    'in %s fails the job with step, split and position, and nothing of its batch is seen',
    async (_, steps, complaint) => {
      await expectFailure(steps, complaint)
    },
  )

  test('is tried again as the restart strategy says, and then the job fails with the cause', async () => {
    const restart = { strategy: 'fixed', attempts: 2, delay: '1s' } as const
    const error = await machine.complaint(linesJob({ steps: (lines) => lines.map(boom), options: { restart } }))
    expectComplaint(error, {
      code: 'JOB_FAILED',
      exitCode: 1,
      place: { job: 'lines' },
      message: /3 failures; the last one: STEP_FAILED .*split in\/b\.log/,
      fix: /correct the function/,
    })
    expect(error.cause).toMatchObject({ code: 'STEP_FAILED', place: { step: 'map-2' } })
    await expectGoesOn(machine, linesJob())
  })

  test('that passes on another try leaves every line exactly once', async () => {
    let left = 2
    const steps: Steps = (lines) =>
      lines.map((line) => {
        if (line === poison && left-- > 0) throw new Error('not yet')
        return line
      })
    const options: JobOptions = { restart: { strategy: 'fixed', attempts: 5, delay: '1s' } }
    await machine.finish(linesJob({ steps, options }))
    expect(written(machine)).toEqual(allLines)
  })
})

describe("a user's function that hangs", () => {
  const cases: readonly [string, Steps][] = [
    [
      'mapAsync',
      (lines) =>
        lines.mapAsync(
          'odd',
          {},
          either(
            (line: string) => (line === poison ? never : Promise.resolve(line)),
            async (line) => line,
          ),
        ),
    ],
    [
      'rx',
      (lines) =>
        lines.rx(
          'odd',
          concatMap(
            either(
              (line: string): Observable<string> | string[] => (line === poison ? NEVER : [line]),
              (line) => [line],
            ),
          ),
        ),
    ],
    [
      'a schema',
      (lines) =>
        lines.parse(
          schemaOf(
            either(
              (line) => (line === poison ? never : { value: line }),
              (value) => ({ value }),
            ),
          ),
          { name: 'odd' },
        ),
    ],
  ]
  test.each(cases)('in %s fails the step after stepTimeout, and is told before', async (_, steps) => {
    await expectFailure(
      steps,
      {
        code: 'STEP_TIMED_OUT',
        exitCode: 1,
        place: { job: 'lines', step: 'odd', subtaskIndex: 0 },
        message: /waited 5\d\d\d ms for/,
        fix: /settle the promise, or raise .*stepTimeout/,
      },
      { stepWarn: '2s', stepTimeout: '5s' },
    )
    expect(machine.log).toContainEqual(expect.objectContaining({ level: 'warn', message: 'a step is slow' }))
  })
})

describe("a user's function that returns nonsense", () => {
  const misused = (step: string, message: RegExp, fix: RegExp, place: object = {}): Complaint => ({
    code: 'STEP_MISUSED',
    exitCode: 1,
    place: { job: 'lines', step, subtaskIndex: 0, ...place },
    message,
    fix,
  })
  const promise = (line: string): unknown => (line === poison ? Promise.resolve(line) : line)
  const useAsync = /make it synchronous, or use \.mapAsync/
  const useIterable = /return an array or another iterable/
  const none = (line: string): string[] => (line === poison ? (7 as never) : [line])
  const list = (line: string): string[] => [line]
  const cases: readonly [string, Steps, Complaint][] = [
    [
      'a promise from map',
      (lines) => lines.map(either(promise as typeof same, same), { name: 'odd' }),
      misused('odd', /map returned a promise/, useAsync),
    ],
    [
      'a promise from filter',
      (lines) => lines.filter(either(promise, same), { name: 'odd' }),
      misused('odd', /filter returned a promise/, useAsync),
    ],
    [
      'a number from flatMap',
      (lines) => lines.flatMap(either(none, list), { name: 'odd' }),
      misused('odd', /flatMap returned number/, useIterable),
    ],
    [
      'a number from process',
      (lines) => lines.keyBy(same).process('odd', { state: { seen: valueState<number>() }, each: either(none, list) }),
      misused('odd', /process returned number/, useIterable),
    ],
    [
      'undefined from reduce',
      (lines) =>
        lines.keyBy(same).reduce(
          'odd',
          '',
          either(
            (_: string, line: string) => (line === poison ? (undefined as never) : line),
            (_, line) => line,
          ),
        ),
      misused('odd', /reduce returned undefined/, /return the new accumulator/),
    ],
  ]
  test.each(cases)('%s is refused with what to return', async (_, steps, complaint) => {
    await expectFailure(steps, complaint)
  })

  test.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /a key that cannot be used: undefined/],
    ['null', null, /a key that cannot be used: null/],
    ['an object', { host: 'a' }, /a key that cannot be used: object/],
    ['a function', () => 1, /a key that cannot be used: function/],
    ['a huge bigint', 2n ** 70n, /a bigint beyond 64 bits/],
  ])('%s as the key of keyBy is refused with its place', async (_, key, message) => {
    const bad = (line: string): Key => (line === poison ? (key as Key) : line)
    await expectFailure(
      (lines) => lines.keyBy(either<(line: string) => Key>(bad, same)).reduce('last', '', (__, line) => line),
      misused('map', message, /return a string, a number, a bigint, a boolean, bytes, or a tuple/, somewhere),
    )
  })

  test('NaN as the key of keyBy is one key', async () => {
    await machine.finish(
      linesJob({
        steps: (lines) =>
          lines
            .keyBy(() => 0 / 0)
            .reduce('count', 0, (count) => count + 1)
            .map((count) => `n ${count}`),
      }),
    )
    expect(written(machine)).toEqual(allLines.map((_, index) => `n ${index + 1}`).sort())
  })

  test.each(['a function', 'a symbol'])(
    '%s put into state fails the job once a checkpoint cannot keep it',
    async (what) => {
      const value: unknown = what === 'a function' ? () => 1 : Symbol('state')
      const bad: Steps = (lines) =>
        lines.keyBy(same).process('odd', {
          state: { kept: valueState<unknown>() },
          each: (line, { state }) => {
            state.kept.set(line === poison ? either(value, 1) : 1)
            return [line]
          },
        })
      const error = await machine.complaint(linesJob({ steps: bad }))
      expect(error).toBeInstanceOf(StepError)
      expectComplaint(error, {
        code: 'STEP_MISUSED',
        exitCode: 1,
        place: { step: 'odd' },
        message: /a state value cannot be stored/,
        fix: /keep plain data in state/,
      })
      await expectGoesOn(
        machine,
        linesJob({
          steps: (lines) =>
            lines.keyBy(same).process('odd', { state: { kept: valueState<unknown>() }, each: (line) => [line] }),
        }),
      )
    },
  )
})
