import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorTable } from '../../src/core/index.ts'
import { sourceFilesIn } from '../tidy/source-tree.ts'

const codes = Object.keys(errorTable) as ErrorCode[]
const sources = sourceFilesIn('src')
const tests = sourceFilesIn('test').filter(({ path }) => !['bad-input/error-codes.test.ts'].includes(path))

/** Codes that no test can provoke from outside, each with the reason. */
const unprovoked: Partial<Record<ErrorCode, string>> = {}

const namedIn = (files: typeof sources, name: RegExp): string[] =>
  files.flatMap(({ path, text }) => (name.test(text) ? [path] : []))

describe('every error code', () => {
  test.each(codes)('%s is thrown by the sources and provoked by a test', (code) => {
    expect(namedIn(sources, new RegExp(`'${code}'`)), 'nothing throws it').not.toEqual([])
    const word = new RegExp(`\\b${code}\\b`)
    if (unprovoked[code] === undefined) expect(namedIn(tests, word), 'no test provokes it').not.toEqual([])
    else expect(namedIn(tests, word), 'a test provokes it, so it needs no excuse').toEqual([])
  })

  test('is in the table', () => {
    const table = new Set<string>(codes)
    const thrown = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/Error\(\s*'([A-Z]+(?:_[A-Z]+)+)'/g)].flatMap(([, code = '']) =>
        table.has(code) ? [] : [`${path} throws ${code}`],
      ),
    )
    expect(thrown).toEqual([])
  })
})
