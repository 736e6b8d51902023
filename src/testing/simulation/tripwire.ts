import { randomFillSync } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Cancel } from '../../core/index.ts'
import { SeededRandom } from '../seeded-random.ts'
import type { Kernel } from './kernel.ts'

/** A place in this package that used a global instead of a port. */
export interface TripwireUse {
  /** E.g. `Date.now`. */
  readonly name: string
  /** File and line. */
  readonly place: string
}

interface Replacement {
  readonly owner: object
  readonly key: string
  readonly value: unknown
}

const sourceRoot = fileURLToPath(new URL('../../', import.meta.url))
const testingRoot = `${sourceRoot}testing/`
const ownFile = fileURLToPath(import.meta.url)
const RealDate = Date
const realClear = { timeout: clearTimeout, interval: clearInterval, immediate: clearImmediate }

/** Node's timer object, as far as libraries use it. */
class VirtualTimer {
  readonly #start: (timer: VirtualTimer) => Cancel
  #cancel: Cancel

  constructor(start: (timer: VirtualTimer) => Cancel) {
    this.#start = start
    this.#cancel = start(this)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  refresh(): this {
    this.#cancel()
    this.#cancel = this.#start(this)
    return this
  }

  close(): this {
    this.#cancel()
    return this
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }
}

let armed: Tripwire | undefined

/**
 * Replaces the global clock, timers and randomness while a world runs. Libraries get virtual answers, since many cannot
 * be given a clock; a use by this package's own code is written down, because it should have taken a port.
 */
export class Tripwire {
  readonly #world: Kernel
  readonly #random: SeededRandom
  readonly #uses = new Map<string, TripwireUse>()
  #restore: (() => void)[] = []

  constructor(world: Kernel) {
    this.#world = world
    this.#random = new SeededRandom(world.seed).fork('global randomness')
  }

  get uses(): readonly TripwireUse[] {
    return [...this.#uses.values()]
  }

  /** @throws Error while another world runs: they would take each other's time. */
  arm(): void {
    if (armed !== undefined) throw new Error('another world is running; await its run() first, or set tripwire: false')
    armed = this
    for (const { owner, key, value } of this.#replacements()) {
      const before = Object.getOwnPropertyDescriptor(owner, key)
      Object.defineProperty(owner, key, {
        value,
        configurable: true,
        writable: true,
        enumerable: before?.enumerable ?? false,
      })
      this.#restore.push(() => {
        if (before === undefined) Reflect.deleteProperty(owner, key)
        else Object.defineProperty(owner, key, before)
      })
    }
  }

  disarm(): void {
    for (const restore of this.#restore.reverse()) restore()
    this.#restore = []
    if (armed === this) armed = undefined
  }

  #replacements(): Replacement[] {
    const wallMs = (): number =>
      this.#world.current?.host.wallMs() ?? Math.floor(this.#world.startWallMs + this.#world.nowMs)
    const monoMs = (): number => this.#world.current?.host.monoMs() ?? this.#world.nowMs
    const hrtime = (since?: readonly [number, number]): [number, number] => {
      const nanos = Math.round(monoMs() * 1e6) - (since === undefined ? 0 : since[0] * 1e9 + since[1])
      return [Math.floor(nanos / 1e9), nanos % 1e9]
    }
    const hrtimeBigint = (): bigint => BigInt(Math.round(monoMs() * 1e6))
    return [
      { owner: globalThis, key: 'Date', value: this.#virtualDate(wallMs) },
      { owner: performance, key: 'now', value: this.#noting('performance.now', monoMs) },
      {
        owner: process,
        key: 'hrtime',
        value: Object.assign(this.#noting('process.hrtime', hrtime), {
          bigint: this.#noting('process.hrtime.bigint', hrtimeBigint),
        }),
      },
      { owner: Math, key: 'random', value: this.#noting('Math.random', () => this.#random.float()) },
      { owner: crypto, key: 'randomUUID', value: this.#noting('crypto.randomUUID', () => this.#uuid()) },
      { owner: crypto, key: 'getRandomValues', value: this.#noting('crypto.getRandomValues', this.#fill) },
      ...this.#timers(),
    ]
  }

  #timers(): Replacement[] {
    type Callback = (...args: unknown[]) => void
    const after = (ms: number, run: () => void): Cancel =>
      this.#world.current?.environment.clock.timer(ms, run) ?? this.#world.schedule(ms, run, undefined)
    const delay = (ms: unknown): number => Math.max(1, Number(ms) || 1)
    const setTimeout = (run: Callback, ms?: unknown, ...args: unknown[]): VirtualTimer =>
      new VirtualTimer(() => after(delay(ms), () => run(...args)))
    const setInterval = (run: Callback, ms?: unknown, ...args: unknown[]): VirtualTimer =>
      new VirtualTimer((timer) =>
        after(delay(ms), () => {
          timer.refresh()
          run(...args)
        }),
      )
    const setImmediate = (run: Callback, ...args: unknown[]): VirtualTimer =>
      new VirtualTimer(() => after(0, () => run(...args)))
    const clearing =
      (real: (timer: never) => void) =>
      (timer: unknown): void => {
        if (timer instanceof VirtualTimer) timer.close()
        else real(timer as never)
      }
    const timeout = (ms: number): AbortSignal => {
      const controller = new AbortController()
      after(ms, () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')))
      return controller.signal
    }
    return [
      { owner: globalThis, key: 'setTimeout', value: this.#noting('setTimeout', setTimeout) },
      { owner: globalThis, key: 'setInterval', value: this.#noting('setInterval', setInterval) },
      { owner: globalThis, key: 'setImmediate', value: this.#noting('setImmediate', setImmediate) },
      { owner: globalThis, key: 'clearTimeout', value: clearing(realClear.timeout) },
      { owner: globalThis, key: 'clearInterval', value: clearing(realClear.interval) },
      { owner: globalThis, key: 'clearImmediate', value: clearing(realClear.immediate) },
      { owner: AbortSignal, key: 'timeout', value: this.#noting('AbortSignal.timeout', timeout) },
    ]
  }

  #virtualDate(wallMs: () => number): DateConstructor {
    const now = this.#noting('Date.now', wallMs)
    const argless = this.#noting('new Date()', wallMs)
    const virtual: DateConstructor = new Proxy(RealDate, {
      construct: (target, args, newTarget) =>
        Reflect.construct(target, args.length === 0 ? [argless()] : args, newTarget === virtual ? target : newTarget),
      apply: () => new RealDate(argless()).toString(),
      get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
    })
    return virtual
  }

  #uuid(): string {
    const hex = this.#random.id() + this.#random.id()
    const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)]
    return parts.join('-')
  }

  readonly #fill = (view: NodeJS.ArrayBufferView): NodeJS.ArrayBufferView => {
    // For its checks of the argument; what it wrote is replaced.
    randomFillSync(view)
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    for (let index = 0; index < bytes.length; index++) bytes[index] = this.#random.u32()
    return view
  }

  /** The function, which also writes down who calls it. */
  #noting<Args extends unknown[], Result>(name: string, run: (...args: Args) => Result): (...args: Args) => Result {
    return (...args) => {
      const place = ownCaller()
      if (place !== undefined && !this.#uses.has(`${name} ${place}`))
        this.#uses.set(`${name} ${place}`, { name, place })
      return run(...args)
    }
  }
}

/** The line of this package's own code that made the call; undefined for libraries, tests and the simulator. */
const ownCaller = (): string | undefined => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 6
  const frames = (new Error().stack ?? '').split('\n').slice(1)
  Error.stackTraceLimit = limit
  const caller = frames.find((frame) => !frame.includes(ownFile)) ?? ''
  if (!caller.includes(sourceRoot) || caller.includes(testingRoot)) return undefined
  const inside = caller.slice(caller.indexOf(sourceRoot) + sourceRoot.length)
  return inside.startsWith('node_modules/') ? undefined : inside.replace(/\)$/, '')
}
