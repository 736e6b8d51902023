// Everything that can be said of the code without running it. Stops at the first failure, with its exit code.
import './node-version.mjs'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npmCommand, root, setUpOrExit } from './setup.mjs'

await setUpOrExit()

const tool = (path, ...args) => [process.execPath, join('node_modules', path), ...args]
const packed = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
process.on('exit', () => rmSync(packed, { recursive: true, force: true }))
const tarball = () => join(packed, readdirSync(packed).find((name) => name.endsWith('.tgz')) ?? 'missing.tgz')

// Biome colours its output even where nobody sees colours.
const plain = process.stdout.isTTY ? [] : ['--colors=off']

const steps = [
  ['format, lint, import order', () => tool('@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', ...plain)],
  ['types', () => tool('typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit')],
  ['promises', () => [process.execPath, join('scripts', 'dropped-promises.mjs'), '.']],
  ['pack', () => [...npmCommand(), 'pack', '--silent', '--pack-destination', packed]],
  ['package (publint)', () => tool('publint/src/cli.js', 'run', tarball(), '--strict')],
  [
    'types of the package (attw)',
    () => tool('@arethetypeswrong/cli/dist/index.js', tarball(), '--profile', 'esm-only'),
  ],
]

/** What these print is worth reading as it comes; the others are heard when they fail. */
const talkative = new Set(['format, lint, import order', 'types'])

for (const [name, command] of steps) {
  const started = Date.now()
  const [program, ...args] = command()
  process.stdout.write(`— ${name}\n`)
  const { status, error, output } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', talkative.has(name) ? 'inherit' : 'pipe', talkative.has(name) ? 'inherit' : 'pipe'],
    shell: program.endsWith('.cmd'),
  })
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`
  if (status !== 0) {
    process.stdout.write(`${(output ?? []).filter(Boolean).join('')}${error?.message ?? ''}\n`)
    process.stdout.write(`✖ ${name} failed after ${took}\n`)
    process.exit(status ?? 1)
  }
  process.stdout.write(`✔ ${name}, ${took}\n`)
}
process.stdout.write('check is clean\n')
