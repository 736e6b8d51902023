/** A record that knows what `.parse(schema)` should look at: a line gives its JSON value, a log its fields. */
export const parseInput: unique symbol = Symbol.for('millrace.parseInput') as never

export interface Parsable {
  /** @throws any error when there is no such value; the step treats the record as invalid. */
  [parseInput](): unknown
}

export const isParsable = (record: unknown): record is Parsable =>
  typeof record === 'object' && record !== null && parseInput in record

const decoder = new TextDecoder('utf-8', { fatal: true })

/** A record as it was, for a dead letter: as text when it is text, else as base64 of its bytes or as JSON. */
export const rawRecord = (record: unknown): { readonly raw: string; readonly encoding: 'utf8' | 'base64' | 'json' } => {
  const bytes = bytesOf(record)
  if (bytes !== undefined) {
    try {
      return { raw: decoder.decode(bytes), encoding: 'utf8' }
    } catch {
      return { raw: toBase64(bytes), encoding: 'base64' }
    }
  }
  if (typeof record === 'string') return { raw: record, encoding: 'utf8' }
  return { raw: safeJson(record), encoding: 'json' }
}

const bytesOf = (record: unknown): Uint8Array | undefined => {
  if (record instanceof Uint8Array) return record
  if (typeof record !== 'object' || record === null || !('bytes' in record)) return undefined
  return record.bytes instanceof Uint8Array ? record.bytes : undefined
}

const safeJson = (value: unknown): string => {
  try {
    return (
      JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? 'undefined'
    )
  } catch {
    return String(value)
  }
}

/** Base64 without any host's help. */
export const toBase64 = (bytes: Uint8Array): string => {
  let binary = ''
  for (let start = 0; start < bytes.length; start += 8192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8192))
  }
  return btoa(binary)
}

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))

/**
 * A rough size of a value in bytes, for limits on queues: exact for bytes and text, a guess for objects, looking at most
 * two levels deep.
 */
export const estimateBytes = (value: unknown, depth = 2): number => {
  if (typeof value === 'string') return 16 + value.length
  if (typeof value !== 'object' || value === null) return 8
  const bytes = bytesOf(value)
  if (bytes !== undefined) return 48 + bytes.length
  if (depth === 0) return 64
  let total = 32
  for (const inner of Array.isArray(value) ? value.slice(0, 64) : Object.values(value)) {
    total += estimateBytes(inner, depth - 1)
  }
  return total
}

/** What the dead-letter sink of a job receives. */
export interface DeadLetter {
  /** The step that could not use the record. */
  readonly step: string
  readonly reason: string
  readonly split?: string | undefined
  readonly position?: string | undefined
  /** The record as it came in. */
  readonly raw: string
  readonly encoding: 'utf8' | 'base64' | 'json'
}
