import {
  type DeadLetter,
  type Guarantee,
  generation,
  invariant,
  MetricRegistry,
  silentLogger,
} from '../../src/core/index.ts'
import type { OpenSource, Source, SourceContext, SourceReader, Split, SplitEnumerator } from '../../src/source/index.ts'
import type { MemoryEnvironment } from '../../src/testing/index.ts'

/** What a driver leaves when it goes down, as bytes. */
export interface DriverCheckpoint {
  readonly id: number
  readonly parallelism: number
  readonly enumerator: Uint8Array
  readonly readers: readonly (readonly Uint8Array[])[]
}

export interface DriverOptions {
  readonly environment: MemoryEnvironment
  readonly parallelism?: number | undefined
  readonly restore?: DriverCheckpoint | undefined
  readonly batchRecordsMax?: number | undefined
  readonly batchBytesMax?: number | undefined
  /** Default 1. */
  readonly generation?: number | undefined
}

/**
 * Runs a source as a job would, one call at a time, so that a test decides what happens between any two. Keeps the rules
 * of the contract: reassign before the readers get their splits, no split in two snapshots.
 */
export class SourceDriver<T> {
  readonly #source: OpenSource<T>
  readonly #clock: MemoryEnvironment['clock']
  readonly #enumerator: SplitEnumerator<Split, unknown>
  readonly readers: SourceReader<T, Split>[] = []
  /** The record batches each reader gave, in order. */
  readonly taken: T[] = []
  /** What came instead of records, in order. */
  readonly letters: DeadLetter[] = []
  readonly failures: Error[] = []
  readonly ended = new Set<number>()
  readonly metrics = new MetricRegistry({ job: 'test' })
  readonly #parallelism: number
  #checkpointId: number

  constructor(source: Source<T, Guarantee, boolean>, options: DriverOptions) {
    const { environment, restore } = options
    this.#parallelism = options.parallelism ?? 1
    this.#clock = environment.clock
    this.#checkpointId = restore?.id ?? 0
    const context: SourceContext = {
      ...environment,
      job: 'test',
      step: 'files',
      parallelism: this.#parallelism,
      generation: generation(options.generation ?? 1),
      batchRecordsMax: options.batchRecordsMax ?? 512,
      batchBytesMax: options.batchBytesMax ?? 65_536,
    }
    this.#source = source.open(context)
    const { enumeratorSerializer, splitSerializer } = this.#source
    const state =
      restore === undefined
        ? undefined
        : enumeratorSerializer.deserialize(enumeratorSerializer.version, restore.enumerator)
    this.#enumerator = this.#source.createEnumerator(
      {
        parallelism: this.#parallelism,
        clock: environment.clock,
        log: silentLogger,
        metrics: this.metrics.step({ step: 'files' }),
        assignSplits: (subtask, splits) => this.#reader(subtask).addSplits(splits.map((split) => this.#copy(split))),
        signalNoMoreSplits: (subtask) => this.#reader(subtask).notifyNoMoreSplits(),
        sendEventToReader: (subtask, event) => this.#reader(subtask).handleSourceEvent?.(event),
        fail: (error) => this.failures.push(error),
      },
      state,
    )
    const restored = (restore?.readers ?? []).map((splits) =>
      splits.map((bytes) => splitSerializer.deserialize(splitSerializer.version, bytes)),
    )
    const moved = restore !== undefined && restore.parallelism !== this.#parallelism
    const placed = moved ? this.#enumerator.reassign?.(restored.flat()) : new Map(restored.entries())
    for (let subtask = 0; subtask < this.#parallelism; subtask++) {
      const reader = this.#source.createReader({
        subtask,
        parallelism: this.#parallelism,
        metrics: this.metrics.step({ step: 'files', subtask }),
        sendEventToEnumerator: (event) => this.#enumerator.handleReaderEvent?.(subtask, event),
        sendSplitRequest: () => this.#enumerator.handleSplitRequest?.(subtask),
      })
      this.readers.push(reader)
    }
    for (const [subtask, splits] of placed ?? []) this.#reader(subtask).addSplits(splits)
  }

  async start(): Promise<void> {
    await this.#enumerator.start()
    for (const reader of this.readers) reader.start()
  }

  /** One poll of one reader. */
  poll(subtask = 0): readonly T[] {
    const result = this.#reader(subtask).poll()
    if (result.kind === 'end') this.ended.add(subtask)
    if (result.kind !== 'records') return []
    for (const letter of result.batch.deadLetters ?? []) this.letters.push(letter())
    this.taken.push(...result.batch.records)
    return result.batch.records
  }

  /** Lets time pass and polls everything that is there. */
  async run(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed <= ms; passed += stepMs) {
      await this.settle()
      if (passed < ms) await this.#clock.advance(Math.min(stepMs, ms - passed))
    }
  }

  /** Polls until the readers have nothing more without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      for (let turn = 0; turn < 4; turn++) await this.#clock.yield()
      let count = 0
      for (const subtask of this.readers.keys()) count += this.poll(subtask).length
      quiet = count > 0 ? 0 : quiet + 1
    }
  }

  /** Runs a bounded source to its end. */
  async runToEnd(): Promise<void> {
    for (let turn = 0; this.ended.size < this.#parallelism; turn++) {
      // A real codec works on another thread, which on a busy machine takes its time.
      invariant(turn < 4_000_000, 'a bounded source ends')
      for (const subtask of this.readers.keys()) if (!this.ended.has(subtask)) this.poll(subtask)
      if (this.failures[0] !== undefined) throw this.failures[0]
      if (turn % 4 === 3) await this.#clock.yield()
      else await undefined
    }
  }

  checkpoint(options: { readonly complete?: boolean } = {}): DriverCheckpoint {
    const id = ++this.#checkpointId
    const { enumeratorSerializer, splitSerializer } = this.#source
    const enumerator = enumeratorSerializer.serialize(this.#enumerator.snapshotState(id))
    const seen = new Set(this.#enumerator.unassignedSplitIds())
    const readers = this.readers.map((reader) => {
      const splits = reader.snapshotState(id)
      for (const { splitId } of splits) {
        invariant(!seen.has(splitId), `split ${splitId} is in one snapshot`)
        seen.add(splitId)
      }
      for (const splitId of reader.unfinishedSplitIds())
        invariant(seen.has(splitId), `split ${splitId} is in a snapshot`)
      return splits.map((split) => splitSerializer.serialize(split))
    })
    if (options.complete !== false) this.complete(id)
    return { id, parallelism: this.#parallelism, enumerator, readers }
  }

  complete(id: number): void {
    this.#enumerator.notifyCheckpointComplete?.(id)
    for (const reader of this.readers) reader.notifyCheckpointComplete?.(id)
  }

  splits(): readonly Split[] {
    return this.readers.flatMap((reader) => reader.snapshotState(this.#checkpointId))
  }

  async close(): Promise<void> {
    await this.#enumerator.close()
    for (const reader of this.readers) await reader.close()
  }

  #reader(subtask: number): SourceReader<T, Split> {
    const reader = this.readers[subtask]
    invariant(reader !== undefined, `there is a subtask ${subtask}`)
    return reader
  }

  /** As if it travelled to another thread. */
  #copy(split: Split): Split {
    const { splitSerializer } = this.#source
    return splitSerializer.deserialize(splitSerializer.version, splitSerializer.serialize(split))
  }
}
