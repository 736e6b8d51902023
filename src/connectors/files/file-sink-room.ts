import { backoffMs, type Clock, errnoOf, type FileSystem, type Logger, type Random } from '../../core/index.ts'
import { isFull, isOutOfHandles, storageError } from './file-sink-failure.ts'

const backoff = { initialMs: 100, maxMs: 5_000, multiplier: 2, jitter: 0.2 }

interface RoomParts {
  readonly clock: Clock
  readonly random: Random
  readonly fs: FileSystem
  readonly log: Logger
  readonly signal: AbortSignal
  readonly waiting: (forWhat: string | undefined) => void
  /** Frees a file handle that the writer holds; false when it holds none it can spare. */
  readonly freeHandle: () => Promise<boolean>
}

/**
 * File operations that wait for room. A full disk, a used-up quota or too many open files hold the writer, which holds
 * the stream; nothing is dropped, and it goes on by itself when there is room.
 */
export class Room {
  readonly #parts: RoomParts
  #waiters = 0

  constructor(parts: RoomParts) {
    this.#parts = parts
  }

  /**
   * Runs `operation` until there is room for it. It must be repeatable after a failure for lack of room.
   * @throws StorageError for any other failure of the file system; the signal's reason when the attempt ends.
   */
  async run<R>(path: string, operation: () => Promise<R>): Promise<R> {
    let failures = 0
    let done = false
    try {
      for (;;) {
        try {
          const result = await operation()
          done = true
          return result
        } catch (error) {
          if (!isFull(error)) throw storageError(error, path)
          if (isOutOfHandles(error) && (await this.#parts.freeHandle())) continue
          failures += 1
          await this.#wait(failures, path, error)
        }
      }
    } finally {
      if (failures > 0) this.#leave(path, done)
    }
  }

  async #wait(failures: number, path: string, error: unknown): Promise<void> {
    const { clock, random, signal, log, waiting } = this.#parts
    const what = await this.#missing(path, error)
    if (failures === 1) {
      if (this.#waiters === 0) log.warn({ path, errno: errnoOf(error), waitingFor: what }, 'no room; writing waits')
      this.#waiters += 1
    }
    waiting(what)
    signal.throwIfAborted()
    await clock.sleep(backoffMs(backoff, failures, random.float()), signal)
  }

  async #missing(path: string, error: unknown): Promise<string> {
    if (isOutOfHandles(error)) return `a free file handle for ${path}`
    const quota = errnoOf(error) === 'EDQUOT' ? ' within the quota' : ''
    try {
      return `space${quota} on the disk of ${path}, ${await this.#parts.fs.freeBytes(path)} bytes free`
    } catch {
      return `space${quota} on the disk of ${path}`
    }
  }

  #leave(path: string, done: boolean): void {
    this.#waiters -= 1
    if (this.#waiters > 0) return
    this.#parts.waiting(undefined)
    if (done) this.#parts.log.info({ path }, 'there is room again; writing goes on')
  }
}
