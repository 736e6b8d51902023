import { errnoOf, StorageError } from './errors.ts'
import type { FileStat, FileSystem, ReadableFile } from './ports.ts'

/** Joins path parts with `/`. */
export const joinPath = (...parts: readonly string[]): string =>
  parts
    .filter((part) => part !== '')
    .join('/')
    .replace(/\/{2,}/g, '/')

/** The directory part of a path; `.` when there is none. */
export const parentPath = (path: string): string => {
  const cut = path.lastIndexOf('/')
  return cut < 0 ? '.' : cut === 0 ? '/' : path.slice(0, cut)
}

const chunkBytes = 1 << 20

/**
 * A whole file.
 * @throws StorageError `STORAGE_FAILED` when it is longer than `bytesMax`; whatever the file system throws.
 */
export const readWhole = async (fs: FileSystem, path: string, bytesMax: number): Promise<Uint8Array> => {
  const file = await fs.open(path)
  try {
    return await readAll(file, path, bytesMax)
  } finally {
    await file.close()
  }
}

const readAll = async (file: ReadableFile, path: string, bytesMax: number): Promise<Uint8Array> => {
  const { size } = await file.stat()
  if (size > bytesMax) {
    throw new StorageError('STORAGE_FAILED', {
      message: `the file has ${size} bytes, more than the ${bytesMax} this reader takes`,
      place: { path },
    })
  }
  const whole = new Uint8Array(size)
  let position = 0
  while (position < size) {
    const bytes = await file.readAt(position, Math.min(chunkBytes, size - position))
    if (bytes.length === 0) break
    whole.set(bytes, position)
    position += bytes.length
  }
  return position === size ? whole : whole.subarray(0, position)
}

/**
 * Makes a directory and its missing parents, each name durable. A directory that exists already is fine; its name is made
 * durable all the same, because the process that made it may have crashed before it was.
 *
 * @throws StorageError `STORAGE_REFUSED` when a file is in its place; whatever the file system throws.
 */
export const makeDirectories = async (fs: FileSystem, path: string): Promise<void> => {
  const kind = await kindAt(fs, path)
  if (kind !== undefined && kind !== 'directory') {
    throw new StorageError('STORAGE_REFUSED', {
      message: 'a file is in the place of a directory',
      place: { path },
      fix: `remove the file ${path}, or name another directory`,
    })
  }
  const parent = parentPath(path)
  if (parent === path || path === '.') return
  await makeDirectories(fs, parent)
  try {
    if (kind === undefined) await fs.mkdir(path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  try {
    await fs.syncDirectory(parent)
  } catch (error) {
    // Directories above one's own may be closed to this process; then it was not this job that made what lies in them.
    if (kind === undefined || errnoOf(error) !== 'EACCES') throw error
  }
}

const kindAt = async (fs: FileSystem, path: string): Promise<FileStat['kind'] | undefined> => {
  try {
    return (await fs.stat(path)).kind
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Runs a file operation; a name that is not there is fine. */
export const ignoreMissing = async (operation: Promise<void>): Promise<void> => {
  try {
    await operation
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
