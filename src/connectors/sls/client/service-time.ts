import type { Clock } from '../../../core/index.ts'
import { parseHttpDate } from '../../../wire/index.ts'

/**
 * The service's time, for signatures: this machine's until the service says that it is off, from then on corrected by what
 * the service's `date` showed (reliability paper, F21).
 */
export class ServiceTime {
  readonly #clock: Clock
  #offsetMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wallMs(): number {
    return this.#clock.wallMs() + this.#offsetMs
  }

  /** Learns from the `date` header of an answer. False when there is none, or it changes nothing worth another try. */
  learn(dateHeader: string | undefined): boolean {
    const dateMs = dateHeader === undefined ? undefined : parseHttpDate(dateHeader)
    if (dateMs === undefined) return false
    const changeMs = dateMs - this.wallMs()
    this.#offsetMs += changeMs
    return Math.abs(changeMs) > 1_000
  }
}
