/** Slabs smaller than this are not worth keeping. */
const pooledBytesMin = 4096
/** Sizes between two powers of two: the more, the less is left unused at the end of a slab (an eighth at most). */
const sizesPerOctave = 8

/**
 * Memory of packages that were sent, used again for others. Fresh buffers cost collections: V8 marks the heap after some
 * tens of megabytes of them, whatever it holds (benchmark dispatch, jobs).
 */
export class SlabPool {
  readonly #keptBytesMax: number
  /** Slabs that nobody uses, by size. */
  readonly #free = new Map<number, Uint8Array[]>()
  #keptBytes = 0

  /** @param keptBytesMax bytes of unused slabs that are kept at most */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax
  }

  /** Bytes of unused slabs. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** The next size that slabs are kept in; the same for sizes that are too small for it. */
  static sizeFor(bytes: number): number {
    if (bytes < pooledBytesMin) return bytes
    const step = 2 ** Math.floor(Math.log2(bytes)) / sizesPerOctave
    return Math.ceil(bytes / step) * step
  }

  /** A slab of exactly that size. What it holds is of no meaning. */
  take(bytes: number): Uint8Array {
    const slab = this.#free.get(bytes)?.pop()
    if (slab === undefined) return new Uint8Array(bytes)
    this.#keptBytes -= bytes
    return slab
  }

  /** Nobody reads or writes the slab any more. */
  give(slab: Uint8Array): void {
    const bytes = slab.length
    if (bytes < pooledBytesMin || bytes !== SlabPool.sizeFor(bytes)) return
    if (this.#keptBytes + bytes > this.#keptBytesMax) return
    const free = this.#free.get(bytes)
    if (free === undefined) this.#free.set(bytes, [slab])
    else free.push(slab)
    this.#keptBytes += bytes
  }
}
