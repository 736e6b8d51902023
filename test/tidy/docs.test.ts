import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { generatedPages } from './docs-tables.ts'
import { root } from './source-tree.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts)

describe('docs', () => {
  test.each(Object.entries(generatedPages()))('%s says what the table in the code says', (path, expected) => {
    expect(read(path), `${path} is stale: run npm run docs and commit it`).toBe(expected)
  })

  test.each(['README.md', 'CONTRIBUTING.md', 'docs/architecture.md'])('%s names only commands that exist', (path) => {
    const named = [...read(path).matchAll(/(?:^|`)(?:SEED=\S+ )?npm (?:run )?([a-z:-]+)/gm)].map(
      ([, name]) => name ?? '',
    )
    const ofNpm = ['ci', 'install']
    expect(named.filter((name) => ![...scripts, ...ofNpm].includes(name))).toEqual([])
  })

  test.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/architecture.md'])(
    '%s links to files that exist',
    (path) => {
      const links = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? '')
      const missing = links.filter((target) => {
        try {
          read(join(path, '..', target))
          return false
        } catch {
          return true
        }
      })
      expect(missing).toEqual([])
    },
  )
})

describe('CONTRIBUTING.md', () => {
  test('has every command of package.json in its tables', () => {
    const text = read('CONTRIBUTING.md')
    const command = (script: string): string =>
      ['start', 'test'].includes(script) ? `npm ${script}` : `npm run ${script}`
    expect(scripts.filter((script) => !text.includes(`\`${command(script)}`))).toEqual([])
  })
})
