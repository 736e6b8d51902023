import type { Cancel, Clock, Random } from '../../core/index.ts'
import { type DeliveryParts, deliver } from './delivery.ts'
import type { IoPool } from './io-pool.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { type Destination, OpenPackage, type Package } from './package.ts'
import type { RetryPolicy } from './retry-policy.ts'
import type { AgainReason, PackageOutcome, SendPackage } from './send-result.ts'
import { SlabPool } from './slab-pool.ts'

/** When a package is closed and sent. */
export interface PackageLimits {
  /** Records of a package, at least 1. */
  readonly records: number
  /** Encoded bytes of a package with its overhead. A record that is larger than this travels alone. */
  readonly bytes: number
  /** Milliseconds that a package stays open at most. */
  readonly lingerMs: number
  /** Packages open at the same time, at least 1. One more closes the one that has been open longest. */
  readonly openMax: number
}

/** What the batching writers of a process share. */
export interface BatchingResources {
  readonly memory: MemoryBudget
  readonly io: IoPool
}

export interface BatcherParts<D extends Destination, T> {
  readonly clock: Clock
  readonly random: Random
  readonly resources: BatchingResources
  readonly limits: PackageLimits
  readonly retry: RetryPolicy
  /** Slots of the I/O pool that one lane may hold. Default: all. */
  readonly laneShare?: number | undefined
  /** One package per destination is on its way at a time, so that records of one destination keep their order. */
  readonly ordered: boolean
  /** Splits refused packages until the record is found that the refusal is about. */
  readonly isolateRefused: boolean
  readonly send: SendPackage<D, T>
  /** Once per package, or per part of one that was split. Must not throw. */
  readonly settled: (pack: Package<D, T>, outcome: PackageOutcome) => void
  readonly onAgain?: ((pack: Package<D, T>, why: AgainReason, cause: Error, waitMs: number) => void) | undefined
}

/** The first slab of a destination that is not known; it grows by doubling. */
const firstSlabBytes = 4096
/** Destinations whose usual size is remembered, so that their next slab need not grow. */
const knownSizesMax = 4096

/**
 * Gathers encoded records into packages, one open package per destination, and sends these: the part of a batching writer
 * that knows nothing of records, services or jobs. Every byte it queues is taken from the memory budget first and given
 * back when the story of its package is over.
 */
export class Batcher<D extends Destination, T = never> {
  readonly #parts: BatcherParts<D, T>
  readonly #delivery: DeliveryParts<D, T>
  readonly #open = new Map<string, OpenPackage<D, T>>()
  readonly #sizes = new Map<string, number>()
  /** Each with a controller of its own: one signal with thousands of listeners is slow. */
  readonly #deliveries = new Map<Promise<void>, AbortController>()
  /** With `ordered`: the last delivery of each destination. */
  readonly #tails = new Map<string, Promise<void>>()
  readonly #abort = new AbortController()
  readonly #cancelPressure: Cancel
  #adding: Promise<void> | undefined
  #cancelTimer: Cancel | undefined
  #sequence = 0

  constructor(parts: BatcherParts<D, T>) {
    const { clock, random, send, retry, resources, isolateRefused, laneShare, settled, onAgain } = parts
    this.#parts = parts
    this.#delivery = {
      clock,
      random,
      send,
      retry,
      isolateRefused,
      settled,
      lane: ({ lane }) => resources.io.lane(lane, laneShare),
      nextSequence: () => ++this.#sequence,
      again: (pack, { why, cause }, waitMs) => onAgain?.(pack, why, cause, waitMs),
    }
    this.#cancelPressure = resources.memory.onPressure(() => this.#relieve())
  }

  /** Packages that are closed and whose outcome is not known yet. */
  get underWay(): number {
    return this.#deliveries.size
  }

  /** Packages that still take records. */
  get open(): number {
    return this.#open.size
  }

  /**
   * Takes an encoded record, whose bytes are copied. Undefined when it is taken; when there is no room yet, a promise that
   * resolves once it is, and rejects when the batcher or `signal` aborts first.
   * @throws RecordError `RECORD_UNSENDABLE`, as a rejection, when it can never have room
   */
  add(destination: D, record: Uint8Array, ticket?: T, signal?: AbortSignal): Promise<void> | undefined {
    return this.addNow(destination, record, ticket) ? undefined : this.#addLater(destination, record, ticket, signal)
  }

  /** Takes an encoded record, whose bytes are copied, if there is room and nobody waits for it. */
  addNow(destination: D, record: Uint8Array, ticket?: T): boolean {
    if (this.#adding !== undefined || this.#abort.signal.aborted) return false
    return this.#tryAdd(destination, record, ticket)
  }

  /**
   * Takes encoded records that lie one behind the other in `bytes`, each up to its place in `ends`; as `add` with each of
   * them, and cheaper.
   */
  addRun(destination: D, bytes: Uint8Array, ends: readonly number[]): Promise<void> | undefined {
    const taken = this.addRunNow(destination, bytes, ends, 0)
    return taken === ends.length ? undefined : this.#addRunLater(destination, bytes.slice(), [...ends], taken)
  }

  /**
   * As `addRun`, for as long as there is room and nobody waits for it, from the record with the number `from` on. Gives the
   * number of the first record that is not taken, or how many there are.
   */
  addRunNow(destination: D, bytes: Uint8Array, ends: readonly number[], from: number, ticket?: T): number {
    if (this.#adding !== undefined || this.#abort.signal.aborted) return from
    return this.#tryAddRun(destination, bytes, ends, from, ticket)
  }

  /** Closes every open package: it is sent now, whatever its age. */
  flushNow(): void {
    for (const pack of [...this.#open.values()]) this.#seal(pack)
  }

  /** Resolves when every package closed so far has its outcome. */
  async quiet(): Promise<void> {
    await Promise.all(this.#deliveries.keys())
  }

  /** Gives up what is not sent, with `reason` as its outcome, and gives everything back. May be called twice. */
  async abort(reason: Error): Promise<void> {
    this.#cancelPressure()
    this.#abort.abort(reason)
    this.flushNow()
    for (const controller of this.#deliveries.values()) controller.abort(reason)
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    await this.quiet()
  }

  #tryAdd(destination: D, record: Uint8Array, ticket: T | undefined): boolean {
    const { limits } = this.#parts
    const known = this.#open.get(destination.key)
    const tooSmall = known !== undefined && known.bytes + record.length > limits.bytes
    if (tooSmall) this.#seal(known)
    const pack = this.#withRoom(destination, tooSmall ? undefined : known, record.length)
    if (pack === undefined) return false
    pack.append(record, ticket)
    this.#sealFull(pack)
    return true
  }

  /** Takes records of a run from the one with the number `from` on; gives the number of the first that has no room. */
  #tryAddRun(destination: D, bytes: Uint8Array, ends: readonly number[], from: number, ticket?: T): number {
    const { limits, resources } = this.#parts
    let index = from
    while (index < ends.length) {
      const start = index === 0 ? 0 : (ends[index - 1] as number)
      const known = this.#open.get(destination.key)
      const [records, used] = known === undefined ? [0, destination.overheadBytes] : [known.records, known.bytes]
      const free = resources.memory.free + (known === undefined ? 0 : known.capacity) - used
      const bytesMax = Math.min(limits.bytes - used, free)
      const countMax = Math.min(ends.length - index, limits.records - records)
      let count = 0
      while (count < countMax && (ends[index + count] as number) - start <= bytesMax) count++
      if (count === 0 && known !== undefined && (ends[index] as number) - start > limits.bytes - used) {
        this.#seal(known)
        continue
      }
      const to = index + Math.max(1, count)
      const pack = this.#withRoom(destination, known, (ends[to - 1] as number) - start)
      if (pack === undefined) return index
      pack.appendRun(bytes, start, ends, index, to, ticket)
      this.#sealFull(pack)
      index = to
    }
    return index
  }

  #addRunLater(destination: D, bytes: Uint8Array, ends: readonly number[], from: number): Promise<void> {
    return this.#inTurn(async () => {
      const { signal } = this.#abort
      for (let index = from; index < ends.length; index = this.#tryAddRun(destination, bytes, ends, index + 1)) {
        const record = bytes.subarray(index === 0 ? 0 : ends[index - 1], ends[index])
        await this.#addWaiting(destination, record, undefined, signal)
        signal.throwIfAborted()
      }
    })
  }

  /** The open package of a destination, or a new one, with room for so many more bytes; undefined when there is none. */
  #withRoom(destination: D, known: OpenPackage<D, T> | undefined, bytes: number): OpenPackage<D, T> | undefined {
    const { memory } = this.#parts.resources
    if (known === undefined) {
      const usual = this.#firstCapacity(destination, bytes)
      const least = bytes + destination.overheadBytes
      const capacity = memory.tryTake(usual) ? usual : memory.tryTake(least) ? least : undefined
      return capacity === undefined ? undefined : this.#openPackage(destination, capacity)
    }
    if (known.hasRoom(bytes)) return known
    const usual = this.#grownCapacity(known, bytes)
    const least = known.bytes + bytes
    const held = known.capacity
    const capacity = memory.tryTake(usual - held) ? usual : memory.tryTake(least - held) ? least : undefined
    if (capacity === undefined) return undefined
    memory.slabs.give(known.grow(memory.slabs.take(capacity)))
    return known
  }

  #addLater(destination: D, bytes: Uint8Array, ticket: T | undefined, signal?: AbortSignal): Promise<void> {
    const record = bytes.slice()
    const own = this.#abort.signal
    const stop = signal === undefined ? own : AbortSignal.any([signal, own])
    return this.#inTurn(() => this.#addWaiting(destination, record, ticket, stop))
  }

  /** Does the work when everybody who came earlier is done; nobody overtakes it. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const ahead = this.#adding
    let letNextGo = (): void => {}
    const done = new Promise<void>((resolve) => {
      letNextGo = resolve
    })
    this.#adding = done
    try {
      await ahead
      await work()
    } finally {
      if (this.#adding === done) this.#adding = undefined
      letNextGo()
    }
  }

  async #addWaiting(destination: D, record: Uint8Array, ticket: T | undefined, stop: AbortSignal): Promise<void> {
    stop.throwIfAborted()
    if (this.#tryAdd(destination, record, ticket)) return
    // Whatever the package has, it goes: a fresh one takes the least that is needed.
    const full = this.#open.get(destination.key)
    if (full !== undefined) this.#seal(full)
    const capacity = record.length + destination.overheadBytes
    const { memory } = this.#parts.resources
    await memory.take(capacity, stop)
    if (stop.aborted) {
      // Granted and aborted in the same moment.
      memory.give(capacity)
      stop.throwIfAborted()
    }
    const pack = this.#openPackage(destination, capacity)
    pack.append(record, ticket)
    this.#sealFull(pack)
  }

  #sealFull(pack: OpenPackage<D, T>): void {
    const { limits } = this.#parts
    if (pack.records >= limits.records || pack.bytes >= limits.bytes) this.#seal(pack)
  }

  #openPackage(destination: D, capacity: number): OpenPackage<D, T> {
    const { clock, limits, resources } = this.#parts
    const pack = new OpenPackage<D, T>(destination, clock.monoMs(), resources.memory.slabs.take(capacity))
    const [oldest] = this.#open.values()
    if (oldest !== undefined && this.#open.size >= limits.openMax) this.#seal(oldest)
    this.#open.set(destination.key, pack)
    if (this.#cancelTimer === undefined) this.#setTimer(limits.lingerMs)
    return pack
  }

  #firstCapacity({ key, overheadBytes }: D, recordBytes: number): number {
    const { limits, resources } = this.#parts
    const least = recordBytes + overheadBytes
    const usual = this.#sizes.get(key) ?? firstSlabBytes
    return slabBytes(least, Math.min(usual, limits.bytes), resources.memory)
  }

  #grownCapacity(pack: OpenPackage<D, T>, recordBytes: number): number {
    const { limits, resources } = this.#parts
    return slabBytes(pack.bytes + recordBytes, Math.min(pack.capacity * 2, limits.bytes), resources.memory)
  }

  #setTimer(ms: number): void {
    this.#cancelTimer = this.#parts.clock.timer(ms, () => {
      this.#cancelTimer = undefined
      this.#sealExpired()
    })
  }

  /** In the order they were opened, which is the order in which they expire. */
  #sealExpired(): void {
    const { clock, limits } = this.#parts
    const nowMs = clock.monoMs()
    for (const pack of [...this.#open.values()]) {
      const leftMs = pack.openedMs + limits.lingerMs - nowMs
      if (leftMs > 0) {
        // Whole milliseconds: a rest too small to move the clock would set the timer again at the same moment, for ever.
        this.#setTimer(Math.ceil(leftMs))
        return
      }
      this.#seal(pack)
    }
  }

  /** Somebody waits for memory. What is under way gives some back; when nothing is, the largest open package goes. */
  #relieve(): void {
    if (this.#deliveries.size > 0) return
    let largest: OpenPackage<D, T> | undefined
    for (const pack of this.#open.values())
      if (largest === undefined || pack.capacity > largest.capacity) largest = pack
    if (largest !== undefined) this.#seal(largest)
  }

  #seal(open: OpenPackage<D, T>): void {
    const { key } = open.destination
    if (this.#open.get(key) === open) this.#open.delete(key)
    if (this.#open.size === 0) {
      this.#cancelTimer?.()
      this.#cancelTimer = undefined
    }
    if (this.#sizes.size >= knownSizesMax) this.#sizes.clear()
    this.#sizes.set(key, open.bytes + (open.bytes >> 3))
    const { slab } = open
    const { memory } = this.#parts.resources
    const controller = new AbortController()
    const delivery = this.#deliver(open.seal(++this.#sequence), controller.signal).finally(() => {
      this.#deliveries.delete(delivery)
      if (this.#tails.get(key) === delivery) this.#tails.delete(key)
      memory.give(slab.length)
      // What was cut off may still be looking at it.
      if (!controller.signal.aborted) memory.slabs.give(slab)
    })
    this.#deliveries.set(delivery, controller)
    if (this.#parts.ordered) this.#tails.set(key, delivery)
  }

  async #deliver(pack: Package<D, T>, signal: AbortSignal): Promise<void> {
    if (this.#parts.ordered) await this.#tails.get(pack.destination.key)
    await deliver(this.#delivery, pack, signal)
  }
}

/** Memory for at least so many bytes, rounded up so that it can serve others later, as far as there is so much. */
const slabBytes = (least: number, usual: number, { capacity }: MemoryBudget): number =>
  Math.max(least, Math.min(SlabPool.sizeFor(Math.max(least, usual)), capacity))
