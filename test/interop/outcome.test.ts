import { describe, expect, test } from 'vitest'
import { type Blanks, caseIds } from './cases.ts'
import { judge, parseReport } from './outcome.ts'

const [first, second, third] = caseIds
if (first === undefined || second === undefined || third === undefined) throw new Error('there are too few cases')
const others: Blanks = Object.fromEntries(caseIds.slice(3).map((id) => [id, 'not asked here (§11)']))
const blanks: Blanks = { ...others, [third]: 'the SDK has no such call (§11)' }

describe('judge', () => {
  test('is content when every required case is green and no other was reported', () => {
    const reports = [
      { case: first, ok: true },
      { case: second, ok: true },
    ]
    expect(judge(reports, blanks, [])).toMatchObject({ problems: [], passed: 2, failed: 0 })
  })

  test('counts a red case with its detail', () => {
    const outcome = judge(
      [
        { case: first, ok: true },
        { case: second, ok: false, detail: 'it said 500' },
      ],
      blanks,
      [],
    )
    expect(outcome).toMatchObject({ problems: [`${second}: it said 500`], passed: 1, failed: 1 })
    expect(outcome.cells.get(second)).toBe('failed')
  })

  test('counts each case that a driver did not come to', () => {
    const outcome = judge([], blanks, ['ended with 1'])
    expect(outcome).toMatchObject({ problems: ['ended with 1', `not reported: ${first}, ${second}`], failed: 3 })
    expect(outcome.cells.get(first)).toBe('missing')
    expect(outcome.cells.get(third)).toBe('blank')
  })

  test('refuses a case that is listed as left out, one told twice, and one nobody knows', () => {
    const reports = [
      { case: first, ok: true },
      { case: first, ok: true },
      { case: second, ok: true },
      { case: third, ok: true },
      { case: 'put-by-pigeon', ok: true },
    ]
    const { problems, passed, failed } = judge(reports, blanks, [])
    expect(problems).toEqual([
      `${first} was reported 2 times`,
      `${third} was reported, but is listed as left out: the SDK has no such call (§11)`,
      'put-by-pigeon is no case of test/interop/cases.ts',
    ])
    expect([passed, failed]).toEqual([1, 3])
  })
})

describe('parseReport', () => {
  test.each([
    ['{"case":"split","ok":true}', { case: 'split', ok: true }],
    ['{"case":"split","ok":false,"detail":"why"}', { case: 'split', ok: false, detail: 'why' }],
    ['{"case":"split","ok":"yes"}', undefined],
    ['{"ok":true}', undefined],
    ['null', undefined],
    ['INFO started', undefined],
  ])('reads %s', (line, report) => {
    expect(parseReport(line)).toEqual(report)
  })

  test('keeps both ends of a long detail', () => {
    const report = parseReport(JSON.stringify({ case: 'split', ok: false, detail: `begin${'x'.repeat(9_000)}end` }))
    expect(report?.detail).toMatch(/^beginx+ … x+end$/)
    expect(report?.detail?.length).toBeLessThan(2_100)
  })
})
