import { describe, expect, test } from 'vitest'
import { isMillraceError } from '../../src/core/index.ts'
import { syncBlockCodec } from '../../src/testing/sync-block-codec.ts'
import { acceptedCompression, compressionName, compressionNames, decompress } from '../../src/wire/index.ts'

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call()
    return undefined
  } catch (error) {
    return isMillraceError(error) ? error.code : 'not typed'
  }
}
const raw = new TextEncoder().encode('hello '.repeat(100))

describe('the names of compressions', () => {
  test('are those of the header; no header is identity', () => {
    expect(compressionNames.map(compressionName)).toEqual(['lz4', 'zstd', 'deflate'])
    expect([compressionName(undefined), compressionName('')]).toEqual([undefined, undefined])
    for (const header of ['gzip', 'LZ4', 'lz4,zstd', '__proto__']) {
      expect(codeOf(() => compressionName(header))).toBe('WIRE_MALFORMED')
    }
  })

  test('are chosen for a pull by what it accepts: zstd, then lz4, deflate where it stands alone, else identity', () => {
    const accepted = ['zstd', 'lz4', 'lz4, zstd', 'deflate', 'gzip, deflate', '', undefined].map(acceptedCompression)
    expect(accepted).toEqual(['zstd', 'lz4', 'zstd', 'deflate', undefined, undefined, undefined])
  })
})

describe('a body', () => {
  test.each(compressionNames)('in %s is decoded when it is what its headers say', async (name) => {
    const codec = await syncBlockCodec(name)
    const body = codec.compress(raw)
    expect(Buffer.from(decompress(codec, body, raw.length, raw.length)).equals(raw)).toBe(true)
    expect(codeOf(() => decompress(codec, body, raw.length, raw.length - 1))).toBe('WIRE_LIMIT_EXCEEDED')
    for (const size of [0, raw.length - 1, raw.length + 1, -1, 0.5, Number.NaN]) {
      expect(codeOf(() => decompress(codec, body, size, 1e6))).toBe('WIRE_MALFORMED')
    }
    expect(codeOf(() => decompress(codec, body.subarray(1), raw.length, 1e6))).toBe('WIRE_MALFORMED')
  })

  test('without compression is itself when it has the size it should', () => {
    expect(decompress(undefined, raw, raw.length, raw.length)).toBe(raw)
    expect(codeOf(() => decompress(undefined, raw, raw.length + 1, 1e6))).toBe('WIRE_MALFORMED')
    expect(codeOf(() => decompress(undefined, raw, raw.length, 10))).toBe('WIRE_LIMIT_EXCEEDED')
  })

  test('over the cap is refused before a codec sees it', () => {
    const codec = { compress: () => raw, decompress: () => expect.fail('the codec was called') }
    expect(codeOf(() => decompress(codec, raw, 1001, 1000))).toBe('WIRE_LIMIT_EXCEEDED')
  })

  test('from a codec that gives another size is refused all the same', () => {
    const codec = { compress: () => raw, decompress: () => raw }
    expect(codeOf(() => decompress(codec, raw, 3, 1000))).toBe('WIRE_MALFORMED')
  })
})

test.each(compressionNames)('a bomb in %s takes no more memory than the cap, whatever it announces', async (name) => {
  const codec = await syncBlockCodec(name)
  const cap = 8 << 20
  const bomb = codec.compress(new Uint8Array(50 << 20))
  const before = process.memoryUsage.rss()
  let most = 0
  for (const announced of [1, 4096, cap - 1, cap]) {
    expect(codeOf(() => decompress(codec, bomb, announced, cap))).toBe('WIRE_MALFORMED')
    most = Math.max(most, process.memoryUsage.rss() - before)
  }
  for (const announced of [cap + 1, 50 << 20, 2 ** 31, 2 ** 40]) {
    expect(codeOf(() => decompress(codec, bomb, announced, cap))).toBe('WIRE_LIMIT_EXCEEDED')
  }
  expect(most).toBeLessThan(4 * cap)
})
