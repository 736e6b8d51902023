import { type Observable, ReplaySubject } from 'rxjs'
import type { CheckpointManifest, CheckpointStore } from '../checkpoint/index.ts'
import { asError, type Environment, isMillraceError, JobFailedError, MetricRegistry } from '../core/index.ts'
import type { RestoreOptions } from './attempt-start.ts'
import { planExecution } from './execution-plan.ts'
import { type AttemptOutcome, JobAttempt, type SubtaskReport } from './job-attempt.ts'
import type { JobEvent } from './job-events.ts'
import { type JobGraph, validateGraph } from './job-graph.ts'
import { type MetricsFrame, metricFrames } from './metric-frames.ts'
import type { ProgressMark } from './progress-mark.ts'
import { decideRestart, forgetFailures, isRecoverable, type PastFailure } from './restart-strategy.ts'

export interface JobRunnerOptions {
  readonly graph: JobGraph
  readonly environment: Environment
  readonly store: CheckpointStore | undefined
  readonly restore: RestoreOptions
  readonly mark: ProgressMark
}

/** How a job ended. */
export interface JobResult {
  /** `finished`: every source came to its end. `stopped`: somebody asked; the job can go on later. */
  readonly outcome: AttemptOutcome
  readonly lastCheckpointId: number | undefined
  readonly restarts: number
}

/** What the caller of `run` holds. */
export interface JobHandle extends AsyncDisposable {
  readonly name: string
  /** Settles when the job has ended and everything is closed; rejects with the error that ended it. */
  readonly done: Promise<JobResult>
  /** Whatever happened since the start, and what happens from now on. */
  readonly events$: Observable<JobEvent>
  /** The metrics once a second while somebody listens, and once at the end. */
  readonly metrics$: Observable<MetricsFrame>
  /** The metrics now. */
  metrics(): MetricsFrame
  /**
   * Ends the job with a last checkpoint and its commits. With `drain` (default false) the inputs count as ended, timers
   * fire and what is held goes out: for a job that will not go on. Past `deadlineMs` (default: the job's stop deadline)
   * the job is cancelled; its last checkpoint holds.
   */
  stop(options?: { readonly drain?: boolean; readonly deadlineMs?: number }): Promise<JobResult>
  /** Gives up now. The last completed checkpoint holds. */
  cancel(): Promise<void>
  /** Writes a checkpoint into a directory of its own that is never cleaned up. Resolves to its manifest. */
  savepoint(directory?: string): Promise<CheckpointManifest>
  /** What each subtask waits for at this moment. */
  waitingFor(): readonly SubtaskReport[]
}

/** Runs a job, attempt after attempt, as the restart strategy allows. Owns every promise of the job. */
export class JobRunner implements JobHandle {
  readonly name: string
  readonly done: Promise<JobResult>
  readonly metrics$: Observable<MetricsFrame>
  readonly #o: JobRunnerOptions
  readonly #events = new ReplaySubject<JobEvent>(1000)
  readonly #metrics: MetricRegistry
  readonly #cancelled = new AbortController()
  #attempt: JobAttempt | undefined
  #stop: { readonly drain: boolean } | undefined
  #lastCheckpointId: number | undefined
  #lastCheckpointMs: number | undefined
  #restarts = 0
  /** An attempt has taken over the state the caller asked for; later ones go on from the newest. */
  #tookOver = false

  constructor(options: JobRunnerOptions) {
    validateGraph(options.graph)
    this.#o = options
    this.name = options.graph.name
    this.#metrics = new MetricRegistry({ job: this.name })
    this.done = this.#run()
    // Whoever awaits `done` gets the error; nobody has to.
    this.done.catch(() => {})
    this.metrics$ = metricFrames(this.#o.environment.clock, () => this.metrics(), this.done)
  }

  get events$(): Observable<JobEvent> {
    return this.#events.asObservable()
  }

  metrics(): MetricsFrame {
    const { clock } = this.#o.environment
    if (this.#lastCheckpointMs !== undefined) {
      this.#metrics.metric('millrace_checkpoint_age_ms').set(clock.monoMs() - this.#lastCheckpointMs)
    }
    const samples = this.#metrics.collect()
    return { atMs: clock.wallMs(), samples, sum: (name, step) => this.#metrics.sum(name, step) }
  }

  async #run(): Promise<JobResult> {
    const failures: PastFailure[] = []
    try {
      for (;;) {
        const attempt = this.#newAttempt()
        this.#attempt = attempt
        if (this.#cancelled.signal.aborted) attempt.cancel(asError(this.#cancelled.signal.reason).message)
        if (this.#stop !== undefined) attempt.requestStop(this.#stop.drain)
        const outcome = await attempt.run().catch((thrown: unknown) => asError(thrown))
        if (!(outcome instanceof Error)) return this.#succeed(outcome)
        await this.#beforeRestart(outcome, failures)
      }
    } catch (thrown) {
      const cause = asError(thrown)
      this.#o.environment.log.error({ cause: cause.message }, 'job failed')
      this.#events.next({ kind: 'failed', cause })
      throw cause
    } finally {
      this.#events.complete()
    }
  }

  #succeed(outcome: AttemptOutcome): JobResult {
    this.#events.next({ kind: 'finished', outcome })
    return { outcome, lastCheckpointId: this.#lastCheckpointId, restarts: this.#restarts }
  }

  /** Waits out the delay of the restart strategy, or throws what the job ends with. */
  async #beforeRestart(cause: Error, failures: PastFailure[]): Promise<void> {
    const { environment, graph } = this.#o
    if (this.#cancelled.signal.aborted || !isRecoverable(cause)) throw cause
    failures.push({ atMs: environment.clock.monoMs() })
    forgetFailures(graph.settings.restart, failures)
    const decision = decideRestart(graph.settings.restart, failures, environment.random.float())
    if (!decision.restart || this.#stop !== undefined) {
      if (graph.settings.restart.kind === 'none' && isMillraceError(cause)) throw cause
      throw new JobFailedError('JOB_FAILED', {
        message: `${failures.length} ${failures.length === 1 ? 'failure' : 'failures'}; the last one: ${cause.message}`,
        place: { job: this.name },
        fix: isMillraceError(cause) ? cause.fix : undefined,
        cause,
      })
    }
    this.#restarts++
    this.#metrics.metric('millrace_job_restarts_total').add(1)
    environment.log.warn({ attempt: this.#restarts, delayMs: decision.delayMs, cause: cause.message }, 'job restarts')
    this.#events.next({ kind: 'restarting', attempt: this.#restarts, delayMs: decision.delayMs, cause })
    await environment.clock.sleep(decision.delayMs, this.#cancelled.signal).catch(() => {
      throw cause
    })
  }

  #newAttempt(): JobAttempt {
    const { graph, environment, store, restore, mark } = this.#o
    const completed = this.#metrics.metric('millrace_checkpoints_completed_total')
    const failed = this.#metrics.metric('millrace_checkpoints_failed_total')
    // The state taken over keeps its old names until this process has written a checkpoint of its own.
    const names = this.#lastCheckpointId === undefined ? {} : { renameState: {}, dropState: [] }
    const latest = { ...restore, restore: 'latest', allowRollback: false, ...names } as const
    return new JobAttempt({
      plan: planExecution(graph),
      environment,
      store,
      restore: this.#tookOver ? latest : restore,
      metrics: this.#metrics,
      mark,
      onTakenOver: () => {
        this.#tookOver = true
      },
      onStarted: ({ generation, restored }) => {
        this.#events.next({ kind: 'started', generation, restored: restored?.checkpointId })
      },
      onCheckpoint: ({ manifest, durationMs, bytes }) => {
        const { checkpointId, kind } = manifest
        // A savepoint lies elsewhere: a restart goes on from the newest ordinary one.
        if (kind !== 'savepoint') this.#lastCheckpointId = checkpointId
        this.#lastCheckpointMs = environment.clock.monoMs()
        completed.add(1)
        this.#metrics.metric('millrace_checkpoint_duration_ms').set(durationMs)
        this.#metrics.metric('millrace_checkpoint_bytes').set(bytes)
        this.#events.next({ kind: 'checkpoint-completed', checkpointId, durationMs, bytes })
      },
      onCheckpointFailed: (checkpointId, reason, cause) => {
        failed.add(1)
        this.#events.next({ kind: 'checkpoint-failed', checkpointId, reason, message: cause.message })
      },
    })
  }

  async stop(options: { readonly drain?: boolean; readonly deadlineMs?: number } = {}): Promise<JobResult> {
    const { drain = false, deadlineMs = this.#o.graph.settings.stopDeadlineMs } = options
    if (this.#stop === undefined) {
      this.#stop = { drain }
      this.#events.next({ kind: 'stopping', drain })
      this.#attempt?.requestStop(drain)
    }
    const late = `the stop took longer than its deadline of ${deadlineMs} ms, and the job was cancelled`
    const cancelTimer = this.#o.environment.clock.timer(deadlineMs, () => this.#giveUp(late))
    try {
      return await this.done
    } finally {
      cancelTimer()
    }
  }

  #giveUp(why: string): void {
    this.#cancelled.abort(new Error(why))
    this.#attempt?.cancel(why)
  }

  async cancel(): Promise<void> {
    this.#giveUp('cancel was called')
    await this.done.catch(() => {})
  }

  savepoint(directory?: string): Promise<CheckpointManifest> {
    if (this.#attempt === undefined) return Promise.reject(new Error('the job is starting'))
    return this.#attempt.savepoint(directory)
  }

  waitingFor(): readonly SubtaskReport[] {
    return this.#attempt?.report() ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {})
  }
}
