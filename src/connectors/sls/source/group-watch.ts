import { asError, type Logger } from '../../../core/index.ts'
import type { LogServices } from './log-service.ts'

export interface GroupWatchOptions {
  readonly services: LogServices
  readonly log: Logger
  readonly group: string
  /** The name under which this source sets progress. */
  readonly consumer: string
  /** Names that start so belong to earlier runs of this source. */
  readonly ownPrefix: string
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

  get consumer(): string {
    return this.#o.consumer
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
    const { services, log, group, ownPrefix } = this.#o
    for (const key of this.#made) {
      const progress = await services.of(key).groupProgress(group, signal)
      if (progress === undefined) this.#made.delete(key)
      for (const { shard, consumer, updatedUs } of progress ?? []) {
        if (consumer === '' || consumer.startsWith(ownPrefix)) continue
        const place = `${key}/${shard}`
        const before = this.#foreign.get(place)
        this.#foreign.set(place, updatedUs)
        if (before === undefined || updatedUs <= before) continue
        log.warn({ group, logstore: key, shard, consumer }, 'somebody else sets the progress of the consumer group')
      }
    }
  }
}
