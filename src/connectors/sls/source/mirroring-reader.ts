import type { PollResult, SourceReader } from '../../../source/index.ts'
import type { ProgressMirror } from './progress-mirror.ts'
import type { ShardSplit } from './shard-split.ts'
import { isShardSourceEvent } from './source-event.ts'

/** A reader whose completed checkpoints a consumer group is told of. Every call goes on to the reader. */
export class MirroringReader<T> implements SourceReader<T, ShardSplit> {
  readonly #reader: SourceReader<T, ShardSplit>
  readonly #mirror: ProgressMirror

  constructor(reader: SourceReader<T, ShardSplit>, mirror: ProgressMirror) {
    this.#reader = reader
    this.#mirror = mirror
  }

  start(): void {
    this.#reader.start()
  }

  poll(): PollResult<T> {
    return this.#reader.poll()
  }

  available(): Promise<void> {
    return this.#reader.available()
  }

  addSplits(splits: readonly ShardSplit[]): void {
    this.#reader.addSplits(splits)
  }

  notifyNoMoreSplits(): void {
    this.#reader.notifyNoMoreSplits()
  }

  handleSourceEvent(event: unknown): void {
    if (isShardSourceEvent(event) && event.kind === 'mirror') this.#mirror.begin(event.consumer)
    this.#reader.handleSourceEvent?.(event)
  }

  snapshotState(checkpointId: number): readonly ShardSplit[] {
    return this.#mirror.snapshot(checkpointId, this.#reader.snapshotState(checkpointId))
  }

  unfinishedSplitIds(): readonly string[] {
    return this.#reader.unfinishedSplitIds()
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#reader.notifyCheckpointComplete?.(checkpointId)
    this.#mirror.complete(checkpointId)
  }

  notifyCheckpointAborted(checkpointId: number): void {
    this.#reader.notifyCheckpointAborted?.(checkpointId)
    this.#mirror.abort(checkpointId)
  }

  pauseOrResumeSplits(pause: readonly string[], resume: readonly string[]): void {
    this.#reader.pauseOrResumeSplits(pause, resume)
  }

  waitingFor(): string {
    return this.#reader.waitingFor()
  }

  async close(): Promise<void> {
    await this.#mirror.close()
    await this.#reader.close()
  }
}
