import {
  asError,
  DataLossError,
  errnoOf,
  type FileStat,
  type FileSystem,
  ignoreMissing,
  joinPath,
  type Logger,
  parentPath,
  type ReadableFile,
} from '../../core/index.ts'
import type { CommitRequest, Committer } from '../../sink/index.ts'
import { isPassing, storageError } from './file-sink-failure.ts'
import type { PartNames } from './part-name.ts'
import type { PartReceipt } from './part-receipt.ts'
import { directoryProblem } from './partition-directories.ts'

const compareBytes = 1 << 20
/** What `link` answers on file systems without hard links. */
const noLinks: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

type Request = CommitRequest<PartReceipt>

interface Visible {
  readonly request: Request
  readonly wasThere: boolean
}

/**
 * Gives staged parts their final names.
 *
 * A rename would replace whatever has the final name, so the name is linked, which refuses that, and the staged name is
 * removed afterwards. Between the two the directory is synced: after a power loss any subset of unsynced name changes
 * may be there, and a removal that survived without its link would take the part with it. Hence, at every crash point:
 *
 * - before the link: only the staged name; the repetition links it.
 * - after the link, before or after the sync: both names on one file; a reader sees the final one, once. The repetition
 *   finds the same file under both, syncs and removes the staged name. If the link was lost, it is made again.
 * - after the removal: only the final name, durable. A staged name that a power loss brings back is a second name of a
 *   committed file: an orphan, and removing it leaves the file.
 */
export class FileSinkCommitter implements Committer<PartReceipt> {
  readonly #fs: FileSystem
  readonly #log: Logger
  readonly #dir: string
  readonly #names: PartNames
  readonly #generation: number
  readonly #partitioned: boolean

  constructor(parts: {
    readonly fs: FileSystem
    readonly log: Logger
    readonly dir: string
    readonly names: PartNames
    readonly generation: number
    /** Whether leftovers may lie in directories below. */
    readonly partitioned: boolean
  }) {
    this.#fs = parts.fs
    this.#log = parts.log
    this.#dir = parts.dir
    this.#names = parts.names
    this.#generation = parts.generation
    this.#partitioned = parts.partitioned
  }

  async commit(requests: readonly Request[]): Promise<void> {
    const directories = new Map<string, Request[]>()
    for (const request of requests) {
      const directory = parentPath(joinPath(this.#dir, request.committable.final))
      const together = directories.get(directory)
      if (together === undefined) directories.set(directory, [request])
      else together.push(request)
    }
    for (const [directory, together] of directories) await this.#commitDirectory(directory, together)
  }

  /** Removes staged files of earlier generations; in a partitioned sink also those in the directories below. */
  async abortOrphans(): Promise<void> {
    try {
      await this.#sweep(this.#dir)
    } catch (error) {
      // An orphan costs space and is hidden; the next attempt tries again.
      this.#log.warn({ path: this.#dir, err: asError(error) }, 'staged files of earlier attempts could not be removed')
    }
  }

  async close(): Promise<void> {}

  async #commitDirectory(directory: string, requests: readonly Request[]): Promise<void> {
    const visible: Visible[] = []
    for (const request of requests) {
      try {
        visible.push({ request, wasThere: await this.#makeVisible(request.committable) })
      } catch (error) {
        if (error instanceof DataLossError) request.signalFailed(error)
        else if (isPassing(error)) request.retryLater(asError(error))
        else throw storageError(error, joinPath(this.#dir, request.committable.final))
      }
    }
    if (visible.length === 0) return
    try {
      await this.#fs.syncDirectory(directory)
    } catch (error) {
      // EIO here is not asked again: what a failed sync dropped, the next one does not tell.
      if (!isPassing(error) || errnoOf(error) === 'EIO') throw storageError(error, directory)
      for (const { request } of visible) request.retryLater(asError(error))
      return
    }
    for (const { request, wasThere } of visible) {
      await this.#removeStaged(joinPath(this.#dir, request.committable.staged))
      if (wasThere) request.signalAlreadyCommitted()
    }
  }

  /** Sees to it that the final name exists; true when it did before. */
  async #makeVisible(receipt: PartReceipt): Promise<boolean> {
    const staged = joinPath(this.#dir, receipt.staged)
    const final = joinPath(this.#dir, receipt.final)
    const found = await statOrMissing(this.#fs, staged)
    if (found === undefined) return await this.#checkCommitted(receipt)
    if (found.size !== receipt.bytes) throw resized(receipt, staged, found.size)
    try {
      await this.#fs.link(staged, final)
      return false
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return await this.#checkSame(receipt, found)
      // A fenced process of an earlier attempt may still be committing the very same receipt.
      if (errnoOf(error) === 'ENOENT') return await this.#checkCommitted(receipt)
      if (!noLinks.has(errnoOf(error))) throw error
    }
    // Nobody but this job writes these names, so a look before the rename is as good as it gets without links.
    if ((await statOrMissing(this.#fs, final)) !== undefined) return await this.#checkSame(receipt, found)
    await this.#fs.rename(staged, final)
    return false
  }

  /** The staged name is gone: fine when the final one has the part, and only then. */
  async #checkCommitted(receipt: PartReceipt): Promise<true> {
    const final = joinPath(this.#dir, receipt.final)
    const committed = await statOrMissing(this.#fs, final)
    if (committed === undefined) throw lost(receipt, final)
    if (committed.size !== receipt.bytes) throw resized(receipt, final, committed.size)
    return true
  }

  /** The final name is taken: by this very part, or by a copy of it. Anything else is never replaced. */
  async #checkSame(receipt: PartReceipt, staged: FileStat): Promise<true> {
    const final = joinPath(this.#dir, receipt.final)
    const taken = await this.#fs.stat(final)
    if (taken.fileId === staged.fileId) return true
    const same =
      taken.kind === 'file' &&
      taken.size === staged.size &&
      (await sameContent(this.#fs, joinPath(this.#dir, receipt.staged), final))
    if (same) return true
    throw new DataLossError('DATA_LOSS', {
      message: `${recordsOf(receipt)} cannot become visible: another file has the name of the part`,
      place: { path: final },
      fix: `move ${final} out of the way and start the job again; what should be there is safe in ${joinPath(this.#dir, receipt.staged)}`,
    })
  }

  async #removeStaged(path: string): Promise<void> {
    try {
      await ignoreMissing(this.#fs.unlink(path))
    } catch (error) {
      // A second, hidden name of a committed part; a later attempt removes it with the orphans.
      this.#log.warn({ path, err: asError(error) }, 'the staged name of a committed part could not be removed')
    }
  }

  async #sweep(directory: string): Promise<void> {
    for (const name of await listOrNone(this.#fs, directory)) {
      const path = joinPath(directory, name)
      const generation = this.#names.generationOfStaged(name)
      if (generation !== undefined) {
        if (generation < this.#generation) await ignoreMissing(this.#fs.unlink(path))
        continue
      }
      if (!this.#partitioned || name.startsWith('.') || this.#names.readFinal(name) !== undefined) continue
      // A link out of the directory is not ours to follow; so no link can lead back up either, and the walk ends.
      if ((await directoryProblem(this.#fs, path, directory).catch(goneMeanwhile)) === undefined)
        await this.#sweep(path)
    }
  }
}

const recordsOf = ({ records }: PartReceipt): string => (records === 1 ? '1 record' : `${records} records`)

const goneMeanwhile = (error: unknown): string => {
  if (errnoOf(error) === 'ENOENT') return 'it is gone'
  throw error
}

const lost = (receipt: PartReceipt, path: string): DataLossError =>
  new DataLossError('DATA_LOSS', {
    message: `a part with ${recordsOf(receipt)} is gone: neither its staged file nor its final one exists`,
    place: { path },
    fix: `bring ${receipt.staged} back into the directory of the sink, or restore an older checkpoint`,
  })

const resized = (receipt: PartReceipt, path: string, bytes: number): DataLossError =>
  new DataLossError('DATA_LOSS', {
    message: `a part with ${recordsOf(receipt)} has a size of ${bytes} bytes; it was ${receipt.bytes} when its checkpoint was taken`,
    place: { path },
    fix: 'bring the file back from a copy, or restore an older checkpoint',
  })

const statOrMissing = async (fs: FileSystem, path: string): Promise<FileStat | undefined> => {
  try {
    return await fs.stat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const listOrNone = async (fs: FileSystem, directory: string): Promise<string[]> => {
  try {
    return await fs.list(directory)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

const sameContent = async (fs: FileSystem, one: string, other: string): Promise<boolean> => {
  const a = await fs.open(one)
  try {
    const b = await fs.open(other)
    try {
      return await sameBytes(a, b)
    } finally {
      await b.close()
    }
  } finally {
    await a.close()
  }
}

const sameBytes = async (a: ReadableFile, b: ReadableFile): Promise<boolean> => {
  for (let at = 0; ; ) {
    const [left, right] = [await a.readAt(at, compareBytes), await b.readAt(at, compareBytes)]
    if (left.length !== right.length || left.some((byte, index) => byte !== right[index])) return false
    if (left.length === 0) return true
    at += left.length
  }
}
