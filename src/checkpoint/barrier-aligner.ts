import { type CheckpointId, invariant } from '../core/index.ts'

/** What a subtask does about a barrier or a cancellation it has just read from one of its input channels. */
export type AlignerDecision =
  /** Nothing: the element belongs to a checkpoint that is already over for this subtask. */
  | { readonly kind: 'none' }
  /** Stop reading the channel the barrier came from; the others still owe theirs. */
  | { readonly kind: 'block'; readonly id: CheckpointId }
  /** Every channel has delivered: snapshot now. All channels are readable again. */
  | { readonly kind: 'aligned'; readonly id: CheckpointId }
  /**
   * Checkpoint `id` and every older one are given up; forward the cancellation of `id`. All channels are readable
   * again, except that with `next` the channel the barrier came from is now blocked for that newer checkpoint.
   */
  | { readonly kind: 'aborted'; readonly id: CheckpointId; readonly next?: CheckpointId }

const none: AlignerDecision = { kind: 'none' }

/**
 * Aligns the barriers of a subtask's input channels (Flink's `SingleCheckpointBarrierHandler`; flink-semantics paper,
 * section D2). It differs from Flink in one row: a channel that has ended stays open for barriers until the job is over,
 * so it owes its barrier like any other.
 */
export class BarrierAligner {
  readonly #delivered: boolean[]
  #missing = 0
  #aligning: CheckpointId | undefined
  /** The newest checkpoint that is over for this subtask: snapshotted, cancelled or superseded. */
  #settled = -1

  /** @param channelCount input channels of the subtask; they are numbered from 0 */
  constructor(channelCount: number) {
    invariant(Number.isInteger(channelCount) && channelCount > 0, 'an aligner has at least one channel')
    this.#delivered = new Array<boolean>(channelCount).fill(false)
  }

  /** The checkpoint being aligned; undefined between checkpoints. */
  get aligning(): CheckpointId | undefined {
    return this.#aligning
  }

  /** The channel must not be read: its barrier is in, and those of other channels are not. */
  isBlocked(channel: number): boolean {
    return this.#aligning !== undefined && this.#delivered[channel] === true
  }

  /** Barrier `id` was read from `channel`. */
  onBarrier(channel: number, id: CheckpointId): AlignerDecision {
    this.#check(channel)
    const superseded = this.#aligning
    if (id <= this.#settled || (superseded !== undefined && id < superseded)) return none
    if (superseded === undefined || id > superseded) this.#start(id)
    else if (this.#delivered[channel]) return none
    this.#delivered[channel] = true
    this.#missing--
    if (superseded !== undefined && id > superseded) return { kind: 'aborted', id: superseded, next: id }
    if (this.#missing > 0) return { kind: 'block', id }
    this.#settle(id)
    return { kind: 'aligned', id }
  }

  /** The cancellation of checkpoint `id` was read from `channel`. */
  onCancelled(channel: number, id: CheckpointId): AlignerDecision {
    this.#check(channel)
    if (id <= this.#settled || (this.#aligning !== undefined && id < this.#aligning)) return none
    this.#settle(id)
    return { kind: 'aborted', id }
  }

  #start(id: CheckpointId): void {
    this.#delivered.fill(false)
    this.#missing = this.#delivered.length
    this.#aligning = id
  }

  #settle(id: CheckpointId): void {
    this.#aligning = undefined
    this.#settled = id
  }

  #check(channel: number): void {
    invariant(channel >= 0 && channel < this.#delivered.length, `channel ${channel} is one of the aligner's`)
  }
}
