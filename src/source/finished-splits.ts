import type { Split } from './source.ts'

/** Finished splits, each kept until a checkpoint that contains it completed: nobody else remembers that it is read. */
export class FinishedSplits<SplitT extends Split> {
  readonly #splits = new Map<string, { readonly split: SplitT; firstCheckpointId: number | undefined }>()

  has(splitId: string): boolean {
    return this.#splits.has(splitId)
  }

  add(split: SplitT): void {
    this.#splits.set(split.splitId, { split, firstCheckpointId: undefined })
  }

  /** What the snapshot for checkpoint `id` contains. */
  snapshot(checkpointId: number): readonly SplitT[] {
    return Array.from(this.#splits.values(), (entry) => {
      entry.firstCheckpointId ??= checkpointId
      return entry.split
    })
  }

  /** Checkpoint `id` completed: every split that was in its snapshot is remembered there. */
  complete(checkpointId: number): void {
    for (const [splitId, { firstCheckpointId }] of this.#splits) {
      if (firstCheckpointId !== undefined && firstCheckpointId <= checkpointId) this.#splits.delete(splitId)
    }
  }
}
