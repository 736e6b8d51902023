import { type Cancel, invariant } from '../core/index.ts'

/** A part of a budget that somebody holds. */
export interface ByteLease {
  readonly bytes: number
  /** Corrects the estimate to what it turned out to be. Never waits, so the budget may be overdrawn for a while. */
  resize(bytes: number): void
  /** Gives everything back. May be called twice. */
  release(): void
}

interface Waiter {
  bytes(): number
  grant(bytes: number): void
}

/**
 * Bytes that several readers share, taken before a request is made. Waiters are served strictly in order, so a large
 * request is not starved by small ones.
 */
export class ByteBudget {
  readonly capacity: number
  #used = 0
  readonly #waiters = new Set<Waiter>()
  readonly #pressureListeners = new Set<() => void>()

  /** @param capacity bytes that may be held at once, at least 1 */
  constructor(capacity: number) {
    invariant(capacity >= 1, 'the capacity of a byte budget is at least 1')
    this.capacity = capacity
  }

  get used(): number {
    return this.#used
  }

  /** How many wait for bytes. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * Waits until so many bytes are free and everybody who asked earlier was served. A request for more than the capacity
   * takes all of it instead of waiting for ever. Rejects with the signal's reason when it aborts first.
   * @param estimate how many bytes; asked again when the turn comes, because more may be known by then
   */
  acquire(estimate: () => number, signal?: AbortSignal): Promise<ByteLease> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const bytes = (): number => Math.min(Math.max(0, estimate()), this.capacity)
    const wanted = bytes()
    if (this.#waiters.size === 0 && this.#fits(wanted)) return Promise.resolve(this.#lease(wanted))
    const granted = this.#enqueue(bytes, signal)
    for (const listener of this.#pressureListeners) listener()
    return granted
  }

  /** Calls `listener` whenever somebody has to wait: the moment to give back what is held but not needed. */
  onPressure(listener: () => void): Cancel {
    this.#pressureListeners.add(listener)
    return () => this.#pressureListeners.delete(listener)
  }

  #enqueue(bytes: () => number, signal: AbortSignal | undefined): Promise<ByteLease> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter)
        reject(signal?.reason)
        this.#serve()
      }
      const waiter: Waiter = {
        bytes,
        grant: (granted) => {
          signal?.removeEventListener('abort', abort)
          resolve(this.#lease(granted))
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** An overdrawn budget lets one through only when it is empty again, and then always. */
  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.capacity
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      const bytes = waiter.bytes()
      if (!this.#fits(bytes)) return
      this.#waiters.delete(waiter)
      waiter.grant(bytes)
    }
  }

  #lease(bytes: number): ByteLease {
    let held = bytes
    let open = true
    this.#used += held
    const change = (next: number): void => {
      this.#used += next - held
      held = next
      this.#serve()
    }
    return {
      get bytes() {
        return held
      },
      resize: (next) => {
        if (open) change(Math.max(0, next))
      },
      release: () => {
        if (!open) return
        open = false
        change(0)
      },
    }
  }
}
