import type { RecordList } from '../../../source/index.ts'

/** Lists one after another. */
export class JoinedList<Item> implements RecordList<Item> {
  readonly length: number
  /** Index of the first item behind each list. */
  readonly ends: readonly number[]
  #lists: readonly RecordList<Item>[]

  constructor(lists: readonly RecordList<Item>[]) {
    let length = 0
    this.ends = lists.map((list) => {
      length += list.length
      return length
    })
    this.length = length
    this.#lists = lists
  }

  slice(from: number, to: number): readonly Item[] {
    let at = listOf(this.ends, from)
    const first = this.#part(at, from, to)
    if ((this.ends[at] ?? to) >= to) return first
    const items = first.slice()
    while ((this.ends[at] ?? to) < to) for (const item of this.#part(++at, from, to)) items.push(item)
    return items
  }

  /** What of one list lies in a range of all. */
  #part(at: number, from: number, to: number): readonly Item[] {
    const list = this.#lists[at]
    if (list === undefined) return []
    const start = this.ends[at - 1] ?? 0
    return list.slice(Math.max(0, from - start), Math.max(0, Math.min(list.length, to - start)))
  }

  /** Lets go of the lists: nobody asks for their items any more. */
  release(): void {
    this.#lists = []
  }
}

/** The list that item `index` belongs to, by where each ends; their number when there are not so many. */
export const listOf = (ends: readonly number[], index: number): number => {
  let [low, high] = [0, ends.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ends[middle] ?? 0) <= index) low = middle + 1
    else high = middle
  }
  return low
}
