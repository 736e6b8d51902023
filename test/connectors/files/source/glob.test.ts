import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { globMatches, isGlob, parseGlob } from '../../../../src/connectors/files/glob.ts'

const matches = (pattern: string, path: string): boolean => globMatches(parseGlob(pattern), path)

describe('a glob', () => {
  it.each([
    ['logs/*.log', 'logs/a.log', true],
    ['logs/*.log', 'logs/x/a.log', false],
    ['logs/*.log', 'logs/a.log.1', false],
    ['logs/*.log', 'logs/.log', false],
    ['logs/.*', 'logs/.log', true],
    ['logs/**', 'logs/a/b/c', true],
    ['logs/**', 'logs', false],
    ['logs/**/*.log', 'logs/a.log', true],
    ['logs/**/*.log', 'logs/a/b/c.log', true],
    ['logs/**/b/*.log', 'logs/a/b/c.log', true],
    ['**/a', 'x/y/a', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a?c', 'a\u{1f600}c', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[]]x', ']x', true],
    ['[z-a]x', 'zx', false],
    ['a[x', 'a[x', true],
    ['{a,b{1,2}}.log', 'b2.log', true],
    ['{a,b{1,2}}.log', 'b.log', false],
    ['{a}.log', '{a}.log', true],
    ['{a,b', '{a,b', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['\\{a,b\\}', '{a,b}', true],
    ['a+(b).$', 'a+(b).$', true],
    ['/var/log/*', '/var/log/a', true],
    ['/var/log/*', 'var/log/a', false],
    ['*.gz', 'deep/down/a.gz', true],
    ['deep/*.gz', 'deep/down/a.gz', false],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected)
  })

  it('that quotes every character matches exactly itself', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('/'))
    fc.assert(
      fc.property(name, name, (text, other) => {
        const quoted = Array.from(text, (char) => `\\${char}`).join('')
        expect(matches(quoted, text)).toBe(true)
        expect(matches(quoted, other)).toBe(text === other)
      }),
    )
  })

  it('with names as they are is no glob', () => {
    expect(isGlob('/var/log/a-b_c.log,1')).toBe(false)
    expect(isGlob('/var/log/*')).toBe(true)
  })

  it('with too many alternatives is refused', () => {
    expect(() => parseGlob('{a,b}'.repeat(12))).toThrow(RangeError)
  })
})
