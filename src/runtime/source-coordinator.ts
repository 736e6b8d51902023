import type { CheckpointPart, CheckpointWriter } from '../checkpoint/index.ts'
import {
  asError,
  type CheckpointId,
  type Clock,
  invariant,
  type Logger,
  readVersioned,
  type StepMetrics,
} from '../core/index.ts'
import { dealSplits, type OpenSource, type Split, type SplitEnumerator } from '../source/index.ts'
import { opening } from './connector-failure.ts'
import type { Operator } from './operator.ts'
import type { SourceControl, SourceInput } from './source-input.ts'
import { decodeList, encodeList } from './state-list.ts'

export interface StoredBytes {
  readonly name: string
  readonly version: number
  readonly bytes: Uint8Array
}

/** What a checkpoint holds of one source. */
export interface StoredSource {
  readonly parallelism: number
  readonly enumerator: StoredBytes | undefined
  /** The parts of the readers, by old subtask. */
  readonly readers: ReadonlyMap<number, readonly StoredBytes[]>
}

export interface SourceCoordinatorOptions {
  readonly job: string
  readonly uid: string
  readonly source: OpenSource<unknown>
  readonly parallelism: number
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: StepMetrics
  readonly fail: (error: Error) => void
}

/**
 * Runs the enumerator of one source and delivers what it assigns. Progress lives in the readers: after a restore they get
 * their splits from the checkpoint, and the enumerator only ever hands out what it never handed out before.
 */
export class SourceCoordinator {
  readonly #o: SourceCoordinatorOptions
  readonly #inputs: SourceInput[] = []
  /** Per subtask, the splits it was given and has not reported as finished. */
  readonly #live: Set<string>[]
  readonly #restored: (readonly Split[])[]
  #enumerator: SplitEnumerator<Split, unknown>
  /** Of the newest checkpoint: what each reader owned at its barrier, and who has named which split. */
  #newest:
    | {
        readonly id: CheckpointId
        readonly owned: readonly ReadonlySet<string>[]
        readonly where: Map<string, string>
      }
    | undefined

  constructor(options: SourceCoordinatorOptions, stored: StoredSource | undefined) {
    this.#o = options
    const { source, uid, parallelism, clock, log, metrics, fail } = options
    this.#live = Array.from({ length: parallelism }, () => new Set())
    const state =
      stored?.enumerator === undefined ? undefined : readVersioned(source.enumeratorSerializer, stored.enumerator, uid)
    this.#enumerator = source.createEnumerator(
      {
        parallelism,
        clock,
        log,
        metrics,
        assignSplits: (subtask, splits) => this.#assign(subtask, splits),
        signalNoMoreSplits: (subtask) => this.#tell(subtask, { kind: 'no-more-splits' }),
        sendEventToReader: (subtask, event) => this.#tell(subtask, { kind: 'event', event }),
        fail,
      },
      state,
    )
    this.#restored = stored === undefined ? [] : this.#deal(stored)
  }

  /** The restored splits of every subtask, dealt again once when the parallelism changed. */
  #deal(stored: StoredSource): (readonly Split[])[] {
    const { source, uid, parallelism } = this.#o
    const read = (parts: readonly StoredBytes[]): Split[] =>
      parts.flatMap((part) =>
        decodeList(part.bytes).map((bytes) => readVersioned(source.splitSerializer, { ...part, bytes }, uid)),
      )
    if (stored.parallelism === parallelism) {
      return Array.from({ length: parallelism }, (_, subtask) => read(stored.readers.get(subtask) ?? []))
    }
    const all = [...stored.readers.entries()].sort(([a], [b]) => a - b).flatMap(([, parts]) => read(parts))
    const dealt = this.#enumerator.reassign?.(all) ?? dealSplits(all, parallelism)
    const placed = Array.from({ length: parallelism }, (_, subtask) => dealt.get(subtask) ?? [])
    const ids = placed.flat().map((split) => split.splitId)
    invariant(
      ids.length === all.length && new Set(ids).size === all.length,
      `source ${uid}: reassign places each of ${all.length} restored splits exactly once`,
    )
    return placed
  }

  get uid(): string {
    return this.#o.uid
  }

  /** Makes the input of one subtask, with its restored splits. */
  attach(subtask: number, input: SourceInput): void {
    this.#inputs[subtask] = input
    const splits = this.#restored[subtask] ?? []
    if (splits.length > 0) this.#assign(subtask, splits)
  }

  /** The splits present now are known, and handed out, when this resolves. */
  start(): Promise<void> {
    const { job, uid } = this.#o
    return opening({ kind: 'source', job, step: uid }, 'start', () => this.#enumerator.start())
  }

  #assign(subtask: number, splits: readonly Split[]): void {
    for (const { splitId } of splits) {
      const owner = this.#live.findIndex((owned) => owned.has(splitId))
      invariant(owner < 0, `source ${this.#o.uid}: split ${splitId} has one owner; it is with subtask ${owner} already`)
      this.#live[subtask]?.add(splitId)
    }
    this.#tell(subtask, { kind: 'add-splits', splits })
  }

  #tell(subtask: number, control: SourceControl): void {
    const input = this.#inputs[subtask]
    invariant(input !== undefined, `source ${this.#o.uid}: there is a subtask ${subtask}`)
    input.tell(control)
  }

  tellAll(control: SourceControl): void {
    for (const input of this.#inputs) input.tell(control)
  }

  handleReaderEvent(subtask: number, event: unknown): void {
    this.#guard(() => this.#enumerator.handleReaderEvent?.(subtask, event))
  }

  handleSplitRequest(subtask: number): void {
    this.#guard(() => this.#enumerator.handleSplitRequest?.(subtask))
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (thrown) {
      this.#o.fail(asError(thrown))
    }
  }

  /**
   * Starts checkpoint `id`: the enumerator's state, then the barriers, with nothing in between. What the enumerator
   * assigned before is in front of the barrier in the same queue, so every split is in exactly one of the two states.
   */
  begin(id: CheckpointId): StoredBytes {
    const { enumeratorSerializer } = this.#o.source
    const bytes = enumeratorSerializer.serialize(this.#enumerator.snapshotState(id))
    this.#newest = {
      id,
      owned: this.#live.map((owned) => new Set(owned)),
      where: new Map(this.#enumerator.unassignedSplitIds().map((split) => [split, 'the enumerator'])),
    }
    this.tellAll({ kind: 'barrier', id })
    return { name: enumeratorSerializer.name, version: enumeratorSerializer.version, bytes }
  }

  async persist(state: StoredBytes, writer: CheckpointWriter): Promise<CheckpointPart> {
    const { name, version, bytes } = state
    return await writer.writePart({ uid: this.#o.uid, kind: 'enumerator', serializer: name, version }, bytes)
  }

  /** A reader has snapshotted: every split it was given is there, and in no other snapshot. */
  checkSnapshot(id: CheckpointId, subtask: number, splits: readonly Split[], unfinished: ReadonlySet<string>): void {
    const ids = new Set(splits.map((split) => split.splitId))
    const newest = this.#newest?.id === id ? this.#newest : undefined
    for (const owned of newest?.owned[subtask] ?? []) {
      invariant(ids.has(owned), `source ${this.#o.uid}: split ${owned} is in the snapshot of subtask ${subtask}`)
    }
    for (const split of ids) {
      if (!unfinished.has(split)) this.#live[subtask]?.delete(split)
      const other = newest?.where.get(split)
      invariant(other === undefined, `source ${this.#o.uid}: split ${split} is in one snapshot; it is in ${other} too`)
      newest?.where.set(split, `subtask ${subtask}`)
    }
  }

  notifyCheckpointComplete(id: CheckpointId): void {
    this.#guard(() => this.#enumerator.notifyCheckpointComplete?.(id))
  }

  close(): Promise<void> {
    return this.#enumerator.close()
  }
}

/** The reader's place in the chain of its subtask: it takes part in snapshots and notifications. */
export const readerOperator = (
  coordinator: SourceCoordinator,
  options: Pick<SourceCoordinatorOptions, 'uid' | 'source'>,
  subtask: number,
  reader: ReturnType<OpenSource<unknown>['createReader']>,
): Operator => {
  const { splitSerializer } = options.source
  return {
    process() {},
    snapshot(id) {
      const splits = reader.snapshotState(id)
      coordinator.checkSnapshot(id, subtask, splits, new Set(reader.unfinishedSplitIds()))
      const bytes = encodeList(splits.map((split) => splitSerializer.serialize(split)))
      const { name, version } = splitSerializer
      return {
        uid: options.uid,
        persist: async (writer) => [
          await writer.writePart({ uid: options.uid, kind: 'splits', subtask, serializer: name, version }, bytes),
        ],
      }
    },
    notifyCheckpointComplete: (id) => reader.notifyCheckpointComplete?.(id),
    notifyCheckpointAborted: (id) => reader.notifyCheckpointAborted?.(id),
    close: () => reader.close(),
  }
}
