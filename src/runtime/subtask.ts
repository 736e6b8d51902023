import type { CheckpointPart, CheckpointWriter } from '../checkpoint/index.ts'
import { asError, type CheckpointId, type Clock, endOfInput, type Metric } from '../core/index.ts'
import type { SubtaskInput } from './input-gate.ts'
import type { OperatorSnapshot } from './operator.ts'
import type { OperatorChain } from './operator-chain.ts'
import type { ProgressMark } from './progress-mark.ts'

/** What one operator of a subtask left to a checkpoint. */
export interface OperatorReport {
  readonly uid: string
  readonly parts: readonly CheckpointPart[]
}

/** Who a subtask answers to. */
export interface SubtaskSupervisor {
  /** The writer of a checkpoint that is still wanted; undefined when it was given up. */
  checkpointWriter(id: CheckpointId): CheckpointWriter | undefined
  /**
   * Receipts for output staged before the barrier of checkpoint `id`. They wait for the next checkpoint that completes,
   * this one or a later one: when `id` is given up, the job does not roll back.
   */
  collect(uid: string, id: CheckpointId, committables: readonly unknown[]): void
  acknowledge(id: CheckpointId, participant: string, reports: readonly OperatorReport[]): void
  decline(id: CheckpointId, participant: string, cause: Error): void
  /** No record will leave this subtask any more; it stays for barriers. */
  finished(participant: string): void
}

/** What the subtask is doing, for `waitingFor()` and the watchdog. */
export interface SubtaskStatus {
  /** Undefined while it works. */
  waitingFor: string | undefined
  /** What it waits for while no step of it says so more exactly. */
  otherwise?: string | undefined
}

export interface SubtaskMetrics {
  readonly idleMs: Metric
  readonly backpressuredMs: Metric
  readonly busyMs: Metric
}

export interface SubtaskOptions {
  readonly participant: string
  readonly input: SubtaskInput
  readonly chain: OperatorChain
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly supervisor: SubtaskSupervisor
  readonly metrics: SubtaskMetrics
  readonly status: SubtaskStatus
  readonly mark: ProgressMark
}

type Letter = { readonly kind: 'completed' | 'aborted'; readonly id: CheckpointId }

/** Batches after which the event loop gets its turn even if no time has passed, as under simulation. */
const batchesPerTurn = 64
/** A timer further away is looked at again when this much time has passed. */
const longestTimerMs = 3_600_000
/** Milliseconds of work after which the event loop gets its turn. */
const turnMs = 8

/**
 * One parallel instance of a chain: a single loop that takes an event, handles it completely, and takes the next. Code
 * without `await` is a critical section, so nothing in here needs a lock.
 */
export class Subtask {
  readonly participant: string
  readonly #o: SubtaskOptions
  readonly #letters: Letter[] = []
  #bell: (() => void) | undefined
  #rung = false
  #ended = false
  #turnStart: number
  #turnBatches = 0

  constructor(options: SubtaskOptions) {
    this.participant = options.participant
    this.#o = options
    this.#turnStart = options.clock.monoMs()
    options.input.onAvailable(() => this.#ring())
  }

  /** Makes the loop look at the signal again. */
  wake(): void {
    this.#ring()
  }

  /** The checkpoint completed, or was given up. Heard between two batches. */
  notify(letter: Letter): void {
    this.#letters.push(letter)
    this.#ring()
  }

  /** Runs until the attempt's signal aborts. Rejects with the first failure. */
  async run(): Promise<void> {
    const { signal, input, chain, clock, mark } = this.#o
    while (!signal.aborted) {
      const letter = this.#letters.shift()
      if (letter !== undefined) {
        if (letter.kind === 'completed') chain.notifyCheckpointComplete(letter.id)
        else chain.notifyCheckpointAborted(letter.id)
        continue
      }
      const due = this.#ended ? undefined : chain.nextTimerMs()
      if (due !== undefined && due <= clock.wallMs()) {
        await this.#pressed(chain.fireTimers(clock.wallMs()))
        if (this.#turnIsOver()) await this.#giveTurn()
        continue
      }
      const event = input.poll()
      if (event === undefined) await this.#idle(due)
      else if (event.kind === 'batch') {
        const wait = chain.process(event.batch)
        if (wait !== undefined) await this.#pressed(wait)
        mark.leave()
        if (this.#turnIsOver()) await this.#giveTurn()
      } else if (event.kind === 'aligned') await this.#checkpoint(event.id)
      else if (event.kind === 'aborted') chain.broadcast({ kind: 'checkpoint-cancelled', id: event.id })
      else await this.#end()
    }
    // The last checkpoint may have completed at the moment the attempt ended: it is news all the same.
    for (const { kind, id } of this.#letters.splice(0)) if (kind === 'completed') chain.notifyCheckpointComplete(id)
  }

  /** Awaits room downstream, or a slow step, and books the time. Nothing is awaited when nothing has to. */
  async #pressed(wait: void | Promise<void>): Promise<void> {
    if (wait === undefined) return
    const start = this.#o.clock.monoMs()
    this.#o.status.otherwise = `room after ${this.#o.chain.name}`
    try {
      await wait
    } finally {
      this.#o.status.otherwise = undefined
      this.#o.status.waitingFor = undefined
      const waitedMs = this.#o.clock.monoMs() - start
      this.#o.metrics.backpressuredMs.add(waitedMs)
      // The time of the turn is time at work.
      this.#turnStart += waitedMs
    }
  }

  #turnIsOver(): boolean {
    return ++this.#turnBatches >= batchesPerTurn || this.#o.clock.monoMs() - this.#turnStart >= turnMs
  }

  /** Lets timers, sockets and signals run after a stretch of uninterrupted work. */
  async #giveTurn(): Promise<void> {
    this.#o.metrics.busyMs.add(this.#o.clock.monoMs() - this.#turnStart)
    await this.#o.clock.yield()
    this.#startTurn()
  }

  #startTurn(): void {
    this.#turnBatches = 0
    this.#turnStart = this.#o.clock.monoMs()
  }

  #ring(): void {
    this.#rung = true
    this.#bell?.()
  }

  /** Waits for input, a letter, the next timer or the end. */
  async #idle(dueMs: number | undefined): Promise<void> {
    const { clock, input, signal, status, metrics } = this.#o
    if (this.#rung) {
      this.#rung = false
      return
    }
    metrics.busyMs.add(clock.monoMs() - this.#turnStart)
    const start = clock.monoMs()
    status.waitingFor = this.#ended ? 'the end of the job' : input.waitingFor()
    const bell = new Promise<void>((resolve) => {
      this.#bell = resolve
    })
    const cancel =
      dueMs === undefined
        ? undefined
        : clock.timer(Math.min(Math.max(0, dueMs - clock.wallMs()), longestTimerMs), () => this.#ring())
    if (!signal.aborted) await bell
    cancel?.()
    this.#bell = undefined
    this.#rung = false
    status.waitingFor = undefined
    metrics.idleMs.add(clock.monoMs() - start)
    this.#startTurn()
  }

  /** Flink's order at the last barrier (flink-semantics paper, D2): emit, pass on, snapshot; then persist aside. */
  async #checkpoint(id: CheckpointId): Promise<void> {
    const { chain, status } = this.#o
    status.otherwise = `the sinks to flush for checkpoint ${id}`
    await chain.prepareBarrier(id, this.#ended)
    status.otherwise = undefined
    chain.broadcast({ kind: 'barrier', id })
    const snapshots = chain.snapshot(id)
    for (const { uid, committables } of snapshots) {
      if (committables !== undefined && committables.length > 0) this.#o.supervisor.collect(uid, id, committables)
    }
    void this.#persist(id, snapshots)
  }

  /** Never rejects: what goes wrong declines the checkpoint. */
  async #persist(id: CheckpointId, snapshots: readonly OperatorSnapshot[]): Promise<void> {
    const { supervisor } = this.#o
    const writer = supervisor.checkpointWriter(id)
    try {
      if (writer === undefined) throw new Error(`checkpoint ${id} was given up before its barrier came`)
      const reports = await Promise.all(
        snapshots.map(async (snapshot) => ({ uid: snapshot.uid, parts: await snapshot.persist(writer) })),
      )
      supervisor.acknowledge(id, this.participant, reports)
    } catch (thrown) {
      for (const snapshot of snapshots) snapshot.abandon?.()
      supervisor.decline(id, this.participant, asError(thrown))
    }
  }

  /** The input has ended: everything held goes out, then the word that nothing follows. */
  async #end(): Promise<void> {
    this.#ended = true
    await this.#pressed(this.#o.chain.endInput())
    this.#o.chain.broadcast(endOfInput)
    this.#o.supervisor.finished(this.participant)
  }
}
