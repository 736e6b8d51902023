import type { Barrier, CheckpointCancelled, CheckpointId, EndOfInput, RecordBatch } from '../core/index.ts'
import type { Operator, OperatorSnapshot, Output, Outputs } from './operator.ts'
import type { RecordWriter } from './record-writer.ts'

/** One step of a chain with everything that follows it in the same subtask. */
export interface ChainLink {
  readonly name: string
  readonly operator: Operator
}

const dropped: Output = { emit: () => undefined }

/** Hands each batch to several outputs, one after the other. */
export const fanOut = (outputs: readonly Output[]): Output => {
  const [first, ...rest] = outputs
  if (first === undefined) return dropped
  if (rest.length === 0) return first
  const emitFrom = (batch: RecordBatch, from: number): void | Promise<void> => {
    for (let index = from; index < outputs.length; index++) {
      const wait = outputs[index]?.emit(batch)
      if (wait !== undefined) return wait.then(() => emitFrom(batch, index + 1))
    }
    return undefined
  }
  return { emit: (batch) => emitFrom(batch, 0) }
}

/** The outputs of one step, by name; an output nobody consumes swallows what it gets. */
export const outputsOf = (byName: ReadonlyMap<string, Output>): Outputs => ({
  main: byName.get('main') ?? dropped,
  side: (name) => byName.get(name) ?? dropped,
})

/**
 * The steps of one subtask. Links are in order: every link comes after the one that feeds it, so a walk from the first to
 * the last meets what a step emitted before the steps it emitted to.
 */
export class OperatorChain {
  readonly name: string
  readonly #entry: Output
  readonly #links: readonly ChainLink[]
  readonly #writers: readonly RecordWriter[]
  readonly #timed: readonly Operator[]

  constructor(name: string, entry: Output, links: readonly ChainLink[], writers: readonly RecordWriter[]) {
    this.name = name
    this.#entry = entry
    this.#links = links
    this.#writers = writers
    this.#timed = links.map((link) => link.operator).filter((operator) => operator.nextTimerMs !== undefined)
  }

  process(batch: RecordBatch): void | Promise<void> {
    return this.#entry.emit(batch)
  }

  broadcast(element: Barrier | CheckpointCancelled | EndOfInput): void {
    for (const writer of this.#writers) writer.broadcast(element)
  }

  async prepareBarrier(id: CheckpointId, endOfInput: boolean): Promise<void> {
    for (const { operator } of this.#links) await operator.prepareBarrier?.(id, endOfInput)
  }

  /** Synchronous: the state of all steps at one moment. */
  snapshot(id: CheckpointId): OperatorSnapshot[] {
    return this.#links.flatMap(({ operator }) => operator.snapshot?.(id) ?? [])
  }

  async endInput(): Promise<void> {
    for (const { operator } of this.#links) await operator.endInput?.()
  }

  nextTimerMs(): number | undefined {
    let least: number | undefined
    for (const operator of this.#timed) {
      const next = operator.nextTimerMs?.()
      if (next !== undefined && (least === undefined || next < least)) least = next
    }
    return least
  }

  async fireTimers(nowMs: number): Promise<void> {
    for (const operator of this.#timed) await operator.fireTimers?.(nowMs)
  }

  notifyCheckpointComplete(id: CheckpointId): void {
    for (const { operator } of this.#links) operator.notifyCheckpointComplete?.(id)
  }

  notifyCheckpointAborted(id: CheckpointId): void {
    for (const { operator } of this.#links) operator.notifyCheckpointAborted?.(id)
  }

  /** Closes every step, also when one of them fails to; throws the first failure. */
  async close(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#links.map(async ({ operator }) => operator.close?.()))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
}
