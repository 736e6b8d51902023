import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import type { FileStat, FileSystem, ReadableFile, WritableFile } from '../core/index.ts'

export type FileOperation =
  | 'create'
  | 'append'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'mkdir'
  | 'rmdir'
  | 'syncDirectory'
  | 'read'
  | 'list'

/** `partial` comes between the two halves of an append. */
export type FileOperationPhase = 'before' | 'after' | 'partial'

/** Called around every file operation; `path` is the new name of a rename or link. */
export type FileOperationHook = (name: FileOperation, path: string, phase: FileOperationPhase) => void

export interface NodeFileSystemOptions {
  /** Where a crash test stops the process. Default: none, and then it costs nothing. */
  readonly onOperation?: FileOperationHook | undefined
}

const invalid = (path: string, what: string): Error =>
  Object.assign(new Error(`EINVAL: ${what}, '${path}'`), { code: 'EINVAL', path })

const toFileStat = (found: BigIntStats): FileStat => ({
  kind: found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other',
  size: Number(found.size),
  modifiedMs: Number(found.mtimeNs) / 1e6,
  fileId: `${found.dev}:${found.ino}`,
})

/** Runs an operation between the two calls of the hook. */
type Around = <T>(name: FileOperation, path: string, operation: () => Promise<T>) => Promise<T>

class NodeReadableFile implements ReadableFile {
  readonly #handle: FileHandle
  readonly #path: string
  readonly #around: Around

  constructor(handle: FileHandle, path: string, around: Around) {
    this.#handle = handle
    this.#path = path
    this.#around = around
  }

  readAt(position: number, length: number): Promise<Uint8Array> {
    return this.#around('read', this.#path, async () => {
      // Not from Buffer's pool: who gets the bytes may keep or transfer them.
      const bytes = Buffer.allocUnsafeSlow(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      const read = new Uint8Array(bytes.buffer, 0, filled)
      return filled * 2 < length ? read.slice() : read
    })
  }

  async stat(): Promise<FileStat> {
    return toFileStat(await this.#handle.stat({ bigint: true }))
  }

  sync(): Promise<void> {
    return this.#around('sync', this.#path, () => this.#handle.sync())
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

class NodeWritableFile implements WritableFile {
  readonly #handle: FileHandle
  readonly #path: string
  readonly #around: Around
  readonly #hook: FileOperationHook | undefined
  #size = 0

  constructor(handle: FileHandle, path: string, around: Around, hook: FileOperationHook | undefined) {
    this.#handle = handle
    this.#path = path
    this.#around = around
    this.#hook = hook
  }

  get size(): number {
    return this.#size
  }

  append(bytes: Uint8Array): Promise<void> {
    const hook = this.#hook
    if (hook === undefined) return this.#write(bytes)
    return this.#around('append', this.#path, async () => {
      const half = bytes.length >>> 1
      await this.#write(bytes.subarray(0, half))
      hook('append', this.#path, 'partial')
      await this.#write(bytes.subarray(half))
    })
  }

  truncate(size: number): Promise<void> {
    return this.#around('truncate', this.#path, async () => {
      const fits = Number.isSafeInteger(size) && size >= 0 && size <= this.#size
      // Of a closed file, `truncate` itself says so.
      if (!fits && this.#handle.fd >= 0) {
        throw invalid(this.#path, `a file of ${this.#size} bytes cannot be cut to ${size}`)
      }
      await this.#handle.truncate(size)
      this.#size = size
    })
  }

  sync(): Promise<void> {
    return this.#around('sync', this.#path, () => this.#handle.sync())
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** The kernel may take fewer bytes than given, and says why only when it is asked again. */
  async #write(bytes: Uint8Array): Promise<void> {
    let written = 0
    while (written < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written)
      written += bytesWritten
      this.#size += bytesWritten
    }
  }
}

/** Files of the machine. Paths are relative to the working directory unless they start with `/`. */
export const nodeFileSystem = (options: NodeFileSystemOptions = {}): FileSystem => {
  const hook = options.onOperation
  const around: Around =
    hook === undefined
      ? (_name, _path, operation) => operation()
      : async (name, path, operation) => {
          hook(name, path, 'before')
          const result = await operation()
          hook(name, path, 'after')
          return result
        }
  return {
    create: (path) =>
      around('create', path, async () => {
        // Append mode: the kernel puts every write at the end, whatever was cut or half written before.
        const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_APPEND
        return new NodeWritableFile(await open(path, flags), path, around, hook)
      }),
    open: async (path) => new NodeReadableFile(await open(path, constants.O_RDONLY), path, around),
    stat: async (path) => toFileStat(await stat(path, { bigint: true })),
    // The default order of sort() is by code unit.
    list: (directory) => around('list', directory, async () => (await readdir(directory)).sort()),
    mkdir: (path) => around('mkdir', path, () => mkdir(path)),
    rmdir: (path) => around('rmdir', path, () => rmdir(path)),
    rename: (from, to) => around('rename', to, () => rename(from, to)),
    link: (existing, created) => around('link', created, () => link(existing, created)),
    unlink: (path) => around('unlink', path, () => unlink(path)),
    syncDirectory: (path) =>
      around('syncDirectory', path, async () => {
        const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
        try {
          await directory.sync()
        } finally {
          await directory.close()
        }
      }),
    async freeBytes(path) {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    },
  }
}
