import type { Key } from '../core/index.ts'
import { keyGroupOf, keyGroupRange, mapKeyOf } from '../core/index.ts'
import { TimerQueue } from './timer-queue.ts'

/** A state a keyed step keeps for every key. */
export interface StateDeclaration {
  readonly name: string
  readonly kind: 'value' | 'list' | 'map'
}

/** Everything kept for one key. */
export interface Entry {
  readonly key: Key
  /** One value per declared state; undefined when the key has none. */
  readonly values: unknown[]
  /** Due times of the key's timers, ascending; a new array on every change. */
  timers: readonly number[]
  /** The newest snapshot that has this entry, or that the entry is too young for. */
  snapshot: number
}

/** What a snapshot under way must hear of: the entry is about to be shown to the user, who may change it. */
export type BeforeTouch = (entry: Entry, group: number) => void

/** The state of one keyed step in one subtask: a map per key group, so that no map grows beyond quick rehashing. */
export class KeyedStateStore {
  readonly declarations: readonly StateDeclaration[]
  readonly maxParallelism: number
  readonly first: number
  readonly last: number
  readonly timers = new TimerQueue<Entry>()
  readonly #groups: Map<unknown, Entry>[]
  #size = 0
  /** Number of the newest snapshot; entries made later carry it. */
  snapshotNumber = 0
  beforeTouch: BeforeTouch | undefined

  constructor(declarations: readonly StateDeclaration[], subtask: number, parallelism: number, maxParallelism: number) {
    this.declarations = declarations
    this.maxParallelism = maxParallelism
    const { first, last } = keyGroupRange(subtask, maxParallelism, parallelism)
    this.first = first
    this.last = last
    this.#groups = Array.from({ length: Math.max(0, last - first + 1) }, () => new Map())
  }

  /** Number of keys that have state. */
  get size(): number {
    return this.#size
  }

  group(group: number): ReadonlyMap<unknown, Entry> {
    return this.#mapOf(group)
  }

  #mapOf(group: number): Map<unknown, Entry> {
    const map = this.#groups[group - this.first]
    if (map === undefined) throw new RangeError(`key group ${group} is not in ${this.first}…${this.last}`)
    return map
  }

  /** The entry of a key, for the user's eyes and hands; made when there is none. `hash` is the key's route. */
  touch(key: Key, hash: number): Entry {
    const group = keyGroupOf(hash, this.maxParallelism)
    const map = this.#mapOf(group)
    const mapKey = mapKeyOf(key)
    const known = map.get(mapKey)
    if (known !== undefined) {
      this.touchEntry(known, group)
      return known
    }
    const entry: Entry = {
      key: ownKey(key),
      values: new Array(this.declarations.length).fill(undefined),
      timers: noTimers,
      snapshot: this.snapshotNumber,
    }
    map.set(mapKey, entry)
    this.#size++
    return entry
  }

  /** The same for an entry already at hand. */
  touchEntry(entry: Entry, group: number): void {
    if (entry.snapshot !== this.snapshotNumber) this.beforeTouch?.(entry, group)
  }

  /** Forgets an entry that keeps nothing any more. Called after the user's function. */
  dropIfEmpty(entry: Entry, hash: number): void {
    if (entry.timers.length > 0) return
    for (const value of entry.values) if (value !== undefined) return
    const map = this.#mapOf(keyGroupOf(hash, this.maxParallelism))
    if (map.delete(mapKeyOf(entry.key))) this.#size--
  }

  /** Puts back an entry read from a checkpoint. */
  restore(group: number, key: Key, values: unknown[], timers: readonly number[]): void {
    const entry: Entry = { key, values, timers, snapshot: this.snapshotNumber }
    const map = this.#mapOf(group)
    const before = map.size
    map.set(mapKeyOf(key), entry)
    this.#size += map.size - before
    for (const at of timers) this.timers.add(at, entry)
  }

  /** Registers a timer; one per key and time. */
  setTimer(entry: Entry, atMs: number): void {
    if (entry.timers.includes(atMs)) return
    entry.timers = [...entry.timers, atMs].sort((a, b) => a - b)
    this.timers.add(atMs, entry)
  }

  deleteTimer(entry: Entry, atMs: number): void {
    entry.timers = entry.timers.filter((at) => at !== atMs)
  }
}

const noTimers: readonly number[] = []

/** Bytes belong to the batch they came in: the state keeps a copy. */
const ownKey = (key: Key): Key => {
  if (typeof key !== 'object') return key
  return key instanceof Uint8Array ? new Uint8Array(key) : key.map(ownKey)
}
