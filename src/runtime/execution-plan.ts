import type { GraphEdge, GraphNode, JobGraph, NodeId } from './job-graph.ts'

/** Steps that run together in one subtask: the head takes input, the others are called directly. */
export interface Vertex {
  readonly id: number
  /** The head's name. */
  readonly name: string
  readonly head: NodeId
  /** Head first, then every step after the one it follows. */
  readonly nodes: readonly NodeId[]
  readonly parallelism: number
}

/** How two vertices are joined: one channel per pair of subtasks, or one per subtask when forward. */
export interface Exchange {
  readonly from: number
  readonly to: number
  readonly edge: GraphEdge
  readonly kind: 'forward' | 'rebalance' | 'key'
}

/** The graph times parallelism. */
export interface ExecutionPlan {
  readonly graph: JobGraph
  readonly vertices: readonly Vertex[]
  readonly exchanges: readonly Exchange[]
  /** Edges inside a vertex. */
  readonly chained: readonly GraphEdge[]
  readonly parallelismOf: ReadonlyMap<NodeId, number>
}

/** Nodes in an order in which every node comes after those it takes input from. The graph has no cycles by construction. */
const topological = ({ nodes, edges }: JobGraph): GraphNode[] => {
  const placed = new Set<NodeId>()
  const order: GraphNode[] = []
  let waiting = [...nodes]
  while (waiting.length > 0) {
    const ready = waiting.filter((node) => edges.every((edge) => edge.to !== node.id || placed.has(edge.from)))
    if (ready.length === 0) throw new Error('the job graph has a cycle')
    for (const node of ready) {
      placed.add(node.id)
      order.push(node)
    }
    waiting = waiting.filter((node) => !placed.has(node.id))
  }
  return order
}

/** Works out chains, parallelism and exchanges. Pure: the same graph gives the same plan. */
export const planExecution = (graph: JobGraph): ExecutionPlan => {
  const order = topological(graph)
  const parallelismOf = new Map<NodeId, number>()
  const vertexOf = new Map<NodeId, number>()
  const members: NodeId[][] = []
  const chained: GraphEdge[] = []
  for (const node of order) {
    const inputs = graph.edges.filter((edge) => edge.to === node.id)
    const [only] = inputs
    const upstream = only === undefined ? undefined : parallelismOf.get(only.from)
    const follows = inputs.length === 1 && only?.partitioning.kind === 'forward' && node.kind !== 'union'
    const parallelism = node.parallelism ?? (follows ? upstream : undefined) ?? graph.settings.parallelism
    parallelismOf.set(node.id, parallelism)
    if (follows && parallelism === upstream) {
      const vertex = vertexOf.get(only.from) ?? 0
      vertexOf.set(node.id, vertex)
      members[vertex]?.push(node.id)
      chained.push(only)
    } else {
      vertexOf.set(node.id, members.length)
      members.push([node.id])
    }
  }
  const names = new Map(graph.nodes.map((node) => [node.id, node.name]))
  const vertices = members.map((nodes, id): Vertex => {
    const head = nodes[0] ?? 0
    return { id, head, nodes, name: names.get(head) ?? '', parallelism: parallelismOf.get(head) ?? 1 }
  })
  const exchanges = graph.edges
    .filter((edge) => !chained.includes(edge))
    .map((edge): Exchange => {
      const from = vertexOf.get(edge.from) ?? 0
      const to = vertexOf.get(edge.to) ?? 0
      const same = vertices[from]?.parallelism === vertices[to]?.parallelism
      const kind = edge.partitioning.kind === 'forward' && !same ? 'rebalance' : edge.partitioning.kind
      return { from, to, edge, kind }
    })
  return { graph, vertices, exchanges, chained, parallelismOf }
}
