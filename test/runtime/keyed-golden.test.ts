import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { hashKey, type Key } from '../../src/core/index.ts'
import type { KeyedStateStore, StateDeclaration } from '../../src/runtime/keyed-state.ts'
import {
  contentOf,
  drainTimers,
  type KeyState,
  keyText,
  openStores,
  ownerOf,
  restoreInto,
  snapshotBytes,
} from './keyed-bench.ts'

const path = new URL('../golden/keyed-v1.json', import.meta.url)
const states: readonly StateDeclaration[] = [
  { name: 'total', kind: 'value' },
  { name: 'seen', kind: 'list' },
  { name: 'byName', kind: 'map' },
]

interface GoldenKey {
  readonly key: Key
  readonly values: readonly unknown[]
  readonly timers: readonly number[]
}

/** Every type of key and of value, plain and nested. Never changed after a release. */
const keys: readonly GoldenKey[] = [
  { key: 'access', values: [3, undefined, undefined], timers: [] },
  { key: 'größe 日', values: [-1.5, undefined, undefined], timers: [] },
  { key: 42, values: [2 ** 32 - 1, undefined, undefined], timers: [] },
  { key: -0.5, values: ['x'.repeat(300), undefined, undefined], timers: [] },
  { key: 9007199254740993n, values: [undefined, ['a', 1n, null], undefined], timers: [] },
  { key: Uint8Array.of(0, 255, 10), values: [true, undefined, new Map([['a', { n: 1 }]])], timers: [1_000, 2_000] },
  { key: ['tenant', 7, ['deep', Uint8Array.of(1)]], values: [new Date(0), [], undefined], timers: [1] },
  { key: '', values: [{ list: [1, { two: 2 }], at: undefined }, undefined, undefined], timers: [] },
]
const parallelism = 2
const layout = { states, maxParallelism: 128, parallelism }

const filled = (): KeyedStateStore[] => {
  const stores = openStores(layout)
  for (const { key, values, timers } of keys) {
    const store = ownerOf(stores, key, layout.maxParallelism)
    const entry = store.touch(key, hashKey(key))
    for (const [state, value] of values.entries()) entry.set(state, value)
    for (const atMs of timers) store.setTimer(entry, atMs)
  }
  return stores
}
const contentByKey = (stores: readonly KeyedStateStore[]): [string, KeyState][] =>
  stores.flatMap((store) => [...contentOf(store)]).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

// A new version gets a file of its own, written once: WRITE_GOLDEN=1 npx vitest run test/runtime/keyed-golden
if (process.env['WRITE_GOLDEN'] !== undefined) {
  const parts = await Promise.all(filled().map((store) => snapshotBytes(store)))
  const hashes = Object.fromEntries(keys.map(({ key }) => [keyText(key), hashKey(key)]))
  writeFileSync(
    path,
    `${JSON.stringify({ hashes, parts: parts.map((part) => Buffer.from(part).toString('base64')) }, undefined, 2)}\n`,
  )
}

const golden: { readonly hashes: Record<string, number>; readonly parts: readonly string[] } = JSON.parse(
  readFileSync(path, 'utf8'),
)

describe('conf-S25 keyed state of version 1', () => {
  test.each([1, 2, 3])('is restored at parallelism %i with its timers', async (wanted) => {
    const parts = golden.parts.map((part) => new Uint8Array(Buffer.from(part, 'base64')))
    const restored = await restoreInto({ ...layout, parallelism: wanted }, parallelism, parts)
    expect(contentByKey(restored)).toEqual(contentByKey(filled()))
    expect(restored.flatMap(drainTimers).sort()).toEqual(filled().flatMap(drainTimers).sort())
  })

  test('is what is written today, byte for byte', async () => {
    const parts = await Promise.all(filled().map((store) => snapshotBytes(store)))
    expect(parts.map((part) => Buffer.from(part).toString('base64'))).toEqual(golden.parts)
  })

  test('has the same hash for every key', () => {
    expect(keys.map(({ key }) => [keyText(key), hashKey(key)])).toEqual(Object.entries(golden.hashes))
  })
})
