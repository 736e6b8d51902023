import {
  checkOptions,
  functionField,
  integerField,
  jsonSerializer,
  type OptionFieldsOf,
  optional,
  type RecordBatch,
  required,
} from '../../core/index.ts'
import {
  endOfReader,
  nothingToRead,
  openSource,
  type PollResult,
  type Source,
  type SourceContext,
  type SourceReader,
  type Split,
  type SplitEnumerator,
  type SplitEnumeratorContext,
} from '../../source/index.ts'

export interface GeneratorOptions<T> {
  /** Gives the record of a number from 0. The same number must always give the same record: it is how a restart replays. */
  readonly generate: (index: number) => T
  /** Records in all; without it the source never ends. */
  readonly count?: number | undefined
  /** Splits the numbers are dealt over: record `i` belongs to split `i % splits`. @default 1 @range 1 to 1024 */
  readonly splits?: number | undefined
  /** Estimated size of a record in bytes, for channel limits. @default 64 */
  readonly recordBytes?: number | undefined
}

interface GeneratorSplit extends Split {
  /** The next number of this split. */
  readonly next: number
  /** From one number to the next: how many splits there were when this one was made. */
  readonly stride: number
}

const fields: OptionFieldsOf<GeneratorOptions<unknown>> = {
  generate: required(functionField()),
  count: optional(integerField(0, Number.MAX_SAFE_INTEGER)),
  splits: optional(integerField(1, 1024)),
  recordBytes: optional(integerField(1, 1 << 30)),
}

const splitSerializer = jsonSerializer<GeneratorSplit>(
  'memory.generator-split',
  1,
  (_, value) => value as GeneratorSplit,
)
const enumeratorSerializer = jsonSerializer<{ readonly dealt: boolean }>(
  'memory.generator-enumerator',
  1,
  (_, value) => value as { dealt: boolean },
)

/** Records made by a function of their number. Replays exactly, so it can take part in an exactly-once job. */
export const generatorSource = <T>(options: GeneratorOptions<T>): Source<T, 'exactly-once'> => {
  checkOptions<GeneratorOptions<T>>('generatorSource', fields, options)
  const { generate, count, splits = 1, recordBytes = 64 } = options
  return {
    kind: 'generator',
    guarantee: 'exactly-once',
    boundedness: count === undefined ? 'unbounded' : 'bounded',
    open: (context) =>
      openSource<T, GeneratorSplit, { readonly dealt: boolean }>({
        splitSerializer,
        enumeratorSerializer,
        createEnumerator: (enumerator, restored) =>
          new GeneratorEnumerator(enumerator, splits, restored?.dealt ?? false),
        createReader: () => new GeneratorReader(generate, count ?? Number.POSITIVE_INFINITY, recordBytes, context),
      }),
  }
}

/** The records of an array, in order within each split. */
export const arraySource = <T>(
  records: readonly T[],
  options: { readonly splits?: number } = {},
): Source<T, 'exactly-once'> =>
  generatorSource({ ...options, count: records.length, generate: (index) => records[index] as T })

class GeneratorEnumerator implements SplitEnumerator<GeneratorSplit, { readonly dealt: boolean }> {
  readonly #context: SplitEnumeratorContext<GeneratorSplit>
  readonly #splits: number
  #dealt: boolean
  #back: GeneratorSplit[] = []

  constructor(context: SplitEnumeratorContext<GeneratorSplit>, splits: number, dealt: boolean) {
    this.#context = context
    this.#splits = splits
    this.#dealt = dealt
  }

  async start(): Promise<void> {
    const { parallelism } = this.#context
    if (!this.#dealt) {
      for (let index = 0; index < this.#splits; index++) {
        const split = { splitId: `generator-${index}`, next: index, stride: this.#splits }
        this.#context.assignSplits(index % parallelism, [split])
      }
      this.#dealt = true
    }
    for (let subtask = 0; subtask < parallelism; subtask++) this.#context.signalNoMoreSplits(subtask)
  }

  addSplitsBack(splits: readonly GeneratorSplit[], subtask: number): void {
    this.#back.push(...splits)
    this.#context.assignSplits(subtask, this.#back.splice(0))
  }

  snapshotState(): { readonly dealt: boolean } {
    return { dealt: this.#dealt }
  }

  unassignedSplitIds(): readonly string[] {
    return this.#back.map((split) => split.splitId)
  }

  async close(): Promise<void> {}
}

class GeneratorReader<T> implements SourceReader<T, GeneratorSplit> {
  readonly #generate: (index: number) => T
  readonly #count: number
  readonly #recordBytes: number
  readonly #batchMax: number
  readonly #splits = new Map<string, GeneratorSplit>()
  /** Ids of the splits that are not paused, in the order of their turns. */
  #order: string[] = []
  #turn = 0
  #noMore = false
  readonly #waiting = new Set<() => void>()

  constructor(generate: (index: number) => T, count: number, recordBytes: number, context: SourceContext) {
    this.#generate = generate
    this.#count = count
    this.#recordBytes = recordBytes
    this.#batchMax = Math.max(1, Math.min(context.batchRecordsMax, Math.floor(context.batchBytesMax / recordBytes)))
  }

  start(): void {}

  poll(): PollResult<T> {
    for (let tries = 0; tries < this.#order.length; tries++) {
      const split = this.#splits.get(this.#order[this.#turn++ % this.#order.length] ?? '')
      if (split !== undefined && split.next < this.#count) return { kind: 'records', batch: this.#read(split) }
    }
    return this.#noMore && this.unfinishedSplitIds().length === 0 ? endOfReader : nothingToRead
  }

  #read(split: GeneratorSplit): RecordBatch<T> {
    const { splitId, next: first, stride } = split
    const records: T[] = []
    let next = first
    for (; next < this.#count && records.length < this.#batchMax; next += stride) records.push(this.#generate(next))
    this.#splits.set(splitId, { ...split, next })
    return {
      kind: 'batch',
      records,
      bytes: records.length * this.#recordBytes,
      origins: { at: (index) => ({ split: splitId, position: String(first + index * stride) }) },
    }
  }

  available(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  addSplits(splits: readonly GeneratorSplit[]): void {
    for (const split of splits) {
      this.#splits.set(split.splitId, split)
      this.#order.push(split.splitId)
    }
    this.#wake()
  }

  notifyNoMoreSplits(): void {
    this.#noMore = true
    this.#wake()
  }

  snapshotState(): readonly GeneratorSplit[] {
    return [...this.#splits.values()]
  }

  unfinishedSplitIds(): readonly string[] {
    return [...this.#splits.values()].filter(({ next }) => next < this.#count).map(({ splitId }) => splitId)
  }

  pauseOrResumeSplits(pause: readonly string[], resume: readonly string[]): void {
    const paused = new Set([...this.#splits.keys()].filter((id) => !this.#order.includes(id)))
    for (const id of pause) paused.add(id)
    for (const id of resume) paused.delete(id)
    this.#order = [...this.#splits.keys()].filter((id) => !paused.has(id))
    this.#wake()
  }

  waitingFor(): string {
    return this.#noMore ? 'paused splits' : 'splits'
  }

  async close(): Promise<void> {
    this.#wake()
  }
}
