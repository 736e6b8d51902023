import { keyCount, keyOf } from '../records.ts'
import { linesOf, partsOf } from './parts.ts'
import { textOf } from './records.ts'
import type { CountLine } from './sls-job.ts'
import { Positions, type StoredLogs, type StoredShard } from './stored.ts'

type Problem = (text: string) => void

/** What an exactly-once output holds. */
export interface OutputFound {
  readonly lines: number
  readonly lost: number
  readonly duplicate: number
}

export interface ArchiveFound extends OutputFound {
  /** The generation that a checkpoint has each place from; 0 where the record is missing. */
  readonly generations: Int32Array
}

/** When a record was read: by which attempt, and as the how-manieth of its process. */
interface Moment {
  readonly generation: number
  readonly order: number
}

const isBefore = (a: Moment, b: Moment): boolean =>
  a.generation < b.generation || (a.generation === b.generation && a.order < b.order)

const linePattern = /^(\d+) (\S+) (\d+) (\d+) (\d+) (.*)$/

/**
 * Compares the archive with what the source holds: every log once, unchanged, each shard in order, and the shards that a
 * split or merge made after those they were made of.
 */
export const checkArchive = async (directory: string, stored: StoredLogs, problem: Problem): Promise<ArchiveFound> => {
  const seen = new Uint8Array(stored.count)
  const generations = new Int32Array(stored.count)
  const ids = stored.ids()
  const next = new Map([...stored.shards].map(([id, { first }]) => [id, first]))
  const firsts = new Map<number, Moment>()
  const lasts = new Map<number, Moment>()
  const positions = new Positions()
  let lines = 0
  for (const part of await partsOf(directory)) {
    for (const line of await linesOf(part, problem)) {
      lines++
      const [, shardText, cursor = '', index, order, idText, text] = linePattern.exec(line) ?? []
      const [shard, id] = [Number(shardText), Number(idText)]
      const position = positions.of(cursor)
      const place = position === undefined ? undefined : stored.placeOf(shard, position, Number(index))
      if (place === undefined || ids[place] !== id || text !== textOf(id)) {
        problem(`${part.path} has a line that is no log of the source: ${line.slice(0, 100)}`)
        continue
      }
      const due = next.get(shard)
      if (place !== due) problem(`${part.path}: log ${place} of shard ${shard} comes where ${due} is due`)
      next.set(shard, place + 1)
      seen[place] = (seen[place] ?? 0) + 1
      generations[place] = part.generation
      note({ generation: part.generation, order: Number(order) }, shard, firsts, lasts)
    }
  }
  checkLineage(stored, firsts, lasts, problem)
  return { lines, generations, ...tallyOf('archive', seen, problem) }
}

const note = (moment: Moment, shard: number, firsts: Map<number, Moment>, lasts: Map<number, Moment>): void => {
  const first = firsts.get(shard)
  if (first === undefined || isBefore(moment, first)) firsts.set(shard, moment)
  const last = lasts.get(shard)
  if (last === undefined || isBefore(last, moment)) lasts.set(shard, moment)
}

const overlap = ({ range: a }: StoredShard, { range: b }: StoredShard): boolean => a.begin < b.end && b.begin < a.end

/** Of two shards that share a part of the range the older one was closed before the newer one was made. */
const checkLineage = (
  stored: StoredLogs,
  firsts: ReadonlyMap<number, Moment>,
  lasts: ReadonlyMap<number, Moment>,
  problem: Problem,
): void => {
  for (const newer of stored.shards.values()) {
    const first = firsts.get(newer.id)
    for (const older of stored.shards.values()) {
      if (first === undefined || older.id >= newer.id || !overlap(older, newer)) continue
      const last = lasts.get(older.id)
      if (last !== undefined && isBefore(first, last))
        problem(`shard ${newer.id} was begun before shard ${older.id}, which it follows, was read to its end`)
    }
  }
}

const countPattern = /^\{"shard":(\d+),"cursor":"([^"]+)","index":(\d+),"key":(\d+),"count":(\d+)\}$/

const readCount = (line: string): CountLine | undefined => {
  const match = countPattern.exec(line)
  if (match === null) return undefined
  const [, shard, cursor = '', index, key, count] = match
  return { shard: Number(shard), cursor, index: Number(index), key: Number(key), count: Number(count) }
}

/** The state after every single record: the counts of a key are 1, 2, 3, … up to what a recount of the source gives. */
export const checkCounts = async (directory: string, stored: StoredLogs, problem: Problem): Promise<OutputFound> => {
  const seen = new Uint8Array(stored.count)
  const counts = new Uint32Array(keyCount)
  const ids = stored.ids()
  const positions = new Positions()
  let lines = 0
  for (const part of await partsOf(directory)) {
    for (const line of await linesOf(part, problem)) {
      lines++
      const counted = readCount(line)
      const position = counted === undefined ? undefined : positions.of(counted.cursor)
      const place =
        counted === undefined || position === undefined
          ? undefined
          : stored.placeOf(counted.shard, position, counted.index)
      if (counted === undefined || place === undefined || counted.key !== keyOf(ids[place] ?? -1)) {
        problem(`${part.path} has a count that cannot be: ${line.slice(0, 100)}`)
        continue
      }
      const { key, count } = counted
      const due = (counts[key] ?? 0) + 1
      if (count !== due) problem(`${part.path}: the state of key ${key} is ${count} where a recount gives ${due}`)
      counts[key] = count
      seen[place] = (seen[place] ?? 0) + 1
    }
  }
  const recount = new Uint32Array(keyCount)
  for (const id of ids) recount[keyOf(id)] = (recount[keyOf(id)] ?? 0) + 1
  const wrong = recount.findIndex((count, key) => counts[key] !== count)
  if (wrong >= 0) problem(`the last count of key ${wrong} is ${counts[wrong]}; a recount gives ${recount[wrong]}`)
  return { lines, ...tallyOf('counts', seen, problem) }
}

const tallyOf = (what: string, seen: Uint8Array, problem: Problem): Omit<OutputFound, 'lines'> => {
  let lost = 0
  let duplicate = 0
  for (const times of seen) {
    if (times === 0) lost++
    else duplicate += times - 1
  }
  if (lost > 0) problem(`${lost} of ${seen.length} logs are missing in the ${what}`)
  if (duplicate > 0) problem(`${duplicate} logs are in the ${what} twice`)
  return { lost, duplicate }
}
