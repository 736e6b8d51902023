import type { FileSystem, ReadableFile } from '../../../../src/core/index.ts'

/** What is about to be done. */
export interface FileOperation {
  readonly name: 'open' | 'stat' | 'list' | 'read' | 'fstat' | 'close'
  readonly path: string
  readonly position?: number | undefined
}

/** A file system that tells of each operation right before it: to let others work in between, to count, or to fail. */
export const interruptedFileSystem = (fs: FileSystem, interrupt: (operation: FileOperation) => void): FileSystem => {
  const file = (inner: ReadableFile, path: string): ReadableFile => ({
    readAt: async (position, length) => {
      interrupt({ name: 'read', path, position })
      return inner.readAt(position, length)
    },
    stat: async () => {
      interrupt({ name: 'fstat', path })
      return inner.stat()
    },
    sync: () => inner.sync(),
    close: async () => {
      interrupt({ name: 'close', path })
      return inner.close()
    },
  })
  return {
    ...fs,
    open: async (path) => {
      interrupt({ name: 'open', path })
      return file(await fs.open(path), path)
    },
    stat: async (path) => {
      interrupt({ name: 'stat', path })
      return fs.stat(path)
    },
    list: async (path) => {
      interrupt({ name: 'list', path })
      return fs.list(path)
    },
  }
}
