import type { Logger } from '../../../core/index.ts'
import type { AgainReason } from '../../../sink/index.ts'
import type { LogDestination } from './log-destination.ts'

/** Tells when a project stops taking packages and when it takes them again, and nothing in between. */
export class TargetHealth {
  readonly #log: Logger
  readonly #failing = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  failed({ lane, place }: LogDestination, why: AgainReason, cause: Error, waitMs: number): void {
    if (this.#failing.has(lane)) return
    this.#failing.add(lane)
    const { project, logstore } = place
    this.#log.warn(
      { project, logstore, why, cause: cause.message, waitMs: Math.round(waitMs) },
      'a package is not stored yet; it is sent again',
    )
  }

  stored({ lane, place }: LogDestination): void {
    if (this.#failing.delete(lane)) this.#log.info({ project: place.project }, 'packages are stored again')
  }
}
