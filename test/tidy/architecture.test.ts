import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importCycles, importOffences, mayImport, packagesOf } from './import-rules.ts'
import { root, sourceFilesIn } from './source-tree.ts'

const files = sourceFilesIn('src')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string
  dependencies: Record<string, string>
}
const builtins = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)])

describe('folders of src', () => {
  test('import each other only in the directions of the table, and only through index.ts', () => {
    expect(importOffences(files)).toEqual([])
  })

  test('have no file that imports itself through others', () => {
    expect(importCycles(files)).toEqual([])
  })

  test('import only packages that users install with millrace', () => {
    const unknown = files.flatMap((file) =>
      packagesOf(file)
        .filter(({ name }) => !builtins.has(name) && !Object.hasOwn(manifest.dependencies, name))
        .map(({ name, line }) => `${file.path}:${line} imports ${name}, which is not in dependencies`),
    )
    expect(unknown).toEqual([])
  })

  test('have a face with explicit names: no export *', () => {
    const stars = files.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => (/^\s*export\s*\*/.test(line) ? [`${path}:${index + 1}`] : [])),
    )
    expect(stars).toEqual([])
  })
})

describe('import rules', () => {
  const offencesOf = (path: string, text: string): string[] => importOffences([{ path, text }])

  test.each([
    ['source/split-reader.ts', "import { x } from '../checkpoint/index.ts'", 'source may import core'],
    ['core/key.ts', "import type { Sink } from '../sink/index.ts'", 'core may import nothing'],
    [
      'runtime/subtask.ts',
      "export { job } from '../job/index.ts'",
      'runtime may import core, source, sink, checkpoint',
    ],
    ['connectors/files/a.ts', "import '../memory/index.ts'", 'connectors/files may import core, source, sink, wire'],
    ['testing/a.ts', "const cli = await import('../cli/index.ts')", 'testing may import'],
    ['testing/a.ts', "import { clock } from '../platform/index.ts'", 'testing may import'],
    ['job/stream.ts', "import { x } from '../core/key.ts'", 'import it from core/index.ts'],
    ['core/key.ts', "import { x } from './index.ts'", 'inside a folder, import the file itself'],
    ['core/key.ts', "import { x } from '../../test/setup.ts'", 'it is outside src'],
    ['utils/a.ts', "import { x } from '../core/index.ts'", 'the folder utils is not in the table'],
  ])('refuse %s with %s', (path, text, why) => {
    expect(offencesOf(path, text)).toEqual([expect.stringContaining(why)])
  })

  test('name the file, the line and the target', () => {
    expect(offencesOf('source/a.ts', "\nimport { x } from '../sink/index.ts'")).toEqual([
      'source/a.ts:2 imports sink/index.ts: source may import core',
    ])
  })

  test.each([
    ['entry/files.ts', "import { nodeFiles } from '../platform/index.ts'"],
    ['connectors/files/source.ts', "import { Source } from '../../source/index.ts'"],
    ['core/key.ts', "import { x } from './ids.ts'"],
    ['core/key.ts', "// import { x } from '../sink/index.ts'\nconst s = \"import '../sink/index.ts'\""],
  ])('allow %s with %s', (path, text) => {
    expect(offencesOf(path, text)).toEqual([])
  })

  test('let only entry, observe and cli import platform', () => {
    const importers = Object.keys(mayImport).filter((folder) => mayImport[folder]?.includes('platform'))
    expect(importers.sort()).toEqual(['cli', 'entry', 'observe'])
  })

  test('find a cycle through several files', () => {
    const cycle = importCycles([
      { path: 'core/a.ts', text: "import { b } from './b.ts'" },
      { path: 'core/b.ts', text: "import type { C } from './c.ts'" },
      { path: 'core/c.ts', text: "export { a } from './a.ts'" },
      { path: 'core/d.ts', text: "import { a } from './a.ts'" },
    ])
    expect(cycle).toEqual(['core/a.ts → core/b.ts → core/c.ts → core/a.ts'])
  })
})
