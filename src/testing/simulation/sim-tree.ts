import { ErrnoError } from './errno-error.ts'
import { type DirectoryNode, newDirectory, type SimNode } from './sim-node.ts'

/** What every process sees, or what is sure to survive a power loss. */
export type DiskView = 'volatile' | 'durable'

/** A file as a test looks at it, past every process. */
export interface FileView {
  /** Normalised: without a leading slash. */
  readonly path: string
  readonly fileId: string
  readonly size: number
  /** Grows whenever the bytes change. */
  readonly version: number
  /** To look at, not to keep or change. */
  bytes(): Uint8Array
}

/** Where a name stands or would stand. The name is empty for the root. */
export interface Place {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: SimNode | undefined
}

const nameBytesMax = 255

/** The parts of a path; `.` and empty parts mean nothing, and the root is the working directory. */
export const pathParts = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')

export const normalPath = (path: string): string => pathParts(path).join('/')

const tooLong = (name: string): boolean => name.length * 3 > nameBytesMax && Buffer.byteLength(name) > nameBytesMax

/** The directories of a simulated disk, and the ways to find something in them. */
export class SimTree {
  readonly root: DirectoryNode
  readonly #diskName: string

  constructor(diskName: string, nowMs: number) {
    this.#diskName = diskName
    this.root = newDirectory(1, nowMs)
    this.root.names = 1
    this.root.diskNames = 1
  }

  fileId(node: SimNode): string {
    return `${this.#diskName}:${node.id}`
  }

  /** @throws ErrnoError `ENOENT`, `ENOTDIR` or `ENAMETOOLONG`, as Linux would. */
  node(syscall: string, path: string): SimNode {
    if (path === '') throw new ErrnoError('ENOENT', syscall, path)
    return this.#walk(syscall, path, pathParts(path))
  }

  directory(syscall: string, path: string): DirectoryNode {
    const node = this.node(syscall, path)
    if (node.kind !== 'directory') throw new ErrnoError('ENOTDIR', syscall, path)
    return node
  }

  place(syscall: string, path: string): Place {
    if (path === '') throw new ErrnoError('ENOENT', syscall, path)
    const parts = pathParts(path)
    const name = parts.pop() ?? ''
    const directory = this.#walk(syscall, path, parts)
    if (directory.kind !== 'directory') throw new ErrnoError('ENOTDIR', syscall, path)
    if (tooLong(name)) throw new ErrnoError('ENAMETOOLONG', syscall, path)
    return { directory, name, node: directory.entries.get(name) }
  }

  /** What a path names; undefined instead of an error. */
  find(path: string, view: DiskView): SimNode | undefined {
    let node: SimNode | undefined = this.root
    for (const part of pathParts(path)) {
      if (node?.kind !== 'directory') return undefined
      node = entriesOf(node, view).get(part)
    }
    return node
  }

  names(directory: string, view: DiskView): string[] {
    const node = this.find(directory, view)
    return node?.kind === 'directory' ? [...entriesOf(node, view).keys()].sort() : []
  }

  files(directory: string, view: DiskView): FileView[] {
    const found: FileView[] = []
    const visit = (node: SimNode | undefined, path: string): void => {
      if (node?.kind === 'file') {
        const content = node.content
        const bytes = (): Uint8Array => (view === 'volatile' ? content.volatile() : content.durable())
        const size = view === 'volatile' ? content.size : bytes().length
        found.push({ path, fileId: this.fileId(node), size, version: content.version, bytes })
      } else if (node !== undefined) {
        const entries = entriesOf(node, view)
        for (const name of [...entries.keys()].sort()) visit(entries.get(name), path === '' ? name : `${path}/${name}`)
      }
    }
    visit(this.find(directory, view), normalPath(directory))
    return found
  }

  bytes(path: string, view: DiskView): Uint8Array | undefined {
    const node = this.find(path, view)
    if (node?.kind !== 'file') return undefined
    return view === 'volatile' ? node.content.volatile() : node.content.durable()
  }

  #walk(syscall: string, path: string, parts: readonly string[]): SimNode {
    let node: SimNode = this.root
    for (const part of parts) {
      if (node.kind !== 'directory') throw new ErrnoError('ENOTDIR', syscall, path)
      if (tooLong(part)) throw new ErrnoError('ENAMETOOLONG', syscall, path)
      const next = node.entries.get(part)
      if (next === undefined) throw new ErrnoError('ENOENT', syscall, path)
      node = next
    }
    return node
  }
}

const entriesOf = (node: DirectoryNode, view: DiskView): Map<string, SimNode> =>
  view === 'volatile' ? node.entries : node.durable
