import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filterGroups } from '../../src/logservice/filter-groups.ts'
import { matchesQuery, parseQueryText, type Query } from '../../src/logservice/query-syntax.ts'
import { encodeLogGroup, viewLogGroup } from '../../src/wire/index.ts'

const parsed = (text: string): Query => {
  const result = parseQueryText(text)
  return result.ok ? result.query : expect.unreachable(result.problem)
}

const matches = (text: string, fields: Readonly<Record<string, string>>): boolean =>
  matchesQuery(parsed(text), (key) => (Object.hasOwn(fields, key) ? fields[key] : undefined))

/** Another way to say what a query means. */
const written = (query: Query): string => {
  const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`
  if (query.kind === 'all') return '*'
  if (query.kind === 'not') return `not (${written(query.of)})`
  if (query.kind !== 'field') return `(${written(query.left)}) ${query.kind.toUpperCase()} (${written(query.right)})`
  if (query.test === 'present') return `${quoted(query.key)}: *`
  return query.test === 'prefix'
    ? `${quoted(query.key)}:${query.value}*`
    : `${quoted(query.key)}:${quoted(query.value)}`
}

const { query } = fc.letrec<{ query: Query; field: Query }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 5 },
    tie('field'),
    fc.constant<Query>({ kind: 'all' }),
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), left: tie('query'), right: tie('query') }),
    fc.record({ kind: fc.constant('not' as const), of: tie('query') }),
  ),
  field: fc.oneof(
    fc.record({
      kind: fc.constant('field' as const),
      key: fc.string({ maxLength: 5 }),
      test: fc.constant('equals' as const),
      value: fc.string({ maxLength: 5 }),
    }),
    fc.record({
      kind: fc.constant('field' as const),
      key: fc.string({ maxLength: 5 }),
      test: fc.constant('prefix' as const),
      value: fc.stringMatching(/^[a-z0-9]{1,5}$/),
    }),
    fc.record({
      kind: fc.constant('field' as const),
      key: fc.string({ maxLength: 5 }),
      test: fc.constant('present' as const),
      value: fc.constant(''),
    }),
  ),
}))

describe('a query', () => {
  test.each([
    ['*', {}, true],
    ['a: 1', { a: '1' }, true],
    ['a: 1', { a: '11' }, false],
    ['a: 1', {}, false],
    ['a:1*', { a: '11' }, true],
    ['a: *', { a: '' }, true],
    ['a: *', { b: '' }, false],
    ['a: "1 2"', { a: '1 2' }, true],
    ['"a b": "say \\"x\\""', { 'a b': 'say "x"' }, true],
    ['not a: 1 and b: 2', { a: '2', b: '2' }, true],
    ['a: 1 or b: 2 and c: 3', { a: '1' }, true],
    ['(a: 1 or b: 2) and c: 3', { a: '1' }, false],
    ['NOT (a: 1 OR b: 2)', {}, true],
    ['and: or and not: not', { and: 'or', not: 'not' }, true],
    ['__tag__:host: h1', { '__tag__:host': 'h1' }, true],
    ['path: /index.html', { path: '/index.html' }, true],
  ])('%s on %j gives %s', (text, fields, result) => {
    expect(matches(text, fields)).toBe(result)
  })

  test.each([
    '',
    'a',
    'a:',
    ': a',
    'a: 1 b: 2',
    'a: 1 and',
    '(a: 1',
    'a: 1)',
    'a > 5',
    '* | where a = 1',
    'a: b*c',
    'a: "x',
    'a: [1 2]: 3',
    'not',
    '__tag__:host',
    `${'('.repeat(200)}*${')'.repeat(200)}`,
    `${'not '.repeat(200)}*`,
    'x'.repeat(5000),
  ])('outside of the subset is refused with a reason: %s', (text) => {
    expect(parseQueryText(text)).toEqual({
      ok: false,
      problem: expect.stringMatching(/; this log service knows only|longer than/),
    })
  })

  test('that is written out is read as the same query', () => {
    fc.assert(
      fc.property(query, (one) => {
        expect(parsed(written(one))).toEqual(one)
      }),
    )
  })

  test('of any text is read or refused, and never throws', () => {
    const word = fc.constantFrom('and', 'or', 'not', '(', ')', ':', '*', '"', 'a', '\\', '|', ' ', '\n', '__tag__')
    fc.assert(
      fc.property(
        fc.array(word).map((words) => words.join('')),
        (text) => typeof parseQueryText(text).ok === 'boolean',
      ),
    )
  })
})

describe('filtered groups', () => {
  test('keep matching logs in order and all that is no log, byte for byte', () => {
    const init = fc.record({
      topic: fc.string(),
      tags: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 }),
      logs: fc.array(
        fc.record({
          time: fc.nat(),
          contents: fc.tuple(fc.constantFrom('a', 'b')).map(([level]) => [['level', level] as const]),
        }),
        { maxLength: 8 },
      ),
    })
    fc.assert(
      fc.property(init, fc.uint8Array({ maxLength: 5 }), (group, extra) => {
        // Field 9, which nobody knows: it must survive.
        const unknown = new Uint8Array([0x4a, extra.length, ...extra])
        const bytes = new Uint8Array([...unknown, ...encodeLogGroup(group), ...unknown])
        const { groups, linesBefore, linesAfter } = filterGroups([bytes], parsed('level: a'))
        const kept = group.logs.filter(({ contents }) => contents[0]?.[1] === 'a')
        expect([linesBefore, linesAfter]).toEqual([group.logs.length, kept.length])
        const expected = new Uint8Array([...unknown, ...encodeLogGroup({ ...group, logs: kept }), ...unknown])
        expect(groups.map((one) => [...one])).toEqual(kept.length === 0 ? [] : [[...expected]])
        for (const one of groups) expect(viewLogGroup(one).logCount).toBe(kept.length)
      }),
    )
  })
})
