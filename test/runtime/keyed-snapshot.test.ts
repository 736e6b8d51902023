import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Clock, encodeState, hashKey, type Key } from '../../src/core/index.ts'
import { KeyedSnapshot, restoreKeyed } from '../../src/runtime/keyed-snapshot.ts'
import type { KeyedStateStore, StateDeclaration } from '../../src/runtime/keyed-state.ts'
import { type ListState, type MapState, StateHandles, type ValueState } from '../../src/runtime/state-handles.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { someKey } from '../core/keys.ts'
import {
  contentOf,
  drainTimers,
  type KeyState,
  keyText,
  type Layout,
  openStores,
  ownerOf,
  restoreInto,
  snapshotBytes,
} from './keyed-bench.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf } from './operator-bench.ts'

const states: readonly StateDeclaration[] = [
  { name: 'total', kind: 'value' },
  { name: 'seen', kind: 'list' },
  { name: 'byName', kind: 'map' },
]

interface Handles {
  readonly total: ValueState<unknown>
  readonly seen: ListState<unknown>
  readonly byName: MapState<string, unknown>
}

/** Works on a store as a keyed step does: touch, let the user at it, forget what is empty. */
class Worker {
  readonly #stores: readonly KeyedStateStore[]
  readonly #handles: readonly StateHandles[]

  constructor(stores: readonly KeyedStateStore[]) {
    this.#stores = stores
    this.#handles = stores.map((store) => new StateHandles(store.declarations))
  }

  on(key: Key, act: (handles: Handles, store: KeyedStateStore) => void): void {
    const store = ownerOf(this.#stores, key, this.#stores[0]?.maxParallelism ?? 1)
    const handles = this.#handles[this.#stores.indexOf(store)]
    const entry = store.touch(key, hashKey(key))
    handles?.select(entry)
    act(handles?.byName as unknown as Handles, store)
    handles?.select(undefined)
    store.dropIfEmpty(entry, hashKey(key))
  }

  timer(key: Key, atMs: number, on: boolean): void {
    const store = ownerOf(this.#stores, key, this.#stores[0]?.maxParallelism ?? 1)
    const entry = store.touch(key, hashKey(key))
    if (on) store.setTimer(entry, atMs)
    else store.deleteTimer(entry, atMs)
    store.dropIfEmpty(entry, hashKey(key))
  }
}

type Operation =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'in place'; readonly value: unknown }
  | { readonly kind: 'list'; readonly value: unknown }
  | { readonly kind: 'map'; readonly name: string; readonly value: unknown }
  | { readonly kind: 'map delete'; readonly name: string }
  | { readonly kind: 'clear' }
  | { readonly kind: 'look' }
  | { readonly kind: 'timer'; readonly atMs: number; readonly on: boolean }

const someValue = fc.oneof(
  fc.nat(9),
  fc.constant(undefined),
  fc.constantFrom<unknown>('a', 'é', '日', 'x'.repeat(300), '', 1n, null, true),
  fc.constantFrom(23, 24, 255, 256, 65_535, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, 1.5, Number.NaN),
  fc.record({ list: fc.array(fc.nat(9), { maxLength: 3 }) }),
)
const name = fc.constantFrom('a', 'b', 'c')

const someOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('value' as const), value: someValue }),
  fc.record({ kind: fc.constant('in place' as const), value: fc.nat(9) }),
  fc.record({ kind: fc.constant('list' as const), value: someValue }),
  fc.record({ kind: fc.constant('map' as const), name, value: someValue }),
  fc.record({ kind: fc.constant('map delete' as const), name }),
  fc.record({ kind: fc.constant('clear' as const) }),
  fc.record({ kind: fc.constant('look' as const) }),
  fc.record({ kind: fc.constant('timer' as const), atMs: fc.nat(5), on: fc.boolean() }),
)

const apply = (worker: Worker, key: Key, operation: Operation): void => {
  if (operation.kind === 'timer') {
    worker.timer(key, operation.atMs, operation.on)
    return
  }
  worker.on(key, ({ total, seen, byName }) => {
    switch (operation.kind) {
      case 'value':
        total.set(structuredClone(operation.value))
        return
      case 'in place': {
        const known = total.get()
        if (typeof known === 'object' && known !== null) Object.assign(known, { changed: operation.value })
        else total.set({ changed: -1 })
        return
      }
      case 'list':
        seen.add(structuredClone(operation.value))
        return
      case 'map':
        byName.set(operation.name, structuredClone(operation.value))
        return
      case 'map delete':
        byName.delete(operation.name)
        return
      case 'clear':
        total.clear()
        seen.clear()
        byName.clear()
        return
      case 'look':
        return
    }
  })
}

const wholeContent = (stores: readonly KeyedStateStore[]): Map<string, KeyState> =>
  new Map(stores.flatMap((store) => [...contentOf(store)]))

const sorted = (content: Map<string, KeyState>): [string, KeyState][] =>
  [...content].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

/** Time passes whenever somebody looks, and whoever yields waits until the test lets it go on. */
class SlicingClock extends VirtualClock implements Clock {
  #mono = 0
  readonly #waiting: (() => void)[] = []
  yields = 0

  override monoMs(): number {
    this.#mono += 5
    return this.#mono
  }

  override yield(): Promise<void> {
    this.yields++
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Lets one slice run, and everything that can be done without another. */
  async slice(): Promise<void> {
    this.#waiting.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }

  get held(): boolean {
    return this.#waiting.length > 0
  }
}

/** What is asked of a snapshot under way. */
type Step =
  | { readonly kind: 'work'; readonly key: number; readonly operation: Operation }
  | { readonly kind: 'slice' }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'abandon' }

const someSteps = (keys: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 30,
        arbitrary: fc.record({
          kind: fc.constant('work' as const),
          key: fc.nat(keys - 1),
          operation: someOperation,
        }),
      },
      { weight: 4, arbitrary: fc.constant({ kind: 'slice' as const }) },
      { weight: 2, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'abandon' as const }) },
    ),
    { maxLength: 250, size: 'max' },
  )

describe('a keyed snapshot', () => {
  test('is the state at its moment exactly, whatever happens to it while it is written', async () => {
    const keyCount = 700
    const layout: Layout = { states, maxParallelism: 2, parallelism: 1 }
    let compared = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(keyCount - 1), someOperation), { maxLength: 200, size: 'max' }),
        fc.boolean(),
        someSteps(keyCount),
        async (before, full, steps) => {
          const stores = openStores(layout)
          const [store] = stores
          if (store === undefined) throw new Error('there is a store')
          const worker = new Worker(stores)
          if (full) {
            for (let key = 0; key < keyCount; key++) apply(worker, key, { kind: 'value', value: { list: [key] } })
          }
          for (const [key, operation] of before) apply(worker, key, operation)
          const clock = new SlicingClock()
          const running: { snapshot: KeyedSnapshot; expected: Map<string, KeyState>; bytes: Promise<Uint8Array> }[] = []
          const begin = (): void => {
            running.at(-1)?.snapshot.abandon()
            const expected = wholeContent(stores)
            const snapshot = new KeyedSnapshot(store, 'totals')
            const writer = new MemoryWriter()
            const bytes = snapshot.persist(writer, 0, clock).then(() => writer.parts[0]?.bytes ?? new Uint8Array())
            bytes.catch(() => {})
            running.push({ snapshot, expected, bytes })
          }
          for (const step of steps) {
            if (step.kind === 'work') apply(worker, step.key, step.operation)
            else if (step.kind === 'slice') await clock.slice()
            else if (step.kind === 'snapshot') begin()
            else running.at(-1)?.snapshot.abandon()
          }
          if (running.length === 0) begin()
          while (clock.held) await clock.slice()
          for (const { bytes, expected } of running) {
            let read: Uint8Array
            try {
              read = await bytes
            } catch (thrown) {
              expect(String(thrown)).toContain('the checkpoint was given up')
              continue
            }
            const restored = await restoreInto(layout, 1, [read])
            expect(sorted(wholeContent(restored))).toEqual(sorted(expected))
            compared++
          }
        },
      ),
      { numRuns: 60 },
    )
    expect(compared).toBeGreaterThan(0)
  })

  test('comes back the same at any parallelism, timers and all', async () => {
    const parallelism = fc.integer({ min: 1, max: 6 })
    const work = fc.array(fc.tuple(someKey, someOperation), { maxLength: 60, size: 'max' })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 6, max: 200 }),
        parallelism,
        parallelism,
        work,
        async (maxParallelism, from, to, operations) => {
          const stores = openStores({ states, maxParallelism, parallelism: from })
          const worker = new Worker(stores)
          for (const [key, operation] of operations) apply(worker, key, operation)
          const parts = await Promise.all(stores.map((store) => snapshotBytes(store)))
          const layout = { states, maxParallelism, parallelism: to }
          const restored = await restoreInto(layout, from, parts)
          expect(sorted(wholeContent(restored))).toEqual(sorted(wholeContent(stores)))
          expect(restored.map(({ size }) => size).reduce((a, b) => a + b)).toBe(wholeContent(stores).size)
          // Every key is found again by whoever asks for it.
          for (const [key] of operations) {
            const text = keyText(key)
            const owner = ownerOf(restored, key, maxParallelism)
            const known = wholeContent(stores).get(text)
            if (known !== undefined) expect(owner.touch(key, hashKey(key)).values).toEqual(known.values)
          }
          expect(restored.flatMap(drainTimers).sort()).toEqual(stores.flatMap(drainTimers).sort())
        },
      ),
      { numRuns: 100 },
    )
  })

  test('has a value as it was although the user changes the object in place afterwards', async () => {
    const stores = openStores({ states, maxParallelism: 1, parallelism: 1 })
    const [store] = stores
    if (store === undefined) throw new Error('there is a store')
    const worker = new Worker(stores)
    const value = { hits: 1, last: ['/a'] }
    worker.on('k', ({ total }) => total.set(value))
    const writer = new MemoryWriter()
    const snapshot = new KeyedSnapshot(store, 'totals')
    worker.on('k', ({ total }) => {
      const known = total.get() as typeof value
      known.hits = 99
      known.last.push('/b')
    })
    await snapshot.persist(writer, 0, new VirtualClock())
    const restored = await restoreInto({ states, maxParallelism: 1, parallelism: 1 }, 1, [
      writer.parts[0]?.bytes ?? new Uint8Array(),
    ])
    expect([...wholeContent(restored).values()][0]?.values[0]).toEqual({ hits: 1, last: ['/a'] })
  })

  test('does no harm when it is abandoned: the next one is whole, and nothing is recorded any more', async () => {
    const layout = { states, maxParallelism: 4, parallelism: 1 }
    const stores = openStores(layout)
    const [store] = stores
    if (store === undefined) throw new Error('there is a store')
    const worker = new Worker(stores)
    for (let key = 0; key < 50; key++) apply(worker, key, { kind: 'value', value: { list: [key] } })
    const first = new KeyedSnapshot(store, 'totals')
    for (let key = 0; key < 10; key++) apply(worker, key, { kind: 'clear' })
    first.abandon()
    expect(store.beforeTouch).toBeUndefined()
    expect(await failureOf(() => first.persist(new MemoryWriter(), 0, new VirtualClock()))).toMatchObject({
      message: 'the checkpoint was given up',
    })
    const restored = await restoreInto(layout, 1, [await snapshotBytes(store)])
    expect(sorted(wholeContent(restored))).toEqual(sorted(wholeContent(stores)))
    first.abandon()
    expect(store.beforeTouch).toBeUndefined()
  })

  test('that is abandoned late does not disturb the newer one', async () => {
    const layout = { states, maxParallelism: 4, parallelism: 1 }
    const stores = openStores(layout)
    const [store] = stores
    if (store === undefined) throw new Error('there is a store')
    const worker = new Worker(stores)
    for (let key = 0; key < 20; key++) apply(worker, key, { kind: 'value', value: { list: [key] } })
    const old = new KeyedSnapshot(store, 'totals')
    const expected = wholeContent(stores)
    const newer = new KeyedSnapshot(store, 'totals')
    old.abandon()
    for (let key = 0; key < 20; key++) apply(worker, key, { kind: 'in place', value: 7 })
    const writer = new MemoryWriter()
    await newer.persist(writer, 0, new VirtualClock())
    const restored = await restoreInto(layout, 1, [writer.parts[0]?.bytes ?? new Uint8Array()])
    expect(sorted(wholeContent(restored))).toEqual(sorted(expected))
  })

  test('frees the store when it is written', async () => {
    const [store] = openStores({ states, maxParallelism: 4, parallelism: 1 })
    if (store === undefined) throw new Error('there is a store')
    await snapshotBytes(store)
    expect(store.beforeTouch).toBeUndefined()
  })

  test('fails with what the writer says', async () => {
    const [store] = openStores({ states, maxParallelism: 4, parallelism: 1 })
    if (store === undefined) throw new Error('there is a store')
    const writer = new MemoryWriter()
    writer.before = () => Promise.reject(new Error('no space left'))
    const snapshot = new KeyedSnapshot(store, 'totals')
    expect(await failureOf(() => snapshot.persist(writer, 0, new VirtualClock()))).toMatchObject({
      message: 'no space left',
    })
  })

  test('refuses a value that cannot be stored, with the step and what to keep instead', async () => {
    const stores = openStores({ states, maxParallelism: 1, parallelism: 1 })
    const [store] = stores
    if (store === undefined) throw new Error('there is a store')
    new Worker(stores).on('k', ({ total }) => total.set({ callback: () => 1 }))
    const error = await failureOf(() => snapshotBytes(store))
    expect(error).toMatchObject({ code: 'STEP_MISUSED', remedy: 'stop', place: { step: 'totals' } })
    expect(error.message).toContain('a state value cannot be stored')
    expect(error.message).toContain('keep plain data in state')
  })

  describe('when it is large', () => {
    const large = (keys: number, maxParallelism: number) => {
      const layout = { states, maxParallelism, parallelism: 1 }
      const stores = openStores(layout)
      const worker = new Worker(stores)
      for (let key = 0; key < keys; key++) {
        worker.on(key, ({ total }) => total.set(`${key} ${'x'.repeat(1_000)}`))
      }
      const [store] = stores
      if (store === undefined) throw new Error('there is a store')
      return { layout, stores, store }
    }

    test('is written in pieces of about a mebibyte', async () => {
      const { layout, stores, store } = large(5_000, 128)
      const writer = new MemoryWriter()
      await new KeyedSnapshot(store, 'totals').persist(writer, 0, new VirtualClock())
      expect(writer.pieces.length).toBeGreaterThanOrEqual(4)
      for (const size of writer.pieces) expect(size).toBeLessThan(1.2 * 1024 * 1024)
      expect(writer.parts).toHaveLength(1)
      expect(writer.parts[0]?.header).toEqual({
        uid: 'totals',
        kind: 'keyed',
        subtask: 0,
        serializer: 'millrace.keyed',
        version: 1,
      })
      const restored = await restoreInto(layout, 1, [writer.parts[0]?.bytes ?? new Uint8Array()])
      expect(wholeContent(restored)).toEqual(wholeContent(stores))
    })

    test.each([1, 128, 32_768])('lets others have their turn, with %d key groups', async (maxParallelism) => {
      const { store } = large(3_000, maxParallelism)
      const clock = new SlicingClock()
      const writer = new MemoryWriter()
      const done = new KeyedSnapshot(store, 'totals').persist(writer, 0, clock)
      let slices = 0
      for (; writer.parts.length === 0 && slices < 1_000; slices++) await clock.slice()
      await done
      expect(clock.yields).toBeGreaterThanOrEqual(9)
    })
  })
})

describe('restoring keyed state', () => {
  const layout = { states, maxParallelism: 8, parallelism: 1 }
  const written = async (declared: readonly StateDeclaration[] = states): Promise<Uint8Array> => {
    const stores = openStores({ ...layout, states: declared })
    const worker = new Worker(stores)
    for (let key = 0; key < 5; key++) {
      worker.on(key, (handles) => {
        handles.total.set(key)
        handles.seen.add('s', key)
        handles.byName.set('n', key)
      })
      worker.timer(key, 100 + key, true)
    }
    return snapshotBytes(stores[0] ?? (await Promise.reject(new Error('there is a store'))))
  }

  test('finds states by name, whatever their order is now, and starts new ones empty', async () => {
    const now: StateDeclaration[] = [
      { name: 'byName', kind: 'map' },
      { name: 'fresh', kind: 'value' },
      { name: 'total', kind: 'value' },
      { name: 'seen', kind: 'list' },
    ]
    const [store] = await restoreInto({ ...layout, states: now }, 1, [await written()])
    expect(store?.touch(3, hashKey(3)).values).toEqual([new Map([['n', 3]]), undefined, 3, ['s', 3]])
  })

  test('refuses a state that the step does not declare any more, and says how to accept the loss', async () => {
    const now: StateDeclaration[] = [{ name: 'total', kind: 'value' }]
    const error = await failureOf(async () => restoreInto({ ...layout, states: now }, 1, [await written()]))
    expect(error).toMatchObject({ code: 'CHECKPOINT_MISMATCH', place: { step: 'totals' } })
    expect(error.message).toContain('seen (list), byName (map)')
    expect(error.message).toContain("dropState: ['totals/seen', 'totals/byName']")
  })

  test('leaves out a state that is dropped by name, and keeps the others and the timers', async () => {
    const now: StateDeclaration[] = [{ name: 'total', kind: 'value' }]
    const dropped = ['totals/seen', 'totals/byName']
    const [store] = await restoreInto({ ...layout, states: now }, 1, [await written()], dropped)
    expect(store?.touch(4, hashKey(4))).toMatchObject({ values: [4], timers: [104] })
  })

  test('refuses a state of another kind under the same name', async () => {
    const now: StateDeclaration[] = [{ name: 'total', kind: 'list' }, ...states.slice(1)]
    const error = await failureOf(async () => restoreInto({ ...layout, states: now }, 1, [await written()]))
    expect(error).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    expect(error.message).toContain('total (value)')
  })

  test('refuses bytes that are cut short, and never takes half of them', async () => {
    const bytes = await written()
    const whole = wholeContent(await restoreInto(layout, 1, [bytes]))
    for (let length = 1; length < bytes.length; length++) {
      const outcome = await restoreInto(layout, 1, [bytes.subarray(0, length)]).then(
        (stores) => wholeContent(stores),
        (error: unknown) => error,
      )
      // A cut between two frames cannot be seen here; the hash of the part tells it.
      if (outcome instanceof Map) {
        for (const [key, state] of outcome) expect(state).toEqual(whole.get(key))
        expect(outcome.size).toBeLessThan(whole.size)
      } else {
        expect(outcome).toMatchObject({ code: 'CHECKPOINT_CORRUPT', place: { step: 'totals', subtaskIndex: 0 } })
      }
    }
  })

  test('refuses a frame with the wrong number of values', async () => {
    const payload = encodeState([1, [], 2, 3])
    const header = encodeState({ maxParallelism: 8, states })
    const frame = (group: number, count: number, bytes: Uint8Array): Uint8Array => {
      const framed = new Uint8Array(8 + bytes.length)
      const view = new DataView(framed.buffer)
      view.setUint32(0, bytes.length)
      view.setUint16(4, group)
      view.setUint16(6, count)
      framed.set(bytes, 8)
      return framed
    }
    const bytes = Buffer.concat([frame(0, 0, header), frame(0, 1, payload)])
    expect(await failureOf(() => restoreInto(layout, 1, [bytes]))).toMatchObject({ code: 'CHECKPOINT_CORRUPT' })
  })

  test('gives the event loop its turn', async () => {
    const stores = openStores({ states, maxParallelism: 128, parallelism: 1 })
    const worker = new Worker(stores)
    for (let key = 0; key < 2_000; key++) worker.on(key, ({ total }) => total.set(key))
    const [store] = stores
    if (store === undefined) throw new Error('there is a store')
    const bytes = await snapshotBytes(store)
    const clock = new SlicingClock()
    const [fresh] = openStores({ states, maxParallelism: 128, parallelism: 1 })
    if (fresh === undefined) throw new Error('there is a store')
    let done = false
    const at = { step: 'totals', subtask: 0, parallelism: 1, dropped: new Set<string>() }
    const restoring = restoreKeyed(fresh, bytes, at, clock).then(() => {
      done = true
    })
    for (let slices = 0; !done && slices < 1_000; slices++) await clock.slice()
    await restoring
    expect(clock.yields).toBeGreaterThan(100)
    expect(fresh.size).toBe(2_000)
  })
})
