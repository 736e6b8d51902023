import { JobGraphError } from '../core/index.ts'
import type { GraphEdge, GraphNode, NodeId, Partitioning } from '../runtime/index.ts'

/** A node before it has its number. */
export type NewNode = GraphNode extends infer Node ? (Node extends GraphNode ? Omit<Node, 'id'> : never) : never

/** Where a stream comes from: an output of a node, and how its records travel to the next one. */
export interface StreamOrigin {
  readonly node: NodeId
  readonly output: string
  readonly partitioning: Partitioning
}

export const forward: Partitioning = { kind: 'forward' }

/** Collects the steps while the user's function composes the job. */
export class GraphBuilder {
  readonly job: string
  readonly nodes: GraphNode[] = []
  readonly edges: GraphEdge[] = []
  readonly deadLetters: NodeId[] = []
  readonly #labels = new Map<string, number>()
  #sealed = false

  constructor(job: string) {
    this.job = job
  }

  /** The job is composed: streams kept beyond that can no longer add to it. */
  seal(): void {
    this.#sealed = true
  }

  add(node: NewNode, ...inputs: readonly StreamOrigin[]): NodeId {
    if (this.#sealed) {
      throw new JobGraphError('JOB_GRAPH_INVALID', {
        message: `'${node.name}' is added after the job was composed`,
        place: { job: this.job },
        fix: 'compose the whole job inside the function given to job()',
      })
    }
    const id = this.nodes.length
    this.nodes.push({ ...node, id })
    for (const { node: from, output, partitioning } of inputs) this.edges.push({ from, output, to: id, partitioning })
    return id
  }

  /** A name for a step the user did not name: `map`, `map-2`, … */
  label(given: string | undefined, label: string): string {
    if (given !== undefined) return given
    const count = (this.#labels.get(label) ?? 0) + 1
    this.#labels.set(label, count)
    return count === 1 ? label : `${label}-${count}`
  }
}
