import {
  type Compression,
  type Digest,
  errnoOf,
  type FileSystem,
  ignoreMissing,
  joinPath,
  StorageError,
  type WritableFile,
} from '../../core/index.ts'
import { isFull, storageError } from './file-sink-failure.ts'
import type { Room } from './file-sink-room.ts'
import type { GrowableBytes } from './format-buffer.ts'
import type { PartReceipt } from './part-receipt.ts'
import type { PartitionDirectories } from './partition-directories.ts'

const appendBytesMax = 1 << 20
/** Times a directory is made again under our feet before we believe that somebody removes it on purpose. */
const remakesMax = 3

/** What the parts of one writer share. */
export interface PartTools {
  readonly fs: FileSystem
  readonly digest: Digest
  /** Given when parts are compressed. */
  readonly compression: Compression | undefined
  readonly room: Room
  readonly directories: PartitionDirectories
  /** Names of the next part, never given twice. */
  readonly nextNames: () => { readonly staged: string; readonly final: string }
  /** A name was taken already, which the generation in it should make impossible. */
  readonly nameTaken: (path: string) => void
}

interface Claimed {
  readonly file: WritableFile
  readonly directory: string
  readonly staged: string
  readonly final: string
}

/**
 * A part being written. The file is created with the first bytes that leave the buffer, and never seen by a reader:
 * its name is hidden until the committer gives it another.
 */
export class Part {
  /** Path of the partition below the sink's directory; empty without one. */
  readonly partition: string
  /** Encoded bytes that are not in the file yet. */
  readonly buffer: GrowableBytes
  readonly openedMs: number
  records = 0
  /** Bytes of all records so far, before compression. */
  encodedBytes = 0
  /** Order of last use among the parts of a writer. */
  usedAt = 0
  readonly #tools: PartTools
  #claimed: Claimed | undefined
  /** Bytes known to be whole in the file; what is behind them is cut off before the next append. */
  #written = 0
  #crc = 0

  constructor(tools: PartTools, partition: string, buffer: GrowableBytes, openedMs: number) {
    this.#tools = tools
    this.partition = partition
    this.buffer = buffer
    this.openedMs = openedMs
  }

  get hasFile(): boolean {
    return this.#claimed !== undefined
  }

  /** Moves the buffer into the file. Waits for room. */
  async append(): Promise<void> {
    if (this.buffer.length === 0) return
    this.#claimed ??= await this.#claim()
    const { compression } = this.#tools
    for (let from = 0; from < this.buffer.length; from += appendBytesMax) {
      const piece = this.buffer.view(from, from + appendBytesMax)
      await this.#appendTo(this.#claimed, compression === undefined ? piece : compression.gzip(piece))
    }
    this.buffer.clear()
  }

  /**
   * Makes the content durable and closes the file; the name is durable after the next sync of the directories.
   * Undefined when there is nothing in it.
   */
  async seal(): Promise<PartReceipt | undefined> {
    await this.append()
    let claimed = this.#claimed
    if (claimed === undefined) return undefined
    try {
      await claimed.file.sync()
    } catch (error) {
      if (!isFull(error)) throw storageError(error, this.#stagedPath(claimed))
      claimed = await this.#rewrite(claimed)
    }
    await this.#close(claimed)
    return {
      staged: joinPath(this.partition, claimed.staged),
      final: joinPath(this.partition, claimed.final),
      bytes: this.#written,
      records: this.records,
    }
  }

  /** Frees the file handle. The file stays: it is removed as an orphan when no checkpoint names it. */
  async abandon(): Promise<void> {
    await this.#claimed?.file.close().catch(() => {})
    this.#claimed = undefined
  }

  /**
   * Creates the staged file. Creating is the claim on both names: whoever else wants the final one either finds the
   * staged name taken or, after our commit, the final name, which is why it is looked at after the creation.
   */
  async #claim(): Promise<Claimed> {
    const { fs, room, directories, nextNames, nameTaken } = this.#tools
    for (let remakes = 0; ; ) {
      const directory = await directories.prepare(this.partition)
      const names = nextNames()
      const path = joinPath(directory, names.staged)
      const created = await room.run(path, () => createNew(fs, path))
      if (created === 'no directory') {
        directories.forget(this.partition)
        remakes += 1
        if (remakes <= remakesMax) continue
        throw new StorageError('STORAGE_FAILED', {
          message: 'the directory is removed while it is used',
          place: { path },
        })
      }
      if (created === 'taken') {
        nameTaken(path)
        continue
      }
      const claimed = { file: created, directory, ...names }
      const final = joinPath(directory, names.final)
      if (!(await room.run(final, () => exists(fs, final)))) return claimed
      nameTaken(final)
      await this.#close(claimed)
      await room.run(path, () => ignoreMissing(fs.unlink(path)))
    }
  }

  async #appendTo(claimed: Claimed, bytes: Uint8Array): Promise<void> {
    const { file } = claimed
    await this.#tools.room.run(this.#stagedPath(claimed), async () => {
      if (file.size !== this.#written) await file.truncate(this.#written)
      await file.append(bytes)
    })
    this.#written += bytes.length
    this.#crc = this.#tools.digest.crc32(bytes, this.#crc)
  }

  /**
   * The way out of a sync that failed for lack of space: it may have dropped what it could not write, and a second sync
   * of the same file would not say so. The content is copied to a new file, and believed only if it is what was appended.
   */
  async #rewrite(spoilt: Claimed): Promise<Claimed> {
    const path = this.#stagedPath(spoilt)
    await this.#close(spoilt)
    const copy = await this.#tools.room.run(path, () => this.#copy(path))
    await this.#tools.room.run(path, () => ignoreMissing(this.#tools.fs.unlink(path)))
    this.#claimed = copy
    return copy
  }

  async #copy(path: string): Promise<Claimed> {
    const { fs, digest } = this.#tools
    const copy = await this.#claim()
    try {
      const from = await fs.open(path)
      try {
        let crc = 0
        for (let at = 0; at < this.#written; ) {
          const bytes = await from.readAt(at, Math.min(appendBytesMax, this.#written - at))
          if (bytes.length === 0) break
          crc = digest.crc32(bytes, crc)
          await copy.file.append(bytes)
          at += bytes.length
        }
        if (copy.file.size !== this.#written || crc !== this.#crc) throw lostBytes(path)
      } finally {
        await from.close()
      }
      await copy.file.sync()
      return copy
    } catch (error) {
      await copy.file.close().catch(() => {})
      await fs.unlink(this.#stagedPath(copy)).catch(() => {})
      throw error
    }
  }

  async #close(claimed: Claimed): Promise<void> {
    this.#claimed = undefined
    try {
      await claimed.file.close()
    } catch (error) {
      throw storageError(error, this.#stagedPath(claimed))
    }
  }

  #stagedPath(claimed: Claimed): string {
    return joinPath(claimed.directory, claimed.staged)
  }
}

const lostBytes = (path: string): StorageError =>
  new StorageError('STORAGE_FAILED', {
    message: 'the disk ran out of space while the file was made durable, and bytes of it are lost',
    place: { path },
    fix: 'free space; the job restarts from its last checkpoint and writes them again',
  })

const createNew = async (fs: FileSystem, path: string): Promise<WritableFile | 'taken' | 'no directory'> => {
  try {
    return await fs.create(path)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'taken'
    if (errnoOf(error) === 'ENOENT') return 'no directory'
    throw error
  }
}

const exists = async (fs: FileSystem, path: string): Promise<boolean> => {
  try {
    await fs.stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
