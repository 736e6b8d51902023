import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../tidy/source-tree.ts'
import { ConsumerProject, resolutions } from './consumer-project.ts'
import { packedFiles } from './packed-files.ts'
import { sourcePaths } from './source-paths.ts'

let files: string[]
let consumer: ConsumerProject

beforeAll(() => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs')], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  files = packedFiles(root)
  consumer = new ConsumerProject(root)
})

afterAll(() => consumer?.remove())

describe('the published package', () => {
  test('holds the compiled sources, the sources and four pages, and nothing else', () => {
    const allowed =
      /^(?:dist\/src\/.+\.(?:js|d\.ts|js\.map|d\.ts\.map)|src\/.+\.ts|(?:README|CHANGELOG)\.md|LICENSE|package\.json)$/
    expect(files.filter((path) => !allowed.test(path))).toEqual([])
    expect(files).toEqual(expect.arrayContaining(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']))
  })

  test('holds no tests and no secrets', () => {
    expect(files.filter((path) => /\.test\.|(?:^|\/)\.|\.(?:pem|key|env|log)$/.test(path))).toEqual([])
  })

  test('holds every file that its exports name', () => {
    const named = sourcePaths(readFileSync(join(root, 'package.json'), 'utf8')).flatMap(({ source }) => {
      const compiled = `dist/${source.replace(/\.ts$/, '')}`
      return [`${compiled}.js`, `${compiled}.d.ts`, source]
    })
    expect(named.filter((path) => !files.includes(path))).toEqual([])
  })

  test('holds no compiled file whose source is gone', () => {
    const orphans = files.filter((path) => {
      const source = /^dist\/(src\/.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(path)?.[1]
      return source !== undefined && !files.includes(`${source}.ts`)
    })
    expect(orphans).toEqual([])
  })
})

describe('a project that uses the package', () => {
  test.each(resolutions)('compiles with moduleResolution %s', (resolution) => {
    expect(consumer.compile(join(root, 'node_modules/typescript/bin/tsc'), resolution)).toBe('')
  })
})
