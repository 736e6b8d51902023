import { type AtLeast, checkOptions, type DeadLetter, type Guarantee, JobGraphError } from '../core/index.ts'
import { type JobGraph, validateGraph } from '../runtime/index.ts'
import type { Sink } from '../sink/index.ts'
import type { Source } from '../source/index.ts'
import { requireConnector } from './arguments.ts'
import { type Explanation, explainGraph } from './explain.ts'
import { forward, GraphBuilder } from './graph-builder.ts'
import { type JobOptions, resolveJobOptions } from './job-options.ts'
import { type ParallelOptions, parallelFields, Stream, type Wiring } from './stream.ts'

/** Where a job is composed. */
export interface Flow<W extends Wiring> {
  /** Begins a stream. The name is the source's operator uid: its positions are found again by it. */
  readonly from: <T>(
    name: string,
    source: Source<T, AtLeast<W['guarantee']>, W['deadLetter'] extends true ? boolean : false>,
    options?: ParallelOptions,
  ) => Stream<T, W>
}

/** A job as composed. Nothing is open yet; `run(job)` runs it. */
export interface Job {
  readonly name: string
  readonly graph: JobGraph
  /** The steps, how they are joined and spread, and the guarantee with its reason. */
  explain(): Explanation
}

type HasDeadLetter<O> = O extends { readonly deadLetter: object } ? true : false
type PromiseOf<O> = O extends { readonly guarantee: infer G extends Guarantee }
  ? G
  : O extends { readonly checkpoint: { readonly dir: string } }
    ? 'exactly-once'
    : 'best-effort'
/** A job that promises exactly-once needs a directory, and a dead-letter sink as good as its promise. */
type Demands<O> = (PromiseOf<O> extends 'best-effort' ? unknown : { readonly checkpoint: { readonly dir: string } }) &
  (HasDeadLetter<O> extends true ? { readonly deadLetter: Sink<DeadLetter, AtLeast<PromiseOf<O>>> } : unknown)

/**
 * Composes a job. Opens nothing and reads no environment.
 *
 * @param name found in checkpoints, metrics and errors; checkpoints of another name are refused
 * @param options what the job promises and how it runs
 * @param build composes the steps, beginning with `flow.from`
 * @throws OptionsError `OPTIONS_INVALID`; JobGraphError `JOB_GRAPH_INVALID`
 */
export function job(name: string, build: (flow: Flow<Wiring<'best-effort', false>>) => unknown): Job
export function job<const O extends JobOptions>(
  name: string,
  options: O & Demands<O>,
  build: (flow: Flow<Wiring<PromiseOf<O>, HasDeadLetter<O>>>) => unknown,
): Job
export function job(
  name: string,
  optionsOrBuild: JobOptions | ((flow: Flow<never>) => unknown),
  maybeBuild?: (flow: Flow<never>) => unknown,
): Job {
  const build = typeof optionsOrBuild === 'function' ? optionsOrBuild : maybeBuild
  const options = typeof optionsOrBuild === 'function' ? {} : optionsOrBuild
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw new JobGraphError('JOB_GRAPH_INVALID', {
      message: `${JSON.stringify(name)} cannot name a job`,
      fix: 'use up to 100 letters, digits, dots, dashes and underscores',
    })
  }
  if (build === undefined) {
    throw new JobGraphError('JOB_GRAPH_INVALID', {
      message: 'there is no function that composes the job',
      place: { job: name },
      fix: "write job(name, options, (flow) => { flow.from('in', source).to('out', sink) })",
    })
  }
  const settings = resolveJobOptions(name, options)
  const builder = new GraphBuilder(name)
  const flow: Flow<Wiring> = {
    from: (sourceName, source, sourceOptions = {}) => {
      checkOptions<ParallelOptions>(`from '${sourceName}'`, parallelFields, sourceOptions)
      requireConnector('source', sourceName, source)
      const node = builder.add({ kind: 'source', name: sourceName, source, ...sourceOptions })
      // What the types say nobody gives, a source of untyped code may.
      if ((source.deadLetters as boolean | undefined) === true) builder.deadLetters.push(node)
      return new Stream(builder, { node, output: 'main', partitioning: forward })
    },
  }
  build(flow as unknown as Flow<never>)
  addDeadLetters(builder, options.deadLetter)
  builder.seal()
  const graph: JobGraph = Object.freeze({ name, settings, nodes: builder.nodes, edges: builder.edges })
  validateGraph(graph)
  return { name, graph, explain: () => explainGraph(graph) }
}

/** Joins the dead-letter outputs of all steps that have one into the job's dead-letter sink. */
const addDeadLetters = (builder: GraphBuilder, sink: Sink<DeadLetter> | undefined): void => {
  if (builder.deadLetters.length === 0) return
  if (sink === undefined) {
    const names = builder.deadLetters.map((node) => `'${builder.nodes[node]?.name}'`).join(', ')
    throw new JobGraphError('JOB_GRAPH_INVALID', {
      message: `what ${names} cannot use goes to 'dead-letter', but the job has no dead-letter sink`,
      place: { job: builder.job },
      fix: "add deadLetter: fileSink({ dir: './dead' }) to the options of the job",
    })
  }
  const inputs = builder.deadLetters.map((node) => ({ node, output: 'dead-letter', partitioning: forward }))
  builder.add({ kind: 'sink', name: 'dead-letter', sink }, ...inputs)
}
