import { hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { type End, everything, linesOf } from '../shared/file-lines.ts'
import { type InputFile, isGzip } from '../shared/input.ts'
import { Results } from './output.ts'

export interface Verdict {
  /** Lines of the input, up to where the job has read. */
  readonly in: number
  /** Lines in the archive. */
  readonly out: number
  readonly lost: number
  readonly duplicate: number
  /** Lines the job counted by level; the same as `in` when nothing is wrong. */
  readonly counted: number
  /** Inputs that are gone or were replaced: nothing is left to compare the archive with but the counts of the job. */
  readonly gone: readonly string[]
}

export interface VerifyOptions {
  readonly out: string
  /** The files there were at the first start. */
  readonly files: readonly InputFile[]
  /** True when the job came to the end of every file it found. */
  readonly finished: boolean
}

/**
 * Reads input and output again, with code of its own, and compares them line by line as multisets. Where the job has read
 * to is in its counts; a finished job must have read at least what was there when it first started.
 */
export const verify = async ({ out, files, finished }: VerifyOptions): Promise<Verdict> => {
  const results = new Results(out)
  await results.refresh()
  const ends = await endsOf(results, finished ? files : [])
  const counted = results.counts().reduce((sum, { lines }) => sum + lines, 0)
  const gone = await goneFiles(ends, files)
  if (gone.length > 0) {
    const missing = counted - results.lines
    return {
      in: counted,
      out: results.lines,
      lost: Math.max(0, missing),
      duplicate: Math.max(0, -missing),
      counted,
      gone,
    }
  }
  const copies = new Map<bigint, number>()
  const count = (line: Buffer, by: number): void => {
    const key = hash('sha1', line, 'buffer').readBigUInt64LE()
    const sum = (copies.get(key) ?? 0) + by
    if (sum === 0) copies.delete(key)
    else copies.set(key, sum)
  }
  const total = { in: 0, out: 0, lost: 0, duplicate: 0 }
  for (const [path, end] of ends) {
    for await (const { bytes } of linesOf(path, end, 'also-crlf')) {
      count(bytes, 1)
      total.in++
    }
  }
  for (const path of results.archiveParts()) {
    for await (const { bytes } of linesOf(path, everything, 'lf')) {
      count(bytes, -1)
      total.out++
    }
  }
  for (const difference of copies.values()) {
    total.lost += Math.max(0, difference)
    total.duplicate += Math.max(0, -difference)
  }
  return { ...total, counted, gone }
}

const endsOf = async (results: Results, files: readonly InputFile[]): Promise<Map<string, End>> => {
  const ends = new Map<string, End>()
  const extend = (path: string, startsBefore: number, stopsAt: number): void => {
    const known = ends.get(path) ?? { startsBefore: 0, stopsAt: 0 }
    ends.set(path, {
      startsBefore: Math.max(known.startsBefore, startsBefore),
      stopsAt: Math.max(known.stopsAt, stopsAt),
    })
  }
  // `end` is one past the last byte, whether a terminator follows or not.
  for (const { file, end } of results.counts()) extend(file, end, end - 1)
  for (const { path, size } of files) {
    // The size of a compressed file says nothing about the bytes in it; it is read to its end.
    const length = (await isGzip(path)) ? Number.POSITIVE_INFINITY : size
    extend(path, length, length)
  }
  return ends
}

const goneFiles = async (ends: ReadonlyMap<string, End>, files: readonly InputFile[]): Promise<string[]> => {
  const inodes = new Map(files.map(({ path, inode }) => [path, inode]))
  const gone: string[] = []
  for (const [path, { stopsAt }] of ends) {
    const found = await stat(path).catch(() => undefined)
    const replaced = found !== undefined && found.ino !== (inodes.get(path) ?? found.ino)
    const shorter = found !== undefined && found.size < stopsAt && !(await isGzip(path))
    if (found === undefined || replaced || shorter) gone.push(path)
  }
  return gone
}
