import fc from 'fast-check'
import type { Guarantee } from '../../src/core/index.ts'
import type { GraphEdge, GraphNode, JobGraph, JobSettings, NodeId, Partitioning } from '../../src/runtime/job-graph.ts'
import type { Sink } from '../../src/sink/index.ts'
import type { Source } from '../../src/source/index.ts'

export const settings = (change: Partial<JobSettings> = {}): JobSettings => ({
  guarantee: 'best-effort',
  checkpoint: undefined,
  parallelism: 1,
  maxParallelism: 128,
  restart: { kind: 'none' },
  stopDeadlineMs: 30_000,
  batchRecordsMax: 512,
  batchBytesMax: 65_536,
  channelBatchesMax: 8,
  channelBytesMax: 4_194_304,
  stepWarnMs: 60_000,
  stepTimeoutMs: 600_000,
  ...change,
})

const never = (): never => {
  throw new Error('a description was opened')
}

/** Descriptions that must not be opened: planning and validation only look at them. */
export const closedSource = (guarantee: Guarantee = 'exactly-once'): Source<unknown> => ({
  kind: 'test',
  guarantee,
  boundedness: 'bounded',
  open: never,
})
export const closedSink = (guarantee: Guarantee = 'exactly-once'): Sink<never> => ({
  kind: 'test',
  guarantee,
  guaranteeReason: 'it says so',
  open: never,
})

export const forward: Partitioning = { kind: 'forward' }
export const rebalance: Partitioning = { kind: 'rebalance' }
export const byKey: Partitioning = { kind: 'key', keyOf: (record) => String(record) }

export const edge = (from: NodeId, to: NodeId, partitioning: Partitioning = forward, output = 'main'): GraphEdge => ({
  from,
  to,
  partitioning,
  output,
})

/** A node of a kind, with what the plan looks at. */
export const node = (kind: GraphNode['kind'], id: NodeId, parallelism?: number): GraphNode => {
  const base = { id, name: `${kind}-${id}`, parallelism }
  switch (kind) {
    case 'source':
      return { ...base, kind, source: closedSource() }
    case 'transform':
      return { ...base, kind, label: 'map', create: never }
    case 'keyed':
      return { ...base, kind, label: 'reduce', states: [], create: never }
    case 'sink':
      return { ...base, kind, sink: closedSink() }
    case 'union':
      return { ...base, kind }
  }
}

export const graphOf = (
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  change: Partial<JobSettings> = {},
): JobGraph => ({ name: 'test', settings: settings(change), nodes, edges })

interface Draw {
  readonly kind: GraphNode['kind']
  readonly parallelism: number | undefined
  /** Which earlier nodes feed it, as fractions of those there are. */
  readonly inputs: readonly number[]
  readonly rebalance: boolean
}

const draw: fc.Arbitrary<Draw> = fc.record({
  kind: fc.constantFrom<GraphNode['kind'][]>('source', 'transform', 'transform', 'keyed', 'sink', 'union'),
  parallelism: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  inputs: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 3 }),
  rebalance: fc.boolean(),
})

const partitioningOf = ({ kind, rebalance: spread }: Draw): Partitioning => {
  if (kind === 'keyed') return byKey
  return spread && kind === 'union' ? rebalance : forward
}

/** Any graph that `job()` can build: sources first, one input for most steps, several for unions and sinks. */
export const someGraph: fc.Arbitrary<JobGraph> = fc
  .tuple(fc.array(draw, { maxLength: 14 }), fc.integer({ min: 1, max: 3 }))
  .map(([draws, parallelism]) => {
    const nodes: GraphNode[] = [node('source', 0)]
    const edges: GraphEdge[] = []
    for (const each of draws) {
      const id = nodes.length
      const feeders = nodes.filter((other) => other.kind !== 'sink')
      nodes.push(node(each.kind, id, each.parallelism))
      if (each.kind === 'source') continue
      const many = each.kind === 'union' || each.kind === 'sink'
      for (const fraction of many ? each.inputs : each.inputs.slice(0, 1)) {
        const from = feeders[Math.floor(fraction * feeders.length)]
        if (from !== undefined) edges.push(edge(from.id, id, partitioningOf(each)))
      }
    }
    return graphOf(nodes, edges, { parallelism })
  })
