import type { CheckpointPart, CheckpointWriter } from '../checkpoint/index.ts'
import {
  asError,
  backoffMs,
  type CheckpointId,
  type Clock,
  checkpointId,
  DataLossError,
  type Logger,
  type Random,
  readVersioned,
  type VersionedSerializer,
} from '../core/index.ts'
import type { CommitRequest, Committer } from '../sink/index.ts'
import type { StoredBytes } from './source-coordinator.ts'
import { decodeList, encodeList } from './state-list.ts'

interface PendingReceipt {
  readonly checkpointId: CheckpointId
  readonly committable: unknown
  retries: number
}

export interface SinkCommitterOptions {
  readonly uid: string
  readonly committer: Committer<unknown>
  readonly serializer: VersionedSerializer<unknown>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly signal: AbortSignal
}

const retry = { initialMs: 100, maxMs: 10_000, multiplier: 2, jitter: 0.5 }

/**
 * The receipts of one sink, from the barrier that staged the output to the confirmation that it is visible. A receipt
 * stays in every checkpoint until its commit returned (flink-semantics paper, D4); ids are high-water marks, so a
 * completion that was never heard of is made up for by the next one.
 */
export class SinkCommitter {
  readonly #o: SinkCommitterOptions
  #pending: PendingReceipt[] = []
  /** One commit at a time; a failed one leaves its receipts pending and the chain usable. */
  #last: Promise<void> = Promise.resolve()

  constructor(options: SinkCommitterOptions) {
    this.#o = options
  }

  collect(id: CheckpointId, committables: readonly unknown[]): void {
    for (const committable of committables) this.#pending.push({ checkpointId: id, committable, retries: 0 })
  }

  /** The receipts that checkpoint `id` must hold. */
  async persist(id: CheckpointId, writer: CheckpointWriter): Promise<readonly CheckpointPart[]> {
    const { uid, serializer } = this.#o
    const held = this.#pending.filter((receipt) => receipt.checkpointId <= id)
    if (held.length === 0) return []
    const items = held.map((receipt) => {
      const head = new TextEncoder().encode(`${receipt.checkpointId} `)
      const body = serializer.serialize(receipt.committable)
      const item = new Uint8Array(head.length + body.length)
      item.set(head)
      item.set(body, head.length)
      return item
    })
    const { name, version } = serializer
    return [await writer.writePart({ uid, kind: 'committables', serializer: name, version }, encodeList(items))]
  }

  /** Takes over the receipts of a restored checkpoint. */
  restore(stored: readonly StoredBytes[]): void {
    for (const part of stored) {
      for (const item of decodeList(part.bytes)) {
        const space = item.indexOf(32)
        const id = checkpointId(Number(new TextDecoder().decode(item.subarray(0, space))))
        const committable = readVersioned(
          this.#o.serializer,
          { name: part.name, version: part.version, bytes: item.subarray(space + 1) },
          this.#o.uid,
        )
        this.#pending.push({ checkpointId: id, committable, retries: 0 })
      }
    }
  }

  /**
   * Commits every receipt up to checkpoint `id`, oldest first, until all are confirmed. Retries with back-off for as long
   * as the committer asks for it.
   * @throws DataLossError `DATA_LOSS` when a receipt can never be honoured; whatever the committer throws.
   */
  commitUpTo(id: CheckpointId): Promise<void> {
    const run = this.#last.then(() => this.#commit(id))
    this.#last = run.catch(() => {})
    return run
  }

  async #commit(id: CheckpointId): Promise<void> {
    const { clock, random, log, signal, uid } = this.#o
    for (let attempt = 1; ; attempt++) {
      const due = this.#pending.filter((receipt) => receipt.checkpointId <= id)
      if (due.length === 0) return
      const oldest = Math.min(...due.map((receipt) => receipt.checkpointId))
      const now = due.filter((receipt) => receipt.checkpointId === oldest)
      const later = await this.#ask(now)
      if (later === undefined) {
        attempt = 0
        continue
      }
      const waitMs = backoffMs(retry, attempt, random.float())
      log.warn({ step: uid, checkpointId: oldest, attempt, reason: later.message }, 'commit will be tried again')
      await clock.sleep(waitMs, signal)
    }
  }

  /** One attempt; gives the reason why some have to be asked for again, or undefined when all are done. */
  async #ask(receipts: readonly PendingReceipt[]): Promise<Error | undefined> {
    const later = new Set<PendingReceipt>()
    let reason: Error | undefined
    let lost: Error | undefined
    const requests = receipts.map(
      (receipt): CommitRequest<unknown> => ({
        committable: receipt.committable,
        checkpointId: receipt.checkpointId,
        retries: receipt.retries,
        signalAlreadyCommitted() {},
        retryLater(cause) {
          later.add(receipt)
          reason = cause
        },
        signalFailed(cause) {
          later.add(receipt)
          lost ??= cause
        },
      }),
    )
    await this.#o.committer.commit(requests)
    this.#pending = this.#pending.filter((receipt) => !receipts.includes(receipt) || later.has(receipt))
    if (lost !== undefined) {
      throw new DataLossError('DATA_LOSS', {
        message: `output that a checkpoint names cannot be committed: ${lost.message}`,
        place: { step: this.#o.uid, checkpointId: receipts[0]?.checkpointId },
        fix: 'bring the staged output back, or restore the checkpoint before it with allowRollback: true',
        cause: asError(lost),
      })
    }
    for (const receipt of later) receipt.retries++
    return reason
  }

  /** Removes what earlier attempts staged and no checkpoint names. */
  abortOrphans(): Promise<void> {
    return this.#o.committer.abortOrphans()
  }

  async close(): Promise<void> {
    await this.#last
    await this.#o.committer.close()
  }
}
