import { invariant } from '../../core/index.ts'

/** Where a record goes. Records with the same `key` travel together. */
export interface Destination {
  /** Tells destinations apart. */
  readonly key: string
  /** The target that answers for it: a lane of the I/O pool. Several destinations may share one. */
  readonly lane: string
  /** Bytes that a package to it has beyond its records; they count. */
  readonly overheadBytes: number
}

/** Encoded records of one destination, sealed: the content never changes, however often it is sent. */
export class Package<D extends Destination = Destination, T = unknown> {
  readonly destination: D
  /** Number of the package among those of its writer, from 1. Parts of a split package have numbers of their own. */
  readonly sequence: number
  /** One per record, in order, when the records were given any. */
  readonly tickets: readonly T[]
  readonly #slab: Uint8Array
  readonly #start: number
  /** Where each record ends, in the slab. */
  readonly #ends: readonly number[]
  readonly #isLast: boolean

  constructor(parts: {
    readonly destination: D
    readonly sequence: number
    readonly slab: Uint8Array
    readonly start: number
    readonly ends: readonly number[]
    readonly tickets: readonly T[]
    /** Nothing else uses the slab behind it. */
    readonly isLast: boolean
  }) {
    invariant(parts.ends.length > 0, 'a package has a record')
    this.destination = parts.destination
    this.sequence = parts.sequence
    this.tickets = parts.tickets
    this.#slab = parts.slab
    this.#start = parts.start
    this.#ends = parts.ends
    this.#isLast = parts.isLast
  }

  get records(): number {
    return this.#ends.length
  }

  /** The records one after another. */
  get bytes(): Uint8Array {
    return this.#slab.subarray(this.#start, this.#end)
  }

  /** The encoded bytes of one record. */
  record(index: number): Uint8Array {
    return this.#slab.subarray(index === 0 ? this.#start : this.#ends[index - 1], this.#ends[index])
  }

  /** The records with `trailer` behind them. No copy is made when the slab has room. */
  followedBy(trailer: Uint8Array): Uint8Array {
    const end = this.#end
    const length = end - this.#start + trailer.length
    if (this.#isLast && end + trailer.length <= this.#slab.length) {
      this.#slab.set(trailer, end)
      return this.#slab.subarray(this.#start, this.#start + length)
    }
    const joined = new Uint8Array(length)
    joined.set(this.bytes)
    joined.set(trailer, length - trailer.length)
    return joined
  }

  /** Two packages of half the records each; undefined for a single record. */
  halves(sequenceOf: () => number): readonly [Package<D, T>, Package<D, T>] | undefined {
    if (this.records < 2) return undefined
    const middle = this.records >> 1
    const { destination } = this
    const part = (from: number, to: number, start: number, isLast: boolean): Package<D, T> =>
      new Package<D, T>({
        destination,
        sequence: sequenceOf(),
        slab: this.#slab,
        start,
        ends: this.#ends.slice(from, to),
        tickets: this.tickets.slice(from, to),
        isLast,
      })
    return [
      part(0, middle, this.#start, false),
      part(middle, this.records, this.#ends[middle - 1] ?? this.#start, this.#isLast),
    ]
  }

  get #end(): number {
    return this.#ends[this.#ends.length - 1] ?? this.#start
  }
}

/** A package that still takes records. What it holds of the memory budget is its `capacity`. */
export class OpenPackage<D extends Destination, T> {
  readonly destination: D
  readonly openedMs: number
  #slab: Uint8Array
  #length = 0
  readonly #ends: number[] = []
  readonly #tickets: T[] = []

  /** @param slab memory of the package, whatever it holds */
  constructor(destination: D, openedMs: number, slab: Uint8Array) {
    this.destination = destination
    this.openedMs = openedMs
    this.#slab = slab
  }

  get records(): number {
    return this.#ends.length
  }

  /** Bytes of the package as it would be sent now. */
  get bytes(): number {
    return this.#length + this.destination.overheadBytes
  }

  get capacity(): number {
    return this.#slab.length
  }

  /** Its memory. Of a package that is sealed it is in use until the package is sent. */
  get slab(): Uint8Array {
    return this.#slab
  }

  /** Whether so many more bytes have room without growing. */
  hasRoom(bytes: number): boolean {
    return this.bytes + bytes <= this.#slab.length
  }

  /** Moves to a larger slab; gives the one it had. */
  grow(slab: Uint8Array): Uint8Array {
    const before = this.#slab
    slab.set(before.subarray(0, this.#length))
    this.#slab = slab
    return before
  }

  append(record: Uint8Array, ticket: T | undefined): void {
    this.#slab.set(record, this.#length)
    this.#length += record.length
    this.#ends.push(this.#length)
    if (ticket !== undefined) this.#tickets.push(ticket)
  }

  /** Appends the records `from` to `to` of a run, which lie in `bytes` from `start` on. */
  appendRun(
    bytes: Uint8Array,
    start: number,
    ends: readonly number[],
    from: number,
    to: number,
    ticket: T | undefined,
  ): void {
    const end = ends[to - 1] as number
    this.#slab.set(bytes.subarray(start, end), this.#length)
    const shift = this.#length - start
    for (let index = from; index < to; index++) this.#ends.push((ends[index] as number) + shift)
    if (ticket !== undefined) for (let index = from; index < to; index++) this.#tickets.push(ticket)
    this.#length += end - start
  }

  seal(sequence: number): Package<D, T> {
    return new Package({
      destination: this.destination,
      sequence,
      slab: this.#slab,
      start: 0,
      ends: this.#ends,
      tickets: this.#tickets,
      isLast: true,
    })
  }
}
