import { RecordError } from '../../core/index.ts'
import type { FileBytes } from './file-bytes.ts'
import { Line } from './line.ts'

/** How bytes become lines. */
export interface LineRules {
  /** Bytes of one read. */
  readonly readBytes: number
  /** Longest line, without its terminator. */
  readonly lineBytesMax: number
  /** `split`: a longer line becomes several of at most that length, cut between UTF-8 characters. */
  readonly onLongLine: 'fail' | 'split'
}

/** The lines of one block of a file. */
export interface LineBlock {
  readonly lines: readonly Line[]
  /** Position after the last line and its terminator. */
  readonly next: number
  /** Bytes of memory the lines keep alive. */
  readonly blockBytes: number
  /** The file has no further bytes now; what follows `next`, if anything, is the start of a line. */
  readonly atEnd: boolean
}

/** A block of newlines only would make more lines than anybody wants to hold at a time. */
const linesMax = 16_384
const newline = 10
const carriageReturn = 13

/**
 * Reads the lines that start at `from`: at least one, unless the bytes end before a line does. With `final` the end of
 * the bytes ends the last line too. Depends on the bytes alone, never on how they were read before.
 * @throws RecordError `RECORD_INVALID` when the first line is longer than the rules allow.
 */
export const readLines = async (
  bytes: FileBytes,
  path: string,
  from: number,
  rules: LineRules,
  options: { readonly final: boolean; readonly signal: AbortSignal },
): Promise<LineBlock> => {
  const { block, atEnd } = await readToNewline(bytes, from, rules, options.signal)
  const final = options.final && atEnd
  if (final) bytes.finish()
  const lines: Line[] = []
  let start = 0
  let stop = -1
  while (lines.length < linesMax) {
    if (stop < start) stop = block.indexOf(newline, start)
    const terminated = stop >= 0
    let end = terminated ? stop : block.length
    if (terminated && end > start && block[end - 1] === carriageReturn) end--
    const length = end - start
    // One byte too many may be the `\r` of a terminator that is not read yet.
    const settled = terminated || final || length > rules.lineBytesMax + 1
    if (length > rules.lineBytesMax && settled) {
      if (rules.onLongLine === 'fail') {
        if (lines.length > 0) break
        throw tooLong(path, from, rules.lineBytesMax)
      }
      end = characterEnd(block, start, rules.lineBytesMax)
      lines.push(new Line(block, start, end, path, from + start))
      start = end
    } else if (terminated) {
      lines.push(new Line(block, start, end, path, from + start))
      start = stop + 1
      stop = -1
    } else {
      if (final && length > 0) {
        lines.push(new Line(block, start, end, path, from + start))
        start = end
      }
      return { lines, next: from + start, blockBytes: block.length, atEnd }
    }
  }
  return { lines, next: from + start, blockBytes: block.length, atEnd: false }
}

/** Reads on until there is a whole line, more than the longest allowed, or no more. */
const readToNewline = async (
  bytes: FileBytes,
  from: number,
  { readBytes, lineBytesMax }: LineRules,
  signal: AbortSignal,
): Promise<{ readonly block: Uint8Array; readonly atEnd: boolean }> => {
  const first = await bytes.read(from, readBytes, signal)
  const pieces = [first]
  let length = first.length
  let atEnd = first.length < readBytes
  let last = first
  while (!atEnd && length < lineBytesMax + 2 && last.indexOf(newline) < 0) {
    signal.throwIfAborted()
    last = await bytes.read(from + length, readBytes, signal)
    atEnd = last.length < readBytes
    length += last.length
    pieces.push(last)
  }
  return { block: pieces.length === 1 ? first : join(pieces, length), atEnd }
}

const join = (pieces: readonly Uint8Array[], length: number): Uint8Array => {
  const joined = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

/** The end of a part of `length` bytes, moved back by up to three bytes to where a UTF-8 character starts. */
const characterEnd = (block: Uint8Array, start: number, length: number): number => {
  const longest = start + length
  for (let end = longest; end > start && end > longest - 4; end--) {
    if (((block[end] ?? 0) & 0xc0) !== 0x80) return end
  }
  return longest
}

const tooLong = (path: string, offset: number, lineBytesMax: number): RecordError =>
  new RecordError('RECORD_INVALID', {
    message: `the line at byte ${offset} is longer than lineBytesMax, ${lineBytesMax} bytes`,
    place: { path, position: String(offset) },
    fix: "raise lineBytesMax, or accept such lines in parts with onLongLine: 'split'",
  })
