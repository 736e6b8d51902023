import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseByteSize, parseDuration, tryParseByteSize, tryParseDuration } from '../../src/core/index.ts'

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const byteUnits = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const

const rejects: readonly unknown[] = [
  '',
  '5',
  's',
  ' 5s',
  '5s ',
  '5 s',
  '-5s',
  '+5s',
  '5S',
  '1e3s',
  '.5s',
  '5.s',
  '1.2.3s',
  '5 seconds',
  '5sec',
  '1h30m',
  '٣s',
  '5constructor',
  '5toString',
  '5__proto__',
  `${'9'.repeat(400)}s`,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  -0.001,
  null,
  undefined,
  true,
  5n,
  {},
  ['5s'],
]

describe('a duration', () => {
  test.each([
    ['250ms', 250],
    ['5s', 5_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0s', 0],
    ['0.25s', 250],
    ['0.0004s', 0],
    [0, 0],
    [1_234, 1_234],
  ] as const)('of %j is %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms)
    expect(tryParseDuration(value)).toBe(ms)
  })

  test('with a whole number of any unit is that number times the unit', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom(...Object.entries(durationUnits)), (count, [unit, ms]) => {
        expect(tryParseDuration(`${count}${unit}`)).toBe(count * ms)
      }),
    )
  })

  test.each(rejects.map((value) => [value]))('is not %o', (value) => {
    expect(tryParseDuration(value)).toBeUndefined()
    expect(() => parseDuration(value as '5s')).toThrow(/is not a duration/)
  })

  test('does not take the units of sizes', () => {
    for (const unit of Object.keys(byteUnits)) expect(tryParseDuration(`1${unit}`)).toBeUndefined()
  })

  test('that is wrong gives an error with its place in words, the value and the units', () => {
    expect(() => parseDuration('5 seconds' as '5s', 'checkpoint.every')).toThrowErrorMatchingInlineSnapshot(`
      [OptionsError: OPTIONS_INVALID: checkpoint.every: "5 seconds" is not a duration
        fix: write milliseconds as a number, or a number with a unit: '250ms', '5s', '1m', '2h', '1d']
    `)
  })
})

describe('a size in bytes', () => {
  test.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['1GiB', 1_073_741_824],
    ['1.5KiB', 1_536],
    ['0B', 0],
    [0, 0],
    [77, 77],
  ] as const)('of %j is %d', (value, bytes) => {
    expect(parseByteSize(value)).toBe(bytes)
    expect(tryParseByteSize(value)).toBe(bytes)
  })

  test('with a whole number of any unit is that number times the unit', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.constantFrom(...Object.entries(byteUnits)), (count, [unit, bytes]) => {
        expect(tryParseByteSize(`${count}${unit}`)).toBe(count * bytes)
      }),
    )
  })

  test.each([...rejects, '64KB', '64kib', '1MB', '1TiB', '5s'].map((value) => [value]))('is not %o', (value) => {
    expect(tryParseByteSize(value)).toBeUndefined()
    expect(() => parseByteSize(value as '5B')).toThrow(/is not a size in bytes/)
  })

  test('that is wrong gives an error with its place in words, the value and the units', () => {
    expect(() => parseByteSize('64kb' as '64KiB', 'batchBytes')).toThrowErrorMatchingInlineSnapshot(`
      [OptionsError: OPTIONS_INVALID: batchBytes: "64kb" is not a size in bytes
        fix: write bytes as a number, or a number with a unit: '512B', '64KiB', '8MiB', '1GiB']
    `)
  })
})
