import {
  CheckpointCoordinator,
  type CheckpointManifest,
  type CheckpointSession,
  type CheckpointTarget,
  type CheckpointWriter,
  type CompletedCheckpoint,
  type OperatorState,
} from '../checkpoint/index.ts'
import { asError, CheckpointError, type CheckpointId, isMillraceError, JobCancelledError } from '../core/index.ts'
import { type BuiltSubtask, buildSubtasks, type RunningSource } from './attempt-builder.ts'
import {
  openSources,
  type StartedAttempt,
  type StartOptions,
  startAttempt,
  statefulOperators,
} from './attempt-start.ts'
import type { NodeId } from './job-graph.ts'
import type { ProgressMark } from './progress-mark.ts'
import type { StoredBytes } from './source-coordinator.ts'
import type { OperatorReport, SubtaskSupervisor } from './subtask.ts'

export interface AttemptOptions extends Omit<StartOptions, 'signal'> {
  readonly mark: ProgressMark
  readonly onStarted: (session: CheckpointSession) => void
  readonly onCheckpoint: (completed: CompletedCheckpoint) => void
  readonly onCheckpointFailed: (id: CheckpointId, reason: string, cause: Error) => void
}

export type AttemptOutcome = 'finished' | 'stopped'

/** What a subtask waits for. */
export interface SubtaskReport {
  readonly subtask: string
  readonly waitingFor: string | undefined
}

type Reports = readonly OperatorReport[]

/** Longest wait for the subtasks of a failed attempt to end; a user's function that hangs must not hold up the restart. */
const teardownMs = 10_000
const retryPauseMs = 500

/** One attempt to run a job: from taking ownership of its state to the last commit, or to the first failure. */
export class JobAttempt implements SubtaskSupervisor, CheckpointTarget<Reports> {
  readonly #o: AttemptOptions
  readonly #controller = new AbortController()
  #subtasks: readonly BuiltSubtask[] = []
  #loops: Promise<void>[] = []
  #launching: Promise<void> = Promise.resolve()
  /** What has been closed: a start that was cut off may open something afterwards. */
  readonly #closed = new Set<object>()
  #sources: ReadonlyMap<NodeId, RunningSource> = new Map()
  #started: StartedAttempt | undefined
  #coordinator: CheckpointCoordinator<Reports> | undefined
  #enumerators = new Map<string, StoredBytes>()
  #unfinished = new Set<string>()
  #stop: { readonly drain: boolean } | undefined
  #open = false
  #failure: Error | undefined
  #settle: (step: 'failed' | 'finished' | 'stop') => void = () => {}

  constructor(options: AttemptOptions) {
    this.#o = options
  }

  get participants(): readonly string[] {
    return this.#subtasks.map(({ subtask }) => subtask.participant)
  }

  /** Runs the attempt to its end. Rejects with the first failure, after everything of the attempt has ended. */
  async run(): Promise<AttemptOutcome> {
    try {
      this.#launching = this.#launch()
      await this.#orFailure(this.#launching)
      await this.#firstCheckpoint()
      this.#openSources()
      const outcome = await this.#steady()
      await this.#checkpointUntilDone('final')
      return outcome
    } catch (thrown) {
      throw this.#failure ?? asError(thrown)
    } finally {
      await this.#tearDown()
    }
  }

  async #launch(): Promise<void> {
    const { signal } = this.#controller
    const started = await startAttempt({ ...this.#o, signal })
    this.#started = started
    this.#o.onStarted(started.session)
    this.#check()
    const { plan, environment, metrics, mark, restore } = this.#o
    const fail = (error: Error): void => this.fail(error)
    this.#sources = await openSources({ ...this.#o, signal }, started, fail)
    this.#subtasks = await buildSubtasks({
      plan,
      environment,
      metrics,
      mark,
      fail,
      supervisor: this,
      sources: this.#sources,
      sinks: started.sinks,
      stored: started.stored,
      droppedStates: new Set(restore.dropState),
    })
    this.#check()
    this.#unfinished = new Set(this.participants)
    this.#coordinator = this.#newCoordinator(started.session)
    for (const { subtask, start } of this.#subtasks) {
      start()
      this.#loops.push(subtask.run().catch((thrown: unknown) => this.fail(asError(thrown))))
    }
    for (const { coordinator } of this.#sources.values()) await coordinator.start()
    this.#check()
  }

  #newCoordinator(session: CheckpointSession): CheckpointCoordinator<Reports> {
    const { plan, environment, onCheckpoint, onCheckpointFailed } = this.#o
    const { checkpoint } = plan.graph.settings
    return new CheckpointCoordinator<Reports>({
      session,
      target: this,
      intervalMs: checkpoint?.intervalMs ?? 10_000,
      minPauseMs: checkpoint?.minPauseMs ?? 0,
      timeoutMs: checkpoint?.timeoutMs ?? 600_000,
      tolerableFailures: checkpoint?.tolerableFailures ?? 3,
      clock: environment.clock,
      log: environment.log,
      onCompleted: onCheckpoint,
      onFailed: onCheckpointFailed,
      fail: (error) => this.fail(error),
    })
  }

  /** On a fresh start nothing is read before the start positions are durable: a crash loop cannot move them. */
  async #firstCheckpoint(): Promise<void> {
    if (this.#o.store !== undefined && this.#started?.stored.manifest === undefined)
      await this.#checkpointUntilDone('periodic')
  }

  #openSources(): void {
    for (const { coordinator } of this.#sources.values()) coordinator.tellAll({ kind: 'open' })
    this.#coordinator?.start()
    this.#open = true
    if (this.#stop !== undefined) this.#tellStop(this.#stop.drain)
  }

  /** Resolves when no record is left to process, or the sources have been told to stop for good. */
  async #steady(): Promise<AttemptOutcome> {
    const step = await new Promise<'failed' | 'finished' | 'stop'>((resolve) => {
      this.#settle = resolve
      if (this.#failure !== undefined) resolve('failed')
      else if (this.#unfinished.size === 0) resolve('finished')
      else if (this.#stop?.drain === false) resolve('stop')
    })
    this.#check()
    return step === 'stop' || this.#stop !== undefined ? 'stopped' : 'finished'
  }

  /** Takes a checkpoint and asks again when it was given up; ends when one completes or the failures are too many. */
  async #checkpointUntilDone(kind: 'periodic' | 'final'): Promise<void> {
    for (;;) {
      this.#check()
      try {
        await this.#orFailure(this.#coordinator?.request(kind))
        return
      } catch (thrown) {
        this.#check()
        if (!isMillraceError(thrown) || thrown.code !== 'CHECKPOINT_DECLINED') throw thrown
        await this.#o.environment.clock.sleep(retryPauseMs, this.#controller.signal)
      }
    }
  }

  /** The promise, or the failure of the attempt, whichever comes first. */
  async #orFailure<T>(promise: Promise<T> | undefined): Promise<void> {
    const { signal } = this.#controller
    let abort = (): void => {}
    const failed = new Promise<never>((_, reject) => {
      abort = () => reject(asError(signal.reason))
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort, { once: true })
    })
    try {
      await Promise.race([promise, failed])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The first failure ends the attempt; later ones are its echo. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#controller.abort(error)
    this.#endSubtasks(error)
    this.#settle('failed')
  }

  #endSubtasks(reason: Error): void {
    for (const { controller, subtask, outgoing } of this.#subtasks) {
      controller.abort(reason)
      for (const channel of outgoing) channel.release()
      subtask.wake()
    }
  }

  /** @param why the message of the error the job ends with */
  cancel(why: string): void {
    const { name: job } = this.#o.plan.graph
    this.fail(new JobCancelledError('JOB_CANCELLED', { message: why, place: { job } }))
  }

  /** With `drain` the inputs end and everything held goes out; without it the job can go on later where it was. */
  requestStop(drain: boolean): void {
    if (this.#stop !== undefined) return
    this.#stop = { drain }
    if (this.#open) this.#tellStop(drain)
  }

  #tellStop(drain: boolean): void {
    for (const { coordinator } of this.#sources.values()) coordinator.tellAll({ kind: 'stop', drain })
    if (!drain) this.#settle('stop')
  }

  async savepoint(directory: string | undefined): Promise<CheckpointManifest> {
    const { store, plan } = this.#o
    const place = { job: plan.graph.name }
    if (store === undefined) {
      throw new CheckpointError('CHECKPOINT_DECLINED', {
        message: 'the job keeps no checkpoints, so a savepoint would hold nothing',
        place,
        fix: "add checkpoint: { dir: './checkpoints' } to the options of the job",
      })
    }
    if (this.#coordinator === undefined) {
      throw new CheckpointError('CHECKPOINT_DECLINED', {
        message: 'the job is starting',
        place,
        fix: 'ask again when it has started',
      })
    }
    return await this.#coordinator.request('savepoint', directory)
  }

  report(): SubtaskReport[] {
    return this.#subtasks.map(({ subtask, status }) => ({
      subtask: subtask.participant,
      waitingFor: status.waitingFor ?? status.otherwise,
    }))
  }

  async #tearDown(): Promise<void> {
    const ended = this.#failure ?? new Error('the attempt has ended')
    this.#endSubtasks(ended)
    const { clock, log } = this.#o.environment
    let cancelTimer = (): void => {}
    const late = new Promise<'late'>((resolve) => {
      cancelTimer = clock.timer(teardownMs, () => resolve('late'))
    })
    const ending = await Promise.race([this.#closeAll(), late])
    cancelTimer()
    if (ending === 'late') {
      log.warn({ waitingFor: this.report() }, 'an attempt was left behind: something in it does not end')
    }
    this.#controller.abort(ended)
  }

  async #closeAll(): Promise<void> {
    await this.#closeOpened()
    await this.#launching.catch(() => {})
    await this.#closeOpened()
  }

  /** Closes what is open by now and has not been closed. */
  async #closeOpened(): Promise<void> {
    const close = async (what: string, owner: { close(): Promise<void> } | undefined): Promise<void> => {
      if (owner === undefined || this.#closed.has(owner)) return
      this.#closed.add(owner)
      try {
        await owner.close()
      } catch (thrown) {
        this.#o.environment.log.warn({ what, cause: asError(thrown).message }, 'closing failed')
      }
    }
    await close('the checkpoint coordinator', this.#coordinator)
    await Promise.all(this.#loops)
    for (const { chain } of this.#subtasks) await close(chain.name, chain)
    for (const { coordinator } of this.#sources.values()) await close('an enumerator', coordinator)
    for (const [uid, committer] of this.#started?.committers ?? []) await close(uid, committer)
  }

  // SubtaskSupervisor

  checkpointWriter(id: CheckpointId): CheckpointWriter | undefined {
    return this.#coordinator?.writer(id)
  }

  collect(uid: string, id: CheckpointId, committables: readonly unknown[]): void {
    this.#started?.committers.get(uid)?.collect(id, committables)
  }

  acknowledge(id: CheckpointId, participant: string, reports: Reports): void {
    this.#coordinator?.acknowledge(id, participant, reports)
  }

  decline(id: CheckpointId, participant: string, cause: Error): void {
    this.#coordinator?.decline(id, participant, cause)
  }

  finished(participant: string): void {
    this.#unfinished.delete(participant)
    if (this.#unfinished.size === 0) this.#settle('finished')
  }

  // CheckpointTarget

  begin(id: CheckpointId): void {
    this.#enumerators = new Map()
    for (const node of this.#o.plan.graph.nodes) {
      const running = this.#sources.get(node.id)
      if (running !== undefined) this.#enumerators.set(node.name, running.coordinator.begin(id))
    }
  }

  async assemble(
    id: CheckpointId,
    reports: ReadonlyMap<string, Reports>,
    writer: CheckpointWriter,
  ): Promise<readonly OperatorState[]> {
    const all = [...reports.values()].flat()
    const coordinators = new Map([...this.#sources.values()].map(({ coordinator }) => [coordinator.uid, coordinator]))
    const assembled = statefulOperators(this.#o.plan).map(
      async ({ uid, kind, parallelism }): Promise<OperatorState> => {
        const parts = all.filter((report) => report.uid === uid).flatMap((report) => report.parts)
        const enumerator = this.#enumerators.get(uid)
        const coordinator = coordinators.get(uid)
        if (enumerator !== undefined && coordinator !== undefined)
          parts.push(await coordinator.persist(enumerator, writer))
        parts.push(...((await this.#started?.committers.get(uid)?.persist(id, writer)) ?? []))
        return { uid, kind, parallelism, parts }
      },
    )
    return await Promise.all(assembled)
  }

  aborted(id: CheckpointId): void {
    for (const { coordinator } of this.#sources.values()) coordinator.tellAll({ kind: 'cancel-barrier', id })
    for (const { subtask } of this.#subtasks) subtask.notify({ kind: 'aborted', id })
  }

  async completed(id: CheckpointId): Promise<void> {
    for (const { subtask } of this.#subtasks) subtask.notify({ kind: 'completed', id })
    for (const { coordinator } of this.#sources.values()) coordinator.notifyCheckpointComplete(id)
    await Promise.all([...(this.#started?.committers.values() ?? [])].map((committer) => committer.commitUpTo(id)))
  }
}
