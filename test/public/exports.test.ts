import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../tidy/source-tree.ts'
import { exportedNames } from './exported-names.ts'
import { sourcePaths } from './source-paths.ts'

const paths = sourcePaths(readFileSync(join(root, 'package.json'), 'utf8'))

describe('exports', () => {
  test.each(paths)(
    'of $specifier are the committed ones (npm test -- -u accepts a change)',
    async ({ key, source }) => {
      const names = exportedNames(readFileSync(join(root, source), 'utf8'))
      const file = key === '.' ? 'index' : key.slice(2)
      await expect(`${names.join('\n')}\n`).toMatchFileSnapshot(`exports/${file}.txt`)
    },
  )

  test.each(paths)('of $specifier are there at run time', async ({ source }) => {
    const names = exportedNames(readFileSync(join(root, source), 'utf8')).filter((name) => !name.startsWith('type '))
    const module = (await import(join(root, source))) as object
    expect(Object.keys(module).sort()).toEqual(names)
  })
})

describe('exportedNames', () => {
  test('reads lists, renames and declarations, and tells types from values', () => {
    const text = `
      export { a, type B, c as d } from './a.ts'
      export type { E, F as G } from './b.ts'
      export const h = 1
      export abstract class I {}
      export async function j() {}
      export interface K {}
      export type L = string
      // export { no } from './c.ts'
    `
    expect(exportedNames(text)).toEqual(['I', 'a', 'd', 'h', 'j', 'type B', 'type E', 'type G', 'type K', 'type L'])
  })
})
