import {
  type CheckpointSession,
  type CheckpointStore,
  type OpenStoreRequest,
  planRestore,
  type RestorableOperator,
} from '../checkpoint/index.ts'
import type { Environment, MetricRegistry } from '../core/index.ts'
import type { OpenSink } from '../sink/index.ts'
import type { RunningSource } from './attempt-builder.ts'
import { type ConnectorPlace, opening } from './connector-failure.ts'
import type { ExecutionPlan } from './execution-plan.ts'
import type { NodeId } from './job-graph.ts'
import { SinkCommitter } from './sink-committer.ts'
import { SourceCoordinator } from './source-coordinator.ts'
import { StoredState } from './stored-state.ts'
import { volatileSession } from './volatile-session.ts'

/** How a run begins: which checkpoint, and what may differ from it. */
export interface RestoreOptions {
  readonly restore: OpenStoreRequest['restore']
  readonly allowRollback: boolean
  /** Old operator name → new one. */
  readonly renameState: Readonly<Record<string, string>>
  /** Operators, or single states as `'operator/state'`, whose state may be lost. */
  readonly dropState: readonly string[]
  /** Who runs, for the message of a process that this one fences. */
  readonly owner: string
}

export interface StartOptions {
  readonly plan: ExecutionPlan
  readonly environment: Environment
  readonly store: CheckpointStore | undefined
  readonly restore: RestoreOptions
  readonly metrics: MetricRegistry
  readonly signal: AbortSignal
  /** The restored state is this generation's own now: whoever starts next goes on from the newest. */
  readonly onTakenOver: () => void
}

/** Everything of an attempt that exists before its subtasks. */
export interface StartedAttempt {
  readonly session: CheckpointSession
  readonly stored: StoredState
  readonly sinks: ReadonlyMap<NodeId, OpenSink<unknown>>
  readonly committers: ReadonlyMap<string, SinkCommitter>
}

/** The operators that have state in a checkpoint, as the job has them now. */
export const statefulOperators = ({ graph, parallelismOf }: ExecutionPlan): RestorableOperator[] =>
  graph.nodes.flatMap((node) =>
    node.kind === 'source' || node.kind === 'keyed' || node.kind === 'sink'
      ? [{ uid: node.name, kind: node.kind, parallelism: parallelismOf.get(node.id) ?? 1 }]
      : [],
  )

/** Reads the checkpoint to start from and checks that the job fits it. */
const restoreState = (options: StartOptions, session: CheckpointSession): StoredState => {
  const { plan, restore, environment } = options
  if (session.restored === undefined) return new StoredState(session, new Map())
  const planned = planRestore(session.restored, statefulOperators(plan), {
    maxParallelism: plan.graph.settings.maxParallelism,
    renameState: restore.renameState,
    dropState: restore.dropState.filter((name) => !name.includes('/')),
  })
  const { fresh, dropped, unused } = planned
  if (fresh.length > 0) environment.log.info({ steps: fresh }, 'steps start without state: the checkpoint has none')
  if (dropped.length > 0) environment.log.warn({ steps: dropped }, 'state is given up, as dropState asks')
  if (unused.length > 0) environment.log.warn({ why: unused }, 'renameState or dropState found nothing to do')
  return new StoredState(session, planned.operators)
}

/**
 * The start protocol from ownership to a clean slate (reliability paper, section 2.3): own the directory, commit what the
 * checkpoint calls pending, publish it in the new generation, and only then remove what earlier attempts left.
 */
export const startAttempt = async (options: StartOptions): Promise<StartedAttempt> => {
  const { plan, store, restore } = options
  const { name: job, settings } = plan.graph
  const { restore: target, allowRollback, owner } = restore
  const session =
    store === undefined
      ? volatileSession(job, settings.maxParallelism)
      : await store.open({ job, restore: target, allowRollback, owner, maxParallelism: settings.maxParallelism })
  const stored = restoreState(options, session)
  const sinks = new Map<NodeId, OpenSink<unknown>>()
  const committers = new Map<string, SinkCommitter>()
  try {
    await openSinks(options, session, stored, sinks, committers)
    const restoredId = session.restored?.checkpointId
    if (restoredId !== undefined) {
      for (const committer of committers.values()) await committer.commitUpTo(restoredId)
    }
    await session.carryOver()
    options.onTakenOver()
    for (const committer of committers.values()) await committer.abortOrphans()
    await session.cleanUp()
  } catch (thrown) {
    await Promise.allSettled([...committers.values()].map((committer) => committer.close()))
    throw thrown
  }
  return { session, stored, sinks, committers }
}

/** Opens every sink, and the committers of those that have one, with the receipts of the restored checkpoint. */
const openSinks = async (
  { plan, environment, metrics, signal }: StartOptions,
  session: CheckpointSession,
  stored: StoredState,
  sinks: Map<NodeId, OpenSink<unknown>>,
  committers: Map<string, SinkCommitter>,
): Promise<void> => {
  const { name: job } = plan.graph
  for (const node of plan.graph.nodes) {
    if (node.kind !== 'sink') continue
    const place: ConnectorPlace = { kind: 'sink', job, step: node.name }
    const context = {
      ...environment,
      log: environment.log.child({ step: node.name }),
      job,
      step: node.name,
      parallelism: plan.parallelismOf.get(node.id) ?? 1,
      generation: session.generation,
      metrics: metrics.step({ step: node.name }, signal),
    }
    const open = await opening(place, 'open', () => node.sink.open(context) as OpenSink<unknown>)
    sinks.set(node.id, open)
    const committer = await openCommitter(place, open, environment, signal)
    if (committer === undefined) continue
    committers.set(node.name, committer)
    committer.restore(await stored.readAll(stored.parts(node.name, 'committables')))
  }
}

const openCommitter = async (
  place: ConnectorPlace,
  sink: OpenSink<unknown>,
  { clock, random, log }: Environment,
  signal: AbortSignal,
): Promise<SinkCommitter | undefined> => {
  const { createCommitter, committableSerializer: serializer } = sink
  if (createCommitter === undefined || serializer === undefined) return undefined
  const committer = await opening(place, 'createCommitter', () => createCommitter.call(sink))
  return new SinkCommitter({ uid: place.step, committer, serializer, clock, random, log, signal })
}

/** Opens every source and gives each its coordinator, restored. */
export const openSources = async (
  { plan, environment, metrics, signal }: StartOptions,
  { session, stored }: Pick<StartedAttempt, 'session' | 'stored'>,
  fail: (error: Error) => void,
): Promise<Map<NodeId, RunningSource>> => {
  const sources = new Map<NodeId, RunningSource>()
  const { name: job, settings } = plan.graph
  const { generation } = session
  for (const node of plan.graph.nodes) {
    if (node.kind !== 'source') continue
    const parallelism = plan.parallelismOf.get(node.id) ?? 1
    const log = environment.log.child({ step: node.name })
    const { batchRecordsMax, batchBytesMax } = settings
    const of = { job, step: node.name, parallelism, generation }
    const context = { ...environment, log, ...of, batchRecordsMax, batchBytesMax }
    const place: ConnectorPlace = { kind: 'source', job, step: node.name }
    const source = await opening(place, 'open', () => node.source.open(context))
    const own = metrics.step({ step: node.name }, signal)
    const options = { job, uid: node.name, source, parallelism, clock: environment.clock, log, metrics: own, fail }
    const state = await stored.source(node.name)
    const coordinator = await opening(place, 'createEnumerator', () => new SourceCoordinator(options, state))
    sources.set(node.id, { source, coordinator })
  }
  return sources
}
