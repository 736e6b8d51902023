import { describe, expect, test } from 'vitest'
import {
  booleanField,
  byteSizeField,
  checkOptions,
  durationField,
  functionField,
  integerField,
  nearestName,
  nestedField,
  numberField,
  type OptionFieldsOf,
  oneOfField,
  optional,
  optionProblems,
  required,
  textField,
  textListField,
} from '../../src/core/index.ts'

interface Retry {
  readonly attempts: number
  readonly delay?: string | undefined
}

interface Example {
  readonly dir: string
  readonly every?: string | undefined
  readonly size?: string | undefined
  readonly count?: number | undefined
  readonly ratio?: number | undefined
  readonly on?: boolean | undefined
  readonly mode?: string | undefined
  readonly names?: readonly string[] | undefined
  readonly fn?: (() => void) | undefined
  readonly retry?: Retry | undefined
}

const retryFields: OptionFieldsOf<Retry> = {
  attempts: required(integerField(0, 10)),
  delay: optional(durationField()),
}

const fields: OptionFieldsOf<Example> = {
  dir: required(textField('a directory')),
  every: optional(durationField({ minMs: 10, maxMs: 1000 })),
  size: optional(byteSizeField({ min: 1, max: 1024 })),
  count: optional(integerField(1, 9)),
  ratio: optional(numberField(0, 1)),
  on: optional(booleanField()),
  mode: optional(oneOfField('fast', 'safe')),
  names: optional(textListField()),
  fn: optional(functionField()),
  retry: optional(nestedField(retryFields)),
}

const problems = (value: unknown): string[] => optionProblems(fields, value)
const problemOf = (change: object): string[] => problems({ dir: 'd', ...change })

describe('options', () => {
  test('that are all right give no problem', () => {
    const full: Example = {
      dir: 'd',
      every: '1s',
      size: '1KiB',
      count: 9,
      ratio: 0.5,
      on: false,
      mode: 'safe',
      names: ['a'],
      fn: () => {},
      retry: { attempts: 0, delay: '1m' },
    }
    expect(problems(full)).toEqual([])
    expect(problems({ dir: 'd' })).toEqual([])
  })

  test('that are undefined count as absent', () => {
    const none = Object.fromEntries(Object.keys(fields).map((name) => [name, undefined]))
    expect(problems({ ...none, dir: 'd' })).toEqual([])
    expect(problems(none)).toEqual(["'dir' is missing; it must be a directory"])
    expect(problemOf({ retry: { attempts: 1, delay: undefined } })).toEqual([])
  })

  test.each([
    [{ every: '5ms' }, `'every' must be a duration from 10 ms to 1000 ms, such as '5s' or 5000, got "5ms"`],
    [{ every: '2s' }, `'every' must be a duration from 10 ms to 1000 ms, such as '5s' or 5000, got "2s"`],
    [{ every: null }, `'every' must be a duration from 10 ms to 1000 ms, such as '5s' or 5000, got null`],
    [{ size: 0 }, `'size' must be a size from 1 to 1024 bytes, such as '64KiB' or 65536, got 0`],
    [{ count: 0 }, `'count' must be an integer from 1 to 9, got 0`],
    [{ count: 10 }, `'count' must be an integer from 1 to 9, got 10`],
    [{ count: 1.5 }, `'count' must be an integer from 1 to 9, got 1.5`],
    [{ count: '3' }, `'count' must be an integer from 1 to 9, got "3"`],
    [{ count: 3n }, `'count' must be an integer from 1 to 9, got 3`],
    [{ count: Number.NaN }, `'count' must be an integer from 1 to 9, got NaN`],
    [{ ratio: 1.01 }, `'ratio' must be a number from 0 to 1, got 1.01`],
    [{ on: 'yes' }, `'on' must be true or false, got "yes"`],
    [{ mode: 'quick' }, `'mode' must be one of 'fast', 'safe', got "quick"`],
    [{ names: ['a', ''] }, `'names' must be a list of non-empty strings, got a list`],
    [{ fn: 'f' }, `'fn' must be a function, got "f"`],
    [{ dir: '' }, `'dir' must be a directory, got ""`],
    [{ dir: () => {} }, `'dir' must be a directory, got a function`],
    [{ dir: {} }, `'dir' must be a directory, got an object`],
    [{ dir: 'x'.repeat(61).repeat(2).slice(0, 0) }, `'dir' must be a directory, got ""`],
    [{ retry: 'often' }, `'retry' must be an object with options, got "often"`],
    [{ retry: [] }, `'retry' must be an object with options, got a list`],
    [{ retry: null }, `'retry' must be an object with options, got null`],
  ])('%o gives its problem as a sentence', (change, sentence) => {
    expect(problemOf(change)).toEqual([sentence])
  })

  test('show long text cut short', () => {
    expect(problemOf({ mode: 'm'.repeat(100) })).toEqual([
      `'mode' must be one of 'fast', 'safe', got "${'m'.repeat(57)}..."`,
    ])
  })

  test('inside options are named with their path', () => {
    expect(problemOf({ retry: { attempts: 11, dely: '1s' } })).toEqual([
      "unknown option 'retry.dely'; did you mean 'retry.delay'?",
      "'retry.attempts' must be an integer from 0 to 10, got 11",
    ])
    expect(problemOf({ retry: {} })).toEqual(["'retry.attempts' is missing; it must be an integer from 0 to 10"])
  })

  test('that are unknown are refused, with the name that was probably meant', () => {
    expect(problemOf({ evry: '1s' })).toEqual(["unknown option 'evry'; did you mean 'every'?"])
    expect(problemOf({ Dir: 'd' })).toEqual(["unknown option 'Dir'; did you mean 'dir'?"])
    expect(problemOf({ somethingElse: 1 })).toEqual(["unknown option 'somethingElse'"])
  })

  test.each(['constructor', 'toString', 'hasOwnProperty'])('do not know %s from the prototype', (name) => {
    expect(problemOf({ [name]: 1 }).join()).toContain(`unknown option '${name}'`)
  })

  test.each([undefined, null, 'text', 5, [], () => {}])('are an object, not %o', (value) => {
    expect(problems(value)).toHaveLength(1)
    expect(problems(value)[0]).toMatch(/^the options must be an object, got /)
  })

  test('are refused with every problem at once', () => {
    const wrong = { evry: '1s', count: 77, retry: { attempts: -1 } }
    expect(() => checkOptions<Example>('example', fields, wrong)).toThrowErrorMatchingInlineSnapshot(`
      [OptionsError: OPTIONS_INVALID: example: unknown option 'evry'; did you mean 'every'?; 'dir' is missing; it must be a directory; 'count' must be an integer from 1 to 9, got 77; 'retry.attempts' must be an integer from 0 to 10, got -1
        fix: correct the options named in the message]
    `)
  })

  test('that are fine pass the check', () => {
    expect(() => checkOptions<Example>('example', fields, { dir: 'd' })).not.toThrow()
  })
})

describe('nearestName', () => {
  test.each([
    ['paralellism', 'parallelism'],
    ['PARALLELISM', 'parallelism'],
    ['checkpoints', 'checkpoint'],
    ['paral', undefined],
    ['xyz', undefined],
    ['', undefined],
  ])('of %j is %j', (misspelled, meant) => {
    expect(nearestName(misspelled, ['parallelism', 'checkpoint', 'guarantee'])).toBe(meant)
  })

  test('of nothing to choose from is undefined', () => {
    expect(nearestName('a', [])).toBeUndefined()
  })
})
