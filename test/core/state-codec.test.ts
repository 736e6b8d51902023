import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeState, encodeState, stateCodecName, stateCodecVersion } from '../../src/core/index.ts'

const roundTrip = (value: unknown): unknown => decodeState(encodeState(value))

const flat = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  fc.bigInt({ min: -10n, max: 10n }),
  fc.boolean(),
  // Within the years 1 to 9999: the codec keeps seconds, and further away they cannot hold every millisecond.
  fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z') }),
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom<unknown>(null, undefined, Number.NaN, Number.NEGATIVE_INFINITY, '', 2 ** 53, 2 ** 31, 2 ** 32),
)

/** What a user may keep in state: every kind of value, inside every kind of collection. */
const someState = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    flat,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 5 },
    ),
    fc.array(fc.tuple(flat, tie('value')), { maxLength: 5 }).map((entries) => new Map(entries)),
    fc.array(flat, { maxLength: 5 }).map((values) => new Set(values)),
  ),
})).value

/** Minus zero comes back as zero: the two are equal in JavaScript, as numbers, as keys and in collections. */
const sameOrZero = (value: unknown): unknown => (Object.is(value, -0) ? 0 : value)

const withoutMinusZero = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutMinusZero)
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [sameOrZero(key), withoutMinusZero(inner)]))
  if (value instanceof Set) return new Set([...value].map(sameOrZero))
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) {
    return sameOrZero(value)
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutMinusZero(inner)]))
}

describe('the state codec', () => {
  test('gives back whatever was kept', () => {
    fc.assert(
      fc.property(someState, (value) => {
        expect(roundTrip(value)).toStrictEqual(withoutMinusZero(value))
      }),
      { numRuns: 1000 },
    )
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['a small bigint, still as a bigint', 1n],
    ['a bigint beyond 64 bits', -(2n ** 90n)],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER],
    [
      'a map with keys of several types',
      new Map<unknown, unknown>([
        ['1', 1],
        [1, 2],
        [1n, 3],
        [true, 4],
      ]),
    ],
    ['a set', new Set([1, '1', undefined])],
    ['a date before 1970 with milliseconds', new Date(-1)],
    ['a date that is none', new Date(Number.NaN)],
    ['no bytes', new Uint8Array()],
    ['an object without properties', {}],
    ['undefined inside an object', { a: undefined }],
    ['an array of arrays', [[[]], []]],
    ['floats', Float64Array.of(1.5, -2)],
  ])('keeps %s', (_, value) => {
    expect(roundTrip(value)).toStrictEqual(value)
  })

  test('keeps every millisecond of a date', () => {
    const off = Array.from({ length: 2_000 }, (_, index) => 1_700_000_000_000 + index).filter(
      (ms) => (roundTrip(new Date(ms)) as Date).getTime() !== ms,
    )
    expect(off).toEqual([])
  })

  test('keeps shared and circular references', () => {
    const shared = { n: 1 }
    const both = roundTrip({ a: shared, b: shared }) as { a: object; b: object }
    expect(both.a).toBe(both.b)
    const circle: { self?: unknown } = {}
    circle.self = circle
    const back = roundTrip(circle) as { self: unknown }
    expect(back.self).toBe(back)
  })

  test('gives bytes that belong to the caller, and takes bytes that change afterwards', () => {
    const first = encodeState('first')
    const second = encodeState(Uint8Array.of(1, 2, 3))
    encodeState('x'.repeat(5_000))
    expect(decodeState(first)).toBe('first')
    const bytes = decodeState(second)
    second.fill(0)
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3))
  })

  test.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a function inside an object', { deep: [() => 1] }],
  ])('refuses %s', (_, value) => {
    expect(() => encodeState(value)).toThrow(/Unknown type/)
  })

  test('refuses bytes that are cut short', () => {
    const bytes = encodeState({ text: 'some text', list: [1, 2, 3] })
    for (let length = 0; length < bytes.length; length++) expect(() => decodeState(bytes.subarray(0, length))).toThrow()
  })

  // The bytes of a state are stored. Other bytes need another version.
  test('writes the bytes it always wrote', () => {
    const value = { n: 1, t: 'é', m: new Map([[1n, new Date(1_000)]]), b: Uint8Array.of(255), u: undefined }
    expect({ name: stateCodecName, version: stateCodecVersion }).toEqual({ name: 'cbor', version: 1 })
    expect(Buffer.from(encodeState(value)).toString('hex')).toMatchInlineSnapshot(
      `"b90005616e01617462c3a9616dd90103a11b0000000000000001c11a000000016162d84041ff6175f7"`,
    )
  })
})
