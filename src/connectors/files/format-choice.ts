import type { RecordFormat } from './format.ts'
import { type CsvOptions, csvFormat } from './format-csv.ts'
import { type CustomFormat, customFormat } from './format-custom.ts'
import { jsonLinesFormat } from './format-jsonl.ts'
import { type TextOptions, textFormat } from './format-text.ts'

/**
 * How records become bytes.
 *
 * - `'jsonl'`: the JSON of the record and a line feed.
 * - `'text'`: a string, bytes, or an object with `bytes` (such as a `Line`), exactly as they are, and a line feed.
 * - `{ text: { allowNewlines } }`: the same, with options.
 * - `{ csv: { columns } }`: comma-separated values, quoted as in RFC 4180, a header line in every part, lines ended by a
 *   line feed.
 * - `{ extension?, encode }`: an encoder of your own.
 */
export type FileFormat<T> =
  | 'jsonl'
  | 'text'
  | { readonly text: TextOptions }
  | { readonly csv: CsvOptions<T> }
  | CustomFormat<T>

/** The format that an option asks for; the option has been checked. */
export const recordFormat = <T>(format: FileFormat<T>): RecordFormat<T> => {
  if (format === 'jsonl') return jsonLinesFormat
  if (format === 'text') return textFormat({})
  if ('text' in format) return textFormat(format.text)
  if ('csv' in format) return csvFormat(format.csv)
  return customFormat(format)
}
