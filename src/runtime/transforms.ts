import { estimateBytes, pickOrigins, type RecordBatch } from '../core/index.ts'
import type { Operator, OperatorContext } from './operator.ts'
import { refusePromise, refusePromises, stepFailure, stepMisused } from './step-failure.ts'

/** Size of derived records: the first one's, times their number. */
const sampleBytes = (records: readonly unknown[]): number => records.length * estimateBytes(records[0])

/** One record in, one out. */
export const mapOperator = (context: OperatorContext, fn: (record: unknown) => unknown): Operator => ({
  process(batch) {
    const { records } = batch
    const mapped = new Array<unknown>(records.length)
    let index = 0
    try {
      for (; index < records.length; index++) {
        const result = fn(records[index])
        refusePromises(context, 'map', result)
        mapped[index] = result
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    refusePromise(context, 'map', mapped[0])
    return context.outputs.main.emit({
      kind: 'batch',
      records: mapped,
      bytes: sampleBytes(mapped),
      timestamps: batch.timestamps,
      origins: batch.origins,
    })
  },
})

/** Lets through the records for which `fn` is true. */
export const filterOperator = (context: OperatorContext, fn: (record: unknown) => unknown): Operator => ({
  process(batch) {
    const { records } = batch
    // As long as they can get, and cut in the end: to grow them costs as much again (bench: runtime, fused-chain).
    const kept = new Array<unknown>(records.length)
    const picked =
      batch.origins === undefined && batch.timestamps === undefined ? undefined : new Array<number>(records.length)
    let count = 0
    let index = 0
    try {
      for (; index < records.length; index++) {
        const record = records[index]
        const verdict = fn(record)
        if (typeof verdict === 'object') refusePromise(context, 'filter', verdict)
        if (!verdict) continue
        kept[count] = record
        if (picked !== undefined) picked[count] = index
        count++
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    if (count === 0) return undefined
    kept.length = count
    if (picked !== undefined) picked.length = count
    return context.outputs.main.emit(pickBatch(batch, kept, picked))
  },
})

/** Some records of a batch, with the columns that belong to them. */
export const pickBatch = (
  batch: RecordBatch,
  kept: readonly unknown[],
  picked: readonly number[] | undefined,
): RecordBatch => {
  const { timestamps, origins } = batch
  return {
    kind: 'batch',
    records: kept,
    bytes: Math.ceil((batch.bytes * kept.length) / batch.records.length),
    timestamps: timestamps === undefined ? undefined : picked?.map((from) => timestamps[from] ?? 0),
    origins: origins === undefined || picked === undefined ? undefined : pickOrigins(origins, picked),
  }
}

/** Gathers results into batches and hands them on; iterables are drawn on lazily, so a huge fan-out stays bounded. */
export class BatchBuilder {
  #records: unknown[] = []
  #picked: number[] = []
  readonly #context: OperatorContext
  readonly #input: RecordBatch

  constructor(context: OperatorContext, input: RecordBatch) {
    this.#context = context
    this.#input = input
  }

  /**
   * Adds the results of record `index`; a promise means the batch was full and had to wait. What the iterable throws comes
   * out as a failure of this step, what a later step throws comes out as it is.
   */
  add(results: Iterable<unknown>, index: number): void | Promise<void> {
    let iterator: Iterator<unknown>
    try {
      iterator = results[Symbol.iterator]()
    } catch (thrown) {
      throw stepFailure(thrown, this.#context, this.#input.origins, index)
    }
    return this.#draw(iterator, index)
  }

  #next(iterator: Iterator<unknown>, index: number): IteratorResult<unknown> {
    try {
      return iterator.next()
    } catch (thrown) {
      throw stepFailure(thrown, this.#context, this.#input.origins, index)
    }
  }

  #draw(iterator: Iterator<unknown>, index: number): void | Promise<void> {
    for (let next = this.#next(iterator, index); next.done !== true; next = this.#next(iterator, index)) {
      this.#records.push(next.value)
      this.#picked.push(index)
      if (this.#records.length >= this.#context.batchRecordsMax) {
        const wait = this.flush()
        if (wait !== undefined) return wait.then(() => this.#draw(iterator, index))
      }
    }
    return undefined
  }

  flush(): void | Promise<void> {
    if (this.#records.length === 0) return undefined
    const records = this.#records
    const picked = this.#picked
    this.#records = []
    this.#picked = []
    const { timestamps, origins } = this.#input
    return this.#context.outputs.main.emit({
      kind: 'batch',
      records,
      bytes: sampleBytes(records),
      timestamps: timestamps === undefined ? undefined : picked.map((from) => timestamps[from] ?? 0),
      origins: origins === undefined ? undefined : pickOrigins(origins, picked),
    })
  }
}

/** One record in, any number out. */
export const flatMapOperator = (context: OperatorContext, fn: (record: unknown) => Iterable<unknown>): Operator => {
  const expand = async (
    batch: RecordBatch,
    builder: BatchBuilder,
    from: number,
    wait: Promise<void>,
  ): Promise<void> => {
    await wait
    const rest = run(batch, builder, from)
    if (rest !== undefined) await rest
  }
  const resultsOf = (batch: RecordBatch, index: number): Iterable<unknown> => {
    let results: Iterable<unknown>
    try {
      results = fn(batch.records[index])
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    refusePromise(context, 'flatMap', results)
    if (typeof results?.[Symbol.iterator] === 'function') return results
    throw stepMisused(
      context,
      `the function of flatMap returned ${results === null ? 'null' : typeof results}`,
      'return an array or another iterable',
    )
  }
  const run = (batch: RecordBatch, builder: BatchBuilder, from: number): void | Promise<void> => {
    for (let index = from; index < batch.records.length; index++) {
      const wait = builder.add(resultsOf(batch, index), index)
      if (wait !== undefined) return expand(batch, builder, index + 1, wait)
    }
    return builder.flush()
  }
  return { process: (batch) => run(batch, new BatchBuilder(context, batch), 0) }
}

/** Each record to the first branch whose test holds, else to `rest`. */
export const splitOperator = (
  context: OperatorContext,
  branches: readonly (readonly [string, (record: unknown) => unknown])[],
): Operator => ({
  async process(batch) {
    const routes = new Map<string, { kept: unknown[]; picked: number[] }>()
    let index = 0
    try {
      for (; index < batch.records.length; index++) {
        const record = batch.records[index]
        const takes = ([, test]: (typeof branches)[number]): boolean => {
          const verdict = test(record)
          refusePromise(context, 'split', verdict)
          return Boolean(verdict)
        }
        const name = branches.find(takes)?.[0] ?? 'rest'
        let route = routes.get(name)
        if (route === undefined) {
          route = { kept: [], picked: [] }
          routes.set(name, route)
        }
        route.kept.push(record)
        route.picked.push(index)
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    for (const [name, { kept, picked }] of routes) {
      await context.outputs.side(name).emit(pickBatch(batch, kept, picked))
    }
  },
})
