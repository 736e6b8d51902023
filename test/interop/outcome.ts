/** Compares what a driver reported with what it had to report. */
import { type Blanks, type CaseId, caseIds, requiredCases } from './cases.ts'

export interface Report {
  readonly case: string
  readonly ok: boolean
  readonly detail?: string
}

export type Cell = 'passed' | 'failed' | 'missing' | 'blank'

export interface Outcome {
  readonly cells: ReadonlyMap<CaseId, Cell>
  /** One sentence for each thing that is wrong; empty when all is well. */
  readonly problems: readonly string[]
  readonly passed: number
  readonly failed: number
}

const detailCharsMax = 2_000

/** The beginning and the end of a long text: the end often has the cause. */
const shorten = (text: string): string =>
  text.length <= detailCharsMax ? text : `${text.slice(0, detailCharsMax / 2)} … ${text.slice(-detailCharsMax / 2)}`

/** A driver's line, or undefined when the line is none. */
export const parseReport = (line: string): Report | undefined => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || !('case' in value) || !('ok' in value)) return undefined
  if (typeof value.case !== 'string' || typeof value.ok !== 'boolean') return undefined
  const detail = 'detail' in value && typeof value.detail === 'string' ? shorten(value.detail) : undefined
  return detail === undefined ? { case: value.case, ok: value.ok } : { case: value.case, ok: value.ok, detail }
}

/**
 * @param troubles what went wrong besides the cases, such as an exit code or a time limit; each counts as a failure.
 */
export const judge = (reports: readonly Report[], blanks: Blanks, troubles: readonly string[]): Outcome => {
  const problems = [...troubles]
  const cells = new Map<CaseId, Cell>()
  let passed = 0
  for (const id of caseIds) {
    const [first, ...more] = reports.filter((report) => report.case === id)
    if (first === undefined) cells.set(id, blanks[id] === undefined ? 'missing' : 'blank')
    else if (blanks[id] !== undefined) {
      cells.set(id, 'failed')
      problems.push(`${id} was reported, but is listed as left out: ${blanks[id]}`)
    } else if (more.length > 0) {
      cells.set(id, 'failed')
      problems.push(`${id} was reported ${more.length + 1} times`)
    } else if (first.ok) {
      cells.set(id, 'passed')
      passed += 1
    } else {
      cells.set(id, 'failed')
      problems.push(`${id}: ${first.detail ?? 'failed without a detail'}`)
    }
  }
  const missing = requiredCases(blanks).filter((id) => cells.get(id) === 'missing')
  if (missing.length > 0) problems.push(`not reported: ${missing.join(', ')}`)
  for (const report of reports) {
    if (!caseIds.includes(report.case as CaseId)) problems.push(`${report.case} is no case of test/interop/cases.ts`)
  }
  return { cells, problems, passed, failed: problems.length + Math.max(0, missing.length - 1) }
}
