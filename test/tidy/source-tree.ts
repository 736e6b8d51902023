import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository, whether this file runs from `test` or compiled from `dist/test`. */
export const root = fileURLToPath(
  new URL(import.meta.url.includes('/dist/test/') ? '../../..' : '../..', import.meta.url),
)

export interface SourceFile {
  /** Relative to the folder that was asked for, with `/`. */
  readonly path: string
  readonly text: string
}

/** Every TypeScript file under a folder of the repository, sorted by path. */
export const sourceFilesIn = (folder: string): SourceFile[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({
      path: relative(join(root, folder), path).split(sep).join('/'),
      text: readFileSync(path, 'utf8'),
    }))
