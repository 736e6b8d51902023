import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../tidy/source-tree.ts'

export interface Child {
  readonly process: ChildProcessWithoutNullStreams
  /** Everything it wrote to standard output so far. */
  readonly out: () => string
  readonly err: () => string
  /** Resolves once its output holds the text; rejects when it ends without. */
  heard(text: string): Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

export interface CompiledEntry {
  /** Starts a module that may import `./entry/index.js`, in a working directory of its own. */
  start(code: string, directory: string): Promise<Child>
  dispose(): Promise<void>
}

const watch = (child: ChildProcessWithoutNullStreams): Child => {
  let [out, err] = ['', '']
  let look = (): void => {}
  child.stdout.on('data', (data) => {
    out += data
    look()
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  const heard = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (out.includes(text)) resolve()
      }
      look()
      ended.then(() => reject(new Error(`it ended without saying ${text}: ${out}${err}`)), reject)
    })
  return { process: child, out: () => out, err: () => err, heard, ended }
}

/** The sources as JavaScript, because a child process of Node 20 cannot read TypeScript. */
export const compiledEntry = async (): Promise<CompiledEntry> => {
  const target = await mkdtemp(join(tmpdir(), 'millrace-entry-'))
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'))
  const compilerOptions = {
    rootDir: join(root, 'src'),
    outDir: target,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    // Types are checked elsewhere; here they would only cost time.
    noCheck: true,
  }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [join(root, 'src/entry'), join(root, 'src/platform')],
    exclude: [],
  }
  await writeFile(join(target, 'tsconfig.json'), JSON.stringify(config))
  const compiler = watch(spawn(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', target]))
  if ((await compiler.ended).code !== 0) throw new Error(compiler.out())
  let count = 0
  return {
    async start(code, directory) {
      const file = join(target, `child-${count++}.js`)
      await writeFile(file, code)
      await mkdir(directory, { recursive: true })
      return watch(spawn(process.execPath, [file], { cwd: directory }))
    },
    dispose: () => rm(target, { recursive: true, force: true }),
  }
}
