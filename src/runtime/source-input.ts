import type { CheckpointId } from '../core/index.ts'
import { nothingToRead, type PollResult, type SourceReader, type Split } from '../source/index.ts'
import type { InputEvent, SubtaskInput } from './input-gate.ts'

/** What the source coordinator tells a source subtask. One queue, so an assignment stays before the barrier after it. */
export type SourceControl =
  | { readonly kind: 'add-splits'; readonly splits: readonly Split[] }
  | { readonly kind: 'no-more-splits' }
  | { readonly kind: 'event'; readonly event: unknown }
  | { readonly kind: 'barrier'; readonly id: CheckpointId }
  | { readonly kind: 'cancel-barrier'; readonly id: CheckpointId }
  /** Reading may begin: the first checkpoint holds the start positions. */
  | { readonly kind: 'open' }
  /** No further record is emitted. With `drain` the input ends; without it, it only pauses for the last checkpoint. */
  | { readonly kind: 'stop'; readonly drain: boolean }

/** A source reader as the input of its subtask. */
export class SourceInput implements SubtaskInput {
  readonly #reader: SourceReader<unknown, Split>
  readonly #control: SourceControl[] = []
  readonly #onFailure: (error: unknown) => void
  #ring: () => void = () => {}
  #phase: 'closed' | 'reading' | 'stopped' | 'ended' = 'closed'
  #watching = false

  constructor(reader: SourceReader<unknown, Split>, onFailure: (error: unknown) => void) {
    this.#reader = reader
    this.#onFailure = onFailure
  }

  tell(control: SourceControl): void {
    this.#control.push(control)
    this.#ring()
  }

  onAvailable(ring: () => void): void {
    this.#ring = ring
  }

  poll(): InputEvent | undefined {
    for (let control = this.#control.shift(); control !== undefined; control = this.#control.shift()) {
      const event = this.#obey(control)
      if (event !== undefined) return event
    }
    if (this.#phase !== 'reading') return undefined
    const result = this.#poll()
    if (result.kind === 'records') return { kind: 'batch', batch: result.batch }
    if (result.kind === 'end') {
      this.#phase = 'ended'
      return { kind: 'end' }
    }
    if (this.#phase === 'reading') this.#watch()
    return undefined
  }

  #poll(): PollResult<unknown> {
    try {
      return this.#reader.poll()
    } catch (thrown) {
      this.#phase = 'stopped'
      this.#onFailure(thrown)
      return nothingToRead
    }
  }

  #obey(control: SourceControl): InputEvent | undefined {
    switch (control.kind) {
      case 'add-splits':
        this.#reader.addSplits(control.splits)
        return undefined
      case 'no-more-splits':
        this.#reader.notifyNoMoreSplits()
        return undefined
      case 'event':
        this.#reader.handleSourceEvent?.(control.event)
        return undefined
      case 'barrier':
        return { kind: 'aligned', id: control.id }
      case 'cancel-barrier':
        return { kind: 'aborted', id: control.id }
      case 'open':
        if (this.#phase === 'closed') this.#phase = 'reading'
        return undefined
      case 'stop':
        if (this.#phase === 'ended') return undefined
        this.#phase = control.drain ? 'ended' : 'stopped'
        return control.drain ? { kind: 'end' } : undefined
    }
  }

  /** Rings once the reader has something; one watch at a time. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    const ready = (): void => {
      this.#watching = false
      this.#ring()
    }
    this.#reader.available().then(ready, (error: unknown) => {
      this.#watching = false
      this.#onFailure(error)
    })
  }

  waitingFor(): string {
    if (this.#phase === 'closed') return 'the first checkpoint, which holds the start positions'
    return this.#phase === 'reading' ? this.#reader.waitingFor() : 'the end of the job'
  }
}
