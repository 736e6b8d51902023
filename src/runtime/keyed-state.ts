import type { Key } from '../core/index.ts'
import { keyGroupOf, keyGroupRange, mapKeyOf } from '../core/index.ts'
import { TimerQueue } from './timer-queue.ts'

/** A state a keyed step keeps for every key. */
export interface StateDeclaration {
  readonly name: string
  readonly kind: 'value' | 'list' | 'map'
}

const noTimers: readonly number[] = []
const noValues: unknown[] = []

/**
 * Everything kept for one key. The first state stands in the entry itself: a step with one state, and most have no more,
 * keeps one object for a key and not three (bench: runtime, checkpoint).
 */
export class Entry {
  readonly key: Key
  /** Due times of the key's timers, ascending; a new array on every change. */
  timers: readonly number[]
  /** The newest snapshot that has this entry, or that the entry is too young for. */
  snapshot: number
  #first: unknown
  readonly #others: unknown[]

  constructor(key: Key, states: number, snapshot: number, timers: readonly number[]) {
    this.key = key
    this.timers = timers
    this.snapshot = snapshot
    this.#others = states < 2 ? noValues : new Array(states - 1).fill(undefined)
  }

  /** The value of a state, by its number; undefined when the key has none. */
  get(state: number): unknown {
    return state === 0 ? this.#first : this.#others[state - 1]
  }

  set(state: number, value: unknown): void {
    if (state === 0) this.#first = value
    else this.#others[state - 1] = value
  }

  /** One value per declared state. */
  get values(): readonly unknown[] {
    return [this.#first, ...this.#others]
  }

  /** Whether there is nothing to keep. */
  get isEmpty(): boolean {
    if (this.timers.length > 0 || this.#first !== undefined) return false
    for (const value of this.#others) if (value !== undefined) return false
    return true
  }
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
    const entry = new Entry(ownKey(key), this.declarations.length, this.snapshotNumber, noTimers)
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
    if (!entry.isEmpty) return
    const map = this.#mapOf(keyGroupOf(hash, this.maxParallelism))
    if (map.delete(mapKeyOf(entry.key))) this.#size--
  }

  /** Puts back an entry read from a checkpoint, still without values. */
  restore(group: number, key: Key, timers: readonly number[]): Entry {
    const { declarations, snapshotNumber } = this
    const entry = new Entry(key, declarations.length, snapshotNumber, timers.length === 0 ? noTimers : timers)
    const map = this.#mapOf(group)
    const before = map.size
    map.set(mapKeyOf(key), entry)
    this.#size += map.size - before
    for (const at of timers) this.timers.add(at, entry)
    return entry
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

/** Bytes belong to the batch they came in: the state keeps a copy. */
const ownKey = (key: Key): Key => {
  if (typeof key !== 'object') return key
  return key instanceof Uint8Array ? new Uint8Array(key) : key.map(ownKey)
}
