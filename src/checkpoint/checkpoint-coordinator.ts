import {
  asError,
  type Cancel,
  CheckpointError,
  type CheckpointId,
  type Clock,
  isMillraceError,
  type Logger,
} from '../core/index.ts'
import type {
  CheckpointKind,
  CheckpointManifest,
  CheckpointSession,
  CheckpointWriter,
  OperatorState,
} from './checkpoint-store.ts'
import { CheckpointTrigger } from './checkpoint-trigger.ts'
import { type CheckpointFailureReason, FailureCounter } from './failure-counter.ts'
import { PendingCheckpoint } from './pending-checkpoint.ts'

/** All the coordinator knows of the job it checkpoints. */
export interface CheckpointTarget<Report> {
  /** Everyone who has to acknowledge. */
  readonly participants: readonly string[]
  /** Takes the state of the enumerators and puts the barriers in. Synchronous, so that nothing falls between the two. */
  begin(id: CheckpointId, kind: CheckpointKind): void
  /** Everyone has acknowledged: gives the state of every operator, writing what is not written yet. */
  assemble(
    id: CheckpointId,
    reports: ReadonlyMap<string, Report>,
    writer: CheckpointWriter,
  ): Promise<readonly OperatorState[]>
  /** The checkpoint was given up. */
  aborted(id: CheckpointId): void
  /** The checkpoint is published. Resolves when every sink has made its output visible. */
  completed(id: CheckpointId): Promise<void>
}

export interface CompletedCheckpoint {
  readonly manifest: CheckpointManifest
  readonly durationMs: number
  readonly bytes: number
}

export interface CheckpointCoordinatorOptions<Report> {
  readonly session: CheckpointSession
  readonly target: CheckpointTarget<Report>
  readonly intervalMs: number
  readonly minPauseMs: number
  readonly timeoutMs: number
  readonly tolerableFailures: number
  readonly clock: Clock
  readonly log: Logger
  readonly onCompleted: (completed: CompletedCheckpoint) => void
  readonly onFailed: (id: CheckpointId, reason: CheckpointFailureReason, cause: Error) => void
  /** The job cannot go on: too many failures in a row, fenced, or a commit that failed for good. */
  readonly fail: (error: Error) => void
}

interface Ask {
  readonly kind: CheckpointKind
  readonly directory: string | undefined
  readonly resolve: (manifest: CheckpointManifest) => void
  readonly reject: (error: Error) => void
}

interface Attempt<Report> {
  readonly pending: PendingCheckpoint<Report>
  readonly writer: CheckpointWriter
  /** Wakes whoever waits for the attempt to be complete or refused. */
  settle(reason: CheckpointFailureReason | undefined, cause?: Error): void
}

interface Outcome {
  readonly reason: CheckpointFailureReason | undefined
  readonly cause?: Error | undefined
}

/** Starts checkpoints, collects the answers, publishes or gives up. One at a time. */
export class CheckpointCoordinator<Report> {
  readonly #o: CheckpointCoordinatorOptions<Report>
  readonly #trigger: CheckpointTrigger<Ask>
  readonly #failures: FailureCounter
  #attempt: Attempt<Report> | undefined
  #cancelTimer: Cancel | undefined
  #running: Promise<void> = Promise.resolve()
  #commits: Promise<void> = Promise.resolve()
  #periodic = false
  #closed = false

  constructor(options: CheckpointCoordinatorOptions<Report>) {
    this.#o = options
    const { intervalMs, minPauseMs, clock, tolerableFailures } = options
    this.#trigger = new CheckpointTrigger({ intervalMs, minPauseMs }, clock.monoMs())
    this.#failures = new FailureCounter(tolerableFailures)
  }

  /** Begins with periodic checkpoints. Asked-for ones work before as well. */
  start(): void {
    this.#periodic = true
    this.#pump()
  }

  /**
   * Takes a checkpoint as soon as none is under way. Resolves when it is published and, unless it is a savepoint, its
   * output is visible.
   * @throws CheckpointError `CHECKPOINT_DECLINED` when this attempt did not complete.
   */
  async request(kind: CheckpointKind, directory?: string): Promise<CheckpointManifest> {
    if (this.#closed) throw closedError()
    const manifest = await new Promise<CheckpointManifest>((resolve, reject) => {
      const tag: Ask = { kind, directory, resolve, reject }
      this.#trigger.request({ kind: kind === 'savepoint' ? 'savepoint' : 'forced', tag })
      this.#pump()
    })
    if (kind !== 'savepoint') await this.#commits
    return manifest
  }

  /** Where to write the state of checkpoint `id`; undefined when nobody wants it any more. */
  writer(id: CheckpointId): CheckpointWriter | undefined {
    return this.#attempt?.pending.id === id ? this.#attempt.writer : undefined
  }

  acknowledge(id: CheckpointId, participant: string, report: Report): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    attempt.pending.acknowledge(id, participant, report)
    if (attempt.pending.isComplete()) attempt.settle(undefined)
  }

  decline(id: CheckpointId, participant: string, cause: Error): void {
    const receipt = this.#attempt?.pending.decline(id, participant, cause)
    if (receipt?.accepted) this.#attempt?.settle('declined', cause)
  }

  /** What the running checkpoint waits for; undefined when none runs. */
  missing(): readonly string[] | undefined {
    return this.#attempt?.pending.missing()
  }

  /** Gives up the running checkpoint and starts no other. Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    for (const { tag } of this.#trigger.takeWaiting()) tag.reject(closedError())
    this.#attempt?.settle('cancelled', closedError())
    await this.#running
    await this.#commits.catch(() => {})
  }

  /** Does what is due and sets the timer for what is due later. */
  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#closed) return
    const { clock } = this.#o
    const decision = this.#trigger.next(this.#periodic ? clock.monoMs() : Number.NEGATIVE_INFINITY)
    if (decision.kind === 'start') {
      const ask = decision.request.kind === 'periodic' ? undefined : decision.request.tag
      this.#running = this.#run(ask)
        .catch((thrown: unknown) => {
          // It could not even be begun.
          ask?.reject(asError(thrown))
          this.#o.fail(asError(thrown))
        })
        .then(() => {
          this.#trigger.ended(clock.monoMs())
          this.#pump()
        })
    } else if (decision.kind === 'wait' && this.#periodic) {
      this.#cancelTimer = clock.timer(Math.max(1, decision.untilMs - clock.monoMs()), () => this.#pump())
    }
  }

  /** One attempt from trigger to publication. Rejects only when it cannot even be begun. */
  async #run(ask: Ask | undefined): Promise<void> {
    const { session, clock, timeoutMs } = this.#o
    const startMs = clock.monoMs()
    const id = session.nextId()
    const kind = ask?.kind ?? 'periodic'
    const writer = session.begin(id, kind, ask?.directory)
    let cancelTimeout: Cancel = () => {}
    const settled = new Promise<Outcome>((resolve) => {
      this.#attempt = {
        pending: new PendingCheckpoint<Report>(id, this.#o.target.participants),
        writer,
        settle: (reason, cause) => resolve({ reason, cause }),
      }
      cancelTimeout = clock.timer(timeoutMs, () => resolve({ reason: 'expired', cause: this.#expired(id) }))
    })
    let begun = false
    try {
      this.#o.target.begin(id, kind)
      begun = true
      const outcome = await settled
      cancelTimeout()
      if (outcome.reason === undefined) await this.#publish(id, kind, startMs, ask)
      else await this.#giveUp(id, outcome.reason, outcome.cause ?? new Error(outcome.reason), ask)
    } catch (thrown) {
      await this.#giveUp(id, 'failed', asError(thrown), ask)
      // An enumerator that cannot give its state is broken; trying again will not mend it (flink-semantics paper, D1 and D6).
      if (!begun) this.#o.fail(asError(thrown))
    } finally {
      cancelTimeout()
      this.#attempt = undefined
    }
  }

  #expired(id: CheckpointId): Error {
    const missing = this.#attempt?.pending.missing() ?? []
    return new CheckpointError('CHECKPOINT_DECLINED', {
      message: `not complete after ${this.#o.timeoutMs} ms; waiting for ${missing.join(', ')}`,
      place: { checkpointId: id },
    })
  }

  async #publish(id: CheckpointId, kind: CheckpointKind, startMs: number, ask: Ask | undefined): Promise<void> {
    const { target, clock } = this.#o
    const attempt = this.#attempt
    if (attempt === undefined) return
    const operators = await target.assemble(id, attempt.pending.snapshots(), attempt.writer)
    const manifest = await attempt.writer.publish(operators)
    // One more would complete while everything is being closed, and nobody would hear of it.
    if (kind === 'final') this.#periodic = false
    if (kind !== 'savepoint') {
      this.#failures.onSuccess(id)
      // Not awaited: the next checkpoint may start while output of this one is being made visible. A receipt stays in
      // every checkpoint until its commit returned, and older checkpoints stay until then.
      const committed = target.completed(id).then(() => this.#retire(id))
      this.#commits = Promise.all([this.#commits, committed]).then(() => {})
      this.#commits.catch((thrown: unknown) => this.#o.fail(asError(thrown)))
    }
    const bytes = operators.reduce((sum, { parts }) => sum + parts.reduce((inner, part) => inner + part.bytes, 0), 0)
    this.#o.onCompleted({ manifest, durationMs: clock.monoMs() - startMs, bytes })
    ask?.resolve(manifest)
  }

  /** Removes old checkpoints. One that stays is no reason to fail; a directory that is no longer ours is. */
  async #retire(id: CheckpointId): Promise<void> {
    try {
      await this.#o.session.retire(id)
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.remedy === 'stop') throw thrown
      this.#o.log.warn({ checkpointId: id, cause: asError(thrown).message }, 'old checkpoints could not be removed')
    }
  }

  async #giveUp(id: CheckpointId, reason: CheckpointFailureReason, cause: Error, ask: Ask | undefined): Promise<void> {
    const { target, log, onFailed, fail } = this.#o
    target.aborted(id)
    await this.#attempt?.writer.discard()
    log.warn({ checkpointId: id, reason, cause: cause.message }, 'checkpoint was given up')
    onFailed(id, reason, cause)
    const declined = new CheckpointError('CHECKPOINT_DECLINED', {
      message: `checkpoint ${id}: ${cause.message}`,
      place: { checkpointId: id },
      cause,
    })
    ask?.reject(declined)
    if (this.#closed) return
    if (isMillraceError(cause) && cause.remedy === 'stop') fail(cause)
    else if (this.#failures.onFailure({ id, reason, savepoint: ask?.kind === 'savepoint' }) === 'exceeded') {
      fail(
        new CheckpointError('CHECKPOINT_FAILED', {
          message: `${this.#o.tolerableFailures + 1} checkpoints in a row did not complete; the last one: ${cause.message}`,
          place: { checkpointId: id },
          cause,
        }),
      )
    }
  }
}

const closedError = (): CheckpointError =>
  new CheckpointError('CHECKPOINT_DECLINED', {
    message: 'the job is ending',
    fix: 'nothing: the state of the last checkpoint holds',
  })
