import { invariant } from '../../src/core/errors.ts'

/** One path a user can import. */
export interface PublicPath {
  /** As in `exports`: `.` or `./files`. */
  readonly key: string
  /** As in an import: `millrace` or `millrace/files`. */
  readonly specifier: string
  /** The file the published one is compiled from, relative to the root of the repository. */
  readonly source: string
}

/** The public paths of a package.json. Throws when an entry does not point to a compiled file of `src`. */
export const sourcePaths = (packageJson: string): PublicPath[] => {
  const { name, exports } = JSON.parse(packageJson) as { name: string; exports: Record<string, unknown> }
  return Object.entries(exports)
    .filter(([key]) => key !== './package.json')
    .map(([key, target]) => {
      const { types, default: file } = target as { types?: string; default?: string }
      const path = file?.match(/^\.\/dist\/(src\/.*)\.js$/)?.[1]
      invariant(path !== undefined && types === `./dist/${path}.d.ts`, `exports["${key}"] names a compiled file of src`)
      return { key, specifier: key.replace(/^\./, name), source: `${path}.ts` }
    })
}
