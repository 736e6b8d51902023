/** The table of docs/interop.md, made from the cases and the drivers. */
import { caseIds, cases, type Point, points } from './cases.ts'
import type { Driver } from './driver.ts'
import { drivers } from './drivers.ts'

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** Each reason gets a number, in the order in which the reasons appear. */
export const matrixMarkdown = (columns: readonly Driver[] = drivers): string => {
  const reasons: string[] = []
  const noteOf = (reason: string): string => {
    if (!reasons.includes(reason)) reasons.push(reason)
    return `[${reasons.indexOf(reason) + 1}]`
  }
  const lines = [row(['Case', ...columns.map(({ title }) => title)]), row(['---', ...columns.map(() => ':-:')])]
  let point: Point | undefined
  for (const id of caseIds) {
    const { point: own, sentence } = cases[id]
    if (own !== point) lines.push(row([`**${own}. ${points[own]}**`, ...columns.map(() => '')]))
    point = own
    const cells = columns.map(({ blanks }) => {
      const reason = blanks[id]
      return reason === undefined ? '✓' : noteOf(reason)
    })
    lines.push(row([`${sentence} (\`${id}\`)`, ...cells]))
  }
  const notes = reasons.map((reason, i) => `${i + 1}. ${reason[0]?.toUpperCase()}${reason.slice(1)}.`)
  return [...lines, '', ...notes, ''].join('\n')
}
