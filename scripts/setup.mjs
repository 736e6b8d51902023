// Makes a fresh clone usable: installs what the lockfile names and compiles what changed. Says nothing when there is
// nothing to do. Uses only what Node brings, because it runs before anything is installed.
import './node-version.mjs'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { withLock } from './lock.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))

const installStamp = join(root, 'node_modules', '.millrace-install')
const buildStamp = join(root, 'dist', '.millrace-build')
const compiled = ['src', 'test', 'examples', 'bench']
const alsoCompiled = ['vitest.config.ts', 'tsconfig.json', 'package.json', 'package-lock.json']

const say = (text) => process.stderr.write(`set-up: ${text}\n`)
const readOrEmpty = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
const sha256 = (text) => createHash('sha256').update(text).digest('hex')

/** Ends set-up with a message for a person; the tool that failed has already said why. */
export class SetupError extends Error {
  constructor(message, exitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Runs a command of set-up. Its output goes to stderr, because stdout belongs to the command the user asked for. */
const runTool = (command, args, nameChild) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: command.endsWith('.cmd') })
    if (child.pid !== undefined) nameChild(child.pid)
    const signals = { SIGINT: 130, SIGTERM: 143 }
    let received
    const forward = (signal) => {
      received = signal
      child.kill(signal)
    }
    for (const signal of Object.keys(signals)) process.on(signal, forward)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const name of Object.keys(signals)) process.off(name, forward)
      if (received !== undefined) reject(new SetupError(`stopped by ${received}`, signals[received]))
      else if (code === 0) resolve()
      else reject(new SetupError(`${args.join(' ')} ended with ${signal ?? code}`, code ?? 1))
    })
  })

/** The npm that runs this script, else the one in PATH, as command and first arguments. */
export const npmCommand = () => {
  const running = process.env.npm_execpath
  if (running !== undefined && /npm-cli\.[cm]?js$/.test(running)) return [process.execPath, running]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

const lockfileHash = () => sha256(readOrEmpty(join(root, 'package-lock.json')))

/** True when npm's own note of what it installed agrees with the lockfile, as after an `npm install` by hand. */
const installedByHand = () => {
  const note = readOrEmpty(join(root, 'node_modules', '.package-lock.json'))
  if (note === '') return false
  try {
    const installed = JSON.parse(note).packages
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const same = Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true
      const there = installed[path]
      return there === undefined ? entry.optional === true : there.integrity === entry.integrity
    })
    return same && Object.keys(installed).every((path) => path in wanted)
  } catch {
    return false
  }
}

const isInstalled = () => {
  const hash = lockfileHash()
  if (readOrEmpty(installStamp) === hash) return true
  if (!installedByHand()) return false
  writeFileSync(installStamp, hash)
  return true
}

const install = async (nameChild) => {
  const started = Date.now()
  say('installing dependencies (npm ci) …')
  rmSync(installStamp, { force: true })
  const [command, ...first] = npmCommand()
  await runTool(
    command,
    [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--loglevel=error'],
    nameChild,
  )
  writeFileSync(installStamp, lockfileHash())
  say(`installed in ${seconds(started)}`)
}

const seconds = (started) => `${((Date.now() - started) / 1000).toFixed(1)} s`

const filesUnder = (directory) =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : []

/** Names, sizes and times of every input of the compiler, in one hash: also a deleted or an older file changes it. */
const sourceHash = () => {
  const sources = compiled.flatMap((folder) => filesUnder(join(root, folder))).filter((path) => path.endsWith('.ts'))
  const inputs = [...sources, ...alsoCompiled.map((name) => join(root, name)).filter(existsSync)]
  const lines = inputs.map((path) => {
    const { size, mtimeMs } = statSync(path)
    return `${relative(root, path)} ${size} ${mtimeMs}`
  })
  return sha256(lines.join('\n'))
}

const isBuilt = () => readOrEmpty(buildStamp) === sourceHash()

/** Removes what the compiler wrote for sources that are gone, so that it is neither run nor published. */
const removeOrphans = () => {
  const dist = join(root, 'dist')
  for (const path of filesUnder(dist)) {
    const source = relative(dist, path).match(/^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/)?.[1]
    if (source !== undefined && !existsSync(join(root, `${source}.ts`))) rmSync(path)
  }
}

const build = async (nameChild) => {
  const started = Date.now()
  const hash = sourceHash()
  say('compiling (tsc) …')
  rmSync(buildStamp, { force: true })
  await runTool(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'], nameChild)
  removeOrphans()
  mkdirSync(join(root, 'dist'), { recursive: true })
  writeFileSync(buildStamp, hash)
  say(`compiled in ${seconds(started)}`)
}

const isReady = () => isInstalled() && isBuilt()

/** Does what is missing, once, however many commands start at the same time. */
export const setUp = async () => {
  if (isReady()) return
  await withLock(
    join(root, '.setup-lock'),
    { onWait: () => say('waiting for another set-up to finish …') },
    async (nameChild) => {
      if (!isInstalled()) await install(nameChild)
      if (!isBuilt()) await build(nameChild)
    },
  )
}

/** `setUp` for a script: a failure becomes a message and an exit code. */
export const setUpOrExit = async () => {
  try {
    await setUp()
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exit(error instanceof SetupError ? error.exitCode : 1)
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await setUpOrExit()
