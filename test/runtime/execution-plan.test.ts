import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ExecutionPlan, planExecution } from '../../src/runtime/execution-plan.ts'
import type { JobGraph, NodeId } from '../../src/runtime/job-graph.ts'
import { byKey, edge, graphOf, node, rebalance, someGraph } from './graphs.ts'

/** Vertices as `head+follower ×parallelism`, exchanges as `from kind to`. */
const shown = (graph: JobGraph): string[] => {
  const { vertices, exchanges } = planExecution(graph)
  return [
    ...vertices.map(({ nodes, parallelism }) => `${nodes.join('+')} ×${parallelism}`),
    ...exchanges.map(({ from, to, kind }) => `${from} ${kind} ${to}`),
  ]
}

describe('an execution plan', () => {
  test('puts steps that follow each other with the same parallelism into one chain', () => {
    const nodes = [node('source', 0), node('transform', 1), node('transform', 2), node('sink', 3)]
    expect(shown(graphOf(nodes, [edge(0, 1), edge(1, 2), edge(2, 3)], { parallelism: 3 }))).toEqual(['0+1+2+3 ×3'])
  })

  test('cuts the chain at a keyed step, also where nothing is parallel', () => {
    const nodes = [node('source', 0), node('keyed', 1), node('sink', 2)]
    expect(shown(graphOf(nodes, [edge(0, 1, byKey), edge(1, 2)]))).toEqual(['0 ×1', '1+2 ×1', '0 key 1'])
  })

  test('cuts the chain at a rebalance', () => {
    const nodes = [node('source', 0), node('union', 1), node('sink', 2)]
    expect(shown(graphOf(nodes, [edge(0, 1, rebalance), edge(1, 2)]))).toEqual(['0 ×1', '1+2 ×1', '0 rebalance 1'])
  })

  test('cuts the chain where the parallelism changes, and deals the records out', () => {
    const nodes = [node('source', 0, 2), node('transform', 1), node('sink', 2, 3)]
    expect(shown(graphOf(nodes, [edge(0, 1), edge(1, 2)]))).toEqual(['0+1 ×2', '2 ×3', '0 rebalance 1'])
  })

  test('keeps the chain where a step asks for the parallelism it would have anyway', () => {
    const nodes = [node('source', 0, 2), node('sink', 1, 2)]
    expect(shown(graphOf(nodes, [edge(0, 1)]))).toEqual(['0+1 ×2'])
  })

  test('cuts the chain before a union and goes on behind it', () => {
    const nodes = [node('source', 0), node('source', 1), node('union', 2), node('sink', 3)]
    const plan = shown(graphOf(nodes, [edge(0, 2), edge(1, 2), edge(2, 3)]))
    expect(plan).toEqual(['0 ×1', '1 ×1', '2+3 ×1', '0 forward 2', '1 forward 2'])
  })

  test('deals the records out into a union of another parallelism', () => {
    const nodes = [node('source', 0, 2), node('source', 1, 3), node('union', 2, 3), node('sink', 3)]
    const plan = shown(graphOf(nodes, [edge(0, 2), edge(1, 2), edge(2, 3)]))
    expect(plan).toEqual(['0 ×2', '1 ×3', '2+3 ×3', '0 rebalance 2', '1 forward 2'])
  })

  test('chains every branch of a step into the same subtask', () => {
    const nodes = [node('source', 0), node('sink', 1), node('transform', 2), node('sink', 3)]
    expect(shown(graphOf(nodes, [edge(0, 1), edge(0, 2), edge(2, 3)]))).toEqual(['0+1+2+3 ×1'])
  })

  test('gives a step the parallelism of the one it follows, and a keyed one that of the job', () => {
    const nodes = [node('source', 0, 2), node('transform', 1), node('keyed', 2), node('transform', 3), node('sink', 4)]
    const edges = [edge(0, 1), edge(1, 2, byKey), edge(2, 3), edge(3, 4)]
    expect(shown(graphOf(nodes, edges, { parallelism: 5 }))).toEqual(['0+1 ×2', '2+3+4 ×5', '0 key 1'])
  })

  test('finds the order of steps that were added in another one', () => {
    const nodes = [node('sink', 0), node('transform', 1), node('source', 2)]
    expect(shown(graphOf(nodes, [edge(1, 0), edge(2, 1)]))).toEqual(['2+1+0 ×1'])
  })

  test('refuses a circle', () => {
    const nodes = [node('source', 0), node('transform', 1), node('transform', 2)]
    expect(() => planExecution(graphOf(nodes, [edge(1, 2), edge(2, 1)]))).toThrow(/cycle/)
  })
})

describe('an execution plan of any graph', () => {
  const check = (property: (graph: JobGraph, plan: ExecutionPlan) => void): void => {
    fc.assert(
      fc.property(someGraph, (graph) => property(graph, planExecution(graph))),
      { numRuns: 300 },
    )
  }
  const vertexOf = (plan: ExecutionPlan, id: NodeId) => {
    const found = plan.vertices.filter((vertex) => vertex.nodes.includes(id))
    expect(found).toHaveLength(1)
    return found[0]
  }
  /** Whether two steps could share a subtask: written anew from the description of a chain. */
  const mayChain = (graph: JobGraph, plan: ExecutionPlan, from: NodeId, to: NodeId): boolean => {
    const inputs = graph.edges.filter((candidate) => candidate.to === to)
    const target = graph.nodes.find(({ id }) => id === to)
    const alone = inputs.length === 1 && inputs[0]?.partitioning.kind === 'forward'
    return alone && target?.kind !== 'union' && plan.parallelismOf.get(from) === plan.parallelismOf.get(to)
  }

  test('has every step in exactly one chain, behind the one it follows', () => {
    check((graph, plan) => {
      expect(plan.vertices.flatMap(({ nodes }) => nodes).sort((a, b) => a - b)).toEqual(graph.nodes.map(({ id }) => id))
      for (const vertex of plan.vertices) {
        expect(vertex.nodes[0]).toBe(vertex.head)
        expect(vertex.name).toBe(graph.nodes.find(({ id }) => id === vertex.head)?.name)
        for (const [place, id] of vertex.nodes.entries()) {
          if (place === 0) continue
          const into = plan.chained.filter(({ to }) => to === id)
          expect(into).toHaveLength(1)
          expect(vertex.nodes.slice(0, place)).toContain(into[0]?.from)
        }
      }
    })
  })

  test('has every edge once: inside a chain or between two', () => {
    check((graph, plan) => {
      const placed = [...plan.chained, ...plan.exchanges.map(({ edge: between }) => between)]
      expect(placed).toHaveLength(graph.edges.length)
      expect(new Set(placed)).toEqual(new Set(graph.edges))
    })
  })

  test('chains what may share a subtask and nothing else', () => {
    check((graph, plan) => {
      for (const each of graph.edges) {
        expect(plan.chained.includes(each)).toBe(mayChain(graph, plan, each.from, each.to))
      }
    })
  })

  test('joins the chains of the two steps, in the way that was asked for', () => {
    check((_, plan) => {
      for (const { from, to, edge: between, kind } of plan.exchanges) {
        expect(vertexOf(plan, between.from)?.id).toBe(from)
        expect(vertexOf(plan, between.to)?.id).toBe(to)
        const same = plan.vertices[from]?.parallelism === plan.vertices[to]?.parallelism
        const spread = between.partitioning.kind === 'forward' && !same
        expect(kind).toBe(spread ? 'rebalance' : between.partitioning.kind)
      }
    })
  })

  test('gives all steps of a chain its parallelism, and each step the one it asked for', () => {
    check((graph, plan) => {
      for (const vertex of plan.vertices) {
        for (const id of vertex.nodes) expect(plan.parallelismOf.get(id)).toBe(vertex.parallelism)
      }
      for (const { id, parallelism } of graph.nodes) {
        if (parallelism !== undefined) expect(plan.parallelismOf.get(id)).toBe(parallelism)
      }
    })
  })

  test('is the same plan for the same graph', () => {
    check((graph, plan) => {
      expect(planExecution(graph)).toEqual(plan)
    })
  })
})
