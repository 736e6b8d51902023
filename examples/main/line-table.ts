import { hash } from 'node:crypto'

/** Where a line was seen. */
export type Place = 'input' | 'access' | 'targets'

const copiesMax = 255
const fullAt = 0.6

/**
 * How often each line was seen in each of three places. A line is its file, its offset and its bytes; of these a hash of
 * 64 bits is kept, so a line takes about 20 bytes however long it is.
 */
export class LineTable {
  #slots = 1 << 14
  #used = 0
  #hashes = new BigUint64Array(this.#slots)
  #copies: Readonly<Record<Place, Uint8Array>> = newCopies(this.#slots)
  #scratch = Buffer.alloc(4096)

  /** Lines seen anywhere. */
  get size(): number {
    return this.#used
  }

  add(place: Place, file: string, offset: number, bytes: Uint8Array): void {
    const slot = this.#slotOf(this.#hash(file, offset, bytes))
    const copies = this.#copies[place]
    const before = copies[slot] ?? 0
    if (before < copiesMax) copies[slot] = before + 1
  }

  has(place: Place, file: string, offset: number, bytes: Uint8Array): boolean {
    const key = this.#hash(file, offset, bytes)
    const slot = this.#find(key)
    return this.#hashes[slot] === key && (this.#copies[place][slot] ?? 0) > 0
  }

  /** Calls `each` with the copies of every line. */
  forEach(each: (copies: Readonly<Record<Place, number>>) => void): void {
    const { input, access, targets } = this.#copies
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#hashes[slot] === 0n) continue
      each({ input: input[slot] ?? 0, access: access[slot] ?? 0, targets: targets[slot] ?? 0 })
    }
  }

  /** Lines in a place, and copies beyond the first. */
  countOf(place: Place): { readonly lines: number; readonly again: number } {
    let lines = 0
    let again = 0
    for (const copies of this.#copies[place]) {
      if (copies === 0) continue
      lines++
      again += copies - 1
    }
    return { lines, again }
  }

  #hash(file: string, offset: number, bytes: Uint8Array): bigint {
    const head = `${file}\0${offset}\0`
    const needed = head.length * 3 + bytes.length
    if (this.#scratch.length < needed) this.#scratch = Buffer.alloc(needed * 2)
    const used = this.#scratch.write(head)
    this.#scratch.set(bytes, used)
    // Zero marks a free slot.
    return hash('sha1', this.#scratch.subarray(0, used + bytes.length), 'buffer').readBigUInt64LE() | 1n
  }

  /** The slot of a key, which is taken for it when it is new. */
  #slotOf(key: bigint): number {
    const slot = this.#find(key)
    if (this.#hashes[slot] === key) return slot
    if (this.#used >= this.#slots * fullAt) {
      this.#grow()
      return this.#slotOf(key)
    }
    this.#hashes[slot] = key
    this.#used++
    return slot
  }

  /** Where a key is, or would be. */
  #find(key: bigint): number {
    let slot = Number((key >> 1n) & BigInt(this.#slots - 1))
    while (this.#hashes[slot] !== 0n && this.#hashes[slot] !== key) slot = (slot + 1) & (this.#slots - 1)
    return slot
  }

  #grow(): void {
    const [hashes, copies, slots] = [this.#hashes, this.#copies, this.#slots]
    this.#slots *= 2
    this.#hashes = new BigUint64Array(this.#slots)
    this.#copies = newCopies(this.#slots)
    for (let from = 0; from < slots; from++) {
      const key = hashes[from] ?? 0n
      if (key === 0n) continue
      const to = this.#find(key)
      this.#hashes[to] = key
      for (const place of ['input', 'access', 'targets'] as const) this.#copies[place][to] = copies[place][from] ?? 0
    }
  }
}

const newCopies = (slots: number): Readonly<Record<Place, Uint8Array>> => ({
  input: new Uint8Array(slots),
  access: new Uint8Array(slots),
  targets: new Uint8Array(slots),
})
