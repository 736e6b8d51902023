/** So much per second, with one second's worth in store: what is over it is refused, not delayed. Pure. */
export class Quota {
  readonly #perSecond: number
  #available: number
  #lastMs: number

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#available = perSecond
    this.#lastMs = nowMs
  }

  /** False when nothing is left. One that is larger than all there is passes when the store is not empty, and is owed. */
  take(amount: number, nowMs: number): boolean {
    const elapsed = Math.max(0, nowMs - this.#lastMs)
    this.#lastMs = Math.max(this.#lastMs, nowMs)
    this.#available = Math.min(this.#perSecond, this.#available + (elapsed / 1000) * this.#perSecond)
    if (this.#available <= 0) return false
    this.#available -= amount
    return true
  }
}
