import { decodeCursor } from '../../../src/wire/index.ts'
import type { StoredSplit } from './shard-truth.ts'

/** How far a consumer group may be told, shard by shard: as far as a published checkpoint has it. */
export class MirrorTruth {
  readonly #violate: (what: string) => void
  readonly #published = new Map<string, ReadonlyMap<number, bigint>>()
  /** The most that was ever published. */
  readonly #ever = new Map<number, bigint>()
  readonly #told = new Map<number, bigint>()
  /**
   * Shards that were told less than before, last of all: a request can arrive long after its sender gave it up and sent
   * another, and a process that was replaced may still send. Nobody can keep the service from taking it.
   */
  readonly #overtaken = new Set<number>()
  /** What it was told rightly: every restart of the service tells it again, when newer checkpoints may name it no more. */
  readonly #accepted = new Set<string>()
  commits = 0

  constructor(violate: (what: string) => void) {
    this.#violate = violate
  }

  published(path: string, splits: readonly unknown[]): void {
    const positions = new Map<number, bigint>()
    for (const { shard, cursor } of splits as readonly StoredSplit[]) {
      if (cursor !== 'begin') positions.set(shard, BigInt(cursor))
    }
    this.#published.set(path, positions)
    for (const [shard, cursor] of positions) if (cursor > (this.#ever.get(shard) ?? -1n)) this.#ever.set(shard, cursor)
  }

  /** Only what is still on the disk counts after a power loss. */
  keep(exists: (path: string) => boolean): void {
    for (const path of this.#published.keys()) if (!exists(path)) this.#published.delete(path)
  }

  /** As far as the newest checkpoint has it. */
  positions(): ReadonlyMap<number, bigint> {
    const newest = new Map<number, bigint>()
    for (const positions of this.#published.values()) {
      for (const [shard, cursor] of positions) {
        if (cursor > (newest.get(shard) ?? -1n)) newest.set(shard, cursor)
      }
    }
    return newest
  }

  /** Whether what the group has of a shard came late. */
  overtaken(shard: number): boolean {
    return this.#overtaken.has(shard)
  }

  told(shard: number, checkpoint: string): void {
    this.commits++
    const cursor = decodeCursor(checkpoint)
    // Newer checkpoints do not name a shard that was finished, and a request can arrive when the older ones are gone.
    const most = this.positions().get(shard) ?? this.#ever.get(shard)
    const place = `${shard} ${checkpoint}`
    if (!this.#accepted.has(place) && (cursor === undefined || most === undefined || cursor > most)) {
      this.#violate(`M1: the group was told ${cursor} of shard ${shard}; the newest checkpoint has ${most}`)
      return
    }
    this.#accepted.add(place)
    if (cursor === undefined) return
    const before = this.#told.get(shard) ?? 0n
    if (cursor < before) this.#overtaken.add(shard)
    else this.#overtaken.delete(shard)
    if (cursor > before) this.#told.set(shard, cursor)
  }
}
