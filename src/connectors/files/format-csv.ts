import { asError } from '../../core/index.ts'
import type { EncodingProblem, RecordFormat } from './format.ts'
import { GrowableBytes } from './format-buffer.ts'

/** A property of the record, or a name for the header and what stands below it. */
export type CsvColumn<T> = Extract<keyof T, string> | readonly [name: string, get: (record: T) => unknown]

export interface CsvOptions<T> {
  /**
   * At least one, names unique. A missing value, `null` and `undefined` become an empty field; text, numbers, booleans
   * and bigints their text; a value with `toJSON`, such as a date, that; other objects their JSON.
   */
  readonly columns: readonly CsvColumn<T>[]
}

const lineFeed = 10
const comma = 44
const special = /[",\r\n]/

/** Comma-separated values. The header line stands in every part, so that each part can be read alone. */
export const csvFormat = <T>({ columns }: CsvOptions<T>): RecordFormat<T> => {
  const names = columns.map((column) => (typeof column === 'string' ? column : column[0]))
  const getters = columns.map((column) => (typeof column === 'string' ? property<T>(column) : column[1]))
  const byProperty = columns.some((column) => typeof column === 'string')
  const line = new GrowableBytes()
  line.appendText(`${names.map(quoted).join(',')}\n`)
  return {
    extension: 'csv',
    header: line.view(0, line.length).slice(),
    encode(record, into) {
      if (byProperty && (typeof record !== 'object' || record === null)) return notAnObject(record)
      const start = into.length
      for (let index = 0; index < getters.length; index++) {
        if (index > 0) into.appendByte(comma)
        const value = getters[index]?.(record)
        const text = fieldText(value)
        if (typeof text !== 'string') return inColumn(names[index] ?? '', text)
        into.appendText(quoted(text))
      }
      // The only field of a row being empty leaves a blank line, which many readers skip.
      if (into.length === start) into.appendText('""')
      into.appendByte(lineFeed)
      return undefined
    },
  }
}

const property =
  <T>(name: string) =>
  (record: T): unknown =>
    (record as Readonly<Record<string, unknown>>)[name]

const quoted = (text: string): string => (special.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

const fieldText = (value: unknown): string | EncodingProblem => {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value !== 'object') return noField(`it is a ${typeof value}`)
  try {
    const text: unknown = JSON.stringify(value)
    if (typeof text !== 'string') return noField('it has no JSON')
    const read: unknown = text.startsWith('"') ? JSON.parse(text) : text
    return String(read)
  } catch (thrown) {
    return noField(asError(thrown).message)
  }
}

const noField = (message: string): EncodingProblem => ({
  message,
  fix: 'give the column a function that returns text: [name, (record) => ...]',
})

const inColumn = (name: string, problem: EncodingProblem): EncodingProblem => ({
  message: `column '${name}' cannot be written: ${problem.message}`,
  fix: problem.fix,
})

const notAnObject = (record: unknown): EncodingProblem => ({
  message: `columns given by name need objects, not ${record === null ? 'null' : `a ${typeof record}`}`,
  fix: 'map the record to an object with the columns as properties',
})
