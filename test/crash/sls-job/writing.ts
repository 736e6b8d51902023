import { sleep } from '../child.ts'
import { type ServiceClient, Unanswered } from '../log-service/service-client.ts'
import type { Draws } from '../random.ts'
import { groupOf } from './records.ts'

const writersCount = 8
const tickMs = 40

export interface WritingOptions {
  readonly client: ServiceClient
  readonly logstore: string
  readonly records: number
  readonly draws: Draws
  readonly problem: (text: string) => void
  /** How long it is going to take to write what is left, about. Zero: as fast as it can be. */
  readonly restMs: () => number
}

/** Writes all records at least once: a put that got no answer is made again with the same bytes. */
export class Writing {
  readonly #o: WritingOptions
  #next = 0
  #allowed = 0
  #aborted = false
  /** Records that are known to be stored. */
  stored = 0
  /** Puts that got no answer and were made again. */
  repeats = 0
  #loop: Promise<unknown> = Promise.resolve()

  constructor(options: WritingOptions) {
    this.#o = options
  }

  begin(): void {
    const writers = Array.from({ length: writersCount }, () => this.#write())
    this.#loop = Promise.all([this.#pace(), ...writers])
  }

  /** Resolves when every record is stored. */
  async done(): Promise<void> {
    await this.#loop
  }

  abort(): void {
    this.#aborted = true
  }

  /** Lets so many records go as make them last until then. */
  async #pace(): Promise<void> {
    const { records, restMs } = this.#o
    while (this.#allowed < records && !this.#aborted) {
      const rest = restMs()
      this.#allowed += rest <= 0 ? records : ((records - this.#next) * tickMs) / Math.max(tickMs, rest)
      await sleep(tickMs)
    }
  }

  async #write(): Promise<void> {
    const { records, draws } = this.#o
    while (this.#next < records && !this.#aborted) {
      if (this.#next >= this.#allowed) {
        await sleep(tickMs)
        continue
      }
      const from = this.#next
      const to = Math.min(records, from + 1 + Math.floor(draws.float() * 150))
      this.#next = to
      await this.#put(groupOf(from, to))
      this.stored += to - from
    }
  }

  async #put(group: Uint8Array): Promise<void> {
    const { client, logstore, problem } = this.#o
    while (!this.#aborted) {
      try {
        if (await client.put(logstore, group)) return
      } catch (error) {
        if (!(error instanceof Unanswered)) return problem(`a put: ${String(error)}`)
        // Nobody there is an answer, too.
        if (!error.message.includes('ECONNREFUSED')) this.repeats++
      }
      await sleep(25)
    }
  }
}
