import type { Cancel, Clock } from '../core/index.ts'
import { abortableSleep } from './abortable-sleep.ts'

// Taken when this file is loaded, so that it is the real one also under other fakes.
const nextTurn = setImmediate

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/**
 * Time that moves only when told. `yield` is real: it lets the code under test finish what needs no time.
 */
export class VirtualClock implements Clock {
  readonly #startWallMs: number
  #nowMs = 0
  /** In the order they were set; a unit test has a handful. */
  readonly #timers = new Set<Timer>()

  /** @param startWallMs the wall clock at the start. Default: 14 November 2023. */
  constructor(startWallMs = 1_700_000_000_000) {
    this.#startWallMs = startWallMs
  }

  wallMs(): number {
    return Math.floor(this.#startWallMs + this.#nowMs)
  }

  monoMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return abortableSleep((after, run) => this.timer(after, run), ms, signal)
  }

  timer(ms: number, run: () => void): Cancel {
    const timer: Timer = { atMs: this.#nowMs + (ms > 0 ? ms : 0), run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  yield(): Promise<void> {
    return new Promise((resolve) => nextTurn(resolve))
  }

  /** Timers that are set: zero when the code under test has left none behind. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /**
   * Moves time by `ms` and runs every timer that comes due on the way, in order, also those set on the way. What the code
   * under test can do without more time is done when the promise resolves.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.yield()
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) await this.#run(timer)
    this.#nowMs = untilMs
  }

  /**
   * Moves time from timer to timer until `promise` settles, and gives its result.
   * @throws Error when no timer is left, or `msMax` of virtual time (default an hour) passed, and it has not settled.
   */
  async advanceUntil<T>(promise: Promise<T>, msMax = 3_600_000): Promise<T> {
    const untilMs = this.#nowMs + msMax
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    await this.yield()
    while (!settled) {
      const timer = this.#next(untilMs)
      if (timer === undefined) {
        // The code may be in the middle of a chain of real turns, e.g. of `yield`.
        for (let turn = 0; turn < 100 && !settled && this.#next(untilMs) === undefined; turn++) await this.yield()
        if (!settled && this.#next(untilMs) === undefined) throw this.#stuck(msMax)
      } else {
        await this.#run(timer)
      }
    }
    return promise
  }

  #stuck(msMax: number): Error {
    return new Error(
      this.#timers.size === 0
        ? 'the promise waits for something that is not a timer'
        : `the promise did not settle within ${msMax} ms of virtual time`,
    )
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.atMs < first.atMs) first = timer
    return first !== undefined && first.atMs <= untilMs ? first : undefined
  }

  async #run(timer: Timer): Promise<void> {
    this.#timers.delete(timer)
    this.#nowMs = Math.max(this.#nowMs, timer.atMs)
    timer.run()
    await this.yield()
  }
}
