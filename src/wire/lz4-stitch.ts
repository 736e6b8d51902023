import { WireError } from '../core/index.ts'
import { listGroupPrefix } from './log-group/encode-log-group.ts'

/**
 * One LZ4 block out of many, without decompressing any.
 *
 * A raw LZ4 block is a row of sequences: literals, then a match that points back a distance; the last sequence has literals
 * only. Distances stay right when blocks are put one behind the other, so only the seams are written anew: the literals at
 * the end of a block, what comes between, and the literals at the start of the next become one run.
 */

const runLong = 15
const matchMin = 4
/** The last bytes of a block are literals, and the last match starts so far before the end (LZ4 block format). */
const lastLiteralsMin = 5
const lastMatchDistanceMin = 12
/** A part adds at most its prefix, a token and the length of a run. */
const seamBytesMax = 16

const broken = (what: string, at: number): WireError =>
  new WireError('WIRE_MALFORMED', { message: `an LZ4 block is not legal: ${what}, at byte ${at}` })

export interface Lz4Tail {
  /** Where the last sequence begins, the one without a match. */
  readonly tail: number
  /** What the block decodes to. */
  readonly decodedBytes: number
}

/**
 * Walks over a raw LZ4 block, once and without memory, to where its last sequence begins.
 * @throws WireError when the block is cut, points before its start, or ends as the format forbids.
 */
export const findTail = (block: Uint8Array): Lz4Tail => {
  const end = block.length
  let at = 0
  let decodedBytes = 0
  let lastMatch = -1
  while (at < end) {
    const tail = at
    const token = block[at++] as number
    let literals = token >>> 4
    if (literals === runLong) {
      for (let more = 255; more === 255; literals += more) {
        if (at >= end) throw broken('the length of literals is cut', at)
        more = block[at++] as number
      }
    }
    at += literals
    decodedBytes += literals
    if (at >= end) {
      if (at > end) throw broken('literals are cut', end)
      const legal = literals >= lastLiteralsMin && decodedBytes - lastMatch >= lastMatchDistanceMin
      if (lastMatch >= 0 && !legal) throw broken('the last match is too near to the end', tail)
      return { tail, decodedBytes }
    }
    if (at + 2 > end) throw broken('the distance of a match is cut', at)
    const distance = (block[at] as number) | ((block[at + 1] as number) << 8)
    if (distance === 0 || distance > decodedBytes) throw broken('a match points before the block', at)
    at += 2
    let match = (token & 15) + matchMin
    if ((token & 15) === runLong) {
      for (let more = 255; more === 255; match += more) {
        if (at >= end) throw broken('the length of a match is cut', at)
        more = block[at++] as number
      }
    }
    lastMatch = decodedBytes
    decodedBytes += match
  }
  throw broken('it has no last literals', end)
}

/** A block and what comes before it, plain. */
export interface Lz4Part {
  readonly before: Uint8Array
  readonly block: Uint8Array
  /** From `findTail`. */
  readonly tail: number
}

/** A stored LogGroup. */
export interface Lz4Group {
  readonly block: Uint8Array
  /** From `findTail`. */
  readonly tail: number
  /** Bytes of the group before compression. */
  readonly rawBytes: number
}

interface Run {
  /** Where the literals begin. */
  readonly from: number
  /** Where they end: at the distance of the match, or at the end of the block. */
  readonly to: number
}

const runAt = (block: Uint8Array, start: number): Run => {
  let from = start + 1
  let length = (block[start] as number) >>> 4
  if (length === runLong) {
    for (let more = 255; more === 255; length += more) more = block[from++] as number
  }
  return { from, to: from + length }
}

class Stitcher {
  readonly #out: Uint8Array
  #at = 0
  /** Literals that are not written yet: their number comes before them. */
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(bytesMax: number) {
    this.#out = new Uint8Array(bytesMax)
  }

  literals(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
  }

  block(block: Uint8Array, tail: number): void {
    if (tail > 0) {
      const first = runAt(block, 0)
      this.literals(block.subarray(first.from, first.to))
      this.#writeRun((block[0] as number) & 15)
      this.#out.set(block.subarray(first.to, tail), this.#at)
      this.#at += tail - first.to
    }
    const last = runAt(block, tail)
    this.literals(block.subarray(last.from, last.to))
  }

  finish(): Uint8Array {
    this.#writeRun(0)
    return this.#out.subarray(0, this.#at)
  }

  /** A token with the pending literals; what follows is the distance of a match of this length, or nothing. */
  #writeRun(matchNibble: number): void {
    const out = this.#out
    const length = this.#pendingBytes
    out[this.#at++] = (Math.min(length, runLong) << 4) | matchNibble
    if (length >= runLong) {
      let rest = length - runLong
      for (; rest >= 255; rest -= 255) out[this.#at++] = 255
      out[this.#at++] = rest
    }
    for (const bytes of this.#pending) {
      out.set(bytes, this.#at)
      this.#at += bytes.length
    }
    this.#pending = []
    this.#pendingBytes = 0
  }
}

/** One raw LZ4 block that decodes to all parts, each behind what comes before it. Blocks must be legal: see `findTail`. */
export const stitchLz4 = (parts: readonly Lz4Part[]): Uint8Array => {
  let bytesMax = seamBytesMax
  for (const { before, block } of parts) {
    bytesMax += block.length + before.length + Math.ceil(before.length / 255) + seamBytesMax
  }
  const stitcher = new Stitcher(bytesMax)
  for (const { before, block, tail } of parts) {
    stitcher.literals(before)
    stitcher.block(block, tail)
  }
  return stitcher.finish()
}

/** The body of a pull: a raw LZ4 block that decodes to the LogGroupList of groups that are stored as LZ4 blocks. */
export const stitchLogGroupList = (groups: readonly Lz4Group[]): Uint8Array =>
  stitchLz4(groups.map(({ block, tail, rawBytes }) => ({ before: listGroupPrefix(rawBytes), block, tail })))
