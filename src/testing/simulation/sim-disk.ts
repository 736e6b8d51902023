import type { Cancel, FileStat } from '../../core/index.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { ErrnoError } from './errno-error.ts'
import {
  type DirectoryNode,
  type FileNode,
  isGone,
  makeDurable,
  type NameChange,
  newDirectory,
  newFile,
  type SimNode,
} from './sim-node.ts'
import { type DiskView, type FileView, normalPath, pathParts, SimTree } from './sim-tree.ts'

export type DiskOperation =
  | 'create'
  | 'append'
  | 'truncate'
  | 'sync'
  | 'mkdir'
  | 'rmdir'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'syncDirectory'
  | 'powerLoss'

/** One effect on the disk, told after it happened. */
export interface DiskEvent {
  readonly operation: DiskOperation
  /** Normalised, without a leading slash; the new name of a rename or link; of an open file, the name it was opened by. */
  readonly path: string
  /** The old name of a rename or link. */
  readonly from?: string | undefined
  /** Who did it: the name of a process, or `outside`. */
  readonly actor: string
}

export interface SimDiskOptions {
  /** Stands in front of every file id. Default `'disk'`. */
  readonly name?: string | undefined
  /** Wall clock for `modifiedMs`. Default: always 0. */
  readonly wallMs?: (() => number) | undefined
  /** Default: a pebibyte, which no test fills. */
  readonly capacityBytes?: number | undefined
  /** With it, the ids of deleted files come back at random, as inode numbers do. Default: ids are never used again. */
  readonly reuseIds?: SeededRandom | undefined
}

/** What an entry costs besides its bytes: a full disk refuses new files too. */
const entryBytes = 256
/**
 * A disk that loses whatever it may lose (after ALICE, OSDI 2014). Files have volatile and durable content, directories
 * volatile and durable entries; `sync` makes content durable and nothing else, `syncDirectory` names and nothing else. A
 * power loss keeps a prefix or any subset of the pending changes of each directory, and of each file some moment since
 * its last sync. Every method acts at once and throws `ErrnoError` as Linux would; processes reach it through a
 * `SimFileSystem`, tests and outside actors directly.
 */
export class SimDisk {
  /** Free to change while the disk is in use: a full disk, and one that was cleared. */
  capacityBytes: number
  /** Whom observers are told of. */
  actor = 'outside'
  readonly #wallMs: () => number
  readonly #reuseIds: SeededRandom | undefined
  readonly #tree: SimTree
  readonly #observers = new Set<(event: DiskEvent) => void>()
  /** Directories with pending changes. */
  readonly #dirty = new Set<DirectoryNode>()
  #freeIds: number[] = []
  #lastId = 1
  #usedBytes = 0

  constructor(options: SimDiskOptions = {}) {
    this.#wallMs = options.wallMs ?? (() => 0)
    this.capacityBytes = options.capacityBytes ?? 2 ** 50
    this.#reuseIds = options.reuseIds
    this.#tree = new SimTree(options.name ?? 'disk', this.#wallMs())
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes)
  }

  /** Calls `listener` at once after each effect. */
  observe(listener: (event: DiskEvent) => void): Cancel {
    this.#observers.add(listener)
    return () => this.#observers.delete(listener)
  }

  /** The same for effects on names and files below a directory, and for every power loss. */
  observeBelow(directory: string, listener: (event: DiskEvent) => void): Cancel {
    const prefix = normalPath(directory)
    const inside = (path: string | undefined): boolean =>
      path !== undefined && (prefix === '' || path === prefix || path.startsWith(`${prefix}/`))
    return this.observe((event) => {
      if (event.operation === 'powerLoss' || inside(event.path) || inside(event.from)) listener(event)
    })
  }

  create(path: string): FileNode {
    const place = this.#tree.place('open', path)
    if (place.node !== undefined || place.name === '') throw new ErrnoError('EEXIST', 'open', path)
    this.#charge('open', path, entryBytes)
    const node = newFile(this.#newId(), this.#wallMs())
    this.#change({ directory: place.directory, add: { name: place.name, node }, durable: false })
    node.handles++
    this.#tell('create', path)
    return node
  }

  /** A handle on what is there, file or directory. Give it back with `release`. */
  open(path: string): SimNode {
    const node = this.#tree.node('open', path)
    if (node.kind === 'file') node.handles++
    return node
  }

  release(node: SimNode): void {
    if (node.kind !== 'file') return
    node.handles--
    this.#discard(node)
  }

  /** @param path the name the file was opened by, for observers. */
  append(node: FileNode, path: string, bytes: Uint8Array): void {
    const fits = Math.min(bytes.length, this.freeBytes)
    if (fits > 0) {
      node.content.append(fits === bytes.length ? bytes : bytes.subarray(0, fits))
      node.modifiedMs = this.#wallMs()
      this.#usedBytes += fits
      this.#tell('append', path)
    }
    if (fits < bytes.length) throw new ErrnoError('ENOSPC', 'write', path)
  }

  truncate(node: FileNode, path: string, size: number): void {
    if (!(Number.isSafeInteger(size) && size >= 0 && size <= node.content.size)) {
      throw new ErrnoError('EINVAL', 'ftruncate', path)
    }
    this.#usedBytes -= node.content.size - size
    node.content.truncate(size)
    node.modifiedMs = this.#wallMs()
    this.#tell('truncate', path)
  }

  sync(node: SimNode, path: string): void {
    if (node.kind === 'directory') {
      this.#syncDirectory(node, path)
    } else {
      node.content.sync()
      this.#tell('sync', path)
    }
  }

  /** A sync that fails and drops what was not yet written; the next one will succeed all the same, and prove nothing. */
  failSync(node: SimNode, path: string, code: 'EIO' | 'ENOSPC'): never {
    if (node.kind === 'file') node.content.failSync()
    throw new ErrnoError(code, 'fsync', path)
  }

  stat(path: string): FileStat {
    return this.statOf(this.#tree.node('stat', path))
  }

  statOf(node: SimNode): FileStat {
    return {
      kind: node.kind,
      size: node.kind === 'file' ? node.content.size : 4096,
      modifiedMs: node.modifiedMs,
      fileId: this.#tree.fileId(node),
    }
  }

  list(path: string): string[] {
    return [...this.#tree.directory('scandir', path).entries.keys()].sort()
  }

  mkdir(path: string): void {
    const place = this.#tree.place('mkdir', path)
    if (place.node !== undefined || place.name === '') throw new ErrnoError('EEXIST', 'mkdir', path)
    this.#charge('mkdir', path, entryBytes)
    const node = newDirectory(this.#newId(), this.#wallMs())
    this.#change({ directory: place.directory, add: { name: place.name, node }, durable: false })
    this.#tell('mkdir', path)
  }

  rmdir(path: string): void {
    const { directory, name, node } = this.#tree.place('rmdir', path)
    if (name === '') throw new ErrnoError('EBUSY', 'rmdir', path)
    if (node === undefined) throw new ErrnoError('ENOENT', 'rmdir', path)
    if (node.kind !== 'directory') throw new ErrnoError('ENOTDIR', 'rmdir', path)
    if (node.entries.size > 0) throw new ErrnoError('ENOTEMPTY', 'rmdir', path)
    this.#change({ directory, remove: name, durable: false })
    this.#tell('rmdir', path)
  }

  unlink(path: string): void {
    const { directory, name, node } = this.#tree.place('unlink', path)
    if (name === '' || node?.kind === 'directory') throw new ErrnoError('EISDIR', 'unlink', path)
    if (node === undefined) throw new ErrnoError('ENOENT', 'unlink', path)
    this.#change({ directory, remove: name, durable: false })
    this.#tell('unlink', path)
  }

  link(existing: string, created: string): void {
    const node = this.#tree.node('link', existing)
    const place = this.#tree.place('link', created)
    if (place.node !== undefined || place.name === '') throw new ErrnoError('EEXIST', 'link', created)
    if (node.kind === 'directory') throw new ErrnoError('EPERM', 'link', existing)
    this.#change({ directory: place.directory, add: { name: place.name, node }, durable: false })
    this.#tell('link', created, existing)
  }

  rename(from: string, to: string): void {
    const old = this.#tree.place('rename', from)
    const target = this.#tree.place('rename', to)
    if (old.name === '' || target.name === '') throw new ErrnoError('EBUSY', 'rename', from)
    const moved = old.node
    if (moved === undefined) throw new ErrnoError('ENOENT', 'rename', from)
    const [oldPath, newPath] = [normalPath(from), normalPath(to)]
    if (newPath.startsWith(`${oldPath}/`)) throw new ErrnoError('EINVAL', 'rename', from)
    if (oldPath.startsWith(`${newPath}/`)) throw new ErrnoError('ENOTEMPTY', 'rename', from)
    // Two names of one file: POSIX keeps both.
    if (target.node === moved) return
    if (target.node !== undefined) {
      if (moved.kind === 'directory' && target.node.kind !== 'directory')
        throw new ErrnoError('ENOTDIR', 'rename', from)
      if (moved.kind !== 'directory' && target.node.kind === 'directory') throw new ErrnoError('EISDIR', 'rename', from)
      if (target.node.kind === 'directory' && target.node.entries.size > 0) {
        throw new ErrnoError('ENOTEMPTY', 'rename', from)
      }
    }
    const add = { name: target.name, node: moved }
    if (old.directory === target.directory) {
      this.#change({ directory: old.directory, remove: old.name, add, durable: false })
    } else {
      const added: NameChange = { directory: target.directory, add, durable: false }
      // A file may be seen under both names after a power loss, never under none; a directory has one name always.
      const removed: NameChange = { directory: old.directory, remove: old.name, with: added, durable: false }
      if (moved.kind === 'directory') added.with = removed
      this.#change(added)
      this.#change(removed)
    }
    this.#tell('rename', to, from)
  }

  syncDirectory(path: string): void {
    this.#syncDirectory(this.#tree.directory('fsync', path), path)
  }

  /** Free space as a process asks for it. */
  freeBytesAt(path: string): number {
    this.#tree.node('statfs', path)
    return this.freeBytes
  }

  /** The machine loses power: what is left is what every process sees from now on. Open handles are void. */
  powerLoss(random: SeededRandom): void {
    const anySubset = random.bool(0.5)
    for (const directory of this.#dirty) {
      for (const change of directory.pending) {
        if (anySubset) {
          if (random.bool(0.5)) makeDurable(change, this.#forget)
        } else {
          if (random.bool(0.25)) break
          makeDurable(change, this.#forget)
        }
      }
      directory.pending = []
    }
    this.#dirty.clear()
    this.#usedBytes = 0
    this.#freeIds = []
    this.#remount(this.#tree.root, random, new Set())
    this.#tell('powerLoss', '')
  }

  /** The names in a directory, sorted; none when it is not there. */
  names(directory: string, view: DiskView = 'volatile'): string[] {
    return this.#tree.names(directory, view)
  }

  /** The files below a directory, at any depth, in the order of their paths. */
  files(directory: string, view: DiskView = 'volatile'): FileView[] {
    return this.#tree.files(directory, view)
  }

  /** The bytes of a file, to look at, not to keep or change; undefined when it is not there. */
  bytes(path: string, view: DiskView = 'volatile'): Uint8Array | undefined {
    return this.#tree.bytes(path, view)
  }

  /** The same as UTF-8 text. */
  text(path: string, view: DiskView = 'volatile'): string | undefined {
    const bytes = this.bytes(path, view)
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
  }

  /** Appends to a file as an outside actor does, making it and its directories when missing. Durable unless told. */
  put(path: string, data: Uint8Array | string, options: { readonly durable?: boolean } = {}): void {
    const parts = pathParts(path)
    for (let depth = 1; depth < parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/')
      if (this.#tree.find(directory, 'volatile') === undefined) this.mkdir(directory)
    }
    const known = this.#tree.find(path, 'volatile')
    const node = known === undefined ? this.create(path) : this.open(path)
    try {
      if (node.kind !== 'file') throw new ErrnoError('EISDIR', 'open', path)
      this.append(node, path, typeof data === 'string' ? new TextEncoder().encode(data) : data)
      if (options.durable === false) return
      this.sync(node, path)
      for (let depth = parts.length - 1; depth >= 0; depth--) this.syncDirectory(parts.slice(0, depth).join('/') || '.')
    } finally {
      this.release(node)
    }
  }

  /** Makes a directory and its missing parents, durable. */
  makeDirectories(path: string): void {
    const parts = pathParts(path)
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/')
      if (this.#tree.find(directory, 'volatile') === undefined) this.mkdir(directory)
      this.syncDirectory(parts.slice(0, depth - 1).join('/') || '.')
    }
  }

  #tell(operation: DiskOperation, path: string, from?: string): void {
    if (this.#observers.size === 0) return
    const event: DiskEvent = {
      operation,
      path: normalPath(path),
      from: from === undefined ? undefined : normalPath(from),
      actor: this.actor,
    }
    for (const observer of this.#observers) observer(event)
  }

  #newId(): number {
    const random = this.#reuseIds
    if (random !== undefined && this.#freeIds.length > 0 && random.bool(0.5)) {
      const id = this.#freeIds.pop()
      if (id !== undefined) return id
    }
    return ++this.#lastId
  }

  #charge(syscall: string, path: string, bytes: number): void {
    if (bytes > this.freeBytes) throw new ErrnoError('ENOSPC', syscall, path)
    this.#usedBytes += bytes
  }

  #change(change: NameChange): void {
    const { directory, remove, add } = change
    directory.pending.push(change)
    directory.modifiedMs = this.#wallMs()
    this.#dirty.add(directory)
    const removed = remove === undefined ? undefined : directory.entries.get(remove)
    if (remove !== undefined) directory.entries.delete(remove)
    const replaced = add === undefined ? undefined : directory.entries.get(add.name)
    if (add !== undefined) {
      directory.entries.set(add.name, add.node)
      add.node.names++
      add.node.diskNames++
    }
    for (const node of [removed, replaced]) {
      if (node === undefined) continue
      node.names--
      this.#discard(node)
    }
  }

  /** Frees the space of a node nobody can reach any more, and its id once the disk has forgotten it too. */
  #discard(node: SimNode): void {
    if (!isGone(node)) return
    this.#usedBytes -= entryBytes + (node.kind === 'file' ? node.content.size : 0)
    if (node.diskNames === 0) this.#freeIds.push(node.id)
  }

  readonly #forget = (node: SimNode): void => {
    if (isGone(node)) this.#freeIds.push(node.id)
  }

  #syncDirectory(directory: DirectoryNode, path: string): void {
    for (const change of directory.pending) makeDurable(change, this.#forget)
    directory.pending = []
    this.#dirty.delete(directory)
    this.#tell('syncDirectory', path)
  }

  /** Makes what is durable below `directory` what processes see. */
  #remount(directory: DirectoryNode, random: SeededRandom, seen: Set<SimNode>): void {
    directory.entries = new Map(directory.durable)
    for (const node of directory.durable.values()) {
      const first = !seen.has(node)
      if (first) {
        seen.add(node)
        node.names = 0
        node.diskNames = 0
        this.#usedBytes += entryBytes
      }
      node.names++
      node.diskNames++
      if (!first) continue
      if (node.kind === 'directory') {
        this.#remount(node, random, seen)
      } else {
        node.handles = 0
        node.content.loseUnsynced(random)
        this.#usedBytes += node.content.size
      }
    }
  }
}
