import { jsonSerializer, type RecordBatch } from '../../src/core/index.ts'
import {
  endOfReader,
  nothingToRead,
  openSource,
  type PollResult,
  type Source,
  type SourceReader,
  type Split,
} from '../../src/source/index.ts'

interface HandSplit extends Split {
  readonly next: number
}

const splitSerializer = jsonSerializer<HandSplit>('test.hand-split', 1, (_, value) => value as HandSplit)
const stateSerializer = jsonSerializer<boolean>('test.hand-enumerator', 1, (_, value) => value as boolean)

/**
 * A log that the test writes by hand. It remembers what was pushed, so that any attempt can read it again from any
 * position, like a log service outside of the job.
 */
export class HandLog<T> {
  readonly #splits: T[][]
  readonly #readers = new Set<HandReader<T>>()
  readonly #batchMax: number
  ended = false

  constructor(splits = 1, batchMax = 1) {
    this.#splits = Array.from({ length: splits }, () => [])
    this.#batchMax = batchMax
  }

  /** Appends to a split. */
  push(split: number, ...records: readonly T[]): void {
    this.#splits[split]?.push(...records)
    for (const reader of this.#readers) reader.wake()
  }

  /** Appends each record to the next split. */
  deal(records: readonly T[]): void {
    for (const [index, record] of records.entries()) this.#splits[index % this.#splits.length]?.push(record)
    for (const reader of this.#readers) reader.wake()
  }

  /** Nothing more will be pushed. */
  end(): void {
    this.ended = true
    for (const reader of this.#readers) reader.wake()
  }

  recordsOf(split: string): readonly T[] {
    return this.#splits[Number(split)] ?? []
  }

  source(): Source<T, 'exactly-once'> {
    return {
      kind: 'hand',
      guarantee: 'exactly-once',
      boundedness: 'unbounded',
      open: () =>
        openSource<T, HandSplit, boolean>({
          splitSerializer,
          enumeratorSerializer: stateSerializer,
          createEnumerator: (context, restored) => {
            let dealt = restored ?? false
            return {
              start: async () => {
                if (!dealt) {
                  for (const index of this.#splits.keys()) {
                    context.assignSplits(index % context.parallelism, [{ splitId: String(index), next: 0 }])
                  }
                  dealt = true
                }
                for (let subtask = 0; subtask < context.parallelism; subtask++) context.signalNoMoreSplits(subtask)
              },
              addSplitsBack: (splits, subtask) => context.assignSplits(subtask, splits),
              snapshotState: () => dealt,
              unassignedSplitIds: () => [],
              close: async () => {},
            }
          },
          createReader: () => {
            const reader = new HandReader<T>(this, this.#batchMax, () => this.#readers.delete(reader))
            this.#readers.add(reader)
            return reader
          },
        }),
    }
  }
}

class HandReader<T> implements SourceReader<T, HandSplit> {
  readonly #log: HandLog<T>
  readonly #batchMax: number
  readonly #onClose: () => void
  readonly #next = new Map<string, number>()
  #turn = 0
  #wake = (): void => {}

  constructor(log: HandLog<T>, batchMax: number, onClose: () => void) {
    this.#log = log
    this.#batchMax = batchMax
    this.#onClose = onClose
  }

  wake(): void {
    this.#wake()
  }

  start(): void {}

  poll(): PollResult<T> {
    const splits = [...this.#next]
    for (let tries = 0; tries < splits.length; tries++) {
      const [split, next] = splits[this.#turn++ % splits.length] ?? ['', 0]
      const records = this.#log.recordsOf(split).slice(next, next + this.#batchMax)
      if (records.length === 0) continue
      this.#next.set(split, next + records.length)
      const batch: RecordBatch<T> = {
        kind: 'batch',
        records,
        bytes: records.length * 64,
        origins: { at: (index) => ({ split, position: String(next + index) }) },
      }
      return { kind: 'records', batch }
    }
    return this.#log.ended ? endOfReader : nothingToRead
  }

  available(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  addSplits(splits: readonly HandSplit[]): void {
    for (const { splitId, next } of splits) this.#next.set(splitId, next)
    this.#wake()
  }

  notifyNoMoreSplits(): void {
    this.#wake()
  }

  snapshotState(): readonly HandSplit[] {
    return [...this.#next].map(([splitId, next]) => ({ splitId, next }))
  }

  unfinishedSplitIds(): readonly string[] {
    return [...this.#next.keys()]
  }

  pauseOrResumeSplits(): void {
    throw new Error('nobody pauses this reader')
  }

  waitingFor(): string {
    return 'the hand of the test'
  }

  async close(): Promise<void> {
    this.#onClose()
    this.#wake()
  }
}
