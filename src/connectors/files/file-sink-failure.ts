import { asError, errnoOf, isMillraceError, StorageError } from '../../core/index.ts'

const full: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])
const noHandle: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE'])
const passing: ReadonlySet<string | undefined> = new Set([...full, 'EIO', 'EAGAIN', 'EINTR', 'ENOMEM', 'EBUSY'])
const refused: ReadonlySet<string | undefined> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'ELOOP',
  'ENAMETOOLONG',
])

/** No space, no quota or no file handle left: passes by itself, and nothing is wrong with what was written. */
export const isFull = (error: unknown): boolean => full.has(errnoOf(error))

/** No file handle left. */
export const isOutOfHandles = (error: unknown): boolean => noHandle.has(errnoOf(error))

/** Worth another try of an operation that had no effect. */
export const isPassing = (error: unknown): boolean => passing.has(errnoOf(error))

/** A failed file operation as an error that says what may be done about it; errors of the library stay as they are. */
export const storageError = (thrown: unknown, path: string): Error => {
  if (isMillraceError(thrown)) return thrown
  const cause = asError(thrown)
  const errno = errnoOf(thrown)
  // No errno: not from the file system but, say, the reason of an abort.
  if (errno === undefined) return cause
  if (!refused.has(errno)) {
    return new StorageError('STORAGE_FAILED', { message: cause.message, place: { path }, cause })
  }
  return new StorageError('STORAGE_REFUSED', {
    message: `the directory of the sink cannot be written: ${cause.message}`,
    place: { path },
    fix: `create it and give the user of this process permission to write there, on a disk mounted read-write: mkdir -p ${path} && chmod u+rwx ${path}`,
    cause,
  })
}
