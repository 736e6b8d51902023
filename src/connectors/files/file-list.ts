import type { FileStat, FileSystem } from '../../core/index.ts'
import { fileSourceError, isAbsence } from './file-source-error.ts'
import { type Glob, type GlobPart, globMatches, isGlob, parseGlob } from './glob.ts'

/** A regular file that was found. */
export interface FoundFile {
  readonly path: string
  readonly fileId: string
  readonly size: number
}

/** What to look for. */
export interface FileFilter {
  /** Files, directories (with all that is below them) and globs. */
  readonly paths: readonly string[]
  /** Only files that match one of these; all when empty. */
  readonly include: readonly Glob[]
  /** Not the files that match, and nothing below the directories that do. */
  readonly exclude: readonly Glob[]
}

/** What a look found. */
export interface FileList {
  /** In order of path. A file of several names is in it once per name. */
  readonly files: readonly FoundFile[]
  /** Paths without a wildcard that name nothing. */
  readonly missing: readonly string[]
  /** Directories and globs without a single file. */
  readonly empty: readonly string[]
}

const statsAtOnce = 32

/**
 * Lists the files there are now. Names that start with a dot are found only when a path says so; links are followed, and
 * a directory is entered once however many links lead to it.
 * @throws SourceError `SOURCE_REFUSED` for what may not be read, `SOURCE_UNAVAILABLE` for failures that may pass.
 */
export const listFiles = async (fs: FileSystem, filter: FileFilter): Promise<FileList> => {
  const files = new Map<string, FoundFile>()
  const missing: string[] = []
  const empty: string[] = []
  for (const path of filter.paths) {
    const walk = new FileWalk(fs, filter.exclude)
    const known = await statOrAbsent(fs, path)
    if (known?.kind === 'file') walk.add(path, known)
    else if (known?.kind === 'directory') await walk.directory(path)
    else if (known !== undefined) throw fileSourceError(notAFile(), path)
    else if (isGlob(path)) await walk.glob(parseGlob(path))
    else missing.push(path)
    const wanted = walk.found.filter((file) => isWanted(filter, file.path))
    if (wanted.length === 0 && !missing.includes(path)) empty.push(path)
    for (const file of wanted) files.set(file.path, file)
  }
  const sorted = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files: sorted, missing, empty }
}

/**
 * The regular files in one directory, not below it. Empty when it is not there.
 * @throws SourceError as `listFiles`.
 */
export const listDirectory = async (fs: FileSystem, directory: string): Promise<readonly FoundFile[]> => {
  const walk = new FileWalk(fs, [])
  await walk.glob({ alternatives: [[{ kind: 'name', name: directory }, anyName]] })
  return walk.found
}

const isWanted = ({ include, exclude }: FileFilter, path: string): boolean =>
  (include.length === 0 || include.some((glob) => globMatches(glob, path))) &&
  !exclude.some((glob) => globMatches(glob, path))

const notAFile = (): Error => Object.assign(new Error('neither a regular file nor a directory'), { code: 'EINVAL' })

const isVisible = (name: string): boolean => !name.startsWith('.')
const anyName: GlobPart = { kind: 'match', matches: () => true, hidden: true }
const visibleName: GlobPart = { kind: 'match', matches: isVisible, hidden: false }

const statOrAbsent = async (fs: FileSystem, path: string): Promise<FileStat | undefined> => {
  try {
    return await fs.stat(path)
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw fileSourceError(error, path)
  }
}

/** A directory as it stands in front of a name: undefined is the working directory, empty the root. */
type Directory = string | undefined

interface Entry {
  readonly name: string
  readonly path: string
  readonly stat: FileStat
}

const pathIn = (directory: Directory, name: string): string => (directory === undefined ? name : `${directory}/${name}`)
const nameOf = (directory: Directory): string => (directory === undefined ? '.' : directory === '' ? '/' : directory)

/** One walk over the directories for one path. */
class FileWalk {
  readonly found: FoundFile[] = []
  readonly #fs: FileSystem
  readonly #exclude: readonly Glob[]
  /** Directories entered, each with the rest of the pattern it was entered for. */
  readonly #entered = new Set<string>()

  constructor(fs: FileSystem, exclude: readonly Glob[]) {
    this.#fs = fs
    this.#exclude = exclude
  }

  add(path: string, { fileId, size }: FileStat): void {
    this.found.push({ path, fileId, size })
  }

  async directory(path: string): Promise<void> {
    await this.#enter(path.replace(/\/+$/, ''), [{ kind: 'any-depth' }, visibleName], 0)
  }

  async glob({ alternatives }: Glob): Promise<void> {
    for (const parts of alternatives) {
      this.#entered.clear()
      await this.#enter(undefined, parts, 0)
    }
  }

  /** @param visible what is in the directory, but for names that start with a dot, when it was listed already */
  async #enter(
    directory: Directory,
    parts: readonly GlobPart[],
    at: number,
    visible?: readonly Entry[],
  ): Promise<void> {
    const part = parts[at]
    if (part === undefined) return
    const last = at === parts.length - 1
    if (part.kind === 'name') {
      const path = pathIn(directory, part.name)
      if (!last) return this.#enter(path, parts, at + 1)
      const found = await statOrAbsent(this.#fs, path)
      if (found?.kind === 'file') this.add(path, found)
      return
    }
    if (!(await this.#firstTime(directory, at))) return
    if (part.kind === 'any-depth') {
      const entries = await this.#entries(directory, isVisible)
      await this.#enter(directory, parts, at + 1, entries)
      for (const { path, stat } of entries) if (stat.kind === 'directory') await this.#enter(path, parts, at)
      return
    }
    const entries =
      visible === undefined || part.hidden
        ? await this.#entries(directory, part.matches)
        : visible.filter((entry) => part.matches(entry.name))
    for (const { path, stat } of entries) {
      if (last && stat.kind === 'file') this.add(path, stat)
      if (!last && stat.kind === 'directory') await this.#enter(path, parts, at + 1)
    }
  }

  /** A link may lead back up: the same directory at the same place of the pattern has nothing new. */
  async #firstTime(directory: Directory, at: number): Promise<boolean> {
    const found = await statOrAbsent(this.#fs, nameOf(directory))
    if (found?.kind !== 'directory') return false
    const key = `${at} ${found.fileId}`
    if (this.#entered.has(key)) return false
    this.#entered.add(key)
    return true
  }

  /** What is in a directory under names that fit. */
  async #entries(directory: Directory, fits: (name: string) => boolean): Promise<Entry[]> {
    const isExcluded = (name: string): boolean =>
      this.#exclude.some((glob) => globMatches(glob, pathIn(directory, name)))
    const names = (await this.#list(nameOf(directory))).filter((name) => fits(name) && !isExcluded(name))
    const entries: Entry[] = []
    for (let start = 0; start < names.length; start += statsAtOnce) {
      const some = names.slice(start, start + statsAtOnce)
      const stats = await Promise.all(some.map((name) => statOrAbsent(this.#fs, pathIn(directory, name))))
      for (const [index, name] of some.entries()) {
        const stat = stats[index]
        if (stat !== undefined) entries.push({ name, path: pathIn(directory, name), stat })
      }
    }
    return entries
  }

  async #list(path: string): Promise<readonly string[]> {
    try {
      return await this.#fs.list(path)
    } catch (error) {
      if (isAbsence(error)) return []
      throw fileSourceError(error, path)
    }
  }
}
