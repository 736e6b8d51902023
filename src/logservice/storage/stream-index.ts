/** Where a group lies, and what is asked about it most. */
export interface GroupPlace {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly crc: number
  readonly rawBytes: number
  readonly receivedMs: number
}

/** A run of groups with consecutive indexes. A stream has one, unless a hole was salvaged. */
interface Piece {
  /** Index of the group in slot 0. */
  readonly origin: number
  /** First slot that is retained. */
  start: number
  count: number
  words: Uint32Array
  /** False once a time went back: then times are searched one by one. */
  ordered: boolean
}

const stride = 7
const firstSlots = 4
/** More than this is not taken in one piece on the word of a file. */
const expectedMax = 1_000_000

/**
 * The groups of one stream, 28 bytes each in one typed array: there are 30,000 streams, and a million groups in one.
 * Indexes grow by one; a hole is a gap between two pieces and costs nothing.
 */
export class StreamIndex {
  #pieces: Piece[] = []
  #begin: number
  #end: number
  #rawBytes = 0

  readonly #groups: number

  /**
   * @param begin the index the next group gets
   * @param groups how many it is about to get, when that is known
   */
  constructor(begin = 0, groups = 0) {
    this.#begin = begin
    this.#end = begin
    this.#groups = Math.min(groups, expectedMax)
  }

  get begin(): number {
    return this.#begin
  }

  get end(): number {
    return this.#end
  }

  get rawBytes(): number {
    return this.#rawBytes
  }

  push(place: GroupPlace): void {
    let piece = this.#pieces.at(-1)
    if (piece === undefined || piece.origin + piece.count !== this.#end) {
      const slots = Math.max(firstSlots, this.#pieces.length === 0 ? this.#groups : 0)
      piece = { origin: this.#end, start: 0, count: 0, words: new Uint32Array(slots * stride), ordered: true }
      this.#pieces.push(piece)
    }
    const at = piece.count * stride
    if (at === piece.words.length) {
      // By half: doubling would waste a quarter of the memory of many streams.
      const grown = new Uint32Array(Math.ceil(piece.count * 1.5) * stride)
      grown.set(piece.words)
      piece.words = grown
    }
    if (piece.count > piece.start && receivedMsAt(piece, piece.count - 1) > place.receivedMs) piece.ordered = false
    const { words } = piece
    words[at] = place.segment
    words[at + 1] = place.offset
    words[at + 2] = place.length
    words[at + 3] = place.crc
    words[at + 4] = place.rawBytes
    words[at + 5] = place.receivedMs % 2 ** 32
    words[at + 6] = Math.floor(place.receivedMs / 2 ** 32)
    piece.count++
    this.#end++
    this.#rawBytes += place.rawBytes
  }

  /** Indexes up to `end` have no group: they were lost, or trimmed before they were read again. */
  skipTo(end: number): void {
    if (this.#end > end) return
    this.#end = end
    if (this.#pieces.length === 0) this.#begin = end
  }

  get(index: number): GroupPlace | undefined {
    const piece = this.#pieceOf(index)
    if (piece === undefined) return undefined
    const at = (index - piece.origin) * stride
    const { words } = piece
    return {
      segment: words[at] ?? 0,
      offset: words[at + 1] ?? 0,
      length: words[at + 2] ?? 0,
      crc: words[at + 3] ?? 0,
      rawBytes: words[at + 4] ?? 0,
      receivedMs: receivedMsAt(piece, index - piece.origin),
    }
  }

  receivedMs(index: number): number | undefined {
    const piece = this.#pieceOf(index)
    return piece === undefined ? undefined : receivedMsAt(piece, index - piece.origin)
  }

  /** The first index from `from` on that has a group; `end` when there is none. */
  nextStored(from: number): number {
    for (const piece of this.#pieces) {
      if (piece.origin + piece.count > from) return Math.max(from, piece.origin + piece.start)
    }
    return this.#end
  }

  /** Retained indexes without a group. */
  gaps(): { readonly from: number; readonly to: number }[] {
    const gaps: { readonly from: number; readonly to: number }[] = []
    let at = this.#begin
    for (const piece of this.#pieces) {
      const first = piece.origin + piece.start
      if (first > at) gaps.push({ from: at, to: first })
      at = piece.origin + piece.count
    }
    if (this.#end > at) gaps.push({ from: at, to: this.#end })
    return gaps
  }

  firstReceivedFrom(ms: number): number {
    for (const piece of this.#pieces) {
      const slot = firstSlotFrom(piece, ms)
      if (slot < piece.count) return piece.origin + slot
    }
    return this.#end
  }

  /** Forgets groups before `index`, never more than there are, and tells each one's segment. */
  trim(index: number, onGone: (segment: number) => void): void {
    const begin = Math.min(index, this.#end)
    if (begin <= this.#begin) return
    for (const piece of this.#pieces) {
      const stop = Math.min(piece.count, begin - piece.origin)
      for (let slot = piece.start; slot < stop; slot++) {
        onGone(piece.words[slot * stride] ?? 0)
        this.#rawBytes -= piece.words[slot * stride + 4] ?? 0
      }
      if (stop > piece.start) piece.start = stop
    }
    this.#pieces = this.#pieces.filter((piece) => piece.start < piece.count).map(compact)
    this.#begin = begin
  }

  #pieceOf(index: number): Piece | undefined {
    for (const piece of this.#pieces) {
      const slot = index - piece.origin
      if (slot >= piece.start && slot < piece.count) return piece
    }
    return undefined
  }
}

const receivedMsAt = ({ words }: Piece, slot: number): number =>
  (words[slot * stride + 6] ?? 0) * 2 ** 32 + (words[slot * stride + 5] ?? 0)

/** The first retained slot received at `ms` or later; the count of slots when there is none. */
const firstSlotFrom = (piece: Piece, ms: number): number => {
  let low = piece.start
  if (!piece.ordered) {
    while (low < piece.count && receivedMsAt(piece, low) < ms) low++
    return low
  }
  let high = piece.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (receivedMsAt(piece, middle) < ms) low = middle + 1
    else high = middle
  }
  return low
}

/** Gives memory back once most of it is dead: each slot is moved at most once for each that was forgotten. */
const compact = (piece: Piece): Piece => {
  if (piece.start < 64 || piece.start * 2 < piece.count) return piece
  return {
    ...piece,
    origin: piece.origin + piece.start,
    start: 0,
    count: piece.count - piece.start,
    words: piece.words.slice(piece.start * stride, piece.count * stride),
  }
}
