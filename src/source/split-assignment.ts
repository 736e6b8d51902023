import { invariant } from '../core/index.ts'
import type { Split } from './source.ts'

const byId = (a: Split, b: Split): number => (a.splitId < b.splitId ? -1 : a.splitId > b.splitId ? 1 : 0)

/**
 * Deals splits out evenly, in order of split id: loads differ by at most one, and the same splits always fall to the same
 * subtasks. Every subtask is in the result.
 */
export const dealSplits = <SplitT extends Split>(
  splits: readonly SplitT[],
  parallelism: number,
): ReadonlyMap<number, readonly SplitT[]> => {
  const hands = new Map<number, SplitT[]>()
  for (let subtask = 0; subtask < parallelism; subtask++) hands.set(subtask, [])
  for (const [index, split] of [...splits].sort(byId).entries()) hands.get(index % parallelism)?.push(split)
  return hands
}

/**
 * Who owns which split, and which assignments each checkpoint does not contain yet. Pure bookkeeping.
 *
 * New splits go to the subtask with the fewest; among those to the one that had the split before, else to the lowest
 * index. A split never moves while its subtask lives: balance is restored only by `dealSplits`, at a restore.
 */
export class SplitAssignmentTracker<SplitT extends Split> {
  readonly #loads: number[]
  readonly #owners = new Map<string, number>()
  /** Last owners of splits that were taken back. */
  readonly #formerOwners = new Map<string, number>()
  /** Assignments after the last snapshot, and before each snapshot whose checkpoint is not complete, oldest first. */
  #open: (readonly [subtask: number, split: SplitT])[] = []
  #log: { readonly checkpointId: number; readonly assignments: (readonly [number, SplitT])[] }[] = []

  constructor(parallelism: number) {
    invariant(parallelism >= 1, 'a source has at least one reader')
    this.#loads = Array.from({ length: parallelism }, () => 0)
  }

  /** The subtask that owns an unfinished split. */
  ownerOf(splitId: string): number | undefined {
    return this.#owners.get(splitId)
  }

  /** Unfinished splits per subtask. */
  loads(): readonly number[] {
    return [...this.#loads]
  }

  /** Notes an owner that a checkpoint knows. Not in the log: the reader's own state holds the split. */
  restore(splitId: string, subtask: number): void {
    this.#own(splitId, subtask)
  }

  /** Chooses a subtask for each split, in order of split id, and logs it. Only subtasks that get something are in the result. */
  assign(splits: readonly SplitT[]): ReadonlyMap<number, readonly SplitT[]> {
    const hands = new Map<number, SplitT[]>()
    for (const split of [...splits].sort(byId)) {
      const subtask = this.#choose(split.splitId)
      this.#own(split.splitId, subtask)
      this.#open.push([subtask, split])
      const hand = hands.get(subtask)
      if (hand === undefined) hands.set(subtask, [split])
      else hand.push(split)
    }
    return hands
  }

  /** The split is read to its end. An unknown id is fine: the news may come twice. */
  finish(splitId: string): void {
    this.#formerOwners.delete(splitId)
    this.#disown(splitId)
  }

  /** The reader lost the split; it can be assigned again, by preference to the same subtask. */
  takeBack(splitId: string): void {
    const owner = this.#owners.get(splitId)
    if (owner !== undefined) this.#formerOwners.set(splitId, owner)
    this.#disown(splitId)
  }

  /** The enumerator's snapshot for checkpoint `id` is taken: what was assigned before is in the readers' snapshots. */
  snapshot(checkpointId: number): void {
    this.#log.push({ checkpointId, assignments: this.#open })
    this.#open = []
  }

  /** Checkpoint `id`, and with it every older one, is complete. */
  complete(checkpointId: number): void {
    this.#log = this.#log.filter((entry) => entry.checkpointId > checkpointId)
  }

  /**
   * What `subtask` got since the snapshot of checkpoint `restoredId`, which is what it does not have after going back to
   * it. Those splits leave the log and have no owner any more. A checkpoint that was under way at that moment must not
   * complete: it would hold what the subtask had before it went back.
   */
  splitsSince(subtask: number, restoredId: number | undefined): readonly SplitT[] {
    const since = this.#log.filter((entry) => restoredId === undefined || entry.checkpointId > restoredId)
    const batches = [...since.map((entry) => entry.assignments), this.#open]
    const lost = batches.flatMap((batch) => batch.filter(([owner]) => owner === subtask).map(([, split]) => split))
    const others = (batch: (readonly [number, SplitT])[]) => batch.filter(([owner]) => owner !== subtask)
    this.#log = this.#log.map((entry) =>
      since.includes(entry) ? { ...entry, assignments: others(entry.assignments) } : entry,
    )
    this.#open = others(this.#open)
    for (const { splitId } of lost) this.takeBack(splitId)
    return lost
  }

  #choose(splitId: string): number {
    const least = Math.min(...this.#loads)
    const former = this.#formerOwners.get(splitId)
    return former !== undefined && this.#loads[former] === least ? former : this.#loads.indexOf(least)
  }

  #own(splitId: string, subtask: number): void {
    invariant(!this.#owners.has(splitId), `split '${splitId}' has one owner`)
    const load = this.#loads[subtask]
    invariant(load !== undefined, `subtask ${subtask} exists`)
    this.#loads[subtask] = load + 1
    this.#owners.set(splitId, subtask)
    this.#formerOwners.delete(splitId)
  }

  #disown(splitId: string): void {
    const owner = this.#owners.get(splitId)
    if (owner === undefined) return
    this.#owners.delete(splitId)
    this.#loads[owner] = (this.#loads[owner] ?? 1) - 1
  }
}
