import { type Guarantee, weaker } from '../core/index.ts'
import { type GraphNode, type JobGraph, planExecution } from '../runtime/index.ts'

export interface ExplainedStep {
  readonly name: string
  readonly what: string
  readonly parallelism: number
  /** The chain the step runs in: steps with the same number share their subtasks. */
  readonly chain: number
  readonly keepsState: boolean
}

export interface ExplainedEdge {
  readonly from: string
  readonly to: string
  readonly output: string
  /** `chained`: a direct call. `forward`, `rebalance`, `key`: through channels. */
  readonly how: 'chained' | 'forward' | 'rebalance' | 'key'
}

/** What a job does and what it can promise. */
export interface Explanation {
  readonly job: string
  /** What the job can keep, given its sources and sinks. */
  readonly guarantee: Guarantee
  /** Why it is that and no better, one sentence per connector. */
  readonly reasons: readonly string[]
  /** What holds for the state inside the job. */
  readonly state: string
  readonly steps: readonly ExplainedStep[]
  readonly edges: readonly ExplainedEdge[]
  /** For people. */
  toString(): string
  /** A Mermaid flowchart. */
  toMermaid(): string
}

const describe = (node: GraphNode): string => {
  switch (node.kind) {
    case 'source':
      return `source (${node.source.kind}, ${node.source.boundedness})`
    case 'sink':
      return `sink (${node.sink.kind})`
    case 'union':
      return node.name.startsWith('rebalance') ? 'rebalance' : 'union'
    default:
      return node.label
  }
}

const reasonsOf = ({ nodes, settings }: JobGraph): { guarantee: Guarantee; reasons: string[] } => {
  let guarantee: Guarantee = settings.checkpoint === undefined ? 'best-effort' : 'exactly-once'
  const reasons: string[] = []
  if (settings.checkpoint === undefined)
    reasons.push('best-effort: without checkpoint.dir nothing survives the process')
  for (const node of nodes) {
    if (node.kind === 'source') {
      guarantee = weaker(guarantee, node.source.guarantee)
      const why =
        node.source.guarantee === 'exactly-once'
          ? 'it can be put back to an exact position'
          : 'it cannot replay exactly'
      reasons.push(`source '${node.name}' (${node.source.kind}) is ${node.source.guarantee}: ${why}`)
    } else if (node.kind === 'sink') {
      guarantee = weaker(guarantee, node.sink.guarantee)
      reasons.push(`sink '${node.name}' (${node.sink.kind}) is ${node.sink.guarantee}: ${node.sink.guaranteeReason}`)
    }
  }
  return { guarantee, reasons }
}

const stateOf = ({ nodes, settings }: JobGraph): string => {
  if (settings.checkpoint === undefined) return 'state is lost with the process'
  const weak = nodes.find((node) => node.kind === 'source' && node.source.guarantee !== 'exactly-once')
  if (weak !== undefined) return `state is no better than source '${weak.name}', which cannot replay exactly`
  return `state is exactly-once: positions and state are in the same checkpoint, every ${settings.checkpoint.intervalMs} ms`
}

/** Works out the explanation of a graph. Pure. */
export const explainGraph = (graph: JobGraph): Explanation => {
  const plan = planExecution(graph)
  const nameOf = new Map(graph.nodes.map((node) => [node.id, node.name]))
  const chainOf = new Map(plan.vertices.flatMap((vertex) => vertex.nodes.map((node) => [node, vertex.id] as const)))
  const steps = graph.nodes.map(
    (node): ExplainedStep => ({
      name: node.name,
      what: describe(node),
      parallelism: plan.parallelismOf.get(node.id) ?? 1,
      chain: chainOf.get(node.id) ?? 0,
      keepsState: node.kind === 'source' || node.kind === 'keyed' || node.kind === 'sink',
    }),
  )
  const edges = graph.edges.map(
    (edge): ExplainedEdge => ({
      from: nameOf.get(edge.from) ?? '',
      to: nameOf.get(edge.to) ?? '',
      output: edge.output,
      how: plan.exchanges.find((exchange) => exchange.edge === edge)?.kind ?? 'chained',
    }),
  )
  const { guarantee, reasons } = reasonsOf(graph)
  const explanation = { job: graph.name, guarantee, reasons, state: stateOf(graph), steps, edges }
  return Object.defineProperties(explanation, {
    toString: { value: () => asText(explanation) },
    toMermaid: { value: () => asMermaid(explanation) },
  }) as unknown as Explanation
}

type Plain = Omit<Explanation, 'toString' | 'toMermaid'>

const asText = ({ job, guarantee, reasons, state, steps, edges }: Plain): string => {
  const width = Math.max(...steps.map((step) => step.name.length))
  const lines = steps.map((step) => {
    const into = edges.filter((edge) => edge.from === step.name)
    const next = into
      .map((edge) => `${edge.output === 'main' ? '' : `${edge.output} `}→ ${edge.to} (${edge.how})`)
      .join(', ')
    const kept = step.keepsState ? ', keeps state' : ''
    return `  ${step.name.padEnd(width)}  ${step.what} ×${step.parallelism}, chain ${step.chain}${kept}${next === '' ? '' : `  ${next}`}`
  })
  return [`job ${job}: ${guarantee}`, ...reasons.map((reason) => `  ${reason}`), `  ${state}`, 'steps:', ...lines].join(
    '\n',
  )
}

const asMermaid = ({ steps, edges }: Plain): string => {
  const idOf = new Map(steps.map((step, index) => [step.name, `s${index}`]))
  const chains = [...new Set(steps.map((step) => step.chain))]
  const boxes = chains.flatMap((chain) => [
    `  subgraph c${chain} [chain ${chain}]`,
    ...steps
      .filter((step) => step.chain === chain)
      .map((step) => `    ${idOf.get(step.name)}["${step.name}<br/>${step.what} ×${step.parallelism}"]`),
    '  end',
  ])
  const arrows = edges.map(({ from, to, how, output }) => {
    const label = output === 'main' ? how : `${output}, ${how}`
    return `  ${idOf.get(from)} -- "${label}" --> ${idOf.get(to)}`
  })
  return ['flowchart LR', ...boxes, ...arrows].join('\n')
}
