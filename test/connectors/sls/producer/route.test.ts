import { describe, expect, test } from 'vitest'
import { buckets, hashKey, md5Of } from '../../../../src/connectors/sls/producer/route.ts'
import { memoryEnvironment } from '../../../../src/testing/index.ts'

const { digest } = memoryEnvironment()

const zeros = (hex: string): string => hex.padEnd(32, '0')

describe('a route', () => {
  test.each([
    [64, '127.0.0.1', 'f4'],
    [64, '192.168.0.2', '6c'],
    [64, '', 'd4'],
    [256, '127.0.0.1', 'f5'],
    [256, '192.168.0.2', '6f'],
    [256, '', 'd4'],
    [1, '127.0.0.1', ''],
  ])('of %i buckets puts %j where the official producers put it', (count, key, prefix) => {
    const route = buckets<string>(count, (text) => text)
    expect(route.hashKeyOf(key, digest)).toBe(zeros(prefix))
    expect(route.hashKeyOf(key, digest)).toBe(zeros(prefix))
  })

  test('of buckets has no more hash keys than buckets, however many keys there are', () => {
    const route = buckets<string>(8, (text) => text)
    const keys = Array.from({ length: 20_000 }, (_, index) => route.hashKeyOf(`key ${index}`, digest))
    expect(new Set(keys).size).toBe(8)
  })

  test.each([0, 3, 1024, 1.5, -2])('does not take %d buckets', (count) => {
    expect(() => buckets(count, () => '')).toThrow('power of two from 1 to 512')
  })

  test('by MD5 uses all of it', () => {
    expect(md5Of<string>((text) => text).hashKeyOf('a', digest)).toBe('0cc175b9c0f1b6a831c399e269772661')
  })

  test('by hash key gives it as it is: nothing is hashed again', () => {
    const key = 'ABCDEF00000000000000000000000001'
    expect(hashKey<string>((text) => text).hashKeyOf(key, digest)).toBe(key)
  })

  test('leaves a record without a key to the service', () => {
    for (const route of [hashKey(() => undefined), md5Of(() => undefined), buckets(2, () => undefined)]) {
      expect(route.hashKeyOf('record', digest)).toBeUndefined()
    }
  })
})
