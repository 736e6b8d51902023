import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeList, encodeList } from '../../src/runtime/state-list.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const someItem = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: 'binary' }).map(utf8),
  fc.constantFrom('', '\n', '\r', 'a\nb', 'T\n', 'B', '{"a":1}', 'é', '\ufeff', '\0').map(utf8),
)

describe('a list of items', () => {
  test('comes back as it was, whatever the items are', () => {
    fc.assert(
      fc.property(fc.array(someItem), (items) => {
        expect(decodeList(encodeList(items)).map(hex)).toEqual(items.map(hex))
      }),
      { numRuns: 500 },
    )
  })

  test('is lines for a person to read when the items are text', () => {
    expect(text(encodeList([utf8('{"a":1}'), utf8('é')]))).toBe('T\n{"a":1}\né\n')
    expect(text(encodeList([]))).toBe('T\n')
  })

  test.each<[string, Uint8Array]>([
    ['a line break', utf8('a\nb')],
    ['a carriage return', utf8('a\rb')],
    ['nothing', new Uint8Array()],
    ['bytes that are not UTF-8', Uint8Array.of(255)],
  ])('has lengths when an item has %s', (_, item) => {
    const bytes = encodeList([utf8('text'), item])
    expect(bytes[0]).toBe('B'.charCodeAt(0))
    expect(decodeList(bytes).map(hex)).toEqual([hex(utf8('text')), hex(item)])
  })

  test('can be read out of the middle of a larger array', () => {
    const bytes = encodeList([Uint8Array.of(1, 2), Uint8Array.of(3)])
    const larger = new Uint8Array(bytes.length + 7)
    larger.set(bytes, 5)
    expect(decodeList(larger.subarray(5, 5 + bytes.length)).map(hex)).toEqual(['0102', '03'])
  })

  test('that is cut short is refused or is a shorter list, and never gives part of an item', () => {
    fc.assert(
      fc.property(fc.array(someItem, { minLength: 1, maxLength: 5 }), (items) => {
        const whole = encodeList(items)
        for (let length = 0; length < whole.length; length++) {
          let read: string[]
          try {
            read = decodeList(whole.subarray(0, length)).map(hex)
          } catch {
            continue
          }
          expect(read).toEqual(items.slice(0, read.length).map(hex))
          expect(read.length).toBeLessThan(items.length)
        }
      }),
    )
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing at all', new Uint8Array(), /not a list/],
    ['another format', utf8('X\nabc'), /not a list/],
    ['a format byte alone', utf8('T'), /not a list/],
    ['a line without its end', utf8('T\nabc\nde'), /cut short/],
    ['a length without its bytes', Uint8Array.of(0x42, 0, 0, 0, 5, 1), /cut short/],
    ['half a length', Uint8Array.of(0x42, 0, 0), /cut short/],
  ])('is not %s', (_, bytes, message) => {
    expect(() => decodeList(bytes)).toThrow(message)
  })
})
