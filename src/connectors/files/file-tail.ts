import type { FileStat } from '../../core/index.ts'
import type { FileCursor } from './file-cursor.ts'
import { mayBecomeGzip } from './file-cursor.ts'
import type { FileSplit } from './file-split.ts'
import { type LineBlock, type LineRules, readLines } from './line-block.ts'

/** What a look at a growing file gave. */
export type TailLook =
  | { readonly kind: 'lines'; readonly block: LineBlock }
  /** No complete line follows the position now. */
  | { readonly kind: 'nothing' }
  /** The file was cut short, and what it holds now is something else. */
  | { readonly kind: 'restarted' }
  /** The file lost its name, nothing was written for a while, and these are the last lines. */
  | { readonly kind: 'last'; readonly block: LineBlock }

export interface TailOptions {
  readonly rules: LineRules
  readonly path: string
  readonly nowMs: number
  /** Since when the file has no watched name. */
  readonly goneMs: number | undefined
  readonly rotateWaitMs: number
  readonly signal: AbortSignal
}

/**
 * Reads the complete lines after the position of `split` in a file that others append to, rename, remove or cut short.
 * What the file starts with is compared before and after the bytes are read, so bytes of a file that was cut short and
 * written anew never pass for a continuation.
 */
export const readTail = async (cursor: FileCursor, split: FileSplit, options: TailOptions): Promise<TailLook> => {
  const before = await cursor.file.stat()
  if (!(await isSameContent(cursor, before, cursor.consumed(split), options.nowMs))) return { kind: 'restarted' }
  const quietSinceMs = Math.max(options.goneMs ?? 0, cursor.changedMs)
  const final = options.goneMs !== undefined && options.nowMs - quietSinceMs >= options.rotateWaitMs
  if (!final && (await hasNoLine(cursor, split, before, options))) return { kind: 'nothing' }
  const { rules, path, signal } = options
  const block = await readLines(cursor.bytes, path, split.position, rules, { final, signal })
  const after = await cursor.file.stat()
  const readTo = cursor.isGzip ? cursor.consumed(split) : split.position + block.blockBytes
  if (!(await isSameContent(cursor, after, readTo, options.nowMs))) return { kind: 'restarted' }
  if (final) {
    // Somebody still writes: what looked like the last line may go on.
    if (cursor.changedMs > quietSinceMs) return { kind: 'nothing' }
    return { kind: block.atEnd ? 'last' : 'lines', block }
  }
  if (block.atEnd && block.lines.length === 0) {
    const size = cursor.isGzip ? before.size : split.position + block.blockBytes
    cursor.noLine = { position: split.position, size, partBytes: block.blockBytes }
    return { kind: 'nothing' }
  }
  return { kind: 'lines', block }
}

/** False when the file is shorter than what was read of it, or starts with something else. */
const isSameContent = async (
  cursor: FileCursor,
  stat: FileStat,
  readBytes: number,
  nowMs: number,
): Promise<boolean> => {
  const { lastLook } = cursor
  if (lastLook !== undefined && lastLook.size === stat.size && lastLook.modifiedMs === stat.modifiedMs) return true
  if (stat.size < readBytes || !(await cursor.verifyPrefix())) return false
  cursor.lastLook = { size: stat.size, modifiedMs: stat.modifiedMs }
  cursor.changedMs = nowMs
  return true
}

/** Looks only at what came since the last look: a line that grows slowly is not read from its start each time. */
const hasNoLine = async (
  cursor: FileCursor,
  split: FileSplit,
  { size }: FileStat,
  { rules, signal }: TailOptions,
): Promise<boolean> => {
  if (mayBecomeGzip(cursor.prefix)) return true
  const known = cursor.noLine?.position === split.position ? cursor.noLine : undefined
  if (known !== undefined && size <= known.size) return true
  if (cursor.isGzip) return false
  if (size <= split.position) {
    cursor.noLine = { position: split.position, size, partBytes: 0 }
    return true
  }
  if (known === undefined || size - split.position > rules.lineBytesMax + 1) return false
  let at = known.size
  while (at < size) {
    const bytes = await cursor.bytes.read(at, Math.min(rules.readBytes, size - at), signal)
    if (bytes.length === 0 || bytes.indexOf(10) >= 0) return false
    at += bytes.length
  }
  cursor.noLine = { position: split.position, size, partBytes: size - split.position }
  return true
}
