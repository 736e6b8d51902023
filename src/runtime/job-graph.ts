import { type Guarantee, JobGraphError, type Key } from '../core/index.ts'
import type { Sink } from '../sink/index.ts'
import type { Source } from '../source/index.ts'
import type { KeyedStateStore, StateDeclaration } from './keyed-state.ts'
import type { Operator, OperatorContext } from './operator.ts'

export type NodeId = number

interface NodeBase {
  readonly id: NodeId
  /** What a person calls the step; unique in the job. */
  readonly name: string
  /** Subtasks of the step; the job's parallelism when absent. */
  readonly parallelism?: number | undefined
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source'
  readonly source: Source<unknown, Guarantee, boolean>
}

/** A step without state of its own: map, filter, parse, split, an RxJS segment. */
export interface TransformNode extends NodeBase {
  readonly kind: 'transform'
  /** What it does, for `explain()`: `'map'`. */
  readonly label: string
  readonly create: (context: OperatorContext) => Operator
}

/** A step with state per key. */
export interface KeyedNode extends NodeBase {
  readonly kind: 'keyed'
  readonly label: string
  readonly states: readonly StateDeclaration[]
  readonly create: (context: OperatorContext, state: KeyedStateStore) => Operator
}

export interface SinkNode extends NodeBase {
  readonly kind: 'sink'
  readonly sink: Sink<never>
}

/** Several streams as one. */
export interface UnionNode extends NodeBase {
  readonly kind: 'union'
}

export type GraphNode = SourceNode | TransformNode | KeyedNode | SinkNode | UnionNode

/** How records find the subtask of the next step. */
export type Partitioning =
  | { readonly kind: 'forward' }
  | { readonly kind: 'rebalance' }
  | { readonly kind: 'key'; readonly keyOf: (record: unknown) => Key }

export interface GraphEdge {
  readonly from: NodeId
  /** Which output of the step: `'main'`, a branch of a split, or `'dead-letter'`. */
  readonly output: string
  readonly to: NodeId
  readonly partitioning: Partitioning
}

export interface CheckpointSettings {
  readonly dir: string
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly minPauseMs: number
  readonly tolerableFailures: number
  readonly retained: number
}

export type RestartSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly attempts: number; readonly delayMs: number }
  | { readonly kind: 'rate'; readonly failures: number; readonly windowMs: number; readonly delayMs: number }
  | {
      readonly kind: 'exponential'
      readonly initialMs: number
      readonly maxMs: number
      readonly multiplier: number
      readonly jitter: number
      readonly resetAfterMs: number
    }

/** Options of a job, resolved: every value present, durations in milliseconds, sizes in bytes. */
export interface JobSettings {
  readonly guarantee: Guarantee
  readonly checkpoint: CheckpointSettings | undefined
  readonly parallelism: number
  readonly maxParallelism: number
  readonly restart: RestartSettings
  readonly stopDeadlineMs: number
  readonly batchRecordsMax: number
  readonly batchBytesMax: number
  readonly channelBatchesMax: number
  readonly channelBytesMax: number
  /** A function of the user that does not settle: a warning after the first, a failure after the second. */
  readonly stepWarnMs: number
  readonly stepTimeoutMs: number
}

/** Steps and edges as the user drew them. Plain data: building one opens nothing. */
export interface JobGraph {
  readonly name: string
  readonly settings: JobSettings
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

/**
 * Checks what the types cannot: names, dangling streams, guarantees of connectors built without types.
 * @throws JobGraphError `JOB_GRAPH_INVALID` with every problem at once.
 */
export const validateGraph = (graph: JobGraph): void => {
  const problems = [...nameProblems(graph), ...shapeProblems(graph), ...guaranteeProblems(graph)]
  if (problems.length > 0) {
    throw new JobGraphError('JOB_GRAPH_INVALID', { message: problems.join('; '), place: { job: graph.name } })
  }
}

const nameProblems = ({ nodes }: JobGraph): string[] => {
  const seen = new Set<string>()
  const problems: string[] = []
  for (const { name } of nodes) {
    if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/.test(name)) {
      problems.push(`'${name}' cannot name a step; use up to 100 letters, digits, spaces, dots, dashes, underscores`)
    }
    if (seen.has(name))
      problems.push(`two steps are named '${name}'; state is found again by name, so give each its own`)
    seen.add(name)
  }
  return problems
}

const shapeProblems = ({ nodes, edges, settings }: JobGraph): string[] => {
  const problems: string[] = []
  if (!nodes.some((node) => node.kind === 'source'))
    problems.push('the job has no source; begin with flow.from(name, source)')
  for (const node of nodes) {
    const consumed = edges.some((edge) => edge.from === node.id && (node.kind !== 'source' || edge.output === 'main'))
    if (node.kind !== 'sink' && node.kind !== 'union' && node.kind !== 'source' && !consumed) continue
    if (node.kind === 'source' && !consumed)
      problems.push(`the stream of '${node.name}' goes nowhere; end it with .to(name, sink)`)
    const parallelism = node.parallelism ?? settings.parallelism
    if (parallelism > settings.maxParallelism) {
      problems.push(
        `'${node.name}' has parallelism ${parallelism}, more than maxParallelism ${settings.maxParallelism}`,
      )
    }
  }
  if (!nodes.some((node) => node.kind === 'sink'))
    problems.push('the job has no sink; end a stream with .to(name, sink)')
  return problems
}

const guaranteeProblems = ({ nodes, settings }: JobGraph): string[] => {
  const problems: string[] = []
  if (settings.guarantee !== 'best-effort' && settings.checkpoint === undefined) {
    problems.push(
      `a job that promises ${settings.guarantee} needs checkpoints; add checkpoint: { dir: './checkpoints' } or promise 'best-effort'`,
    )
  }
  const rank = { 'best-effort': 0, 'at-least-once': 1, 'exactly-once': 2 }
  for (const node of nodes) {
    const part = node.kind === 'source' ? node.source : node.kind === 'sink' ? node.sink : undefined
    if (part !== undefined && rank[part.guarantee] < rank[settings.guarantee]) {
      problems.push(
        `'${node.name}' (${part.kind}) can give ${part.guarantee} at best, but the job promises ${settings.guarantee}; ` +
          `change the connector or promise '${part.guarantee}'`,
      )
    }
  }
  return problems
}
