import { type Cancel, invariant, RecordError } from '../../core/index.ts'
import { SlabPool } from './slab-pool.ts'

/** So much memory of packages that were sent is kept for others, beside the budget: an eighth of it, and no more than this. */
const keptBytesMax = 16 * 1024 * 1024

interface Waiter {
  readonly bytes: number
  grant(): void
}

/**
 * Bytes that all batching writers of a process share: what they have queued and what is on its way. Never more than the
 * capacity is taken, and whoever asked first is served first, so that a large record is not starved by small ones.
 */
export class MemoryBudget {
  readonly capacity: number
  /** The memory itself, for those who took some. */
  readonly slabs: SlabPool
  readonly #parent: MemoryBudget | undefined
  #used = 0
  readonly #waiters = new Set<Waiter>()
  readonly #pressureListeners = new Set<() => void>()

  /**
   * @param capacity bytes, at least 1
   * @param parent a larger budget of which this one is a part: what is taken here is taken there too
   */
  constructor(capacity: number, parent?: MemoryBudget) {
    invariant(Number.isFinite(capacity) && capacity >= 1, 'the capacity of a memory budget is at least 1 byte')
    this.capacity = parent === undefined ? capacity : Math.min(capacity, parent.capacity)
    this.#parent = parent
    this.slabs = parent?.slabs ?? new SlabPool(Math.min(keptBytesMax, capacity / 8))
  }

  get used(): number {
    return this.#used
  }

  /** Bytes that could be taken now. */
  get free(): number {
    if (this.#waiters.size > 0) return 0
    const own = this.capacity - this.#used
    return this.#parent === undefined ? own : Math.min(own, this.#parent.free)
  }

  /** How many wait for bytes. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Takes bytes if they are free and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiters.size > 0 || this.#used + bytes > this.capacity) return false
    if (this.#parent !== undefined && !this.#parent.tryTake(bytes)) return false
    this.#used += bytes
    return true
  }

  /**
   * Takes bytes as soon as they are free and everybody who asked earlier was served. Rejects with the signal's reason when
   * it aborts first.
   * @throws RecordError `RECORD_UNSENDABLE` at once for more than the capacity: that wait would never end
   */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    if (bytes > this.capacity) {
      throw new RecordError('RECORD_UNSENDABLE', {
        message: `${bytes} bytes are wanted for it, and all that may be queued are ${this.capacity}`,
        fix: 'raise the memory budget, or send smaller records',
      })
    }
    signal?.throwIfAborted()
    if (this.tryTake(bytes)) return
    await this.#takeOwn(bytes, signal)
    try {
      await this.#parent?.take(bytes, signal)
    } catch (error) {
      this.#giveOwn(bytes)
      throw error
    }
  }

  give(bytes: number): void {
    this.#giveOwn(bytes)
    this.#parent?.give(bytes)
  }

  #takeOwn(bytes: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#waiters.size === 0 && this.#used + bytes <= this.capacity) {
      this.#used += bytes
      return undefined
    }
    const taken = this.#enqueue(bytes, signal)
    this.#press()
    return taken
  }

  #giveOwn(bytes: number): void {
    invariant(bytes >= 0 && bytes <= this.#used, 'only bytes that were taken are given back')
    this.#used -= bytes
    this.#serve()
    if (this.#waiters.size > 0) this.#press()
  }

  /**
   * Calls `listener` when somebody has to wait, and whenever bytes came back and somebody still waits: the moment to let
   * go of what could be sent.
   */
  onPressure(listener: () => void): Cancel {
    this.#pressureListeners.add(listener)
    const cancelParent = this.#parent?.onPressure(listener)
    return () => {
      this.#pressureListeners.delete(listener)
      cancelParent?.()
    }
  }

  #press(): void {
    for (const listener of [...this.#pressureListeners]) listener()
  }

  #enqueue(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter)
        reject(signal?.reason)
        this.#serve()
      }
      const waiter: Waiter = {
        bytes,
        grant: () => {
          signal?.removeEventListener('abort', abort)
          this.#used += bytes
          resolve()
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.add(waiter)
    })
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      if (this.#used + waiter.bytes > this.capacity) return
      this.#waiters.delete(waiter)
      waiter.grant()
    }
  }
}
