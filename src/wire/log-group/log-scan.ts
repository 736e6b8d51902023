import { FieldCursor, fixed32At } from './field-cursor.ts'
import { pairRange } from './pair-range.ts'
import { logContentTag, logTimeNsTag, logTimeTag } from './tags.ts'
import { malformed, tooMany } from './wire-problem.ts'

const nothing = new Uint8Array(0)

/** Four numbers of `LogScan.ranges` belong to each content. */
export const rangesPerContent = 4

/**
 * Reads one log: its times, and where keys and values lie. One scan is used for many logs, so that a log costs no
 * memory of its own.
 *
 * The layout every client writes is read in place; whatever else is legal goes through a `FieldCursor`.
 */
export class LogScan {
  /** Seconds since 1970. */
  time = 0
  /** The nanosecond part; -1 when the log has none. */
  timeNs = -1
  /** Contents found. */
  count = 0
  /** Start and end of the key, start and end of the value, for each content. */
  ranges: Int32Array = new Int32Array(64 * rangesPerContent)
  readonly #cursor = new FieldCursor(nothing, 0, 0)

  /** @throws WireError when the bytes are no log, or hold more contents than `contentsMax`. */
  scan(bytes: Uint8Array, start: number, end: number, contentsMax: number): void {
    const cursor = this.#cursor
    let ranges = this.ranges
    let at = start
    let used = 0
    let time = -1
    this.timeNs = -1
    while (at < end) {
      const tag = bytes[at] as number
      if (tag === logContentTag) {
        if (used === ranges.length) ranges = this.#grow(contentsMax)
        const after = contentEnd(bytes, at, end, ranges, used)
        if (after > 0) {
          used += rangesPerContent
          at = after
          continue
        }
      } else if (tag === logTimeTag) {
        let position = at + 1
        let value = 0
        let shift = 0
        let byte = 128
        while (byte > 127 && shift < 35 && position < end) {
          byte = bytes[position++] as number
          value = (value | ((byte & 127) << shift)) >>> 0
          shift += 7
        }
        if (byte < 128) {
          time = value
          at = position
          continue
        }
      } else if (tag === logTimeNsTag && at + 5 <= end) {
        this.timeNs = fixed32At(bytes, at + 1)
        at += 5
        continue
      }
      cursor.restart(bytes, at, end).next()
      at = cursor.to
      if (cursor.tag === logContentTag) {
        if (used === ranges.length) ranges = this.#grow(contentsMax)
        const pair = pairRange(bytes, cursor.from, cursor.to)
        ranges[used] = pair.keyStart
        ranges[used + 1] = pair.keyEnd
        ranges[used + 2] = pair.valueStart
        ranges[used + 3] = pair.valueEnd
        used += rangesPerContent
      } else if (cursor.tag === logTimeTag) time = cursor.varint()
      else if (cursor.tag === logTimeNsTag) this.timeNs = cursor.fixed32()
    }
    if (time < 0) throw malformed('a log has no time', start)
    this.time = time
    this.count = used / rangesPerContent
    if (this.count > contentsMax) throw tooMany('contents in a log', 'contentsMax', contentsMax)
  }

  #grow(contentsMax: number): Int32Array {
    const room = this.ranges.length / rangesPerContent
    if (room >= contentsMax) throw tooMany('contents in a log', 'contentsMax', contentsMax)
    const grown = new Int32Array(Math.min(room * 2, contentsMax) * rangesPerContent)
    grown.set(this.ranges)
    this.ranges = grown
    return grown
  }
}

/**
 * Reads a content that is laid out as every client does it: key, then value, nothing else, in lengths of at most two
 * bytes. Gives where it ends, or 0 when it is laid out otherwise. What is read beyond the end does no harm: the content
 * is taken only when its lengths add up and it ends in time.
 */
const contentEnd = (bytes: Uint8Array, start: number, end: number, ranges: Int32Array, used: number): number => {
  let at = start + 1
  let length = bytes[at++] as number
  if (length > 127) {
    const high = bytes[at++] as number
    if (high > 127) return 0
    length = (length & 127) | (high << 7)
  }
  const stop = at + length
  if (!(stop <= end) || bytes[at] !== 0x0a) return 0
  const keyLength = bytes[at + 1] as number
  if (keyLength > 127) return 0
  const keyStart = at + 2
  at = keyStart + keyLength
  if (at + 2 > stop || bytes[at] !== 0x12) return 0
  ranges[used] = keyStart
  ranges[used + 1] = at
  let valueLength = bytes[at + 1] as number
  at += 2
  if (valueLength > 127) {
    const high = bytes[at++] as number
    if (high > 127) return 0
    valueLength = (valueLength & 127) | (high << 7)
  }
  if (at + valueLength !== stop) return 0
  ranges[used + 2] = at
  ranges[used + 3] = stop
  return stop
}
