import { builtinModules } from 'node:module'
import { describe, expect, test } from 'vitest'
import { packagesOf } from './import-rules.ts'
import { outsideUses } from './outside-uses.ts'
import { sourceFilesIn } from './source-tree.ts'

/** These may touch the outside: they are the ports' adapters, or join them with the rest. */
const outer = ['platform', 'entry', 'cli', 'observe', 'testing']
const inner = sourceFilesIn('src').filter(({ path }) => !outer.includes(path.split('/')[0] ?? ''))

describe('production code outside platform, entry, cli, observe and testing', () => {
  test('takes time, chance, the network and the process by argument', () => {
    expect(inner.flatMap(({ path, text }) => outsideUses(text).map((use) => `${path}:${use}`))).toEqual([])
  })

  test('imports nothing of Node', () => {
    const imported = inner.flatMap((file) =>
      packagesOf(file)
        .filter(({ name }) => name.startsWith('node:') || builtinModules.includes(name))
        .map(({ name, line }) => `${file.path}:${line} imports ${name}`),
    )
    expect(imported).toEqual([])
  })
})

describe('outsideUses', () => {
  test.each([
    ['const now = Date.now()', '1 uses Date.now'],
    ['const now = Date\n  .now()', '1 uses Date.now'],
    ['const day = new Date()', '1 uses new Date() without an argument'],
    ['const day = new Date', '1 uses new Date() without an argument'],
    ['const text = Date()', '1 uses Date()'],
    ['setTimeout(async () => {}, 1)', '1 uses setTimeout'],
    ['const later = setTimeout', '1 uses setTimeout'],
    ['type Timer = ReturnType<typeof setInterval>', '1 uses setInterval'],
    ['queueMicrotask(run)', '1 uses queueMicrotask'],
    ['const x = ok ? setImmediate(run) : 0', '1 uses setImmediate'],
    ['globalThis.setTimeout(run)', '1 uses globalThis'],
    ['const n = Math.random()', '1 uses Math.random'],
    ['const id = crypto.randomUUID()', '1 uses crypto.randomUUID'],
    ['const t = performance.now()', '1 uses performance.now'],
    ['const page = await fetch(url)', '1 uses fetch()'],
    ['fetch(url)', '1 uses fetch()'],
    ['const signal = AbortSignal.timeout(5)', '1 uses AbortSignal.timeout'],
    ['console.log(1)', '1 uses console'],
    ['const home = process.env["HOME"]', '1 uses process.env'],
    ['const home = process["env"]', '1 uses process.…'],
    [`const text = \`at \${Date.now()} and \${\`\${Math.random()}\`}\``, '1 uses Date.now'],
    [`const text = \`\${\`\${Math.random()}\`}\``, '1 uses Math.random'],
    ['/* a\n comment */ const ratio = a / b; const c = Date.now() / d', '2 uses Date.now'],
    ['const fs = require("fs")', '1 uses require'],
  ])('reports %s', (text, use) => {
    expect(outsideUses(text)[0]).toBe(use)
  })

  test.each([
    'const day = new Date(wallMs)',
    'clock.setTimeout(run)',
    '// Date.now() and console.log',
    `const text = "Date.now() \`\${fetch(1)}\`"`,
    `const pattern = /console.log(\`\${setTimeout}\`)/`,
    'interface SplitReader {\n  fetch(signal: AbortSignal): Promise<void>\n}',
    'class Reader {\n  async fetch(signal) {\n    return 1\n  }\n}',
    'const batch = await this.#reader.fetch(signal)',
    'stream.process(run).to(sink)',
    'interface Operator {\n  process(batch: Batch): void\n}',
    `const label = \`a \${b ? \`c\` : "d"} Date.now()\``,
    'const ports = { setTimeout: run }',
  ])('lets %s pass', (text) => {
    expect(outsideUses(text)).toEqual([])
  })
})
