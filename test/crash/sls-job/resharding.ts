import { sleep } from '../child.ts'
import { type ServiceClient, type ShardAnswer, Unanswered } from '../log-service/service-client.ts'
import type { Draws } from '../random.ts'

export interface ReshardingOptions {
  readonly client: ServiceClient
  readonly logstore: string
  readonly count: number
  readonly draws: Draws
  readonly problem: (text: string) => void
  /** How much of all records is stored, from 0 to 1. */
  readonly progress: () => number
}

/** Splits and merges while records are written. */
export class Resharding {
  readonly #o: ReshardingOptions
  splits = 0
  merges = 0
  #aborted = false
  #loop: Promise<void> = Promise.resolve()

  constructor(options: ReshardingOptions) {
    this.#o = options
  }

  begin(): void {
    this.#loop = this.#run()
  }

  async done(): Promise<void> {
    await this.#loop
  }

  abort(): void {
    this.#aborted = true
  }

  async #run(): Promise<void> {
    const { count, draws, progress } = this.#o
    const merges = Math.floor(count * 0.4)
    const kinds = draws.shuffled(
      Array.from({ length: count }, (_, index): 'merge' | 'split' => (index < merges ? 'merge' : 'split')),
    )
    for (const [index, kind] of kinds.entries()) {
      while (progress() < (0.95 * (index + 0.5)) / count && !this.#aborted) await sleep(30)
      await this.#reshard(kind)
    }
  }

  /** Until it is done: a call without an answer may have been carried out, and the list of shards tells. */
  async #reshard(kind: 'merge' | 'split'): Promise<void> {
    const { client, logstore, draws, problem } = this.#o
    let chosen: ShardAnswer | undefined
    const parts = draws.pick([2, 2, 3, 4])
    const drawn = draws.float()
    while (!this.#aborted) {
      try {
        const shards = await client.shards(logstore)
        const known = chosen
        if (
          known !== undefined &&
          shards.some(({ shardID, status }) => shardID === known.shardID && status === 'readonly')
        ) {
          if (kind === 'split') this.splits++
          else this.merges++
          return
        }
        const open = shards
          .filter(({ status }) => status === 'readwrite')
          .sort((a, b) => (a.inclusiveBeginKey < b.inclusiveBeginKey ? -1 : 1))
        // The last shard of the range has no neighbour to merge with.
        chosen ??= open[Math.floor(drawn * (open.length - (kind === 'merge' ? 1 : 0)))]
        const action = kind === 'split' ? `split&shardCount=${parts}` : 'merge'
        const path = `/logstores/${logstore}/shards/${chosen?.shardID}?action=${action}`
        const { status, body } = await client.call('POST', path)
        if (status !== 200) return problem(`a ${kind} was answered with ${status} ${body}`)
      } catch (error) {
        if (!(error instanceof Unanswered)) return problem(`a ${kind}: ${String(error)}`)
        await sleep(30)
      }
    }
  }
}
