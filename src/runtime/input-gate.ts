import { BarrierAligner } from '../checkpoint/index.ts'
import type { CheckpointId, RecordBatch } from '../core/index.ts'
import type { BoundedChannel } from './bounded-channel.ts'

/** What a subtask takes from its input. */
export type InputEvent =
  | { readonly kind: 'batch'; readonly batch: RecordBatch }
  /** Every input has delivered its barrier: the snapshot is due. */
  | { readonly kind: 'aligned'; readonly id: CheckpointId }
  /** The checkpoint will not complete: pass the word on. */
  | { readonly kind: 'aborted'; readonly id: CheckpointId }
  /** No record follows on any input. */
  | { readonly kind: 'end' }

/** Where the records of a subtask come from. */
export interface SubtaskInput {
  /** The next event, or undefined when there is none at the moment. Never waits. */
  poll(): InputEvent | undefined
  /** Registers the bell to ring when `poll` is worth calling again. */
  onAvailable(ring: () => void): void
  waitingFor(): string
}

/** Several channels as one input: fair, with aligned barriers. */
export class InputGate implements SubtaskInput {
  readonly #channels: readonly BoundedChannel[]
  readonly #names: readonly string[]
  readonly #aligner: BarrierAligner
  readonly #ended: boolean[]
  #open: number
  #next = 0

  /** `names` says for each channel where it comes from. */
  constructor(channels: readonly BoundedChannel[], names: readonly string[]) {
    this.#channels = channels
    this.#names = names
    this.#aligner = new BarrierAligner(channels.length)
    this.#ended = channels.map(() => false)
    this.#open = channels.length
  }

  onAvailable(ring: () => void): void {
    for (const channel of this.#channels) channel.onElement(ring)
  }

  poll(): InputEvent | undefined {
    for (let tries = 0; tries < this.#channels.length; ) {
      const index = this.#next
      const element = this.#aligner.isBlocked(index) ? undefined : this.#channels[index]?.receive()
      if (element === undefined) {
        tries++
        this.#advance()
        continue
      }
      tries = 0
      if (element.kind === 'batch') {
        this.#advance()
        return { kind: 'batch', batch: element }
      }
      const event =
        element.kind === 'end-of-input'
          ? this.#onEnd(index)
          : this.#onDecision(
              element.kind === 'barrier'
                ? this.#aligner.onBarrier(index, element.id)
                : this.#aligner.onCancelled(index, element.id),
            )
      if (event !== undefined) return event
    }
    return undefined
  }

  #advance(): void {
    this.#next = (this.#next + 1) % this.#channels.length
  }

  #onEnd(index: number): InputEvent | undefined {
    if (this.#ended[index]) return undefined
    this.#ended[index] = true
    this.#open--
    return this.#open === 0 ? { kind: 'end' } : undefined
  }

  #onDecision(decision: ReturnType<BarrierAligner['onBarrier']>): InputEvent | undefined {
    if (decision.kind === 'aligned') return { kind: 'aligned', id: decision.id }
    return decision.kind === 'aborted' ? { kind: 'aborted', id: decision.id } : undefined
  }

  waitingFor(): string {
    const { aligning } = this.#aligner
    // A channel that has ended owes its barrier as well.
    const late = this.#names.filter((_, index) => !this.#aligner.isBlocked(index))
    if (aligning !== undefined) return `the barrier of checkpoint ${aligning} from ${late.join(', ')}`
    const open = this.#names.filter((_, index) => this.#ended[index] !== true)
    return open.length === 0 ? 'the end of the job' : `records from ${open.join(', ')}`
  }
}
