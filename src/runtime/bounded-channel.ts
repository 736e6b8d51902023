import type { StreamElement } from '../core/index.ts'

export interface ChannelLimits {
  readonly batchesMax: number
  readonly bytesMax: number
}

/**
 * The queue between two subtasks: one sender, one receiver. `send` takes the element at once and gives a promise when the
 * channel is full; awaiting it is the backpressure, so a channel holds at most its limit and one batch more.
 */
export class BoundedChannel {
  // An array on purpose: it holds a handful of batches (style paper, section 2.10).
  readonly #queue: StreamElement[] = []
  readonly #limits: ChannelLimits
  #batches = 0
  #bytes = 0
  #room: (() => void) | undefined
  #roomPromise: Promise<void> | undefined
  #onElement: () => void = () => {}
  #released = false

  constructor(limits: ChannelLimits) {
    this.#limits = limits
  }

  /** The receiver's bell: rung whenever an element comes in. */
  onElement(ring: () => void): void {
    this.#onElement = ring
  }

  send(element: StreamElement): void | Promise<void> {
    if (this.#released) return undefined
    this.#queue.push(element)
    if (element.kind === 'batch') {
      this.#batches++
      this.#bytes += element.bytes
    }
    this.#onElement()
    if (!this.full) return undefined
    this.#roomPromise ??= new Promise((resolve) => {
      this.#room = resolve
    })
    return this.#roomPromise
  }

  receive(): StreamElement | undefined {
    const element = this.#queue.shift()
    if (element?.kind === 'batch') {
      this.#batches--
      this.#bytes -= element.bytes
      if (!this.full) this.#letIn()
    }
    return element
  }

  #letIn(): void {
    this.#room?.()
    this.#room = undefined
    this.#roomPromise = undefined
  }

  /** The receiver is gone for good: whoever waits for room is let go, and what comes in is dropped. */
  release(): void {
    this.#released = true
    this.#queue.length = 0
    this.#letIn()
  }

  get full(): boolean {
    if (this.#released) return false
    return this.#batches >= this.#limits.batchesMax || this.#bytes >= this.#limits.bytesMax
  }

  get batches(): number {
    return this.#batches
  }

  get bytes(): number {
    return this.#bytes
  }
}
