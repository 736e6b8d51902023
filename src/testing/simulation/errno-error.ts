const meanings = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'name too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
} as const

export type Errno = keyof typeof meanings

/** A failed file operation of the simulated machine, shaped like Node's own errors. */
export class ErrnoError extends Error {
  readonly code: Errno
  readonly syscall: string
  readonly path: string

  constructor(code: Errno, syscall: string, path: string) {
    super(`${code}: ${meanings[code]}, ${syscall} '${path}'`)
    this.name = 'ErrnoError'
    this.code = code
    this.syscall = syscall
    this.path = path
  }
}
