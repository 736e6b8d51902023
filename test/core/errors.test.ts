import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as core from '../../src/core/index.ts'
import {
  asError,
  type ErrorCode,
  errnoOf,
  errorTable,
  InvariantError,
  invariant,
  isMillraceError,
  MillraceError,
  OptionsError,
  SourceError,
  StepError,
} from '../../src/core/index.ts'

type AnyErrorClass = new (code: ErrorCode, details: core.ErrorDetails) => MillraceError

const classNamed = (name: string): AnyErrorClass | undefined =>
  Object.entries(core).find(([exported]) => exported === name)?.[1] as AnyErrorClass | undefined

/** Connectors have classes of their own; their tests are with them. */
const ofConnectors = ['SlsError']
const rows = Object.entries(errorTable).map(([code, row]) => ({ code: code as ErrorCode, ...row }))

describe('the error table', () => {
  test.each(rows.filter((row) => !ofConnectors.includes(row.class)))(
    'has an exported class for $code, which carries remedy and exit code',
    (row) => {
      const Class = classNamed(row.class)
      if (Class === undefined) throw new Error(`${row.class} is not exported`)
      const error = new Class(row.code, { message: 'it broke' })
      expect(error).toBeInstanceOf(MillraceError)
      expect(error).toBeInstanceOf(Error)
      expect(error.name).toBe(row.class)
      expect(error.constructor.name).toBe(row.class)
      expect(error).toMatchObject({
        code: row.code,
        remedy: row.remedy,
        exitCode: row.exitCode,
        fix: row.fix,
        place: {},
      })
      expect(error.message).toBe(`${row.code}: it broke\n  fix: ${row.fix}`)
    },
  )

  test('names every error class that core exports', () => {
    const exported = Object.entries(core)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof MillraceError)
      .map(([name]) => name)
    expect([...new Set(rows.map((row) => row.class as string))].sort()).toEqual([...exported, ...ofConnectors].sort())
  })

  test.each(rows)('says what $code means and what to do, as sentences', ({ summary, fix }) => {
    expect(summary).toMatch(/^[A-Z].*\.$/)
    expect(fix).toMatch(/^[a-z].*[^.]$/)
  })

  test('has exit codes a shell can tell apart from success and from signals', () => {
    for (const { exitCode } of rows) expect([1, 2, 3, 4, 5]).toContain(exitCode)
  })

  test('exits with 2 for what the program must fix, before anything starts', () => {
    for (const { remedy, exitCode } of rows) expect(exitCode === 2).toBe(remedy === 'fix-program')
  })
})

describe('an error', () => {
  const cause = new Error('disk on fire')
  const error = new SourceError('SOURCE_UNAVAILABLE', {
    message: 'the shard cannot be read',
    place: { job: 'slow-paths', step: 'access', subtaskIndex: 0, split: 'shard-3', position: '17', path: undefined },
    fix: 'wait',
    cause,
  })

  test('says code, place, what happened and the fix, in that order', () => {
    expect(error.message).toMatchInlineSnapshot(`
      "SOURCE_UNAVAILABLE (job slow-paths, step access, subtaskIndex 0, split shard-3, position 17): the shard cannot be read
        fix: wait"
    `)
  })

  test('keeps its cause, and has none when none was given', () => {
    expect(error.cause).toBe(cause)
    expect('cause' in new OptionsError('OPTIONS_INVALID', { message: 'm' })).toBe(false)
  })

  test('shows code and fix when it is printed', () => {
    const printed = inspect(error)
    expect(printed).toContain('SOURCE_UNAVAILABLE')
    expect(printed).toContain('fix: wait')
    expect(printed).toContain('disk on fire')
  })
})

describe('isMillraceError', () => {
  test('is true for errors of another copy of the package', () => {
    const foreign = Object.assign(new Error('m'), { code: 'FENCED', remedy: 'stop' })
    expect(isMillraceError(foreign)).toBe(true)
  })

  test.each([
    new Error('plain'),
    Object.assign(new Error('errno'), { code: 'ENOENT' }),
    Object.assign(new Error('errno'), { code: 'ENOENT', remedy: 'stop' }),
    { code: 'FENCED', remedy: 'stop' },
    'FENCED',
    null,
    undefined,
  ])('is false for %o', (value) => {
    expect(isMillraceError(value)).toBe(false)
  })
})

describe('asError', () => {
  test('gives an Error back as it is', () => {
    const error = new TypeError('t')
    expect(asError(error)).toBe(error)
  })

  test.each([
    ['text', /text/],
    [undefined, /undefined/],
    [null, /null/],
    [Symbol('s'), /Symbol\(s\)/],
    [{ a: 1 }, /object/],
  ])('makes an Error of %o', (thrown, message) => {
    expect(asError(thrown)).toBeInstanceOf(Error)
    expect(asError(thrown).message).toMatch(message)
  })

  test('makes an Error even of what cannot be turned into text', () => {
    expect(asError(Object.create(null))).toBeInstanceOf(Error)
    const hostile = {
      toString() {
        throw new Error('no')
      },
    }
    expect(asError(hostile)).toBeInstanceOf(Error)
  })
})

describe('errnoOf', () => {
  test('gives the code of a failed call', () => {
    expect(errnoOf(Object.assign(new Error('m'), { code: 'ENOENT' }))).toBe('ENOENT')
  })

  test('is undefined for anything else', () => {
    expect(errnoOf(new Error('m'))).toBeUndefined()
    expect(errnoOf(Object.assign(new Error('m'), { code: 5 }))).toBeUndefined()
    expect(errnoOf({ code: 'ENOENT' })).toBeUndefined()
  })
})

describe('invariant', () => {
  test('says nothing when it holds', () => {
    expect(() => invariant(true, 'the sun rises')).not.toThrow()
  })

  test('stops the job, with its statement in the positive', () => {
    try {
      invariant(false, 'a split has one owner')
      expect.unreachable()
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(InvariantError)
      expect(thrown).toMatchObject({ code: 'INVARIANT_BROKEN', remedy: 'stop' })
      expect(String(thrown)).toContain('does not hold: a split has one owner')
    }
  })
})

describe('a step error', () => {
  test('is told from another class by its code', () => {
    const error = new StepError('STEP_FAILED', { message: 'm' })
    expect(error).not.toBeInstanceOf(SourceError)
    expect(error.remedy).toBe('restart')
  })
})
