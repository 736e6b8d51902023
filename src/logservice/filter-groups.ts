import { type LogView, viewLogGroup } from '../wire/index.ts'
import { matchesQuery, type Query } from './query-syntax.ts'

export interface Filtered {
  /** Log groups with at least one matching log. */
  readonly groups: readonly Uint8Array[]
  readonly linesBefore: number
  readonly linesAfter: number
}

interface TopField {
  readonly start: number
  readonly end: number
  readonly isLog: boolean
}

const readVarint = (bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } => {
  let [value, scale] = [0, 1]
  for (let next = at; ; next++) {
    const byte = bytes[next] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return { value, next: next + 1 }
    scale *= 128
  }
}

/** The fields of a log group in their order. The group was checked when it was put. */
function* topFields(bytes: Uint8Array): Generator<TopField, void, undefined> {
  for (let start = 0; start < bytes.length; ) {
    const { value: key, next } = readVarint(bytes, start)
    const wireType = key % 8
    let end = next + (wireType === 1 ? 8 : 4)
    if (wireType === 0) end = readVarint(bytes, next).next
    if (wireType === 2) {
      const length = readVarint(bytes, next)
      end = length.next + length.value
    }
    yield { start, end, isLog: key === 10 }
    start = end
  }
}

const tagPrefix = '__tag__:'

/** Keeps the logs that match, and everything that is no log, as the bytes came (SLS protocol paper, §3.2). */
export const filterGroups = (groups: readonly Uint8Array[], query: Query): Filtered => {
  const kept: Uint8Array[] = []
  let [linesBefore, linesAfter] = [0, 0]
  for (const group of groups) {
    const view = viewLogGroup(group)
    const shared = new Map([
      ['__topic__', view.topic],
      ['__source__', view.source],
      ...view.tags.map(([name, value]) => [tagPrefix + name, value] as const),
    ])
    const fieldOf = (log: LogView) => (key: string) =>
      key === '__time__' ? String(log.time) : (shared.get(key) ?? log.get(key))
    const matching = [...view.logs()].map((log) => matchesQuery(query, fieldOf(log)))
    const count = matching.filter(Boolean).length
    linesBefore += matching.length
    linesAfter += count
    if (count === matching.length && count > 0) kept.push(group)
    else if (count > 0) kept.push(withoutLogs(group, matching))
  }
  return { groups: kept, linesBefore, linesAfter }
}

const withoutLogs = (group: Uint8Array, keep: readonly boolean[]): Uint8Array => {
  const result = new Uint8Array(group.length)
  let [length, log] = [0, 0]
  for (const { start, end, isLog } of topFields(group)) {
    if (isLog && keep[log++] !== true) continue
    result.set(group.subarray(start, end), length)
    length += end - start
  }
  return result.subarray(0, length)
}
