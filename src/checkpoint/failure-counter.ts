import type { CheckpointId } from '../core/index.ts'

/**
 * Why a checkpoint did not complete.
 *
 * Counted: `failed` (storage or another input/output failure), `declined` (a participant could not take part) and
 * `expired` (it took longer than the timeout). Not counted, because nothing is wrong: `superseded` by a newer one, and
 * `cancelled` because the job ends.
 */
export type CheckpointFailureReason = 'failed' | 'declined' | 'expired' | 'superseded' | 'cancelled'

export interface CheckpointFailure {
  readonly id: CheckpointId
  readonly reason: CheckpointFailureReason
  /** A savepoint asked for by a person never counts: its failure is answered to the person. */
  readonly savepoint: boolean
}

const counted: ReadonlySet<CheckpointFailureReason> = new Set(['failed', 'declined', 'expired'])

/**
 * Decides when too many checkpoints in a row did not complete (Flink's `CheckpointFailureManager`; flink-semantics paper,
 * section D6).
 */
export class FailureCounter {
  readonly #tolerated: number
  readonly #failedIds = new Set<CheckpointId>()
  #succeeded = -1

  /** @param tolerated failures in a row that the job survives; 0 means that the first one fails it */
  constructor(tolerated: number) {
    this.#tolerated = tolerated
  }

  /** Failures in a row so far. */
  get inARow(): number {
    return this.#failedIds.size
  }

  /** Counts a failure, each checkpoint once. `exceeded`: the job has to fail; counting starts anew. */
  onFailure(failure: CheckpointFailure): 'tolerated' | 'exceeded' {
    const counts = counted.has(failure.reason) && !failure.savepoint && failure.id > this.#succeeded
    if (!counts) return 'tolerated'
    this.#failedIds.add(failure.id)
    if (this.#failedIds.size <= this.#tolerated) return 'tolerated'
    this.#failedIds.clear()
    return 'exceeded'
  }

  /** Checkpoint `id` completed: failures of older ones are forgotten, those of newer ones still count. */
  onSuccess(id: CheckpointId): void {
    if (id <= this.#succeeded) return
    this.#succeeded = id
    for (const failed of this.#failedIds) if (failed < id) this.#failedIds.delete(failed)
  }
}
