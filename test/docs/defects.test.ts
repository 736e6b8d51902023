import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { atLeastOnceSinkConformance, sinkConformance, sourceConformance } from '../../src/testing/index.ts'
import { root } from '../tidy/source-tree.ts'

/** How many defects each part of the page has: what the study of the other connectors found. */
const parts = {
  'A1.': 13,
  'A2.': 10,
  'A3.': 9,
  'A4.': 3,
  'A5.': 5,
  'A6.': 8,
  'A7.': 9,
  'A8.': 10,
  'A9.': 2,
  R: 23,
} as const

const expectedIds = Object.entries(parts).flatMap(([prefix, count]) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`),
)

const page = readFileSync(join(root, 'docs/defects.md'), 'utf8')

interface Row {
  readonly id: string
  readonly defect: string
  /** What stands in the last cell, one by one. */
  readonly answers: readonly string[]
}

const rowsOf = (text: string): Row[] =>
  [...text.matchAll(/^\| ([AR][\d.]+) \| (.*?) \| (.*) \|$/gm)].map(([, id = '', defect = '', answer = '']) => ({
    id,
    defect,
    answers: answer.split('<br>'),
  }))

const unused = (): never => {
  throw new Error('the checks are not run here')
}

/** Names of checks that a test file takes from a contract. */
const contracts: Readonly<Record<string, () => readonly { readonly name: string }[]>> = {
  'sourceConformance(': () => sourceConformance(unused),
  'sinkConformance(': () => sinkConformance(unused),
  'atLeastOnceSinkConformance(': () => atLeastOnceSinkConformance(unused),
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Whether the text of a test file has a test of that name: as the first argument of a call, or in a contract it runs. */
const hasTest = (text: string, name: string): boolean => {
  const quoted = escaped(name).replaceAll("'", "(?:'|\\\\')")
  if (new RegExp(`(?:\\b(?:test|it)|\\))\\(\\s*(['"\`])${quoted}\\1`).test(text)) return true
  return Object.entries(contracts).some(
    ([call, checks]) =>
      new RegExp(`(?<!\\w)${escaped(call)}`).test(text) && checks().some((check) => check.name === name),
  )
}

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}

/** What is wrong with the answers of a row. */
const problemsOf = ({ id, answers }: Row): string[] => {
  const named = answers.flatMap((answer) => {
    const [, path, name] = /^`(test\/\S+\.test\.ts)` › (.+)$/.exec(answer) ?? []
    return path === undefined || name === undefined ? [] : [{ path, name }]
  })
  const wrong = named.flatMap(({ path, name }) => {
    const text = textOf(path)
    if (text === undefined) return [`${id}: there is no ${path}`]
    return hasTest(text, name) ? [] : [`${id}: ${path} has no test '${name}'`]
  })
  const isArgued = answers.some((answer) => /^(?:Cannot arise|Not here)\b.*: ./.test(answer))
  return named.length > 0 || isArgued ? wrong : [...wrong, `${id}: neither a test nor a reason`]
}

const rows = rowsOf(page)

describe('the page of defects', () => {
  test('has every defect that was found elsewhere, once, in order', () => {
    expect(rows.map(({ id }) => id)).toEqual(expectedIds)
  })

  test('names tests that exist, or says why a defect cannot arise', () => {
    expect(rows.flatMap(problemsOf)).toEqual([])
  })

  test('would be refused with a test that is renamed, a file that is gone, or nothing at all', () => {
    const here = '`test/docs/defects.test.ts`'
    const wrong = [
      `${here} › has every defect that was found elsewhere, once, in order of age`,
      '`test/docs/nowhere.test.ts` › has every defect',
      '`test/conformance/sls-source.test.ts` › conf-S99 is in no contract',
      'we think so',
    ]
    expect(
      problemsOf({
        id: 'A0',
        defect: '',
        answers: [`${here} › has every defect that was found elsewhere, once, in order`],
      }),
    ).toEqual([])
    for (const answer of wrong) expect(problemsOf({ id: 'A0', defect: '', answers: [answer] })).toHaveLength(1)
  })
})
