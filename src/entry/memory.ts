import { functionSink } from '../connectors/memory/index.ts'
import { nodeHost } from '../platform/index.ts'
import type { Sink } from '../sink/index.ts'

export {
  arraySource,
  type CollectSink,
  collectSink,
  discardSink,
  functionSink,
  type GeneratorOptions,
  generatorSource,
} from '../connectors/memory/index.ts'

/** Prints every record as a line on standard output. @param format the line of a record; JSON, or the text itself, by default */
export const printSink = <T>(format: (record: T) => string = lineOf): Sink<T, 'at-least-once'> =>
  functionSink('print', (records) => {
    for (const record of records) nodeHost.out(format(record))
  })

const lineOf = (record: unknown): string => {
  if (typeof record === 'string') return record
  if (typeof record === 'object' && record !== null && 'text' in record) return String(record.text)
  return JSON.stringify(record) ?? 'undefined'
}
