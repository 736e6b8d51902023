import { posix } from 'node:path'
import { importsOf } from './source-text.ts'
import type { SourceFile } from './source-tree.ts'

const everything = [
  'core',
  'wire',
  'source',
  'sink',
  'checkpoint',
  'runtime',
  'job',
  'connectors',
  'logservice',
  'platform',
  'testing',
  'observe',
  'cli',
  'entry',
]

/** Which folder of `src` may import which. This table is the architecture; docs/architecture.md explains it. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  wire: ['core'],
  source: ['core'],
  sink: ['core'],
  checkpoint: ['core'],
  runtime: ['core', 'source', 'sink', 'checkpoint'],
  job: ['core', 'source', 'sink', 'checkpoint', 'runtime'],
  connectors: ['core', 'source', 'sink', 'wire'],
  logservice: ['core', 'wire'],
  platform: ['core'],
  testing: everything.filter((folder) => folder !== 'cli' && folder !== 'platform'),
  observe: everything,
  cli: everything,
  entry: everything,
}

const layerOf = (path: string): string => path.split('/')[0] ?? ''
/** The folder with one public face: each connector has its own. */
const folderOf = (path: string): string =>
  path
    .split('/')
    .slice(0, layerOf(path) === 'connectors' ? 2 : 1)
    .join('/')

const edgesOf = (file: SourceFile): { target: string; line: number }[] =>
  importsOf(file.text)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier, line }) => ({ target: posix.join(posix.dirname(file.path), specifier), line }))

/** Imports that the table forbids, or that go around the face of a folder; one line each. */
export const importOffences = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) =>
    edgesOf(file).flatMap(({ target, line }) => {
      const [from, to] = [folderOf(file.path), folderOf(target)]
      const offence = (why: string): string[] => [`${file.path}:${line} imports ${target}: ${why}`]
      if (target.startsWith('../')) return offence('it is outside src')
      const face = `${to}/index.ts`
      if (from === to) {
        return target === face ? offence('inside a folder, import the file itself') : []
      }
      const allowed = mayImport[layerOf(file.path)]
      if (allowed === undefined) return offence(`the folder ${layerOf(file.path)} is not in the table`)
      if (!allowed.includes(layerOf(target))) return offence(`${from} may import ${allowed.join(', ') || 'nothing'}`)
      // Every file of entry is the face of one exports path.
      return target === face || to === 'entry' ? [] : offence(`import it from ${face}`)
    }),
  )

/** Cycles of files that import each other, types included; each once, as `a.ts → b.ts → a.ts`. */
export const importCycles = (files: readonly SourceFile[]): string[] => {
  const targets = new Map(files.map((file) => [file.path, edgesOf(file).map(({ target }) => target)]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      cycles.push([...trail.slice(start), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of targets.keys()) visit(path, [])
  return cycles
}

/** Packages a file imports, by name: `@scope/name` or `name`; `node:` modules as they are written. */
export const packagesOf = (file: SourceFile): { name: string; line: number }[] =>
  importsOf(file.text)
    .filter(({ specifier }) => !specifier.startsWith('.'))
    .map(({ specifier, line }) => {
      const parts = specifier.split('/')
      const length = specifier.startsWith('@') ? 2 : 1
      return { name: specifier.startsWith('node:') ? specifier : parts.slice(0, length).join('/'), line }
    })
