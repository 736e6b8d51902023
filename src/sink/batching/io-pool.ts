import PQueue from 'p-queue'
import { invariant } from '../../core/index.ts'

/** Failures in a row after which a lane is taken for broken. */
const brokenAfter = 3

/** Lanes that are known before idle ones are forgotten. */
const lanesMax = 1024

/** The way to one target. */
export interface IoLane {
  /** Runs a task as soon as there is a slot. Rejects with the signal's reason when it aborts first. */
  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** Tells how the last task went: whether the target answers. */
  note(answers: boolean): void
}

/**
 * The requests that may be on their way at the same time in one process. Every target has a lane with a share of them, so
 * that a slow one leaves slots to the others. A target that does not answer keeps no slot at all: it is tried by one
 * request at a time, beside the pool, since each could last until its deadline.
 */
export class IoPool {
  readonly size: number
  readonly #slots: PQueue
  readonly #lanes = new Map<string, Lane>()

  /** @param size requests at the same time, at least 1 */
  constructor(size: number) {
    invariant(Number.isSafeInteger(size) && size >= 1, 'an I/O pool has at least one slot')
    this.size = size
    this.#slots = new PQueue({ concurrency: size })
  }

  /** Requests on their way, without those to broken targets. */
  get running(): number {
    return this.#slots.pending
  }

  /**
   * The lane of a target; the same for the same name.
   * @param share slots it may hold, at most all of them; the last word counts
   */
  lane(name: string, share: number = this.size): IoLane {
    const concurrency = Math.max(1, Math.min(this.size, Math.floor(share)))
    const known = this.#lanes.get(name)
    if (known !== undefined) {
      known.share(concurrency)
      return known
    }
    if (this.#lanes.size >= lanesMax) this.#forgetIdle()
    const lane = new Lane(this.#slots, concurrency)
    this.#lanes.set(name, lane)
    return lane
  }

  #forgetIdle(): void {
    for (const [name, lane] of this.#lanes) if (lane.isIdle) this.#lanes.delete(name)
  }
}

class Lane implements IoLane {
  readonly #slots: PQueue
  readonly #queue: PQueue
  #share: number
  #failures = 0

  constructor(slots: PQueue, share: number) {
    this.#slots = slots
    this.#share = share
    this.#queue = new PQueue({ concurrency: share })
  }

  get isIdle(): boolean {
    return this.#failures === 0 && this.#queue.size + this.#queue.pending === 0
  }

  share(share: number): void {
    this.#share = share
    this.#apply()
  }

  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#queue.add(() => (this.#broken ? task() : this.#slots.add(task, { signal })), { signal })
  }

  note(answers: boolean): void {
    const before = this.#broken
    this.#failures = answers ? 0 : this.#failures + 1
    if (before !== this.#broken) this.#apply()
  }

  get #broken(): boolean {
    return this.#failures >= brokenAfter
  }

  #apply(): void {
    this.#queue.concurrency = this.#broken ? 1 : this.#share
  }
}
