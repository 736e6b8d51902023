import { hashKey, type Key, keyGroupOf, type RecordBatch } from '../core/index.ts'
import { KeyedSnapshot } from './keyed-snapshot.ts'
import type { Entry, KeyedStateStore } from './keyed-state.ts'
import type { Operator, OperatorContext, OperatorSnapshot } from './operator.ts'
import { StateHandles } from './state-handles.ts'
import { refusePromise, stepFailure, stepMisused } from './step-failure.ts'
import { BatchBuilder } from './transforms.ts'

/** Snapshots of a keyed step: at most one is under way, a newer one ends an older one. */
const snapshots = (context: OperatorContext, store: KeyedStateStore): (() => OperatorSnapshot) => {
  let running: KeyedSnapshot | undefined
  return () => {
    running?.abandon()
    const snapshot = new KeyedSnapshot(store, context.step)
    running = snapshot
    return {
      uid: context.step,
      persist: async (writer) => [await snapshot.persist(writer, context.subtask, context.clock)],
      abandon: () => snapshot.abandon(),
    }
  }
}

const noKeys: readonly never[] = []

/** Folds the records of each key into one value and emits it after every record. */
export const reduceOperator = (
  context: OperatorContext,
  store: KeyedStateStore,
  initial: (key: Key) => unknown,
  fn: (accumulator: unknown, record: unknown, key: Key) => unknown,
): Operator => ({
  process(batch) {
    const { records, keys = noKeys, keyHashes = noKeys } = batch
    const results = new Array<unknown>(records.length)
    let index = 0
    try {
      for (; index < records.length; index++) {
        const key = keys[index] as Key
        const entry = store.touch(key, keyHashes[index] ?? 0)
        const known = entry.get(0)
        const next = fn(known === undefined ? initial(key) : known, records[index], key)
        refusePromise(context, 'reduce', next)
        if (next === undefined) {
          throw stepMisused(context, 'the function of reduce returned undefined', 'return the new accumulator')
        }
        entry.set(0, next)
        results[index] = next
      }
    } catch (thrown) {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    return context.outputs.main.emit({ ...batch, records: results, keys: undefined, keyHashes: undefined })
  },
  snapshot: snapshots(context, store),
})

/** What a function of `.process` gets beside the record. The same object for every call. */
export interface ProcessContext<S> {
  readonly key: Key
  readonly state: S
  /** Wall time of this processing, in milliseconds since 1970. */
  readonly nowMs: number
  /** Asks for `timer` to be called for this key at that wall time; one timer per key and time. */
  setTimer(atMs: number): void
  deleteTimer(atMs: number): void
}

export interface ProcessFunctions {
  readonly each: (record: unknown, context: ProcessContext<never>) => Iterable<unknown> | undefined
  readonly timer?: ((atMs: number, context: ProcessContext<never>) => Iterable<unknown> | undefined) | undefined
}

class KeyedContext implements ProcessContext<unknown> {
  readonly state: unknown
  readonly #store: KeyedStateStore
  readonly #now: () => number
  entry: Entry | undefined

  constructor(store: KeyedStateStore, state: unknown, now: () => number) {
    this.#store = store
    this.state = state
    this.#now = now
  }

  #selected(): Entry {
    if (this.entry === undefined)
      throw new Error('the context can be used only while the function it was given to runs')
    return this.entry
  }

  get key(): Key {
    return this.#selected().key
  }

  get nowMs(): number {
    return this.#now()
  }

  // Not methods: the context is usually taken apart in the parameter list.
  readonly setTimer = (atMs: number): void => {
    if (!Number.isFinite(atMs)) throw new RangeError(`setTimer: ${atMs} is not a time in milliseconds`)
    this.#store.setTimer(this.#selected(), atMs)
  }

  readonly deleteTimer = (atMs: number): void => {
    this.#store.deleteTimer(this.#selected(), atMs)
  }
}

/** Runs the user's function on every record with the state of its key, and on the timers it sets. */
export class ProcessOperator implements Operator {
  readonly #context: OperatorContext
  readonly #store: KeyedStateStore
  readonly #functions: ProcessFunctions
  readonly #handles: StateHandles
  readonly #keyed: KeyedContext
  readonly snapshot: () => OperatorSnapshot

  constructor(context: OperatorContext, store: KeyedStateStore, functions: ProcessFunctions) {
    this.#context = context
    this.#store = store
    this.#functions = functions
    this.#handles = new StateHandles(store.declarations)
    this.#keyed = new KeyedContext(store, this.#handles.byName, () => context.clock.wallMs())
    this.snapshot = snapshots(context, store)
  }

  #select(entry: Entry | undefined): void {
    this.#handles.select(entry)
    this.#keyed.entry = entry
  }

  async process(batch: RecordBatch): Promise<void> {
    const { records, keys = noKeys, keyHashes = noKeys } = batch
    const builder = new BatchBuilder(this.#context, batch)
    for (let index = 0; index < records.length; index++) {
      const hash = keyHashes[index] ?? 0
      const entry = this.#store.touch(keys[index] as Key, hash)
      const wait = this.#call(entry, builder, index, batch, () =>
        this.#functions.each(records[index], this.#keyed as never),
      )
      if (wait !== undefined) await wait
      this.#select(undefined)
      this.#store.dropIfEmpty(entry, hash)
    }
    const wait = builder.flush()
    if (wait !== undefined) await wait
  }

  /** Runs a function of the user and draws its results; the entry stays selected until a lazy iterable is drained. */
  #call(
    entry: Entry,
    builder: BatchBuilder,
    index: number,
    batch: RecordBatch,
    run: () => Iterable<unknown> | undefined,
  ): void | Promise<void> {
    this.#select(entry)
    let results: Iterable<unknown> | undefined
    try {
      results = run()
    } catch (thrown) {
      throw stepFailure(thrown, this.#context, batch.origins, index)
    }
    if (results === undefined || results === null) return undefined
    refusePromise(this.#context, 'process', results)
    if (typeof results !== 'object' || !(Symbol.iterator in results)) {
      throw stepMisused(
        this.#context,
        `the function of process returned ${typeof results}`,
        'return an array or another iterable, or nothing',
      )
    }
    return builder.add(results, index)
  }

  nextTimerMs(): number | undefined {
    return this.#store.timers.nextMs
  }

  async fireTimers(nowMs: number): Promise<void> {
    const noBatch: RecordBatch = { kind: 'batch', records: [], bytes: 0 }
    const builder = new BatchBuilder(this.#context, noBatch)
    // Taken out before the first one fires: a timer that sets itself again waits for its next turn, or for ever after the
    // end of the input.
    const due: { readonly at: number; readonly owner: Entry }[] = []
    for (let next = this.#store.timers.take(nowMs); next !== undefined; next = this.#store.timers.take(nowMs))
      due.push(next)
    for (const { at, owner } of due) {
      if (!owner.timers.includes(at)) continue
      const hash = hashKey(owner.key)
      this.#store.touchEntry(owner, keyGroupOf(hash, this.#store.maxParallelism))
      this.#store.deleteTimer(owner, at)
      const { timer } = this.#functions
      if (timer !== undefined) {
        const wait = this.#call(owner, builder, 0, noBatch, () => timer(at, this.#keyed as never))
        if (wait !== undefined) await wait
        this.#select(undefined)
      }
      this.#store.dropIfEmpty(owner, hash)
    }
    const wait = builder.flush()
    if (wait !== undefined) await wait
  }

  /** At the end of the input every timer that is still set fires, in order of time. */
  endInput(): Promise<void> {
    return this.fireTimers(Number.POSITIVE_INFINITY)
  }
}
