import type { Key, RecordBatch } from '../../src/core/index.ts'
import { type Clock, hashKey, keyGroupOf, subtaskOfKeyGroup } from '../../src/core/index.ts'
import { KeyedSnapshot, keyGroupsIntersect, restoreKeyed } from '../../src/runtime/keyed-snapshot.ts'
import { KeyedStateStore, type StateDeclaration } from '../../src/runtime/keyed-state.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { MemoryWriter } from './memory-writer.ts'
import { numbered } from './operator-bench.ts'

/** A batch as it comes out of a keyed exchange. */
export const keyedBatch = <T>(records: readonly T[], keyOf: (record: T) => Key): RecordBatch<T> => {
  const keys = records.map(keyOf)
  return { ...numbered(records), keys, keyHashes: keys.map(hashKey) }
}

export interface KeyState {
  readonly values: readonly unknown[]
  readonly timers: readonly number[]
}

/** Everything a store holds, as plain data by the text of its key; the timers come out of the queue. */
export const contentOf = (store: KeyedStateStore): Map<string, KeyState> => {
  const content = new Map<string, KeyState>()
  for (let group = store.first; group <= store.last; group++) {
    for (const { key, values, timers } of store.group(group).values()) {
      content.set(keyText(key), structuredClone({ values, timers }))
    }
  }
  return content
}

/** A key as text that tells its type. */
export const keyText = (key: Key): string => {
  if (key instanceof Uint8Array) return `bytes ${Buffer.from(key).toString('hex')}`
  if (typeof key === 'object') return `[${key.map(keyText).join(', ')}]`
  return `${typeof key} ${String(key)}`
}

/** The timers that would fire, in order, as `time key`. Empties the queue. */
export const drainTimers = (store: KeyedStateStore): string[] => {
  const fired: string[] = []
  for (let next = store.timers.take(Infinity); next !== undefined; next = store.timers.take(Infinity)) {
    if (next.owner.timers.includes(next.at)) fired.push(`${next.at} ${keyText(next.owner.key)}`)
  }
  return fired
}

export interface Layout {
  readonly states: readonly StateDeclaration[]
  readonly maxParallelism: number
  readonly parallelism: number
}

export const openStores = ({ states, maxParallelism, parallelism }: Layout): KeyedStateStore[] =>
  Array.from({ length: parallelism }, (_, subtask) => new KeyedStateStore(states, subtask, parallelism, maxParallelism))

/** The store that owns a key. */
export const ownerOf = (stores: readonly KeyedStateStore[], key: Key, maxParallelism: number): KeyedStateStore => {
  const subtask = subtaskOfKeyGroup(keyGroupOf(hashKey(key), maxParallelism), maxParallelism, stores.length)
  const store = stores[subtask]
  if (store === undefined) throw new Error(`there is no subtask ${subtask}`)
  return store
}

/** Restores the parts of all old subtasks into new stores, as the runtime does. */
export const restoreInto = async (
  layout: Layout,
  oldParallelism: number,
  parts: readonly Uint8Array[],
  dropped: readonly string[] = [],
): Promise<KeyedStateStore[]> => {
  const stores = openStores(layout)
  const { maxParallelism, parallelism } = layout
  for (const [subtask, store] of stores.entries()) {
    for (const [old, bytes] of parts.entries()) {
      if (!keyGroupsIntersect(old, oldParallelism, subtask, parallelism, maxParallelism)) continue
      const at = { step: 'totals', subtask, parallelism, dropped: new Set(dropped) }
      await restoreKeyed(store, bytes, at, new VirtualClock())
    }
  }
  return stores
}

/** The bytes of a snapshot of now. */
export const snapshotBytes = async (store: KeyedStateStore, clock: Clock = new VirtualClock()): Promise<Uint8Array> => {
  const writer = new MemoryWriter()
  await new KeyedSnapshot(store, 'totals').persist(writer, 0, clock)
  return writer.parts[0]?.bytes ?? new Uint8Array()
}
