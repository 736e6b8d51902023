import { estimateBytes, pickOrigins, type RecordBatch } from '../core/index.ts'
import type { Operator, OperatorContext } from './operator.ts'
import { isThenable, stepFailure, stepMisused } from './step-failure.ts'

/** Size of derived records: the first one's, times their number. */
const sampleBytes = (records: readonly unknown[]): number => records.length * estimateBytes(records[0])

const refusePromise = (context: OperatorContext, what: string, value: unknown): void => {
  if (!isThenable(value)) return
  void Promise.resolve(value).catch(() => {})
  throw stepMisused(
    context,
    `the function of ${what} returned a promise`,
    `make it synchronous, or use .mapAsync(name, options, fn) for work that waits`,
  )
}

/** One record in, one out. */
export const mapOperator = (context: OperatorContext, fn: (record: unknown) => unknown): Operator => ({
  process(batch) {
    const { records } = batch
    const mapped = new Array<unknown>(records.length)
    let index = 0
    try {
      for (; index < records.length; index++) mapped[index] = fn(records[index])
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
    const kept: unknown[] = []
    const picked: number[] | undefined = batch.origins === undefined && batch.timestamps === undefined ? undefined : []
    let index = 0
    let verdict: unknown
    try {
      for (; index < records.length; index++) {
        const record = records[index]
        verdict = fn(record)
        if (verdict) {
          kept.push(record)
          picked?.push(index)
        }
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    refusePromise(context, 'filter', verdict)
    if (kept.length === 0) return undefined
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

  /** Adds the results of record `index`; a promise means the batch was full and had to wait. */
  add(results: Iterable<unknown>, index: number): void | Promise<void> {
    const iterator = results[Symbol.iterator]()
    return this.#draw(iterator, index)
  }

  #draw(iterator: Iterator<unknown>, index: number): void | Promise<void> {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
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
  const run = (batch: RecordBatch, builder: BatchBuilder, from: number): void | Promise<void> => {
    let index = from
    try {
      for (; index < batch.records.length; index++) {
        const results = fn(batch.records[index])
        refusePromise(context, 'flatMap', results)
        if (typeof results?.[Symbol.iterator] !== 'function') {
          throw stepMisused(
            context,
            `the function of flatMap returned ${typeof results}`,
            'return an array or another iterable',
          )
        }
        const wait = builder.add(results, index)
        if (wait !== undefined) return expand(batch, builder, index + 1, wait)
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
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
        const name = branches.find(([, test]) => test(record))?.[0] ?? 'rest'
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
