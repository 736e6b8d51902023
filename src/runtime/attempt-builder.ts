import { type Environment, type Metric, type MetricRegistry, readVersioned } from '../core/index.ts'
import type { OpenSink } from '../sink/index.ts'
import type { OpenSource } from '../source/index.ts'
import { BoundedChannel } from './bounded-channel.ts'
import { connectorFailure, opening } from './connector-failure.ts'
import type { Exchange, ExecutionPlan, Vertex } from './execution-plan.ts'
import { InputGate } from './input-gate.ts'
import type { GraphNode, KeyedNode, NodeId, SinkNode, SourceNode } from './job-graph.ts'
import { keyedSerializer } from './keyed-frames.ts'
import { keyGroupsIntersect, restoreKeyed } from './keyed-snapshot.ts'
import { KeyedStateStore } from './keyed-state.ts'
import type { Operator, OperatorContext, Output } from './operator.ts'
import { type ChainLink, fanOut, OperatorChain, outputsOf } from './operator-chain.ts'
import type { ProgressMark } from './progress-mark.ts'
import { forwardWriter, keyWriter, type RecordWriter, rebalanceWriter } from './record-writer.ts'
import { sinkOperator } from './sink-operator.ts'
import { readerOperator, type SourceCoordinator } from './source-coordinator.ts'
import { sourceEntry } from './source-entry.ts'
import { SourceInput } from './source-input.ts'
import { decodeList } from './state-list.ts'
import { stepContext } from './step-context.ts'
import { keyFailure } from './step-failure.ts'
import type { StoredState } from './stored-state.ts'
import { Subtask, type SubtaskStatus, type SubtaskSupervisor } from './subtask.ts'

/** A source that is open, with its coordinator. */
export interface RunningSource {
  readonly source: OpenSource<unknown>
  readonly coordinator: SourceCoordinator
}

export interface BuildOptions {
  readonly plan: ExecutionPlan
  readonly environment: Environment
  readonly metrics: MetricRegistry
  readonly mark: ProgressMark
  readonly supervisor: SubtaskSupervisor
  readonly sources: ReadonlyMap<NodeId, RunningSource>
  readonly sinks: ReadonlyMap<NodeId, OpenSink<unknown>>
  readonly stored: StoredState
  readonly droppedStates: ReadonlySet<string>
  readonly fail: (error: Error) => void
}

/** A subtask and what its attempt needs to end it. */
export interface BuiltSubtask {
  readonly subtask: Subtask
  readonly chain: OperatorChain
  readonly status: SubtaskStatus
  readonly controller: AbortController
  /** The channels it sends to, to be released when the attempt ends. */
  readonly outgoing: readonly BoundedChannel[]
  /** Starts the reader of a source subtask. */
  readonly start: () => void
}

/** Every channel of the plan: by exchange, from-subtask and to-subtask. */
const openChannels = ({ plan }: BuildOptions): Map<Exchange, BoundedChannel[][]> => {
  const { channelBatchesMax: batchesMax, channelBytesMax: bytesMax } = plan.graph.settings
  return new Map(
    plan.exchanges.map((exchange) => {
      const from = plan.vertices[exchange.from]?.parallelism ?? 1
      const to = plan.vertices[exchange.to]?.parallelism ?? 1
      const row = (): BoundedChannel[] => Array.from({ length: to }, () => new BoundedChannel({ batchesMax, bytesMax }))
      return [exchange, Array.from({ length: from }, row)]
    }),
  )
}

/** Makes all subtasks of an attempt, restored and ready to run. */
export const buildSubtasks = async (options: BuildOptions): Promise<BuiltSubtask[]> => {
  const channels = openChannels(options)
  const built: BuiltSubtask[] = []
  try {
    for (const vertex of options.plan.vertices) {
      for (let index = 0; index < vertex.parallelism; index++) {
        built.push(await new SubtaskBuilder(options, vertex, index, channels).build())
      }
    }
    return built
  } catch (thrown) {
    // Nobody else knows of them: what they hold open would stay open with every restart.
    await Promise.allSettled(built.map(({ chain }) => chain.close()))
    throw thrown
  }
}

/** Builds one subtask: its steps from the last to the first, since each needs those it feeds. */
class SubtaskBuilder {
  readonly #o: BuildOptions
  readonly #vertex: Vertex
  readonly #index: number
  readonly #channels: ReadonlyMap<Exchange, BoundedChannel[][]>
  readonly #controller = new AbortController()
  readonly #status: SubtaskStatus = { waitingFor: undefined }
  readonly #entries = new Map<NodeId, Output>()
  readonly #writers: RecordWriter[] = []
  readonly #outgoing: BoundedChannel[] = []
  readonly #links: ChainLink[] = []
  #input: SourceInput | InputGate | undefined
  #start = (): void => {}

  constructor(
    options: BuildOptions,
    vertex: Vertex,
    index: number,
    channels: ReadonlyMap<Exchange, BoundedChannel[][]>,
  ) {
    this.#o = options
    this.#vertex = vertex
    this.#index = index
    this.#channels = channels
  }

  async build(): Promise<BuiltSubtask> {
    const { environment, metrics, supervisor, mark } = this.#o
    await this.#addSteps()
    this.#links.reverse()
    const entry = this.#entries.get(this.#vertex.head)
    const input = this.#input ?? this.#gate()
    if (entry === undefined) throw new Error(`the chain ${this.#vertex.name} has no head`)
    const chain = new OperatorChain(this.#vertex.name, entry, this.#links, this.#writers)
    const labels = { step: this.#vertex.name, subtask: this.#index }
    const subtask = new Subtask({
      participant: `${this.#vertex.name}/${this.#index}`,
      input,
      chain,
      clock: environment.clock,
      signal: this.#controller.signal,
      supervisor,
      metrics: {
        idleMs: metrics.metric('millrace_idle_ms_total', labels),
        busyMs: metrics.metric('millrace_busy_ms_total', labels),
        backpressuredMs: metrics.metric('millrace_backpressured_ms_total', labels),
      },
      status: this.#status,
      mark,
    })
    return {
      subtask,
      chain,
      status: this.#status,
      controller: this.#controller,
      outgoing: this.#outgoing,
      start: this.#start,
    }
  }

  async #addSteps(): Promise<void> {
    const { nodes } = this.#o.plan.graph
    try {
      for (const id of [...this.#vertex.nodes].reverse()) {
        const node = nodes.find((candidate) => candidate.id === id)
        if (node === undefined) throw new Error(`the plan has no step ${id}`)
        await this.#addStep(node)
      }
    } catch (thrown) {
      await Promise.allSettled(this.#links.map(async ({ operator }) => operator.close?.()))
      throw thrown
    }
  }

  async #addStep(node: GraphNode): Promise<void> {
    const context = this.#context(node)
    const operator = await this.#operator(node, context)
    this.#links.push({ name: node.name, operator })
    // A source emits on its own behalf: its batches go straight to what follows it.
    this.#entries.set(node.id, node.kind === 'source' ? this.#sourceEntry(node, context) : this.#entry(node, operator))
  }

  /** What the step before calls: counts, marks the step as the one that runs, and processes. */
  #entry(node: GraphNode, operator: Operator): Output {
    const { metrics, mark } = this.#o
    const name = node.kind === 'sink' ? 'millrace_records_send_total' : 'millrace_records_in_total'
    const count: Metric = metrics.metric(name, { step: node.name, subtask: this.#index })
    return {
      emit(batch) {
        count.add(batch.records.length)
        mark.enter(node.name)
        return operator.process(batch)
      },
    }
  }

  #sourceEntry(node: SourceNode, context: OperatorContext): Output {
    const { metrics, plan } = this.#o
    const labels = { step: node.name, subtask: this.#index }
    return sourceEntry({
      context,
      givesLetters: node.source.deadLetters === true,
      batchBytesMax: plan.graph.settings.batchBytesMax,
      records: metrics.metric('millrace_records_out_total', labels),
      bytes: metrics.metric('millrace_bytes_in_total', labels),
    })
  }

  #context(node: GraphNode): OperatorContext {
    const { plan, environment, metrics } = this.#o
    const { settings, name: job } = plan.graph
    const byName = new Map<string, Output[]>()
    const add = (output: string, to: Output): void => void byName.set(output, [...(byName.get(output) ?? []), to])
    for (const edge of plan.chained.filter((candidate) => candidate.from === node.id)) {
      const next = this.#entries.get(edge.to)
      if (next !== undefined) add(edge.output, next)
    }
    for (const exchange of plan.exchanges.filter((candidate) => candidate.edge.from === node.id)) {
      const writer = this.#writer(exchange, node)
      this.#writers.push(writer)
      add(exchange.edge.output, writer)
    }
    return stepContext({
      job,
      step: node.name,
      subtask: this.#index,
      parallelism: this.#vertex.parallelism,
      batchRecordsMax: settings.batchRecordsMax,
      warnMs: settings.stepWarnMs,
      timeoutMs: settings.stepTimeoutMs,
      clock: environment.clock,
      log: environment.log.child({ step: node.name, subtaskIndex: this.#index }),
      signal: this.#controller.signal,
      outputs: outputsOf(new Map([...byName].map(([output, targets]) => [output, fanOut(targets)]))),
      errors: metrics.metric('millrace_records_in_errors_total', { step: node.name, subtask: this.#index }),
      status: this.#status,
    })
  }

  #writer(exchange: Exchange, node: GraphNode): RecordWriter {
    const channels = this.#channels.get(exchange)?.[this.#index] ?? []
    this.#outgoing.push(...channels)
    const { partitioning } = exchange.edge
    if (exchange.kind === 'key' && partitioning.kind === 'key') {
      const place = { job: this.#o.plan.graph.name, step: node.name, subtask: this.#index }
      return keyWriter(channels, this.#o.plan.graph.settings.maxParallelism, partitioning.keyOf, (thrown, batch, at) =>
        keyFailure(thrown, place, batch.origins, at),
      )
    }
    const own = channels[this.#index]
    if (exchange.kind === 'forward' && own !== undefined) return forwardWriter(own)
    return rebalanceWriter(channels, this.#index)
  }

  #gate(): InputGate {
    const { plan } = this.#o
    const channels: BoundedChannel[] = []
    const names: string[] = []
    for (const exchange of plan.exchanges.filter(({ to }) => to === this.#vertex.id)) {
      const rows = this.#channels.get(exchange) ?? []
      const from = plan.vertices[exchange.from]?.name ?? ''
      rows.forEach((row, sender) => {
        const channel = row[this.#index]
        if (channel === undefined || (exchange.kind === 'forward' && sender !== this.#index)) return
        channels.push(channel)
        names.push(`${from}/${sender}`)
      })
    }
    return new InputGate(channels, names)
  }

  #operator(node: GraphNode, context: OperatorContext): Operator | Promise<Operator> {
    switch (node.kind) {
      case 'source':
        return this.#reader(node.id, node.name)
      case 'transform':
        return node.create(context)
      case 'union':
        return { process: (batch) => context.outputs.main.emit(batch) }
      case 'keyed':
        return this.#keyed(node, context)
      case 'sink':
        return this.#sink(node, context)
    }
  }

  async #reader(id: NodeId, uid: string): Promise<Operator> {
    const running = this.#o.sources.get(id)
    if (running === undefined) throw new Error(`source ${uid} is not open`)
    const { source, coordinator } = running
    const subtask = this.#index
    const { name: job } = this.#o.plan.graph
    const metrics = this.#o.metrics.step({ step: uid, subtask }, this.#controller.signal)
    const reader = await opening({ kind: 'source', job, step: uid, subtask }, 'createReader', () =>
      source.createReader({
        subtask,
        parallelism: this.#vertex.parallelism,
        metrics,
        sendEventToEnumerator: (event) => coordinator.handleReaderEvent(subtask, event),
        sendSplitRequest: () => coordinator.handleSplitRequest(subtask),
      }),
    )
    metrics.observe('millrace_splits_assigned', () => reader.unfinishedSplitIds().length)
    const input = new SourceInput(reader, (error) =>
      this.#o.fail(connectorFailure({ kind: 'source', job, step: uid, subtask }, 'reading', error)),
    )
    this.#input = input
    this.#start = () => reader.start()
    coordinator.attach(subtask, input)
    return readerOperator(coordinator, { uid, source }, subtask, reader)
  }

  async #keyed(node: KeyedNode, context: OperatorContext): Promise<Operator> {
    const { stored, environment, droppedStates, plan } = this.#o
    const { parallelism } = this.#vertex
    const { maxParallelism } = plan.graph.settings
    const store = new KeyedStateStore(node.states, this.#index, parallelism, maxParallelism)
    const before = stored.parallelism(node.name)
    const at = { step: node.name, subtask: this.#index, parallelism, dropped: droppedStates }
    for (const part of stored.parts(node.name, 'keyed')) {
      if (!keyGroupsIntersect(part.subtask ?? 0, before, this.#index, parallelism, maxParallelism)) continue
      const bytes = readVersioned(keyedSerializer, await stored.read(part), node.name)
      await restoreKeyed(store, bytes, at, environment.clock)
    }
    return node.create(context, store)
  }

  async #sink(node: SinkNode, context: OperatorContext): Promise<Operator> {
    const sink = this.#o.sinks.get(node.id)
    if (sink === undefined) throw new Error(`sink ${node.name} is not open`)
    const states = sink.stateSerializer === undefined ? [] : await this.#writerStates(node.name, sink)
    const { job, step, subtask, waiting } = context
    const { signal } = this.#controller
    const metrics = this.#o.metrics.step({ step, subtask }, signal)
    const writer = await opening({ kind: 'sink', job, step, subtask }, 'createWriter', () =>
      sink.createWriter({ subtask, parallelism: this.#vertex.parallelism, metrics, signal, waiting }, states),
    )
    return sinkOperator(context, writer, sink.stateSerializer)
  }

  /** Writer states: one's own when the parallelism is unchanged, else dealt round-robin in (old subtask, index) order. */
  async #writerStates(uid: string, sink: OpenSink<unknown>): Promise<unknown[]> {
    const { stored } = this.#o
    const { stateSerializer } = sink
    if (stateSerializer === undefined) return []
    const parts = [...stored.parts(uid, 'writer')].sort((a, b) => (a.subtask ?? 0) - (b.subtask ?? 0))
    const same = stored.parallelism(uid) === this.#vertex.parallelism
    const states: unknown[] = []
    let position = 0
    for (const part of parts) {
      const { bytes, name, version } = await stored.read(part)
      for (const item of decodeList(bytes)) {
        const mine = same ? part.subtask === this.#index : position % this.#vertex.parallelism === this.#index
        position++
        if (mine) states.push(readVersioned(stateSerializer, { name, version, bytes: item }, uid))
      }
    }
    return states
  }
}
