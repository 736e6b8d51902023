import type { FileStat, FileSystem, ReadableFile, WritableFile } from '../../../../src/core/index.ts'
import { type IoGateway, SeededRandom, SimDisk, simFileSystem } from '../../../../src/testing/index.ts'

/** A file system call, with the path it makes or changes. */
export interface DiskCall {
  readonly operation: string
  readonly path: string
}

/** How a call fails: before any effect, or, for an append with `half`, after part of it. */
export type DiskFault = { readonly errno: string; readonly half?: boolean } | undefined

const failure = (errno: string, path: string): Error =>
  Object.assign(new Error(`${errno}: '${path}'`), { code: errno, path })

/** Chance that goes against everything that was not synced. */
class WorstLuck extends SeededRandom {
  #first = true

  override float(): number {
    const value = this.#first ? 0.6 : 0
    this.#first = false
    return value
  }
}

/** The simulated disk with a say in every call: `before` may fail it, `after` is told of every effect. */
export class WatchedDisk implements FileSystem {
  readonly sim = new SimDisk({ capacityBytes: 1_000_000_000 })
  before: (call: DiskCall) => DiskFault = () => undefined
  after: (call: DiskCall) => void = () => {}
  /** Open file handles. */
  handles = 0
  readonly #fs: FileSystem

  constructor() {
    this.sim.observe((event) => this.after(event))
    const gateway: IoGateway = {
      perform: async ({ operation, path }, effect) => {
        await undefined
        const fault = operation === 'close' ? undefined : this.before({ operation, path })
        if (fault === undefined) return effect(undefined)
        const { errno } = fault
        const random = new SeededRandom(1)
        try {
          // The simulated disk knows what such a failure leaves behind: half an append, or a sync that dropped bytes.
          if (operation === 'append' && fault.half === true) effect({ kind: 'enospc', random })
          if (operation === 'sync' && errno === 'EIO') effect({ kind: 'eio', random })
          if (operation === 'sync' && errno === 'ENOSPC') effect({ kind: 'enospc', random })
        } catch {
          // Told below, with the code that was asked for.
        }
        throw failure(errno, path)
      },
      opened: () => void this.handles++,
      closed: () => void this.handles--,
    }
    this.#fs = simFileSystem(this.sim, gateway)
  }

  create = (path: string): Promise<WritableFile> => this.#fs.create(path)
  open = (path: string): Promise<ReadableFile> => this.#fs.open(path)
  stat = (path: string): Promise<FileStat> => this.#fs.stat(path)
  list = (path: string): Promise<string[]> => this.#fs.list(path)
  mkdir = (path: string): Promise<void> => this.#fs.mkdir(path)
  rmdir = (path: string): Promise<void> => this.#fs.rmdir(path)
  rename = (from: string, to: string): Promise<void> => this.#fs.rename(from, to)
  link = (existing: string, created: string): Promise<void> => this.#fs.link(existing, created)
  unlink = (path: string): Promise<void> => this.#fs.unlink(path)
  syncDirectory = (path: string): Promise<void> => this.#fs.syncDirectory(path)
  freeBytes = (path: string): Promise<number> => this.#fs.freeBytes(path)

  /** Everything that was not synced is gone; with a seed, some of it. */
  losePower(seed?: number): void {
    this.sim.powerLoss(seed === undefined ? new WorstLuck(0) : new SeededRandom(seed))
    this.handles = 0
  }

  /** The bytes of a file, outside of all counting and faults. */
  peek(path: string): Uint8Array {
    const bytes = this.sim.bytes(path)
    if (bytes === undefined) throw failure('ENOENT', path)
    return bytes
  }

  /** Paths of all files below a directory, relative to it. */
  files(directory: string): string[] {
    const below = directory === '' ? 0 : directory.length + 1
    return this.sim.files(directory).map((file) => file.path.slice(below))
  }

  /** Puts a file there as a stranger would. */
  put(path: string, text: string): void {
    this.sim.put(path, text)
  }
}
