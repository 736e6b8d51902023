import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Observable, OperatorFunction } from 'rxjs'
import {
  type AtLeast,
  checkOptions,
  type Guarantee,
  integerField,
  JobGraphError,
  type Key,
  type OptionFieldsOf,
  oneOfField,
  optional,
  textField,
} from '../core/index.ts'
import {
  filterOperator,
  flatMapOperator,
  type KeyedNode,
  mapAsyncOperator,
  mapOperator,
  type ProcessContext,
  ProcessOperator,
  parseOperator,
  reduceOperator,
  rxOperator,
  type StateDeclaration,
  type StateSpec,
  splitOperator,
} from '../runtime/index.ts'
import type { Sink } from '../sink/index.ts'
import { requireConnector, requireFunction, requireSchema } from './arguments.ts'
import { forward, type GraphBuilder, type StreamOrigin } from './graph-builder.ts'

export interface StepOptions {
  /** What the step is called in metrics, errors and `explain()`. @default the verb, numbered */
  readonly name?: string | undefined
}

export interface ParallelOptions {
  /** Subtasks of the step. @default the job's parallelism */
  readonly parallelism?: number | undefined
}

/** What a job has to be wired with, carried along in the types: its guarantee, and whether it has a dead-letter sink. */
export interface Wiring<out J extends Guarantee = Guarantee, out D extends boolean = boolean> {
  readonly guarantee: J
  readonly deadLetter: D
}

export interface ParseOptions<W extends Wiring> extends StepOptions {
  /**
   * What becomes of a record the schema refuses: the job fails, the record is skipped and counted, or it goes to the
   * job's dead-letter sink with reason, step and position. A schema that throws or rejects has not judged the record:
   * then the step fails, whatever this says. @default 'fail'
   */
  readonly onInvalid?: 'fail' | 'skip' | (W['deadLetter'] extends true ? 'dead-letter' : never) | undefined
  /** Invalid records in a row after which the job fails anyway. @default 1000 */
  readonly invalidInRowMax?: number | undefined
}

export interface MapAsyncOptions {
  /** Calls under way at the same time in each subtask. @default 16 @range 1 to 10000 */
  readonly concurrency?: number | undefined
}

type BranchTest<T> = (record: T) => unknown
// biome-ignore lint/suspicious/noExplicitAny: only `any` lets a type predicate be inferred here; it does not get out
type BranchType<T, Test> = Test extends (record: any) => record is infer R ? (R extends T ? R : T) : T

/** The branches of a split, and `rest` for what no branch takes. */
export type Branches<T, W extends Wiring, C> = { readonly [Name in keyof C]: Stream<BranchType<T, C[Name]>, W> } & {
  readonly rest: Stream<T, W>
}

const nameFields: OptionFieldsOf<StepOptions> = { name: optional(textField()) }
const parseFields: OptionFieldsOf<ParseOptions<Wiring<Guarantee, true>>> = {
  name: optional(textField()),
  onInvalid: optional(oneOfField('fail', 'skip', 'dead-letter')),
  invalidInRowMax: optional(integerField(1, 1_000_000_000)),
}
/** @internal */
export const parallelFields: OptionFieldsOf<ParallelOptions> = { parallelism: optional(integerField(1, 1024)) }
const mapAsyncFields: OptionFieldsOf<MapAsyncOptions> = { concurrency: optional(integerField(1, 10_000)) }

/**
 * Records of one type on their way through a job. Every method adds a step and gives the stream behind it; nothing runs
 * until the job does.
 *
 * @typeParam T the records
 * @typeParam W what the job promises
 */
export class Stream<T, W extends Wiring = Wiring> {
  readonly #builder: GraphBuilder
  readonly #origin: StreamOrigin

  /** @internal */
  constructor(builder: GraphBuilder, origin: StreamOrigin) {
    this.#builder = builder
    this.#origin = origin
  }

  #step<R>(
    label: string,
    options: StepOptions,
    create: Extract<Parameters<GraphBuilder['add']>[0], { readonly kind: 'transform' }>['create'],
  ): Stream<R, W> {
    const name = this.#builder.label(options.name, label)
    const node = this.#builder.add({ kind: 'transform', name, label, create }, this.#origin)
    return new Stream(this.#builder, { node, output: 'main', partitioning: forward })
  }

  /** Each record through a function. A promise is refused: see `mapAsync`. */
  map<R>(fn: (record: T) => R, options: StepOptions = {}): Stream<R, W> {
    checkOptions<StepOptions>('map', nameFields, options)
    requireFunction('map', fn)
    return this.#step('map', options, (context) => mapOperator(context, fn as (record: unknown) => unknown))
  }

  /** Only the records for which the function gives a true value. */
  filter<R extends T>(fn: (record: T) => record is R, options?: StepOptions): Stream<R, W>
  filter(fn: (record: T) => unknown, options?: StepOptions): Stream<T, W>
  filter(fn: (record: T) => unknown, options: StepOptions = {}): Stream<T, W> {
    checkOptions<StepOptions>('filter', nameFields, options)
    requireFunction('filter', fn)
    return this.#step('filter', options, (context) => filterOperator(context, fn as (record: unknown) => unknown))
  }

  /** Any number of records for each one; an iterable is drawn on as there is room for its records. */
  flatMap<R>(fn: (record: T) => Iterable<R>, options: StepOptions = {}): Stream<R, W> {
    checkOptions<StepOptions>('flatMap', nameFields, options)
    requireFunction('flatMap', fn)
    return this.#step('flatMap', options, (context) =>
      flatMapOperator(context, fn as (record: unknown) => Iterable<unknown>),
    )
  }

  /**
   * Each record through a promise, several at a time; results keep the order of their records. All calls of a batch have
   * ended before the next batch or a barrier.
   */
  mapAsync<R>(
    name: string,
    options: MapAsyncOptions,
    fn: (record: T, signal: AbortSignal) => PromiseLike<R>,
  ): Stream<R, W> {
    checkOptions<MapAsyncOptions>(`mapAsync '${name}'`, mapAsyncFields, options)
    requireFunction(`mapAsync '${name}'`, fn)
    const { concurrency = 16 } = options
    return this.#step('mapAsync', { name }, (context) =>
      mapAsyncOperator(context, { concurrency }, fn as (record: unknown, signal: AbortSignal) => PromiseLike<unknown>),
    )
  }

  /**
   * Each record through a Standard Schema (zod, valibot, arktype, …). A line gives its JSON value to the schema, a log
   * its fields, anything else itself.
   */
  parse<S extends StandardSchemaV1>(
    schema: S,
    options: ParseOptions<W> = {},
  ): Stream<StandardSchemaV1.InferOutput<S>, W> {
    checkOptions<ParseOptions<Wiring<Guarantee, true>>>('parse', parseFields, options)
    requireSchema('parse', schema)
    const { onInvalid = 'fail', invalidInRowMax = 1000 } = options
    const stream = this.#step<StandardSchemaV1.InferOutput<S>>('parse', options, (context) =>
      parseOperator(context, schema, { onInvalid, invalidInRowMax }),
    )
    if (onInvalid === 'dead-letter') this.#builder.deadLetters.push(stream.#origin.node)
    return stream
  }

  /** All records with the same key to the same subtask, where state is kept for the key. */
  keyBy<K extends Key>(fn: (record: T) => K): KeyedStream<T, K, W> {
    requireFunction('keyBy', fn)
    const keyOf = fn as (record: unknown) => Key
    return new KeyedStream(this.#builder, { ...this.#origin, partitioning: { kind: 'key', keyOf } })
  }

  /** Batches dealt evenly over the subtasks of the next step. */
  rebalance(options: ParallelOptions = {}): Stream<T, W> {
    checkOptions<ParallelOptions>('rebalance', parallelFields, options)
    const name = this.#builder.label(undefined, 'rebalance')
    const origin: StreamOrigin = { ...this.#origin, partitioning: { kind: 'rebalance' } }
    const node = this.#builder.add({ kind: 'union', name, ...options }, origin)
    return new Stream(this.#builder, { node, output: 'main', partitioning: forward })
  }

  /** This stream and others as one. Order is kept within each, not between them. */
  union<U>(...others: readonly Stream<U, W>[]): Stream<T | U, W> {
    const name = this.#builder.label(undefined, 'union')
    for (const other of others) {
      if (other.#builder !== this.#builder) {
        throw new JobGraphError('JOB_GRAPH_INVALID', {
          message: 'union of streams of two different jobs',
          place: { job: this.#builder.job },
          fix: 'use streams of one job',
        })
      }
    }
    const node = this.#builder.add({ kind: 'union', name }, this.#origin, ...others.map((other) => other.#origin))
    return new Stream(this.#builder, { node, output: 'main', partitioning: forward })
  }

  /** Each record to the first branch whose test holds, else to `rest`. */
  split<const C extends Readonly<Record<string, BranchTest<T>>>>(
    branches: C,
    options: StepOptions = {},
  ): Branches<T, W, C> {
    checkOptions<StepOptions>('split', nameFields, options)
    if ('rest' in branches || 'main' in branches || 'dead-letter' in branches) {
      throw new JobGraphError('JOB_GRAPH_INVALID', {
        message: "split: 'rest', 'main' and 'dead-letter' cannot name a branch",
        place: { job: this.#builder.job },
        fix: 'give the branch another name',
      })
    }
    const tests = Object.entries(branches) as [string, (record: unknown) => unknown][]
    for (const [name, test] of tests) requireFunction(`branch '${name}' of split`, test)
    const stream = this.#step<T>('split', options, (context) => splitOperator(context, tests))
    const branch = (output: string): Stream<T, W> =>
      new Stream(this.#builder, { node: stream.#origin.node, output, partitioning: forward })
    const all = Object.fromEntries([...tests.map(([name]) => name), 'rest'].map((name) => [name, branch(name)]))
    return all as Branches<T, W, C>
  }

  /**
   * An RxJS segment. It gets one batch at a time: its source completes after the batch, and the next batch waits until
   * the segment has completed. Nothing in it outlives a batch; state belongs in `process`.
   */
  rx<A>(name: string, a: OperatorFunction<T, A>): Stream<A, W>
  rx<A, B>(name: string, a: OperatorFunction<T, A>, b: OperatorFunction<A, B>): Stream<B, W>
  rx<A, B, C>(
    name: string,
    a: OperatorFunction<T, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
  ): Stream<C, W>
  rx<A, B, C, E>(
    name: string,
    a: OperatorFunction<T, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, E>,
  ): Stream<E, W>
  rx(name: string, ...operators: readonly OperatorFunction<never, unknown>[]): Stream<unknown, W> {
    for (const operator of operators) requireFunction(`rx '${name}'`, operator)
    const segment = (input: Observable<unknown>): Observable<unknown> =>
      operators.reduce((source, operator) => operator(source as Observable<never>), input)
    return this.#step('rx', { name }, (context) => rxOperator(context, segment))
  }

  /** Ends the stream in a sink. The name is the sink's operator uid. Gives the stream back, for more than one sink. */
  to(name: string, sink: Sink<T, AtLeast<W['guarantee']>>, options: ParallelOptions = {}): this {
    checkOptions<ParallelOptions>(`to '${name}'`, parallelFields, options)
    requireConnector('sink', name, sink)
    this.#builder.add({ kind: 'sink', name, sink: sink as Sink<never>, ...options }, this.#origin)
    return this
  }
}

/** The handles of the declared states. */
export type StateOf<S> = { readonly [Name in keyof S]: S[Name] extends StateSpec<infer Handle> ? Handle : never }

/** What a function of `process` gets beside the record. Valid only while the function runs. */
export type KeyedProcessContext<K, S> = Omit<ProcessContext<StateOf<S>>, 'key'> & { readonly key: K }

export interface ProcessDefinition<T, K, S, R> {
  /** The states kept for every key; their names are stored. */
  readonly state: S
  /** Called for every record; gives the records that go on. */
  readonly each: (record: T, context: KeyedProcessContext<K, S>) => Iterable<R> | undefined
  /** Called for every timer that is due; at the end of the input, once for every timer still set. */
  readonly timer?: ((atMs: number, context: KeyedProcessContext<K, S>) => Iterable<R> | undefined) | undefined
}

/** A stream whose records know their key. What follows keeps state, and so needs a name: it is the operator uid. */
export class KeyedStream<T, K extends Key, W extends Wiring<Guarantee, boolean> = Wiring> {
  readonly #builder: GraphBuilder
  readonly #origin: StreamOrigin

  /** @internal */
  constructor(builder: GraphBuilder, origin: StreamOrigin) {
    this.#builder = builder
    this.#origin = origin
  }

  #keyed<R>(
    name: string,
    label: string,
    states: readonly StateDeclaration[],
    options: ParallelOptions,
    create: KeyedNode['create'],
  ): Stream<R, W> {
    checkOptions<ParallelOptions>(`${label} '${name}'`, parallelFields, options)
    const node = this.#builder.add({ kind: 'keyed', name, label, states, create, ...options }, this.#origin)
    return new Stream(this.#builder, { node, output: 'main', partitioning: forward })
  }

  /** Folds the records of each key, beginning with `initial`, and emits the result after every record. */
  reduce<A>(
    name: string,
    initial: A | ((key: K) => A),
    fn: (accumulator: A, record: T, key: K) => A,
    options: ParallelOptions = {},
  ): Stream<A, W> {
    requireFunction(`reduce '${name}'`, fn)
    // A copy for each key: a function that changes its accumulator in place must not change that of the others.
    const begin = typeof initial === 'function' ? (initial as (key: Key) => unknown) : () => structuredClone(initial)
    const fold = fn as (accumulator: unknown, record: unknown, key: Key) => unknown
    return this.#keyed(name, 'reduce', [{ name: 'value', kind: 'value' }], options, (context, store) =>
      reduceOperator(context, store, begin, fold),
    )
  }

  /** A function with named states and processing-time timers per key. */
  process<const S extends Readonly<Record<string, StateSpec>>, R>(
    name: string,
    definition: ProcessDefinition<T, K, S, R>,
    options: ParallelOptions = {},
  ): Stream<R, W> {
    const { state, each, timer } = definition
    requireFunction(`process '${name}'`, each)
    if (timer !== undefined) requireFunction(`the timer of process '${name}'`, timer)
    const states = Object.entries(state).map(([stateName, { kind }]): StateDeclaration => ({ name: stateName, kind }))
    if (states.length === 0) {
      throw new JobGraphError('JOB_GRAPH_INVALID', {
        message: `process '${name}' declares no state`,
        place: { job: this.#builder.job, step: name },
        fix: 'declare at least one, e.g. state: { total: valueState<number>() }; for none, use map or flatMap',
      })
    }
    const functions = { each, timer } as never
    return this.#keyed(
      name,
      'process',
      states,
      options,
      (context, store) => new ProcessOperator(context, store, functions),
    )
  }
}
