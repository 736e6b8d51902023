// node scripts/run.mjs <what> [arguments]: set-up first, then the program, in this same process: so a signal or a
// kill meant for the program reaches it once and directly, and its exit code is the exit code of the command.
import './node-version.mjs'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, setUpOrExit } from './setup.mjs'

const programs = {
  start: { file: 'dist/examples/main/main.js' },
  example: { file: 'dist/examples/main.js' },
  logservice: { file: 'dist/src/cli/main.js', first: ['logservice'] },
  test: { file: 'node_modules/vitest/vitest.mjs', first: ['run'] },
  check: { file: 'scripts/check.mjs' },
  sim: { file: 'dist/test/simulation/main.js' },
  crash: { file: 'dist/test/crash/main.js' },
  'crash:logservice': { file: 'dist/test/crash/log-service/main.js' },
  'crash:sls': { file: 'dist/test/crash/sls-job/main.js' },
  'test:interop': { file: 'dist/test/interop/main.js' },
  fuzz: { file: 'dist/test/wire/fuzz/main.js' },
  'model:service': { file: 'dist/test/logservice/service-model-main.js' },
  'model:storage': { file: 'dist/test/logservice/storage/model-main.js' },
  bench: { file: 'dist/bench/main.js' },
  consumers: { file: 'dist/test/public/consumers-main.js' },
  docs: { file: 'dist/test/tidy/docs-main.js' },
}

const [what, ...rest] = process.argv.slice(2)
const program = Object.hasOwn(programs, what ?? '') ? programs[what] : undefined
if (program === undefined) {
  process.stderr.write(`node scripts/run.mjs takes one of: ${Object.keys(programs).join(', ')}\n`)
  process.exit(2)
}
const given = rest[0] === '--' ? rest.slice(1) : rest

await setUpOrExit()

const file = join(root, program.file)
if (!existsSync(file)) {
  process.stderr.write(`there is no ${program.file}; its source is missing from this clone\n`)
  process.exit(1)
}
process.argv = [process.execPath, file, ...(program.first ?? []), ...given]
await import(pathToFileURL(file).href)
