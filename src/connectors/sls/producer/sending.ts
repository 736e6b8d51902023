/** Logs that are stored. */
export interface SlsReceipt {
  readonly logs: number
  /** Attempts of the package that needed most. */
  readonly attempts: number
}

/** One call of `send`: settles once, when the story of each of its logs is over. */
export class Sending {
  readonly outcome: Promise<SlsReceipt>
  readonly #logs: number
  #resolve: (receipt: SlsReceipt) => void = () => {}
  #reject: (error: Error) => void = () => {}
  #left: number
  #attempts = 0
  #failure: Error | undefined

  /** @param logs at least 1 */
  constructor(logs: number) {
    this.#logs = logs
    this.#left = logs
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** One log is stored. */
  stored(attempts: number): void {
    this.#attempts = Math.max(this.#attempts, attempts)
    this.#settle(1)
  }

  /** So many logs are not stored, or nobody knows. The first reason counts. */
  failed(error: Error, logs = 1): void {
    this.#failure ??= error
    this.#settle(logs)
  }

  #settle(logs: number): void {
    this.#left -= logs
    if (this.#left > 0) return
    if (this.#failure === undefined) this.#resolve({ logs: this.#logs, attempts: this.#attempts })
    else this.#reject(this.#failure)
  }
}
