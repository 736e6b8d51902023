import type { EncodingProblem, RecordFormat } from './format.ts'

export interface TextOptions {
  /** Writes a value with line feeds inside as it is, which a reader takes for several lines. Default false. */
  readonly allowNewlines?: boolean | undefined
}

const lineFeed = 10

/** One value per line, its bytes untouched. */
export const textFormat = ({ allowNewlines = false }: TextOptions): RecordFormat<unknown> => ({
  extension: 'txt',
  header: undefined,
  encode(record, into) {
    if (typeof record === 'string') {
      const at = allowNewlines ? -1 : record.indexOf('\n')
      if (at >= 0) return twoLines(record.slice(0, at), record.length)
      into.appendText(record)
    } else {
      const bytes = bytesOf(record)
      if (bytes === undefined) return noText(record)
      const at = allowNewlines ? -1 : bytes.indexOf(lineFeed)
      if (at >= 0) return twoLines(new TextDecoder().decode(bytes.subarray(0, at)), bytes.length)
      into.appendBytes(bytes)
    }
    into.appendByte(lineFeed)
    return undefined
  },
})

const bytesOf = (record: unknown): Uint8Array | undefined => {
  if (record instanceof Uint8Array) return record
  if (typeof record !== 'object' || record === null || !('bytes' in record)) return undefined
  return record.bytes instanceof Uint8Array ? record.bytes : undefined
}

const twoLines = (head: string, length: number): EncodingProblem => ({
  message: `the value would be read back as several lines: a line feed follows ${quote(head)} (${length} long)`,
  fix: "write it with format 'jsonl', or accept it with format: { text: { allowNewlines: true } }",
})

const noText = (record: unknown): EncodingProblem => ({
  message: `format 'text' takes strings, bytes and objects with 'bytes', not ${nameOf(record)}`,
  fix: "map the record to a string before the sink, or use format 'jsonl'",
})

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)

const nameOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value !== 'object') return `a ${typeof value}`
  const keys = Object.keys(value)
  return keys.length === 0 ? 'an empty object' : `an object with ${keys.slice(0, 5).join(', ')}`
}
