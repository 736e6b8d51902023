import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  batchOf,
  estimateBytes,
  fromBase64,
  isParsable,
  type Origin,
  parseInput,
  pickOrigins,
  rawRecord,
  toBase64,
} from '../../src/core/index.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('base64', () => {
  test('equals that of Node, there and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(fromBase64(toBase64(bytes))).toEqual(bytes)
      }),
    )
  })

  test('takes megabytes', () => {
    const bytes = Uint8Array.from({ length: 1_000_003 }, (_, index) => index * 7)
    expect(Buffer.compare(fromBase64(toBase64(bytes)), bytes)).toBe(0)
  })
})

describe('the raw form of a record', () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  test.each<[string, unknown, { raw: string; encoding: string }]>([
    ['text is itself', 'a line', { raw: 'a line', encoding: 'utf8' }],
    ['bytes that are UTF-8 are text', utf8('é'), { raw: 'é', encoding: 'utf8' }],
    ['other bytes are base64', Uint8Array.of(255, 0), { raw: '/wA=', encoding: 'base64' }],
    ['a line is its bytes', { bytes: utf8('{}'), text: 'no' }, { raw: '{}', encoding: 'utf8' }],
    ['an object is JSON', { a: [1, null] }, { raw: '{"a":[1,null]}', encoding: 'json' }],
    ['a bigint inside is text', { a: 1n }, { raw: '{"a":"1n"}', encoding: 'json' }],
    ['an object whose bytes are none is JSON', { bytes: 5 }, { raw: '{"bytes":5}', encoding: 'json' }],
    ['undefined is its name', undefined, { raw: 'undefined', encoding: 'json' }],
    ['a circle is its text', circular, { raw: '[object Object]', encoding: 'json' }],
    ['a number is JSON', 5, { raw: '5', encoding: 'json' }],
  ])('of %s', (_, record, raw) => {
    expect(rawRecord(record)).toEqual(raw)
  })

  test('brings back any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { raw, encoding } = rawRecord(bytes)
        expect(encoding === 'utf8' ? utf8(raw) : fromBase64(raw)).toEqual(bytes)
      }),
    )
  })
})

describe('a parsable record', () => {
  test('is one that says what parse should look at', () => {
    expect(isParsable({ [parseInput]: () => 5 })).toBe(true)
    expect(isParsable({ parseInput: () => 5 })).toBe(false)
    expect(isParsable('text')).toBe(false)
    expect(isParsable(null)).toBe(false)
  })

  test('is known across two copies of the package', () => {
    expect(parseInput).toBe(Symbol.for('millrace.parseInput'))
  })
})

describe('estimateBytes', () => {
  test('grows with bytes and text', () => {
    expect(estimateBytes(new Uint8Array(1_000))).toBeGreaterThanOrEqual(1_000)
    expect(estimateBytes({ bytes: new Uint8Array(1_000) })).toBeGreaterThanOrEqual(1_000)
    expect(estimateBytes('x'.repeat(1_000))).toBeGreaterThanOrEqual(1_000)
    expect(estimateBytes({ a: { b: 'x'.repeat(1_000) } })).toBeGreaterThanOrEqual(1_000)
  })

  test('is a positive whole number for anything, also a circle', () => {
    const circle: unknown[] = []
    circle.push(circle)
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.constant(circle)), (value) => {
        const bytes = estimateBytes(value)
        expect(Number.isInteger(bytes)).toBe(true)
        expect(bytes).toBeGreaterThan(0)
      }),
    )
  })

  test('does not look at all of a long list', () => {
    expect(estimateBytes(new Array(1_000_000).fill('xxxx'))).toBeLessThan(10_000)
  })
})

describe('origins of picked records', () => {
  test('are those of the records they were picked from', () => {
    const origins = { at: (index: number): Origin => ({ split: 's', position: String(index) }) }
    const picked = pickOrigins(pickOrigins(origins, [1, 3, 5, 7]), [0, 3])
    expect([picked.at(0).position, picked.at(1).position]).toEqual(['1', '7'])
  })
})

describe('batchOf', () => {
  test('gives records without columns, and a size', () => {
    expect(batchOf(['a', 'b'])).toEqual({ kind: 'batch', records: ['a', 'b'], bytes: 128 })
    expect(batchOf(['a'], 7).bytes).toBe(7)
  })
})
