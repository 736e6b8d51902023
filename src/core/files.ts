import { errnoOf, StorageError } from './errors.ts'
import type { FileSystem, ReadableFile } from './ports.ts'

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

/** Makes a directory and its missing parents, each name durable. A directory that exists already is fine. */
export const makeDirectories = async (fs: FileSystem, path: string): Promise<void> => {
  try {
    const found = await fs.stat(path)
    if (found.kind === 'directory') return
    throw new StorageError('STORAGE_REFUSED', {
      message: 'a file is in the place of a directory',
      place: { path },
      fix: `remove the file ${path}, or name another directory`,
    })
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  const parent = parentPath(path)
  if (parent !== path && parent !== '.' && parent !== '/') await makeDirectories(fs, parent)
  try {
    await fs.mkdir(path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  await fs.syncDirectory(parent)
}

/** Runs a file operation; a name that is not there is fine. */
export const ignoreMissing = async (operation: Promise<void>): Promise<void> => {
  try {
    await operation
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
