/** Something that happens at a virtual time. */
export interface SimEvent<Owner> {
  /** Virtual milliseconds. */
  readonly atMs: number
  /** Decides between events of the same time: drawn at random, so that no order is taken for granted. */
  readonly tie: number
  /** Decides when even the ties are equal: the order of scheduling. */
  readonly sequence: number
  readonly owner: Owner
  /** Undefined once it was cancelled. */
  run: (() => void) | undefined
}

const before = (left: SimEvent<unknown>, right: SimEvent<unknown>): boolean =>
  left.atMs !== right.atMs
    ? left.atMs < right.atMs
    : left.tie !== right.tie
      ? left.tie < right.tie
      : left.sequence < right.sequence

/** A binary heap: the earliest event first. */
export class EventHeap<Owner> {
  readonly #events: SimEvent<Owner>[] = []

  get size(): number {
    return this.#events.length
  }

  peek(): SimEvent<Owner> | undefined {
    return this.#events[0]
  }

  push(event: SimEvent<Owner>): void {
    const events = this.#events
    let hole = events.length
    events.push(event)
    while (hole > 0) {
      const above = (hole - 1) >> 1
      const parent = events[above]
      if (parent === undefined || !before(event, parent)) break
      events[hole] = parent
      hole = above
    }
    events[hole] = event
  }

  pop(): SimEvent<Owner> | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (last !== undefined && events.length > 0) this.#sink(last)
    return first
  }

  /** Fills the hole at the top with `event`, which belongs further down. */
  #sink(event: SimEvent<Owner>): void {
    const events = this.#events
    let hole = 0
    for (;;) {
      const left = events[2 * hole + 1]
      if (left === undefined) break
      const right = events[2 * hole + 2]
      const takeRight = right !== undefined && before(right, left)
      const child = takeRight ? right : left
      if (!before(child, event)) break
      events[hole] = child
      hole = 2 * hole + (takeRight ? 2 : 1)
    }
    events[hole] = event
  }
}
