import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sourcePaths } from '../public/source-paths.ts'
import { root } from '../tidy/source-tree.ts'

interface Block {
  /** Where it stands: `README.md:34`. */
  readonly place: string
  readonly code: string
}

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith('.md'),
)

/** The code blocks of a page that say `ts`. */
const blocksOf = (path: string, text: string): Block[] =>
  [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code = '' }) => ({
    place: `${path}:${text.slice(0, index).split('\n').length + 1}`,
    code,
  }))

const blocks = pages.flatMap((path) => blocksOf(path, readFileSync(join(root, path), 'utf8')))
const planted: Block = {
  place: 'planted',
  code: `import { job } from 'millrace'
import { arraySource, printSink } from 'millrace/memory'
job('wrong', (flow) => flow.from('in', arraySource([1])).map((n) => n.length).to('out', printSink()))
`,
}

let folder: string
let complaints: string[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [index, { code }] of [...blocks, planted].entries()) writeFileSync(join(folder, `block-${index}.ts`), code)
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  const paths = Object.fromEntries(
    sourcePaths(manifest).map(({ specifier, source }) => [specifier, [join(root, source)]]),
  )
  // A block may show a value that it does not use.
  const compilerOptions = { rootDir: '/', noEmit: true, noUnusedLocals: false, paths }
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: [join(folder, '*.ts')], exclude: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    cwd: folder,
  })
  complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the code blocks of the documentation', () => {
  test.each(blocks.map(({ place }, index) => [place, index] as const))('compile as they stand: %s', (_, index) => {
    expect(complaints.filter((line) => line.includes(`block-${index}.ts`))).toEqual([])
  })

  test('are found, and a mistake in one would be', () => {
    expect(blocks.map(({ place }) => place.split(':')[0])).toContain('README.md')
    const others = complaints.filter((line) => !line.includes(`block-${blocks.length}.ts`))
    expect(others).toEqual([])
    expect(complaints.join('\n')).toMatch(/TS2339: Property 'length' does not exist on type 'number'/)
  })
})
