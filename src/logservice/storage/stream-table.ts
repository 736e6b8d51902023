import { type GroupPlace, StreamIndex } from './stream-index.ts'

/** Where a stream was found damaged. */
export interface Damage {
  readonly path: string
  readonly offset: number
  readonly what: string
}

export interface StreamState {
  readonly index: StreamIndex
  /** The batch it began with: what earlier batches hold under its id belonged to a stream that was dropped. */
  readonly bornAt: number
  damage: Damage | undefined
  /** Trims up to here are durable; the index may be ahead. */
  trimmedTo: number
}

/** The streams, and how many groups of each segment are still wanted. */
export class StreamTable {
  readonly #streams = new Map<number, StreamState>()
  readonly #live = new Map<number, number>()

  get(stream: number): StreamState | undefined {
    return this.#streams.get(stream)
  }

  get size(): number {
    return this.#streams.size
  }

  entries(): Iterable<[number, StreamState]> {
    return this.#streams.entries()
  }

  ids(): Iterable<number> {
    return this.#streams.keys()
  }

  /** @param groups how many it is about to get, when that is known */
  create(stream: number, bornAt: number, begin = 0, groups = 0): StreamState {
    const state: StreamState = { index: new StreamIndex(begin, groups), bornAt, damage: undefined, trimmedTo: begin }
    this.#streams.set(stream, state)
    return state
  }

  push(state: StreamState, place: GroupPlace): void {
    state.index.push(place)
    this.#live.set(place.segment, (this.#live.get(place.segment) ?? 0) + 1)
  }

  trim(stream: number, index: number): void {
    this.#streams.get(stream)?.index.trim(index, this.#forget)
  }

  /** The same, now that it is durable. */
  confirmTrim(stream: number, index: number): void {
    this.trim(stream, index)
    const state = this.#streams.get(stream)
    if (state !== undefined) state.trimmedTo = Math.max(state.trimmedTo, Math.min(index, state.index.end))
  }

  drop(stream: number): void {
    this.trim(stream, Number.POSITIVE_INFINITY)
    this.#streams.delete(stream)
  }

  /** Groups of a segment that are still wanted. */
  liveGroups(segment: number): number {
    return this.#live.get(segment) ?? 0
  }

  readonly #forget = (segment: number): void => {
    const left = (this.#live.get(segment) ?? 1) - 1
    if (left > 0) this.#live.set(segment, left)
    else this.#live.delete(segment)
  }
}
