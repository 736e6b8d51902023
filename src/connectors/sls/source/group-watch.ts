import { asError, type Generation, type Logger } from '../../../core/index.ts'
import type { LogServices } from './log-service.ts'

export interface GroupWatchOptions {
  readonly services: LogServices
  readonly log: Logger
  readonly group: string
  /** The job and the step. */
  readonly owner: string
  /** The attempt of the job. */
  readonly generation: Generation
  readonly onFailure: 'warn' | 'fail'
}

/** Makes the consumer group of a source in each logstore, and notices others who set its progress. */
export class GroupWatch {
  readonly #o: GroupWatchOptions
  readonly #made = new Set<string>()
  readonly #warned = new Set<string>()
  /** When each shard's progress was last set by somebody else, as far as that is known. */
  readonly #foreign = new Map<string, number>()

  constructor(options: GroupWatchOptions) {
    this.#o = options
  }

  /** The name under which this source sets progress. */
  get consumer(): string {
    const { owner, generation } = this.#o
    return `${owner}-${generation}`
  }

  /** An existing group is left as it is. @throws the failure when the options ask for that */
  async ensure(keys: Iterable<string>, signal: AbortSignal): Promise<void> {
    const { services, log, group, onFailure } = this.#o
    for (const key of keys) {
      if (this.#made.has(key)) continue
      try {
        await services.of(key).ensureGroup(group, signal)
        this.#made.add(key)
      } catch (thrown) {
        if (signal.aborted) return
        if (onFailure === 'fail') throw thrown
        if (this.#warned.has(key)) continue
        this.#warned.add(key)
        log.warn({ group, logstore: key, err: asError(thrown) }, 'the consumer group cannot be made; it is tried again')
      }
    }
  }

  /** Two jobs on one group overwrite each other's progress: the second one is named as soon as it does so. */
  async look(signal: AbortSignal): Promise<void> {
    const { services, log, group } = this.#o
    for (const key of this.#made) {
      const progress = await services.of(key).groupProgress(group, signal)
      if (progress === undefined) this.#made.delete(key)
      for (const { shard, consumer, updatedUs } of progress ?? []) {
        if (consumer === '' || this.#isOwn(consumer)) continue
        const place = `${key}/${shard}`
        const before = this.#foreign.get(place)
        this.#foreign.set(place, updatedUs)
        if (before === undefined || updatedUs <= before) continue
        log.warn({ group, logstore: key, shard, consumer }, 'somebody else sets the progress of the consumer group')
      }
    }
  }

  /** Of this attempt, or of an earlier or later one of the same job: those see to each other by the checkpoint directory. */
  #isOwn(consumer: string): boolean {
    const { owner } = this.#o
    return consumer.startsWith(`${owner}-`) && /^[0-9]+$/.test(consumer.slice(owner.length + 1))
  }
}
