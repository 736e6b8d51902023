import { describe, expect, test } from 'vitest'
import { jsonSerializer, readVersioned } from '../../src/core/index.ts'

interface Position {
  readonly offset: number
}

/** Version 1 kept a bare number; version 2 keeps an object. */
const serializer = jsonSerializer<Position>('example.position', 2, (version, value) =>
  version === 1 ? { offset: value as number } : (value as Position),
)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const stored = (change: object) => ({ name: 'example.position', version: 2, bytes: bytesOf('{"offset":7}'), ...change })

describe('readVersioned', () => {
  test('reads what the serializer writes', () => {
    expect(readVersioned(serializer, stored({ bytes: serializer.serialize({ offset: 5 }) }), 'in')).toEqual({
      offset: 5,
    })
  })

  test('reads what an earlier version wrote', () => {
    expect(readVersioned(serializer, stored({ version: 1, bytes: bytesOf('7') }), 'in')).toEqual({ offset: 7 })
  })

  test('refuses another kind of thing', () => {
    expect(() => readVersioned(serializer, stored({ name: 'other' }), 'in')).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_MISMATCH',
        place: { step: 'in' },
        message: expect.stringContaining("of kind 'other', but the step now keeps 'example.position'"),
      }),
    )
  })

  test('refuses a version from the future with both numbers', () => {
    expect(() => readVersioned(serializer, stored({ version: 3 }), 'in')).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_NEWER',
        message: expect.stringMatching(/is of version 3; this program reads up to version 2/),
      }),
    )
  })

  test.each([
    ['not JSON', '{'],
    ['not UTF-8', '\xff'],
  ])('calls bytes that are %s damaged, with the cause', (_, text) => {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0))
    expect(() => readVersioned(serializer, stored({ bytes }), 'in')).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_CORRUPT', cause: expect.any(Error) }),
    )
  })
})
