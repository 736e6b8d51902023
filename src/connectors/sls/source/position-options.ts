import { decodeCursor } from '../../../wire/index.ts'
import type { EndSetting, PositionSetting, StartSetting } from './source-position.ts'

/** A sentence that says what is wrong with an option. */
export type TextProblem = string

interface Reading {
  /** Exactly one logstore is read: a shard id says which shard is meant. */
  readonly one: boolean
  readonly report: (problem: TextProblem) => void
}

/** 2001 in milliseconds, and the year 5138 in seconds: what lies below was given in seconds. */
const millisecondsMin = 1e12 / 10

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const timeMsOf = (name: string, value: unknown, report: Reading['report']): number => {
  const timeMs = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : value
  if (typeof timeMs !== 'number' || !Number.isFinite(timeMs) || timeMs < 0) {
    report(`'${name}' must be a time: milliseconds since 1970, a Date, or text such as '2026-03-01T00:00:00Z'`)
    return 0
  }
  if (typeof value === 'number' && value > 0 && value < millisecondsMin) {
    report(`'${name}' is in milliseconds since 1970; ${value} looks like seconds: did you mean ${value * 1000}?`)
  }
  return timeMs
}

const positionOf = (name: string, value: unknown, report: Reading['report']): PositionSetting => {
  if (value === 'earliest' || value === 'latest') return value
  if (isObject(value) && 'time' in value && Object.keys(value).length === 1) {
    return { timeMs: timeMsOf(`${name}.time`, value['time'], report) }
  }
  report(`'${name}' must be 'earliest', 'latest' or { time }`)
  return 'earliest'
}

const cursorsOf = (name: string, value: unknown, { one, report }: Reading): ReadonlyMap<number, bigint> => {
  const cursors = new Map<number, bigint>()
  if (!one) report(`'${name}' needs 'logstore': with several, a shard id is not enough`)
  if (!isObject(value)) {
    report(`'${name}' must be an object from shard ids to cursors`)
    return cursors
  }
  for (const [id, text] of Object.entries(value)) {
    const cursor = typeof text === 'string' ? decodeCursor(text) : undefined
    if (!/^[0-9]{1,9}$/.test(id)) report(`'${name}': '${id}' is not a shard id`)
    else if (cursor === undefined) report(`'${name}': the cursor of shard ${id} is not one of the service's`)
    else cursors.set(Number(id), cursor)
  }
  return cursors
}

const unknownKeys = (value: Readonly<Record<string, unknown>>, known: readonly string[]): boolean =>
  Object.keys(value).some((key) => !known.includes(key))

/** The start of a source; every problem is reported. */
export const startOf = (
  value: unknown,
  reading: Reading & { readonly consumerGroup: string | undefined },
): StartSetting => {
  const { report, consumerGroup } = reading
  const orElse = (from: Readonly<Record<string, unknown>>): PositionSetting =>
    from['orElse'] === undefined ? 'earliest' : positionOf('start.orElse', from['orElse'], report)
  if (isObject(value) && 'group' in value && !unknownKeys(value, ['group', 'orElse'])) {
    const named = value['group'] === true ? consumerGroup : value['group']
    if (value['group'] === true && named === undefined) report("'start.group' is true, so 'consumerGroup' is needed")
    else if (typeof named !== 'string' || named === '') report("'start.group' must be true or a consumer group name")
    return { kind: 'group', group: String(named), orElse: orElse(value) }
  }
  if (isObject(value) && 'cursors' in value && !unknownKeys(value, ['cursors', 'orElse'])) {
    return { kind: 'cursors', cursors: cursorsOf('start.cursors', value['cursors'], reading), orElse: orElse(value) }
  }
  if (value === undefined) return { kind: 'position', position: 'earliest' }
  if (isObject(value) && !('time' in value)) {
    report("'start' must be 'earliest', 'latest', { time }, { group, orElse } or { cursors, orElse }")
    return { kind: 'position', position: 'earliest' }
  }
  return { kind: 'position', position: positionOf('start', value, report) }
}

/** The end of a source, null for none; every problem is reported. */
export const endOf = (value: unknown, reading: Reading): EndSetting | null => {
  if (value === undefined) return null
  if (value === 'now') return { kind: 'now' }
  if (isObject(value) && 'time' in value && !unknownKeys(value, ['time'])) {
    return { kind: 'time', timeMs: timeMsOf('end.time', value['time'], reading.report) }
  }
  if (isObject(value) && 'cursors' in value && !unknownKeys(value, ['cursors'])) {
    return { kind: 'cursors', cursors: cursorsOf('end.cursors', value['cursors'], reading) }
  }
  reading.report("'end' must be 'now', { time } or { cursors }")
  return null
}
