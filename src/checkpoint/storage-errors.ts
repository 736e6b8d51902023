import {
  asError,
  errnoOf,
  FencedError,
  type FileSystem,
  MillraceError,
  RestoreError,
  StorageError,
} from '../core/index.ts'

const refusals: Readonly<Record<string, string>> = {
  EACCES: 'give the user of this process permission to read and write it',
  EPERM: 'give the user of this process permission to read and write it',
  EROFS: 'mount the file system for writing, or name a directory on another one',
  ENOTDIR: 'remove the file that is in the place of a directory, or name another directory',
  ENOENT: 'create the directory above it, or name another directory',
  ENAMETOOLONG: 'name a directory with a shorter path',
  ELOOP: 'correct the symbolic links in the path, or name another directory',
}

/** A file operation that failed before the directory was taken: what a person can mend is `STORAGE_REFUSED`. */
export const openFailure = (thrown: unknown, directory: string): MillraceError => {
  if (thrown instanceof MillraceError) return thrown
  const errno = errnoOf(thrown) ?? ''
  const cause = asError(thrown)
  const fix = refusals[errno]
  const details = {
    message: `the checkpoint directory cannot be used: ${cause.message}`,
    place: { path: directory },
    cause,
  }
  return fix === undefined
    ? new StorageError('STORAGE_FAILED', details)
    : new StorageError('STORAGE_REFUSED', { ...details, fix: `${fix}: ${directory}` })
}

/** A file operation that failed while the job runs. A full disk is told with the bytes that are left. */
export const writeFailure = async (fs: FileSystem, thrown: unknown, path: string): Promise<MillraceError> => {
  if (thrown instanceof MillraceError) return thrown
  const cause = asError(thrown)
  const errno = errnoOf(thrown)
  const full = errno === 'ENOSPC' || errno === 'EDQUOT'
  return new StorageError('STORAGE_FAILED', {
    message: full ? `no space is left${await freeText(fs, path)}: ${cause.message}` : cause.message,
    place: { path },
    fix: full ? 'free space on that disk' : undefined,
    cause,
  })
}

const freeText = async (fs: FileSystem, path: string): Promise<string> => {
  try {
    return ` (${await fs.freeBytes(path)} bytes free)`
  } catch {
    return ''
  }
}

/** Another starter was faster: what this one has found is not the newest any more. */
export const lostRace = (job: string, directory: string, what: string): FencedError =>
  new FencedError('FENCED', {
    message: `another process took over while this one started: ${what}`,
    place: { job, path: directory },
  })

/** A file of a published checkpoint is not what it was when it was published. */
export const corruptFile = (path: string, message: string): RestoreError =>
  new RestoreError('CHECKPOINT_CORRUPT', {
    message,
    place: { path },
    fix: `put ${path} back from a copy, or restore an older checkpoint by id with allowRollback: true`,
  })
