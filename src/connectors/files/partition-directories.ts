import {
  errnoOf,
  type FileStat,
  type FileSystem,
  joinPath,
  makeDirectories,
  parentPath,
  SinkError,
} from '../../core/index.ts'
import type { Room } from './file-sink-room.ts'

/** Partitions remembered as made; beyond it the memory starts afresh, at the price of looking again. */
const rememberedMax = 4096

/**
 * The directories one writer puts parts into: made when first used, and durable after `sync`, names and all.
 */
export class PartitionDirectories {
  readonly #fs: FileSystem
  readonly #room: Room
  readonly #root: string
  readonly #ready = new Set<string>()
  readonly #touched = new Set<string>()

  constructor(parts: { readonly fs: FileSystem; readonly room: Room; readonly root: string }) {
    this.#fs = parts.fs
    this.#room = parts.room
    this.#root = parts.root
  }

  /** Makes the sink's own directory with its parents, each name durable. */
  async makeRoot(): Promise<void> {
    await this.#room.run(this.#root, () => makeDirectories(this.#fs, this.#root))
  }

  /**
   * The path of a partition's directory, which exists now.
   * @throws SinkError `SINK_REFUSED` when a file or a link that leads elsewhere stands in its place.
   */
  async prepare(partition: string): Promise<string> {
    const path = joinPath(this.#root, partition)
    this.#touched.add(path)
    if (partition === '' || this.#ready.has(partition)) return path
    const above = partition.includes('/') ? parentPath(partition) : ''
    const parent = await this.prepare(above)
    await this.#room.run(path, async () => {
      try {
        await this.#fs.mkdir(path)
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error
      }
    })
    await this.#room.run(path, () => this.#checkInside(path, parent))
    if (this.#ready.size >= rememberedMax) this.#ready.clear()
    this.#ready.add(partition)
    return path
  }

  /** The partition's directory turned out to be gone: the next `prepare` makes it again. */
  forget(partition: string): void {
    for (let path = partition; path !== '.' && path !== ''; path = parentPath(path)) this.#ready.delete(path)
  }

  /** Makes the names in all directories used since the last call durable. */
  async sync(): Promise<void> {
    for (const path of this.#touched) {
      // A repetition after ENOSPC is believed, unlike that of a file's sync: names are journaled or refused, not dropped.
      await this.#room.run(path, () => this.#fs.syncDirectory(path))
      this.#touched.delete(path)
    }
  }

  async #checkInside(path: string, parent: string): Promise<void> {
    const why = await directoryProblem(this.#fs, path, parent)
    if (why === undefined) return
    throw new SinkError('SINK_REFUSED', {
      message: `the directory of a partition cannot be used: ${why}`,
      place: { path },
      fix: 'move what stands there out of the way, or let partition() give another name',
    })
  }
}

/**
 * Why `path` is not a directory that lies in `parent` itself; undefined when it is. The way back up tells a link that
 * leads out: `..` of a directory is where it really lies.
 */
export const directoryProblem = async (fs: FileSystem, path: string, parent: string): Promise<string | undefined> => {
  const found = await fs.stat(path)
  if (found.kind !== 'directory') return 'it is not a directory'
  const up = await statUp(fs, path)
  if (up === undefined || up.fileId === (await fs.stat(parent)).fileId) return undefined
  return 'it is a link to a directory elsewhere'
}

/** A file system that knows no `..`, which a kernel's always does, knows no links either. */
const statUp = async (fs: FileSystem, path: string): Promise<FileStat | undefined> => {
  try {
    return await fs.stat(joinPath(path, '..'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EINVAL') return undefined
    throw error
  }
}
