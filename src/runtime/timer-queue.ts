/** A binary heap of owners by due time. Removal is lazy: the caller checks whether a timer it takes is still wanted. */
export class TimerQueue<T> {
  readonly #heap: { readonly at: number; readonly sequence: number; readonly owner: T }[] = []
  #sequence = 0

  get nextMs(): number | undefined {
    return this.#heap[0]?.at
  }

  get size(): number {
    return this.#heap.length
  }

  add(at: number, owner: T): void {
    const heap = this.#heap
    heap.push({ at, sequence: this.#sequence++, owner })
    let child = heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#before(child, parent)) break
      this.#swap(child, parent)
      child = parent
    }
  }

  /** The earliest timer due at or before `nowMs`, taken out. Equal times come in the order they were added. */
  take(nowMs: number): { readonly at: number; readonly owner: T } | undefined {
    const heap = this.#heap
    const top = heap[0]
    if (top === undefined || top.at > nowMs) return undefined
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last
      this.#sink()
    }
    return top
  }

  #sink(): void {
    const size = this.#heap.length
    for (let parent = 0; ; ) {
      let least = parent
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < size && this.#before(child, least)) least = child
      }
      if (least === parent) return
      this.#swap(parent, least)
      parent = least
    }
  }

  #before(a: number, b: number): boolean {
    const x = this.#heap[a]
    const y = this.#heap[b]
    if (x === undefined || y === undefined) return false
    return x.at !== y.at ? x.at < y.at : x.sequence < y.sequence
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const x = heap[a]
    const y = heap[b]
    if (x === undefined || y === undefined) return
    heap[a] = y
    heap[b] = x
  }
}
