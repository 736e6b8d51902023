import { describe, expect, it } from 'vitest'
import { resolveFilesSourceOptions } from '../../../../src/connectors/files/file-source-options.ts'
import { filesSource } from '../../../../src/connectors/files/index.ts'
import { OptionsError } from '../../../../src/core/index.ts'

const problemsOf = (options: unknown): string => {
  try {
    Reflect.apply(filesSource, undefined, [options])
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError)
    return String(error)
  }
  throw new Error('the options were accepted')
}

describe('the options of filesSource', () => {
  it('have defaults, and cannot be changed later', () => {
    const settings = resolveFilesSourceOptions({ paths: 'logs' })
    expect(settings).toEqual({
      paths: ['logs'],
      include: [],
      exclude: [],
      mode: 'bounded',
      start: 'earliest',
      discoveryMs: 5_000,
      pollMs: 250,
      rotateWaitMs: 5_000,
      lineBytesMax: 16 * 1024 * 1024,
      onLongLine: 'fail',
      onMissing: 'fail',
      allowEmpty: false,
      readBytes: 256 * 1024,
      openFilesMax: 512,
    })
    expect(Object.isFrozen(settings)).toBe(true)
  })

  it('take durations and sizes with units', () => {
    const options = { paths: ['a'], mode: 'tail', pollInterval: '2s', lineBytesMax: '1KiB' } as const
    expect(resolveFilesSourceOptions(options)).toMatchObject({ pollMs: 2_000, lineBytesMax: 1_024 })
  })

  it('are refused with every problem at once, and the name that was meant', () => {
    const message = problemsOf({ path: 'a', mode: 'follow', lineBytesMax: 0, start: 'latest' })
    expect(message).toMatch(/unknown option 'path'; did you mean 'paths'\?/)
    expect(message).toMatch(/'paths' is missing/)
    expect(message).toMatch(/'mode' must be one of 'bounded', 'tail', got "follow"/)
    expect(message).toMatch(/'lineBytesMax' must be a size from 1/)
    expect(message).toMatch(/'start' needs mode: 'tail'/)
  })

  it.each([
    [{ paths: [] }, /'paths' must be/],
    [{ paths: '' }, /'paths' must be/],
    [{ paths: 'a\0b' }, /'paths' must be/],
    [{ paths: '{a,b}'.repeat(12) }, /'paths': .* has more than 1024 alternatives/],
    [{ paths: 'a', mode: 'tail', allowEmpty: true }, /'allowEmpty' is for mode 'bounded'/],
    [{ paths: 'a', pollInterval: '1s', openFilesMax: 3 }, /'pollInterval' needs.*'openFilesMax' needs/],
    [undefined, /must be an object/],
  ])('%j are refused', (options, expected) => {
    expect(problemsOf(options)).toMatch(expected)
  })

  it('open nothing', () => {
    const source = filesSource({ paths: '/nowhere/at/all' })
    expect(source).toMatchObject({ kind: 'files', guarantee: 'exactly-once', boundedness: 'bounded' })
    expect(filesSource({ paths: 'x', mode: 'tail' }).boundedness).toBe('unbounded')
  })
})
