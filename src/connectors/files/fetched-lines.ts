import type { Origin } from '../../core/index.ts'
import type { Fetched } from '../../source/index.ts'
import type { FileSplit } from './file-split.ts'
import type { Line } from './line.ts'
import type { LineBlock } from './line-block.ts'

/** What a line object costs beside its bytes, roughly. */
const lineOverheadBytes = 48

/** Lines of one block. The position after each is where the next one starts, so none is stored. */
export class FetchedLines implements Fetched<Line, FileSplit> {
  readonly records: readonly Line[]
  readonly bytes: number
  readonly waitMs: number
  readonly #end: FileSplit

  /** @param end the split after the last line */
  constructor(block: LineBlock, end: FileSplit, waitMs: number) {
    this.records = block.lines
    this.bytes = block.blockBytes + block.lines.length * lineOverheadBytes
    this.waitMs = waitMs
    this.#end = end
  }

  recordBytes(index: number): number {
    return lineOverheadBytes + (this.records[index]?.length ?? 0)
  }

  splitAfter(count: number): FileSplit {
    const next = this.records[count]
    return next === undefined ? this.#end : { ...this.#end, position: next.offset, state: 'reading' }
  }

  originOf(index: number): Origin {
    return { split: this.#end.splitId, position: String(this.records[index]?.offset ?? this.#end.position) }
  }
}

const noLines: LineBlock = { lines: [], next: 0, blockBytes: 0, atEnd: true }

/** No line; the split may have changed all the same. */
export const fetchedNothing = (split: FileSplit, waitMs: number): FetchedLines =>
  new FetchedLines(noLines, split, waitMs)
