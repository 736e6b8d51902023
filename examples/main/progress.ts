import type { JobEvent, JobHandle } from 'millrace'
import type { SlsClient } from 'millrace/sls'
import { type ShardView, shardsOf } from '../shared/shards.ts'
import type { Counts } from './counts.ts'
import { consumerGroup } from './dispatch-and-count.ts'

/** How the run stands at one moment. */
export interface Frame {
  /** Logs in `access`, over all starts. */
  readonly in: number
  /** Logs counted, as far as it is published. */
  readonly counted: number
  readonly inPerSecond: number
  readonly countedPerSecond: number
  /** LogGroups that the consumer group has not been told of. */
  readonly lag: number
  readonly shards: readonly ShardView[]
  /** The last completed checkpoint of this process. */
  readonly checkpoint: { readonly id: number; readonly ms: number; readonly ageMs: number } | undefined
  /** Of this process. */
  readonly restarts: number
  readonly levels: readonly (readonly [level: string, logs: number])[]
}

export interface ProgressParts {
  readonly running: JobHandle
  readonly client: SlsClient
  readonly counts: Counts
  /** Logs in `access`. */
  readonly written: () => number
}

/** Puts together what is shown. */
export class Progress {
  readonly #parts: ProgressParts
  #checkpoint: { readonly id: number; readonly ms: number; readonly atMs: number } | undefined
  #restarts = 0
  #last: { readonly atMs: number; readonly in: number; readonly counted: number } | undefined

  constructor(parts: ProgressParts) {
    this.#parts = parts
    parts.running.events$.subscribe((event) => this.#hear(event))
  }

  #hear(event: JobEvent): void {
    if (event.kind === 'restarting') this.#restarts++
    if (event.kind === 'checkpoint-completed') {
      this.#checkpoint = { id: event.checkpointId, ms: event.durationMs, atMs: performance.now() }
    }
  }

  /** Undefined before the first. */
  get checkpointAgeMs(): number | undefined {
    return this.#checkpoint && performance.now() - this.#checkpoint.atMs
  }

  async frame(): Promise<Frame> {
    const { client, counts, written } = this.#parts
    await counts.refresh()
    const shards = await shardsOf(client, 'access', consumerGroup)
    const now = { atMs: performance.now(), in: written(), counted: counts.total }
    const last = this.#last ?? now
    this.#last = now
    const seconds = Math.max(0.001, (now.atMs - last.atMs) / 1000)
    const perSecond = (value: number, before: number): number => Math.max(0, Math.round((value - before) / seconds))
    const checkpoint = this.#checkpoint
    return {
      in: now.in,
      counted: now.counted,
      inPerSecond: perSecond(now.in, last.in),
      countedPerSecond: perSecond(now.counted, last.counted),
      lag: shards.reduce((sum, { behind }) => sum + behind, 0),
      shards,
      checkpoint: checkpoint && {
        id: checkpoint.id,
        ms: Math.round(checkpoint.ms),
        ageMs: Math.round(now.atMs - checkpoint.atMs),
      },
      restarts: this.#restarts,
      levels: counts.levels(),
    }
  }
}
