import { asError, type Cancel, type Clock, type Logger } from '../../../core/index.ts'
import type { LogServices } from './log-service.ts'
import type { ShardSplit } from './shard-split.ts'
import { inTurns } from './shard-start.ts'

export interface ProgressMirrorOptions {
  readonly services: Pick<LogServices, 'of' | 'missingOf'>
  readonly clock: Pick<Clock, 'timer'>
  readonly log: Logger
  readonly group: string
  /** Called with a failure; it is tried again with the next checkpoint. */
  readonly onFailure: (error: Error) => void
}

/** How long the last progress may take to be set when the source closes. */
const closeWaitMs = 900

/** Finished splits that are kept until the group is told; the oldest are given up beyond that. */
const endsMax = 1000

type Mark = Pick<ShardSplit, 'splitId' | 'logstore' | 'shard'> & { readonly cursor: bigint }

/**
 * Tells a consumer group how far a reader has got: only what a completed checkpoint holds, and of a shard that is finished
 * its end. Of several checkpoints that complete meanwhile the newest is told.
 */
export class ProgressMirror {
  readonly #o: ProgressMirrorOptions
  #consumer: string | undefined
  /** By checkpoint, oldest first. */
  readonly #pending = new Map<number, readonly Mark[]>()
  /** What the group was told, by split. */
  readonly #told = new Map<string, bigint>()
  /** What it is to be told, by split. Those that could not be told stay, also of splits that no checkpoint has any more. */
  readonly #owed = new Map<string, Mark>()
  /**
   * Finished splits whose end was not told. They stay in the snapshots: after a crash nobody else would know of them.
   */
  readonly #ends = new Map<string, ShardSplit>()
  #asked = false
  #running: Promise<void> | undefined
  readonly #abort = new AbortController()
  /** Of what is being told at the moment. */
  #round = new AbortController()
  #failing = false

  constructor(options: ProgressMirrorOptions) {
    this.#o = options
  }

  /** The group is there. Before that nothing is told. */
  begin(consumer: string): void {
    this.#consumer = consumer
    this.#run()
  }

  /** Takes the reader's part of a checkpoint; gives back what the checkpoint has to hold. */
  snapshot(checkpointId: number, splits: readonly ShardSplit[]): readonly ShardSplit[] {
    const all = this.#withEnds(splits)
    const marks = all.flatMap(({ splitId, logstore, shard, cursor }) =>
      cursor === 'begin' ? [] : [{ splitId, logstore, shard, cursor }],
    )
    this.#pending.set(checkpointId, marks)
    return all
  }

  #withEnds(splits: readonly ShardSplit[]): readonly ShardSplit[] {
    for (const split of splits) {
      const { splitId, cursor, state } = split
      if (state === 'finished' && cursor !== 'begin' && this.#told.get(splitId) !== cursor)
        this.#ends.set(splitId, split)
    }
    for (const splitId of this.#ends.keys()) {
      if (this.#ends.size <= endsMax) break
      this.#ends.delete(splitId)
    }
    const given = new Set(splits.map(({ splitId }) => splitId))
    return [...splits, ...[...this.#ends.values()].filter(({ splitId }) => !given.has(splitId))]
  }

  /** The id is a high-water mark. */
  complete(checkpointId: number): void {
    for (const [id, marks] of this.#pending) {
      if (id > checkpointId) continue
      this.#pending.delete(id)
      for (const mark of marks) if (this.#told.get(mark.splitId) !== mark.cursor) this.#owed.set(mark.splitId, mark)
      const kept = new Set(marks.map(({ splitId }) => splitId))
      for (const splitId of this.#told.keys()) if (!kept.has(splitId)) this.#told.delete(splitId)
    }
    this.#asked = true
    this.#run()
  }

  abort(checkpointId: number): void {
    this.#pending.delete(checkpointId)
  }

  /** Waits a moment for what is being told. What hangs is given up half-way, so that the last progress gets its turn. */
  async close(): Promise<void> {
    const { clock } = this.#o
    const closed = new Error('the source is closed')
    const end = (): void => {
      this.#abort.abort(closed)
      this.#round.abort(closed)
    }
    const cutShort = (): void => {
      this.#asked = true
      this.#round.abort(closed)
    }
    const cancels: readonly Cancel[] = [clock.timer(closeWaitMs / 2, cutShort), clock.timer(closeWaitMs, end)]
    await this.#running
    this.#run()
    await this.#running
    for (const cancel of cancels) cancel()
    end()
  }

  #run(): void {
    if (this.#running !== undefined || !this.#asked || this.#consumer === undefined) return
    this.#running = this.#tellAll(this.#consumer).finally(() => {
      this.#running = undefined
    })
  }

  /** Never rejects. */
  async #tellAll(consumer: string): Promise<void> {
    while (this.#asked && !this.#abort.signal.aborted) {
      this.#asked = false
      this.#round = new AbortController()
      const told = await inTurns([...this.#owed.values()], this.#round.signal, (mark, turn) =>
        this.#tell(consumer, mark, turn),
      )
      if (told.every(Boolean)) this.#failing = false
    }
  }

  async #tell(consumer: string, mark: Mark, signal: AbortSignal): Promise<boolean> {
    const { splitId, logstore, shard, cursor } = mark
    const { services, log, group, onFailure } = this.#o
    try {
      await services.of(logstore).commit(group, consumer, shard, cursor, signal)
      this.#settled(mark)
      return true
    } catch (thrown) {
      const error = asError(thrown)
      if (signal.aborted) return false
      if (services.missingOf(thrown) === 'shard') {
        // Read to its end, and deleted or expired since.
        this.#settled(mark)
        return true
      }
      if (!this.#failing) {
        log.warn({ group, split: splitId, err: error }, 'the consumer group cannot be told; next time again')
      }
      this.#failing = true
      onFailure(error)
      return false
    }
  }

  #settled(mark: Mark): void {
    const { splitId, cursor } = mark
    this.#told.set(splitId, cursor)
    if (this.#owed.get(splitId) === mark) this.#owed.delete(splitId)
    if (this.#ends.get(splitId)?.cursor === cursor) this.#ends.delete(splitId)
  }
}
