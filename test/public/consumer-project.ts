import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packedFiles } from './packed-files.ts'
import { sourcePaths } from './source-paths.ts'

export const resolutions = ['nodenext', 'bundler'] as const

export type Resolution = (typeof resolutions)[number]

/** A project of somebody else that installed millrace: the published files, its dependencies, and nothing of ours. */
export class ConsumerProject {
  readonly folder: string

  /** @param root the repository, with `dist` up to date */
  constructor(root: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'millrace-consumer-'))
    const manifest = readFileSync(join(root, 'package.json'), 'utf8')
    const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> }
    for (const path of packedFiles(root)) {
      cpSync(join(root, path), join(this.folder, 'node_modules/millrace', path))
    }
    // Its users have the types of Node installed too: our declarations name some.
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
      const link = join(this.folder, 'node_modules', name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(join(root, 'node_modules', name), link)
    }
    cpSync(join(root, 'test/public/consumer.ts'), join(this.folder, 'job.ts'))
    const paths = sourcePaths(manifest).map(({ specifier }, index) => `export * as path${index} from '${specifier}'\n`)
    writeFileSync(join(this.folder, 'every-path.ts'), paths.join(''))
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  }

  /** Compiles the project with a compiler's `tsc`, and gives what it says; nothing when all is well. */
  compile(tsc: string, resolution: Resolution): string {
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      types: ['node'],
      module: resolution === 'bundler' ? 'preserve' : 'nodenext',
      moduleResolution: resolution,
      strict: true,
      exactOptionalPropertyTypes: true,
      // Declarations of ours and of our dependencies are checked in full once; it takes ten times as long.
      skipLibCheck: resolution === 'bundler',
      noEmit: true,
    }
    writeFileSync(
      join(this.folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['job.ts', 'every-path.ts'] }),
    )
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [tsc, '-p', this.folder], {
      encoding: 'utf8',
    })
    if (error !== undefined) throw error
    return status === 0 ? '' : `${stdout}${stderr}` || `tsc ended with ${status}`
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
