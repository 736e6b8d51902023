import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from './source-tree.ts'

const fixture = readFileSync(join(root, 'test/tidy/fixtures/dropped-promises.ts'), 'utf8')
const linesEnding = (pattern: RegExp): number[] =>
  fixture.split('\n').flatMap((line, index) => (pattern.test(line) ? [index + 1] : []))

/** The planted files with the configuration of the repository, in a folder where nothing is ignored. */
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-lint-'))
  cpSync(join(root, 'test/tidy/fixtures'), join(folder, 'src'), { recursive: true })
  cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const tsconfig = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as object
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...tsconfig, include: ['src'] }))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (...args: string[]): { stdout: string; status: number | null } =>
  spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })

const sortedOnce = (lines: readonly (string | undefined)[]): number[] =>
  [...new Set(lines.map(Number))].sort((a, b) => a - b)

describe('a dropped promise', () => {
  test('is reported by Biome with the configuration of the repository', () => {
    const { stdout, status } = run(
      join(root, 'node_modules/@biomejs/biome/bin/biome'),
      'lint',
      '--reporter=github',
      'src',
    )
    const reported = [...stdout.matchAll(/title=lint\/nursery\/no(?:Floating|Misused)Promises,.*?line=(\d+)/g)]
    expect(sortedOnce(reported.map(([, line]) => line))).toEqual(linesEnding(/dropped, biome$/))
    expect(status).not.toBe(0)
  })

  test('is reported by our own check, also where Biome does not know the type', () => {
    const { stdout, status } = run(join(root, 'scripts/dropped-promises.mjs'), folder)
    const reported = [...stdout.matchAll(/^src\/dropped-promises\.ts:(\d+) /gm)]
    expect(sortedOnce(reported.map(([, line]) => line))).toEqual(linesEnding(/dropped(, biome)?$/))
    expect(status).toBe(1)
  })
})
