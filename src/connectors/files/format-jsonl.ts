import { asError } from '../../core/index.ts'
import type { EncodingProblem, RecordFormat } from './format.ts'

const lineFeed = 10
const fix = 'map the record to plain JSON values before the sink, or give the sink an encoder of your own'

/** One JSON text per line. */
export const jsonLinesFormat: RecordFormat<unknown> = {
  extension: 'jsonl',
  header: undefined,
  encode(record, into) {
    let text: string | undefined
    try {
      text = JSON.stringify(record)
    } catch (thrown) {
      return { message: `the record has no JSON: ${blame(record, asError(thrown))}`, fix }
    }
    if (text === undefined) return noText(record)
    into.appendText(text)
    into.appendByte(lineFeed)
    return undefined
  },
}

const noText = (record: unknown): EncodingProblem => ({
  message: `the record has no JSON: it is ${record === undefined ? 'undefined' : `a ${typeof record}`}`,
  fix,
})

/** What in the record JSON cannot hold, by its path. */
const blame = (record: unknown, thrown: Error): string => {
  try {
    return findCulprit(record, '$', []) ?? thrown.message
  } catch {
    // A getter or a proxy of the record that throws, or a depth no stack can hold.
    return thrown.message
  }
}

const findCulprit = (value: unknown, path: string, above: readonly object[]): string | undefined => {
  if (typeof value === 'bigint') return `${path} is a bigint`
  if (typeof value !== 'object' || value === null) return undefined
  if (above.includes(value)) return `${path} refers back to an object it is part of`
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined
  const around = [...above, value]
  for (const [name, inner] of Object.entries(value)) {
    const found = findCulprit(inner, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`, around)
    if (found !== undefined) return found
  }
  return undefined
}
