import { asError, errnoOf, type FileSystem, MillraceError, StorageError } from '../../core/index.ts'
import type { Damage } from './stream-table.ts'

/** How a person gets the good part of a damaged directory back. */
export const salvageFix = (directory: string): string =>
  `put the file back from a copy, or stop the service and run: npx millrace logservice salvage --data ${directory} --to <new directory>`

export const isSpaceError = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(errnoOf(thrown) ?? '')

/** The disk refused a write, and nothing of it is left behind. */
export const unavailable = async (fs: FileSystem, thrown: unknown, directory: string): Promise<StorageError> => {
  const cause = asError(thrown)
  const free = await fs.freeBytes(directory).catch(() => undefined)
  const full = isSpaceError(thrown)
  return new StorageError('LOG_STORE_UNAVAILABLE', {
    message: full
      ? `no space is left${free === undefined ? '' : ` (${free} bytes free)`}; nothing was stored: ${cause.message}`
      : `nothing was stored: ${cause.message}`,
    place: { path: directory },
    fix: full
      ? 'free space on that disk, or shorten the retention of a logstore; writing goes on by itself'
      : undefined,
    cause,
  })
}

/** The disk did not confirm a write. What it holds now is known only after it was read again. */
export const unconfirmed = (thrown: unknown, path: string): StorageError => {
  const cause = asError(thrown)
  return new StorageError('LOG_STORE_FAILED', {
    message: `the disk did not confirm a write, so that no later one can be trusted: ${cause.message}`,
    place: { path },
    cause,
  })
}

export const closed = (directory: string): StorageError =>
  new StorageError('LOG_STORE_CLOSED', { message: 'the storage is closed', place: { path: directory } })

/** Stored bytes are not what was written. */
export const corrupt = (path: string, message: string, directory: string): StorageError =>
  new StorageError('LOG_STORE_CORRUPT', { message, place: { path }, fix: salvageFix(directory) })

export const damagedStream = (stream: number, { path, offset, what }: Damage, directory: string): StorageError =>
  new StorageError('LOG_STORE_CORRUPT', {
    message: `stream ${stream} is out of service: ${what}`,
    place: { path, position: String(offset) },
    fix: salvageFix(directory),
  })

export const newerFormat = (path: string, version: number): StorageError =>
  new StorageError('LOG_STORE_NEWER', {
    message: `the file has format ${version}, which this version cannot read`,
    place: { path },
  })

const refusals: Readonly<Record<string, string>> = {
  EACCES: 'give the user of this process permission to read and write it',
  EPERM: 'give the user of this process permission to read and write it',
  EROFS: 'mount the file system for writing, or name a directory on another one',
  ENOTDIR: 'remove the file that is in the place of a directory, or name another directory',
  ENOENT: 'create the directory above it, or name another directory',
  ENAMETOOLONG: 'name a directory with a shorter path',
}

/** A file operation that failed while the storage was opened or read. */
export const readFailure = (thrown: unknown, path: string): MillraceError => {
  if (thrown instanceof MillraceError) return thrown
  const cause = asError(thrown)
  const fix = refusals[errnoOf(thrown) ?? '']
  const details = { message: cause.message, place: { path }, cause }
  return fix === undefined
    ? new StorageError('STORAGE_FAILED', details)
    : new StorageError('STORAGE_REFUSED', { ...details, fix: `${fix}: ${path}` })
}
