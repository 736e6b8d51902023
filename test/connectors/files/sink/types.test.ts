import { expect, test } from 'vitest'
import { fileSink } from '../../../../src/connectors/files/index.ts'
import type { Sink } from '../../../../src/sink/index.ts'

interface Row {
  readonly level: string
  readonly ms: number
}

/** Takes a sink as a stream does: the record type comes from the stream, without annotations. */
const to = (sink: Sink<Row, 'exactly-once'>): string => sink.kind

test('the record type of a stream reaches every callback of the sink', () => {
  expect(to(fileSink({ dir: 'out', partition: (row) => `level=${row.level}` }))).toBe('files')
  expect(to(fileSink({ dir: 'out', format: { csv: { columns: ['level', ['s', (row) => row.ms / 1000]] } } }))).toBe(
    'files',
  )
  expect(to(fileSink({ dir: 'out', format: { encode: (row, append) => append(row.level) } }))).toBe('files')
})

test('a column that the records do not have, and a sink of other records, do not compile', () => {
  // @ts-expect-error there is no such property
  expect(to(fileSink({ dir: 'out', format: { csv: { columns: ['lvl'] } } }))).toBe('files')
  // @ts-expect-error it needs more than a Row has
  expect(to(fileSink<Row & { host: string }>({ dir: 'out', partition: (row) => row.host }))).toBe('files')
  // @ts-expect-error a size needs a unit that exists
  expect(() => fileSink({ dir: 'out', roll: { size: '5MB' } })).toThrow("'roll.size' must be a size")
})
