import { asError, DataLossError, errnoOf, isMillraceError, SourceError } from '../../core/index.ts'
import type { FileSplit } from './file-split.ts'

const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])
const refused = new Set(['EACCES', 'EPERM', 'EISDIR', 'EINVAL', 'ENAMETOOLONG', 'ENOTSUP'])

/** The name leads to no file: there is none, or a link leads nowhere. */
export const isAbsence = (error: unknown): boolean => absent.has(errnoOf(error) ?? '')

/** A failed file operation as an error of the source: what may pass is tried again, the rest needs a person. */
export const fileSourceError = (thrown: unknown, path: string): Error => {
  const cause = asError(thrown)
  const errno = errnoOf(thrown)
  if (isMillraceError(thrown) || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return cause
  const details = { message: cause.message, place: { path }, cause }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const fix = 'give the user of this process permission to read it, or take it out with exclude'
    return new SourceError('SOURCE_REFUSED', { ...details, fix })
  }
  if (refused.has(errno)) {
    return new SourceError('SOURCE_REFUSED', { ...details, fix: 'name regular files, directories or globs in paths' })
  }
  if (errno === 'EMFILE' || errno === 'ENFILE') {
    const fix = 'raise the limit of open files (ulimit -n), or lower openFilesMax'
    return new SourceError('SOURCE_UNAVAILABLE', { ...details, fix })
  }
  return new SourceError('SOURCE_UNAVAILABLE', details)
}

/** What is left of a file cannot be read any more. */
export const fileLost = (split: FileSplit, path: string, why: string): DataLossError =>
  new DataLossError('DATA_LOSS', {
    message: `${why}; what follows byte ${split.position} was not read`,
    place: { path, split: split.splitId, position: String(split.position) },
    fix: "put the file back, or accept the loss with onMissing: 'skip'",
  })

/** The file is not the gzip file it looks like. */
export const brokenGzip = (thrown: unknown, split: FileSplit, path: string): SourceError => {
  const cause = asError(thrown)
  return new SourceError('SOURCE_REFUSED', {
    message: `the file cannot be decompressed: ${cause.message}`,
    place: { path, split: split.splitId, position: String(split.position) },
    // The job has begun to read it: neither another file of the name nor exclude changes that.
    fix: "remove the file and accept the loss with onMissing: 'skip', or put a whole one in its place and start afresh with restore: 'none'",
    cause,
  })
}
