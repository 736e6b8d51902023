import type { FileStat, FileSystem, ReadableFile, WritableFile } from '../../core/index.ts'
import { ErrnoError } from './errno-error.ts'
import type { Fault, FaultKind, FaultSite } from './faults.ts'
import type { SimDisk } from './sim-disk.ts'
import type { FileNode, SimNode } from './sim-node.ts'

/** Carries one operation to the disk and its result back: with delays and faults in a simulation, at once without. */
export interface IoGateway {
  /** @param effect acts on the disk at once; it obeys the faults that concern the disk, the gateway the others */
  perform<T>(site: FaultSite, effect: (fault: Fault | undefined) => T): Promise<T>
  /** A file was opened: to be released when the process dies. */
  opened(node: SimNode): void
  closed(node: SimNode): void
}

const everywhere: readonly FaultKind[] = ['kill', 'killAfter', 'power', 'powerAfter', 'pause', 'stall', 'clockJump']
const nowhere: readonly FaultKind[] = []

/** What can go wrong where. Asking changes nothing, so a crash around it is one around its neighbours. */
const faultsOf = {
  create: [...everywhere, 'enospc', 'emfile', 'eacces'],
  open: [...everywhere, 'emfile', 'eacces'],
  read: [...everywhere, 'bitRot'],
  append: [...everywhere, 'partial', 'enospc'],
  truncate: everywhere,
  sync: [...everywhere, 'eio', 'enospc'],
  close: nowhere,
  stat: nowhere,
  list: [...everywhere, 'eacces'],
  mkdir: [...everywhere, 'enospc', 'eacces'],
  rmdir: [...everywhere, 'eacces'],
  rename: [...everywhere, 'enospc', 'eacces'],
  link: [...everywhere, 'enospc', 'eacces'],
  unlink: [...everywhere, 'eacces'],
  syncDirectory: [...everywhere, 'eio'],
  freeBytes: nowhere,
} as const satisfies Record<string, readonly FaultKind[]>

const errnoOfFault: Partial<Record<FaultKind, 'ENOSPC' | 'EMFILE' | 'EACCES' | 'EIO'>> = {
  enospc: 'ENOSPC',
  emfile: 'EMFILE',
  eacces: 'EACCES',
  eio: 'EIO',
}

/** For operations that a fault keeps from happening at all. */
const refuse = (fault: Fault | undefined, operation: string, path: string): void => {
  const code = fault === undefined ? undefined : errnoOfFault[fault.kind]
  if (code !== undefined) throw new ErrnoError(code, operation, path)
}

/** One process's way to an open file. */
class SimHandle {
  readonly #disk: SimDisk
  readonly #gateway: IoGateway
  readonly path: string
  #node: SimNode | undefined

  constructor(disk: SimDisk, gateway: IoGateway, node: SimNode, path: string) {
    this.#disk = disk
    this.#gateway = gateway
    this.#node = node
    this.path = path
    gateway.opened(node)
  }

  /** `effect` acts at once on what is open; refused with `EBADF` when it is closed by then. */
  perform<T>(operation: keyof typeof faultsOf, effect: (node: SimNode, fault: Fault | undefined) => T): Promise<T> {
    return this.#gateway.perform({ operation, path: this.path, kinds: faultsOf[operation] }, (fault) => {
      if (this.#node === undefined) throw new ErrnoError('EBADF', operation, this.path)
      return effect(this.#node, fault)
    })
  }

  sync(): Promise<void> {
    return this.perform('sync', (node, fault) => {
      if (fault?.kind === 'eio') this.#disk.failSync(node, this.path, 'EIO')
      if (fault?.kind === 'enospc') this.#disk.failSync(node, this.path, 'ENOSPC')
      this.#disk.sync(node, this.path)
    })
  }

  close(): Promise<void> {
    return this.#gateway.perform({ operation: 'close', path: this.path, kinds: faultsOf.close }, () => {
      const node = this.#node
      if (node === undefined) return
      this.#node = undefined
      this.#gateway.closed(node)
      this.#disk.release(node)
    })
  }
}

class SimReadableFile implements ReadableFile {
  readonly #disk: SimDisk
  readonly #handle: SimHandle

  constructor(disk: SimDisk, handle: SimHandle) {
    this.#disk = disk
    this.#handle = handle
  }

  readAt(position: number, length: number): Promise<Uint8Array> {
    return this.#handle.perform('read', (node, fault) => {
      if (node.kind !== 'file') throw new ErrnoError('EISDIR', 'read', this.#handle.path)
      const bytes = node.content.read(position, length)
      if (fault?.kind === 'bitRot' && bytes.length > 0) {
        const at = fault.random.int(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << fault.random.int(8))
      }
      return bytes
    })
  }

  stat(): Promise<FileStat> {
    return this.#handle.perform('stat', (node) => this.#disk.statOf(node))
  }

  sync(): Promise<void> {
    return this.#handle.sync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

class SimWritableFile implements WritableFile {
  readonly #disk: SimDisk
  readonly #handle: SimHandle
  readonly #node: FileNode

  constructor(disk: SimDisk, handle: SimHandle, node: FileNode) {
    this.#disk = disk
    this.#handle = handle
    this.#node = node
  }

  get size(): number {
    return this.#node.content.size
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#handle.perform('append', (_, fault) => {
      const { path } = this.#handle
      if (fault?.kind === 'partial' || fault?.kind === 'enospc') {
        this.#disk.append(this.#node, path, bytes.subarray(0, fault.random.int(bytes.length)))
        refuse(fault, 'write', path)
      } else {
        this.#disk.append(this.#node, path, bytes)
      }
    })
  }

  truncate(size: number): Promise<void> {
    return this.#handle.perform('truncate', () => this.#disk.truncate(this.#node, this.#handle.path, size))
  }

  sync(): Promise<void> {
    return this.#handle.sync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** The files of a `SimDisk` as one process sees them. */
export const simFileSystem = (disk: SimDisk, gateway: IoGateway): FileSystem => {
  const perform = <T>(operation: keyof typeof faultsOf, path: string, effect: () => T): Promise<T> =>
    gateway.perform({ operation, path, kinds: faultsOf[operation] }, (fault) => {
      refuse(fault, operation, path)
      return effect()
    })
  return {
    create: (path) =>
      perform('create', path, () => {
        const node = disk.create(path)
        return new SimWritableFile(disk, new SimHandle(disk, gateway, node, path), node)
      }),
    open: (path) =>
      perform('open', path, () => new SimReadableFile(disk, new SimHandle(disk, gateway, disk.open(path), path))),
    stat: (path) => perform('stat', path, () => disk.stat(path)),
    list: (directory) => perform('list', directory, () => disk.list(directory)),
    mkdir: (path) => perform('mkdir', path, () => disk.mkdir(path)),
    rmdir: (path) => perform('rmdir', path, () => disk.rmdir(path)),
    rename: (from, to) => perform('rename', to, () => disk.rename(from, to)),
    link: (existing, created) => perform('link', created, () => disk.link(existing, created)),
    unlink: (path) => perform('unlink', path, () => disk.unlink(path)),
    syncDirectory: (path) => perform('syncDirectory', path, () => disk.syncDirectory(path)),
    freeBytes: (path) => perform('freeBytes', path, () => disk.freeBytesAt(path)),
  }
}
