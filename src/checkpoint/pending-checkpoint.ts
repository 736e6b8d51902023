import type { CheckpointId } from '../core/index.ts'

/** Why an acknowledgement or a refusal changed nothing. */
export type IgnoredReason = 'other-checkpoint' | 'not-a-participant' | 'already-acknowledged' | 'already-declined'

/** What became of an acknowledgement or a refusal. */
export type Receipt = { readonly accepted: true } | { readonly accepted: false; readonly reason: IgnoredReason }

/** A participant that cannot take part in this checkpoint, and why. */
export interface Refusal {
  readonly participant: string
  readonly cause: Error
}

const accepted: Receipt = { accepted: true }
const ignored = (reason: IgnoredReason): Receipt => ({ accepted: false, reason })

/**
 * One attempt at a checkpoint: who has to acknowledge, and who has (Flink's `PendingCheckpoint`). A participant is the
 * name of a subtask or of a coordinator. The first refusal settles the attempt: later words are ignored, each with its
 * reason, because messages of an attempt that is over still arrive.
 */
export class PendingCheckpoint<Snapshot> {
  readonly id: CheckpointId
  readonly #missing: Set<string>
  readonly #snapshots = new Map<string, Snapshot>()
  #refusal: Refusal | undefined

  constructor(id: CheckpointId, participants: Iterable<string>) {
    this.id = id
    this.#missing = new Set(participants)
  }

  /** `participant` has written its part of checkpoint `id`. */
  acknowledge(id: CheckpointId, participant: string, snapshot: Snapshot): Receipt {
    const problem = this.#problem(id, participant)
    if (problem !== undefined) return ignored(problem)
    this.#missing.delete(participant)
    this.#snapshots.set(participant, snapshot)
    return accepted
  }

  /** `participant` cannot take part in checkpoint `id`. After it acknowledged, it can no longer decline. */
  decline(id: CheckpointId, participant: string, cause: Error): Receipt {
    const problem = this.#problem(id, participant)
    if (problem !== undefined) return ignored(problem)
    this.#refusal = { participant, cause }
    return accepted
  }

  /** Everyone has acknowledged and nobody has declined. */
  isComplete(): boolean {
    return this.#refusal === undefined && this.#missing.size === 0
  }

  /** The first refusal. */
  refusal(): Refusal | undefined {
    return this.#refusal
  }

  /** Who has not acknowledged yet, in the order given: what a message about an expired checkpoint names. */
  missing(): readonly string[] {
    return [...this.#missing]
  }

  /** What each participant acknowledged with. */
  snapshots(): ReadonlyMap<string, Snapshot> {
    return this.#snapshots
  }

  #problem(id: CheckpointId, participant: string): IgnoredReason | undefined {
    if (id !== this.id) return 'other-checkpoint'
    if (this.#refusal !== undefined) return 'already-declined'
    if (this.#snapshots.has(participant)) return 'already-acknowledged'
    return this.#missing.has(participant) ? undefined : 'not-a-participant'
  }
}
