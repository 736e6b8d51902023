import type { Entry, StateDeclaration } from './keyed-state.ts'

/** One value per key. */
export interface ValueState<V> {
  get(): V | undefined
  set(value: V): void
  clear(): void
}

/** A list per key. */
export interface ListState<V> {
  /** The list; empty when there is none. Change it through this handle only. */
  get(): readonly V[]
  add(...values: readonly V[]): void
  set(values: readonly V[]): void
  clear(): void
}

/** A map per key. Its own keys are text, numbers or booleans. */
export interface MapState<K extends string | number | boolean, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  has(key: K): boolean
  delete(key: K): boolean
  entries(): IterableIterator<[K, V]>
  readonly size: number
  clear(): void
}

/** What the user declares; the type of the handle travels with it. */
export interface StateSpec<out Handle = unknown> {
  readonly kind: StateDeclaration['kind']
  /** Never there at run time: carries the type. */
  readonly handle?: () => Handle
}

/** State of one value per key. */
export const valueState = <V>(): StateSpec<ValueState<V>> => ({ kind: 'value' })
/** State of one list per key. */
export const listState = <V>(): StateSpec<ListState<V>> => ({ kind: 'list' })
/** State of one map per key. */
export const mapState = <K extends string | number | boolean, V>(): StateSpec<MapState<K, V>> => ({ kind: 'map' })

/**
 * The handles a step uses, made once per subtask: each looks at the entry that `select` chose last. An entry is chosen
 * (and thereby saved for a snapshot under way) before the user's function runs.
 */
export class StateHandles {
  readonly byName: Readonly<Record<string, unknown>>
  #entry: Entry | undefined

  constructor(declarations: readonly StateDeclaration[]) {
    this.byName = Object.fromEntries(declarations.map(({ name, kind }, column) => [name, this.#make(kind, column)]))
  }

  select(entry: Entry | undefined): void {
    this.#entry = entry
  }

  #make(
    kind: StateDeclaration['kind'],
    column: number,
  ): ValueState<unknown> | ListState<unknown> | MapState<string, unknown> {
    const entry = (): Entry => {
      if (this.#entry === undefined) throw new Error('state can be used only while the function it was given to runs')
      return this.#entry
    }
    if (kind === 'value') return valueHandle(entry, column)
    return kind === 'list' ? listHandle(entry, column) : mapHandle(entry, column)
  }
}

const valueHandle = (entry: () => Entry, column: number): ValueState<unknown> => ({
  get: () => entry().get(column),
  set(value) {
    entry().set(column, value)
  },
  clear() {
    entry().set(column, undefined)
  },
})

const listHandle = (entry: () => Entry, column: number): ListState<unknown> => {
  const list = (): unknown[] | undefined => entry().get(column) as unknown[] | undefined
  return {
    get: () => list() ?? [],
    add(...added) {
      const known = list()
      if (known === undefined) entry().set(column, [...added])
      else known.push(...added)
    },
    set(next) {
      entry().set(column, next.length === 0 ? undefined : [...next])
    },
    clear() {
      entry().set(column, undefined)
    },
  }
}

const mapHandle = (entry: () => Entry, column: number): MapState<string, unknown> => {
  const map = (): Map<string, unknown> | undefined => entry().get(column) as Map<string, unknown> | undefined
  return {
    get: (key) => map()?.get(key),
    set(key, value) {
      const known = map()
      if (known === undefined) entry().set(column, new Map([[key, value]]))
      else known.set(key, value)
    },
    has: (key) => map()?.has(key) ?? false,
    delete(key) {
      const known = map()
      if (known === undefined || !known.delete(key)) return false
      if (known.size === 0) entry().set(column, undefined)
      return true
    },
    entries: () => (map() ?? new Map<string, unknown>()).entries(),
    get size() {
      return map()?.size ?? 0
    },
    clear() {
      entry().set(column, undefined)
    },
  }
}
