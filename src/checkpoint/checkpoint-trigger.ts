import { CheckpointError } from '../core/index.ts'

export interface CheckpointTriggerOptions {
  /** Time between the starts of periodic checkpoints; undefined for none, e.g. when checkpoints are only asked for. */
  readonly intervalMs?: number | undefined
  /** Time between the end of any checkpoint and the start of a periodic one. Default 0. */
  readonly minPauseMs?: number | undefined
  /** Requests that may wait. Default 16. */
  readonly queueMax?: number | undefined
}

/** A checkpoint that somebody asked for: `savepoint` for a person's directory, `forced` for an ordinary one by hand. */
export interface CheckpointRequest<Tag> {
  readonly kind: 'savepoint' | 'forced'
  /** Whatever the caller needs to answer the request. */
  readonly tag: Tag
}

/** What to do now. */
export type TriggerDecision<Tag> =
  /** Start one. It counts as running until `ended`. */
  | { readonly kind: 'start'; readonly request: CheckpointRequest<Tag> | { readonly kind: 'periodic' } }
  /** Nothing before `untilMs`, unless a request comes in. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** Nothing until the running one ended or, without an interval, until a request comes in. */
  | { readonly kind: 'idle' }

/**
 * Decides when the next checkpoint starts (Flink's `CheckpointRequestDecider`; flink-semantics paper, section D6). One at
 * a time. Savepoints go before forced ones, forced ones before periodic ones, and within a kind the oldest goes first.
 * A periodic one that could not start is not started twice later. The minimum pause delays periodic ones only.
 *
 * Times are monotonic milliseconds and come by argument.
 */
export class CheckpointTrigger<Tag> {
  readonly #intervalMs: number | undefined
  readonly #minPauseMs: number
  readonly #queueMax: number
  readonly #savepoints: CheckpointRequest<Tag>[] = []
  readonly #forced: CheckpointRequest<Tag>[] = []
  #dueMs: number
  #running = false
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(options: CheckpointTriggerOptions, nowMs: number) {
    this.#intervalMs = options.intervalMs
    this.#minPauseMs = options.minPauseMs ?? 0
    this.#queueMax = options.queueMax ?? 16
    this.#dueMs = nowMs + (options.intervalMs ?? 0)
  }

  /**
   * Asks for a checkpoint.
   * @throws CheckpointError `CHECKPOINT_DECLINED` when too many requests wait already.
   */
  request(request: CheckpointRequest<Tag>): void {
    const waiting = this.#savepoints.length + this.#forced.length
    if (waiting >= this.#queueMax) {
      throw new CheckpointError('CHECKPOINT_DECLINED', {
        message: `${waiting} requests for checkpoints wait already`,
        fix: 'ask again when some of them are done',
      })
    }
    if (request.kind === 'savepoint') this.#savepoints.push(request)
    else this.#forced.push(request)
  }

  /** What to do at `nowMs`. A `start` is given once; the caller reports its end, however it went, with `ended`. */
  next(nowMs: number): TriggerDecision<Tag> {
    if (this.#running) return { kind: 'idle' }
    const request = this.#savepoints.shift() ?? this.#forced.shift()
    if (request !== undefined) {
      this.#running = true
      return { kind: 'start', request }
    }
    const interval = this.#intervalMs
    if (interval === undefined) return { kind: 'idle' }
    const startMs = Math.max(this.#dueMs, this.#notBeforeMs)
    if (nowMs < startMs) return { kind: 'wait', untilMs: startMs }
    // The ticks missed meanwhile are one tick; the next one stays on the grid, so that the rate does not drift.
    this.#dueMs += interval * (Math.floor((nowMs - this.#dueMs) / interval) + 1)
    this.#running = true
    return { kind: 'start', request: { kind: 'periodic' } }
  }

  /** The running checkpoint completed or was given up. */
  ended(nowMs: number): void {
    this.#running = false
    this.#notBeforeMs = nowMs + this.#minPauseMs
  }

  /** Takes back everything that waits, e.g. to refuse it because the job ends. */
  takeWaiting(): readonly CheckpointRequest<Tag>[] {
    return [...this.#savepoints.splice(0), ...this.#forced.splice(0)]
  }
}
