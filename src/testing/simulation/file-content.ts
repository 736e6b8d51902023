import type { SeededRandom } from '../seeded-random.ts'

interface Range {
  readonly from: number
  readonly to: number
}

/** What happened to the content since the last sync, in order. */
type Change =
  | { readonly kind: 'append'; readonly from: number; to: number }
  | {
      readonly kind: 'truncate'
      readonly from: number
      readonly to: number
      readonly removed: Uint8Array
      readonly holes: readonly Range[]
    }

const nothing = new Uint8Array(0)

/**
 * The bytes of a simulated file: what every reader sees, and what a power loss may leave of it. One growing buffer holds
 * both; only what a truncation removes before the next sync is kept aside.
 */
export class FileContent {
  #bytes: Uint8Array = nothing
  #size = 0
  #unsynced: Change[] = []
  /** Bytes that a failed sync dropped: readers see them, the disk will hold zeros. */
  #holes: readonly Range[] = []
  #version = 0

  get size(): number {
    return this.#size
  }

  /** Grows with every change of the bytes: who has seen a version need not look again. */
  get version(): number {
    return this.#version
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const end = this.#size + bytes.length
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(bytes, this.#size)
    const last = this.#unsynced.at(-1)
    if (last?.kind === 'append') last.to = end
    else this.#unsynced.push({ kind: 'append', from: this.#size, to: end })
    this.#size = end
    this.#version++
  }

  truncate(size: number): void {
    if (size === this.#size) return
    const removed = this.#bytes.slice(size, this.#size)
    this.#unsynced.push({ kind: 'truncate', from: this.#size, to: size, removed, holes: this.#holes })
    this.#holes = clip(this.#holes, size)
    this.#size = size
    this.#version++
  }

  sync(): void {
    this.#unsynced = []
  }

  /**
   * A sync that fails as it does on Linux: what was dirty is dropped but still seen by readers, and the next sync succeeds
   * without having written it.
   */
  failSync(): void {
    const from = leastSize(this.#unsynced, this.#size)
    if (from < this.#size) this.#holes = [...this.#holes, { from, to: this.#size }]
  }

  /** A copy of up to `length` bytes from `position`. */
  read(position: number, length: number): Uint8Array {
    return this.#bytes.slice(Math.min(position, this.#size), Math.min(position + length, this.#size))
  }

  /** What readers see, without a copy: to look at, not to keep or change. */
  volatile(): Uint8Array {
    return this.#bytes.subarray(0, this.#size)
  }

  /** What is sure to survive a power loss. A copy only while it differs from what readers see. */
  durable(): Uint8Array {
    if (this.#unsynced.length === 0 && this.#holes.length === 0) return this.volatile()
    const copy = this.#copy()
    copy.#undo(0)
    copy.#zeroHoles()
    return copy.volatile()
  }

  /**
   * A power loss: some moment since the last sync survives, the append under way in part, the end of what was not synced
   * sometimes as zeros (the new size reached the disk, the data did not). Synced bytes are never touched.
   */
  loseUnsynced(random: SeededRandom): void {
    const kept = random.int(this.#unsynced.length + 1)
    const cut = this.#unsynced[kept]
    const survivors = this.#unsynced.slice(0, kept)
    this.#undo(kept)
    if (cut?.kind === 'append') {
      const size = cut.from + random.int(cut.to - cut.from + 1)
      survivors.push({ ...cut, to: size })
      this.#size = size
    }
    const synced = leastSize(survivors, this.#size)
    if (this.#size > synced && random.bool(0.3)) {
      this.#bytes.fill(0, synced + random.int(this.#size - synced + 1), this.#size)
    }
    this.#holes = clip(this.#holes, this.#size)
    this.#zeroHoles()
    const last = this.#holes.at(-1)
    if (last !== undefined && last.to === this.#size && random.bool(0.5)) this.#size = last.from
    this.#unsynced = []
    this.#holes = []
    this.#version++
  }

  #copy(): FileContent {
    const copy = new FileContent()
    copy.#bytes = this.#bytes.slice(0, this.#size)
    copy.#size = this.#size
    copy.#unsynced = [...this.#unsynced]
    copy.#holes = this.#holes
    return copy
  }

  /** Takes back every change from the given one on. */
  #undo(from: number): void {
    for (let index = this.#unsynced.length - 1; index >= from; index--) {
      const change = this.#unsynced[index]
      if (change === undefined) continue
      if (change.kind === 'truncate') {
        if (change.from > this.#bytes.length) this.#grow(change.from)
        this.#bytes.set(change.removed, change.to)
        this.#holes = change.holes
      }
      this.#size = change.from
    }
    this.#unsynced.length = Math.min(this.#unsynced.length, from)
    this.#holes = clip(this.#holes, this.#size)
  }

  #zeroHoles(): void {
    for (const hole of this.#holes) this.#bytes.fill(0, hole.from, hole.to)
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(64, least, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = grown
  }
}

/** What no change has touched: the smallest size on the way to the size of now. */
const leastSize = (changes: readonly Change[], size: number): number =>
  changes.reduce((least, { from, to }) => Math.min(least, from, to), size)

const clip = (ranges: readonly Range[], size: number): readonly Range[] =>
  ranges.length === 0
    ? ranges
    : ranges.filter(({ from }) => from < size).map(({ from, to }) => ({ from, to: Math.min(to, size) }))
