import type { HashRange } from '../../../wire/index.ts'
import { shardParents } from './lineage.ts'
import { type ShardSplit, shardSplitId } from './shard-split.ts'

/** A shard as the service lists it. */
export interface ListedShard {
  readonly id: number
  readonly readOnly: boolean
  readonly range: HashRange
  /** Seconds since 1970. */
  readonly createTime: number
}

/** A shard the enumerator knows. `waiting`: no reader has it yet; `split` says where it begins. */
export type BookedShard = ListedShard &
  (
    | { readonly state: 'waiting'; readonly split: ShardSplit }
    | {
        readonly state: 'assigned' | 'finished'
        readonly split?: undefined
        /** Of a finished one: where event time ended in it, in milliseconds since 1970, when that is known. Not stored. */
        readonly watermarkMs?: number | undefined
      }
  )

/** What a new listing says. */
export interface ListingChanges {
  /** Shards nobody knew. They are not in the book until `add`. */
  readonly found: readonly ListedShard[]
  /** Ids of assigned splits that take no more data since the last listing. */
  readonly closed: readonly string[]
  /** Ids of splits that are neither listed nor read to their end. */
  readonly vanished: readonly string[]
}

/**
 * All shards of one logstore, and which of them may be read: in order, a shard waits for its parents. Pure.
 * A finished shard is kept for as long as it is listed, so that it is not taken for a new one.
 */
export class ShardBook {
  readonly logstore: string
  readonly #ordered: boolean
  /** By split id. */
  readonly #shards = new Map<string, BookedShard>()
  /** Ids of the splits that may be handed out now. */
  readonly #ready = new Set<string>()
  #waiting = 0
  /** By number; of two of one number the one that is listed. */
  readonly #splitIds = new Map<number, string>()
  #parents: ReadonlyMap<number, readonly number[]> = new Map()
  #children: ReadonlyMap<number, readonly number[]> = new Map()

  /** @param ordered whether a shard waits for its parents */
  constructor(logstore: string, ordered: boolean, shards: readonly BookedShard[] = []) {
    this.logstore = logstore
    this.#ordered = ordered
    for (const shard of shards) this.#put(shard)
    this.#relate(shards)
  }

  get size(): number {
    return this.#shards.size
  }

  /** How many no reader has yet. */
  get waiting(): number {
    return this.#waiting
  }

  /** All shards, in the order in which they were found. */
  shards(): Iterable<BookedShard> {
    return this.#shards.values()
  }

  /** Ids of all splits. */
  splitIds(): Iterable<string> {
    return this.#shards.keys()
  }

  get(splitId: string): BookedShard | undefined {
    return this.#shards.get(splitId)
  }

  /** Takes in a listing: statuses, and what is there no more. */
  update(listing: readonly ListedShard[]): ListingChanges {
    const listed = new Set<string>()
    const found: ListedShard[] = []
    const closed: string[] = []
    for (const shard of listing) {
      const splitId = this.#idOf(shard)
      listed.add(splitId)
      const known = this.#shards.get(splitId)
      if (known === undefined) found.push(shard)
      else if (shard.readOnly && !known.readOnly) {
        this.#shards.set(splitId, { ...known, readOnly: true })
        if (known.state === 'assigned') closed.push(splitId)
      }
    }
    const vanished: string[] = []
    let dropped = 0
    for (const [splitId, shard] of this.#shards) {
      if (listed.has(splitId)) continue
      if (shard.state === 'finished') {
        this.#shards.delete(splitId)
        dropped++
      } else vanished.push(splitId)
    }
    if (found.length > 0 || dropped > 0) this.#relate(listing)
    return { found: found.sort((a, b) => a.id - b.id), closed, vanished }
  }

  /** Enters a shard that was found, parents first. */
  add({ id, readOnly, range, createTime }: ListedShard, split: ShardSplit): void {
    const place = { id, readOnly, range, createTime }
    this.#put(split.state === 'finished' ? { ...place, state: 'finished' } : { ...place, state: 'waiting', split })
    this.#judge(split.splitId)
  }

  /** The splits that may be handed out now. */
  ready(): readonly ShardSplit[] {
    return Array.from(this.#ready, (splitId) => this.#shards.get(splitId)?.split).filter((split) => split !== undefined)
  }

  /** The split has a reader. */
  assign(splitId: string): void {
    this.#change(splitId, 'assigned')
  }

  /** A reader lost the split. */
  takeBack(split: ShardSplit): void {
    const shard = this.#shards.get(split.splitId)
    if (shard === undefined) return
    this.#put({ ...placeOf(shard), state: 'waiting', split })
    this.#judge(split.splitId)
  }

  /**
   * The split is read to its end. True when no shard is known that follows it: its children are not listed yet.
   * May be told twice.
   * @param watermarkMs where event time ended in it, in milliseconds since 1970
   */
  finish(splitId: string, watermarkMs?: number): boolean {
    const shard = this.#change(splitId, 'finished', watermarkMs)
    if (shard === undefined) return false
    const children = this.#children.get(shard.id) ?? []
    for (const child of children) {
      const childId = this.#splitIds.get(child)
      if (childId !== undefined) this.#judge(childId)
    }
    return children.length === 0
  }

  /** Where event time ended in the parents of a split, the lowest of those that are known; undefined: none is. */
  watermarkBefore(splitId: string): number | undefined {
    const id = this.#shards.get(splitId)?.id
    const parents = id === undefined ? [] : (this.#parents.get(id) ?? [])
    const known = parents.flatMap((parent) => {
      const shard = this.#shards.get(this.#splitIds.get(parent) ?? '')
      return shard?.state === 'finished' ? (shard.watermarkMs ?? []) : []
    })
    return known.length === 0 ? undefined : Math.min(...known)
  }

  #change(splitId: string, state: 'assigned' | 'finished', watermarkMs?: number): BookedShard | undefined {
    const shard = this.#shards.get(splitId)
    if (shard !== undefined && shard.state !== state)
      this.#put({ ...placeOf(shard), state, ...(watermarkMs === undefined ? {} : { watermarkMs }) })
    return shard
  }

  #idOf({ id, createTime }: ListedShard): string {
    return shardSplitId(this.logstore, id, createTime)
  }

  #put(shard: BookedShard): void {
    const splitId = this.#idOf(shard)
    if (this.#shards.get(splitId)?.state === 'waiting') this.#waiting--
    if (shard.state === 'waiting') this.#waiting++
    else this.#ready.delete(splitId)
    this.#shards.set(splitId, shard)
  }

  /** Family relations among the listed shards, and those that are not listed but still read. */
  #relate(listing: readonly ListedShard[]): void {
    const family = new Map<number, ListedShard>()
    for (const shard of this.#shards.values()) family.set(shard.id, shard)
    for (const shard of listing) family.set(shard.id, shard)
    this.#splitIds.clear()
    for (const [id, shard] of family) this.#splitIds.set(id, this.#idOf(shard))
    this.#parents = shardParents(family.values())
    const children = new Map<number, number[]>()
    for (const [child, parents] of this.#parents) {
      for (const parent of parents) {
        const known = children.get(parent)
        if (known === undefined) children.set(parent, [child])
        else known.push(child)
      }
    }
    this.#children = children
    for (const splitId of this.#shards.keys()) this.#judge(splitId)
  }

  /** A parent that is not known, or not there any more, holds nobody up. */
  #judge(splitId: string): void {
    const shard = this.#shards.get(splitId)
    if (shard?.state !== 'waiting') return
    const parents = this.#ordered ? (this.#parents.get(shard.id) ?? []) : []
    const free = parents.every((id) => {
      const parent = this.#shards.get(this.#splitIds.get(id) ?? '')
      return parent === undefined || parent.state === 'finished'
    })
    if (free) this.#ready.add(splitId)
    else this.#ready.delete(splitId)
  }
}

const placeOf = ({ id, readOnly, range, createTime }: BookedShard): ListedShard => ({ id, readOnly, range, createTime })
