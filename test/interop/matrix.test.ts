import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../tidy/source-tree.ts'
import { caseIds } from './cases.ts'
import { drivers } from './drivers.ts'
import { matrixMarkdown } from './matrix.ts'

describe('docs/interop.md', () => {
  test('has the matrix of the cases and drivers, in place of an older one', () => {
    const page = readFileSync(join(root, 'docs', 'interop.md'), 'utf8')
    expect(page, 'replace it: node dist/test/interop/matrix-main.js').toContain(matrixMarkdown())
  })
})

describe('the drivers', () => {
  test('have names of their own', () => {
    const names = drivers.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  test.each(drivers.map((driver) => [driver.name, driver] as const))(
    'a blank of %s cites the section of the protocol paper that says why',
    (_, { blanks }) => {
      const without = Object.entries(blanks).filter(([, why]) => why !== undefined && !/\(§\d+(\.\d+)?/.test(why))
      expect(without).toEqual([])
    },
  )

  test('leave no case blank all together', () => {
    const nobodys = caseIds.filter((id) => drivers.every(({ blanks }) => blanks[id] !== undefined))
    expect(nobodys).toEqual([])
  })
})
