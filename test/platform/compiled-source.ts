import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface CompiledSource {
  /** Runs a module of its own, which may import `./platform/index.js`, until it ends or is killed. */
  run(code: string, environment?: Readonly<Record<string, string>>): Promise<ChildEnd>
  /** An empty place for files of the child. */
  readonly directory: string
  dispose(): Promise<void>
}

export interface ChildEnd {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

const ended = (child: ChildProcessWithoutNullStreams): Promise<ChildEnd> => {
  const text = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    text.out += data
  })
  child.stderr.on('data', (data) => {
    text.err += data
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...text }))
  })
}

/** `src/core` and `src/platform` as JavaScript, because a child process of Node 20 cannot read TypeScript. */
export const compiledSource = async (): Promise<CompiledSource> => {
  const target = await mkdtemp(join(tmpdir(), 'millrace-compiled-'))
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'))
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      rootDir: join(root, 'src'),
      outDir: target,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      // Types are checked elsewhere; here they would only cost time.
      noCheck: true,
    },
    include: [join(root, 'src/platform')],
    exclude: [],
  }
  await writeFile(join(target, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const compiled = await ended(spawn(process.execPath, [compiler, '-p', target]))
  if (compiled.code !== 0) throw new Error(compiled.out)
  const directory = join(target, 'files')
  await mkdir(directory)
  let count = 0
  return {
    directory,
    async run(code, environment = {}) {
      const file = join(target, `child-${count++}.js`)
      await writeFile(file, code)
      const child = spawn(process.execPath, [file], { cwd: directory, env: { ...process.env, ...environment } })
      return ended(child)
    },
    dispose: () => rm(target, { recursive: true }),
  }
}
