import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCursor, encodeCursor } from '../../src/wire/index.ts'

test('the published pairs of cursor and position hold both ways', () => {
  const pairs: readonly [string, bigint][] = [
    ['MTcyOTA3MDYxODQyODA0NDY1NA==', 1729070618428044654n],
    ['MTcyOTA3MDYxODQyODA0NDY1NQ==', 1729070618428044655n],
    ['MTc3MjUxMDcwNjAwMDAwMDAwMA==', 1772510706000000000n],
    ['MA==', 0n],
  ]
  for (const [text, position] of pairs) {
    expect(encodeCursor(position)).toBe(text)
    expect(decodeCursor(text)).toBe(position)
  }
})

test('every int64 comes back, padded or not, and with white space at the end', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  fc.assert(
    fc.property(int64, fc.constantFrom('', '\n', ' ', ' \r\n'), (position, tail) => {
      const text = encodeCursor(position)
      expect(text.length % 4).toBe(0)
      expect(decodeCursor(`${text}${tail}`)).toBe(position)
      expect(decodeCursor(`${text.replace(/=+$/, '')}${tail}`)).toBe(position)
    }),
  )
})

test('the ends of int64 are cursors, and one further is none', () => {
  for (const position of [-(2n ** 63n), 2n ** 63n - 1n]) expect(decodeCursor(encodeCursor(position))).toBe(position)
  expect(decodeCursor(btoa('9223372036854775808'))).toBeUndefined()
  expect(decodeCursor(btoa('-9223372036854775809'))).toBeUndefined()
})

test('what is not base64 of one decimal number is no cursor', () => {
  const wrong = [
    '',
    '=',
    '==',
    'M',
    'MA=',
    'MA===',
    'MA= =',
    ' MA==',
    'M A=',
    'MA==x',
    'MTcy-A==',
    'begin',
    'A'.repeat(400),
  ]
  const wrongNumbers = ['-0', '00', '01', '+1', '1.5', '1e3', ' 1', '1 ', '0x1', 'abc', '1n', '--1']
  for (const text of [...wrong, ...wrongNumbers.map((number) => btoa(number))])
    expect(decodeCursor(text)).toBeUndefined()
  expect(decodeCursor('MTcyOTA3MDYxODQyODA0NDY1NQ=='.slice(10))).toBeUndefined()
})

test('any text gives undefined or a position that encodes to the same digits', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      const position = decodeCursor(text)
      if (position !== undefined) expect(atob(encodeCursor(position))).toBe(atob(text.trim()))
    }),
  )
})
