import { describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor } from '../../src/wire/index.ts'
import { oneLog, serviceWithLogstore, type TestService } from './service.ts'

const cursorTime = async (service: TestService, cursor: string): Promise<number> => {
  const target = `/logstores/ls/shards/0?type=cursor_time&cursor=${encodeURIComponent(cursor)}`
  return ((await service.json('GET', target)) as { cursor_time: number }).cursor_time
}

const moved = (cursor: string, by: bigint): string => encodeCursor((decodeCursor(cursor) ?? 0n) + by)

describe('cursors', () => {
  test('of a time stand before the first group received then or later', async () => {
    const service = await serviceWithLogstore()
    const start = Math.floor(service.clock.wallMs() / 1000)
    for (const message of ['a', 'b', 'c']) {
      await service.put('/logstores/ls', oneLog(message))
      await service.clock.advance(10_000)
    }
    const [begin, end] = [await service.cursor('ls', 0, 'begin'), await service.cursor('ls', 0, 'end')]
    expect(await service.cursor('ls', 0, 0)).toBe(begin)
    expect(await service.cursor('ls', 0, start - 5)).toBe(begin)
    expect(await service.cursor('ls', 0, start + 10)).toBe(moved(begin, 1n))
    expect(await service.cursor('ls', 0, start + 11)).toBe(moved(begin, 2n))
    expect(await service.cursor('ls', 0, start + 25)).toBe(end)
    expect(await service.cursor('ls', 0, start + 99_999)).toBe(end)
  })

  test('give the time their group was received, and the end gives now', async () => {
    const service = await serviceWithLogstore()
    const start = Math.floor(service.clock.wallMs() / 1000)
    await service.put('/logstores/ls')
    await service.clock.advance(10_000)
    await service.put('/logstores/ls')
    await service.clock.advance(10_000)
    const end = await service.cursor('ls', 0, 'end')
    expect(await cursorTime(service, end)).toBe(start + 20)
    expect(await cursorTime(service, moved(end, -1n))).toBe(start + 10)
    expect(await cursorTime(service, await service.cursor('ls', 0, 'begin'))).toBe(start)
  })

  test('outside of the shard are refused by the one code that clients know', async () => {
    const service = await serviceWithLogstore()
    const end = await service.cursor('ls', 0, 'end')
    for (const by of [-1n, 1n]) {
      const cursor = encodeURIComponent(moved(end, by))
      const target = `/logstores/ls/shards/0?type=cursor_time&cursor=${cursor}`
      expect(await service.refused('GET', target)).toBe('400 InvalidCursor')
    }
  })

  test('are taken without padding and with white space behind', async () => {
    const service = await serviceWithLogstore()
    const end = await service.cursor('ls', 0, 'end')
    const bare = end.replace(/=*$/, '')
    for (const cursor of [bare, `${end}\n`]) {
      expect(await cursorTime(service, cursor)).toBe(Math.floor(service.clock.wallMs() / 1000))
    }
  })

  test.each(['', 'later', '-1', '1e9', '1.5'])('are not made from "%s"', async (from) => {
    const service = await serviceWithLogstore()
    const target = `/logstores/ls/shards/0?type=cursor&from=${from}`
    expect(await service.refused('GET', target)).toBe('400 ParameterInvalid')
  })

  test('are never given out again when a logstore is made again, even when the clock stands still', async () => {
    const service = await serviceWithLogstore()
    for (let n = 0; n < 3; n++) await service.put('/logstores/ls')
    const end = await service.cursor('ls', 0, 'end')
    await service.json('DELETE', '/logstores/ls')
    await service.json('POST', '/logstores', { body: { logstoreName: 'ls', ttl: 7, shardCount: 1 } })
    const begin = await service.cursor('ls', 0, 'begin')
    expect(decodeCursor(begin) ?? 0n).toBeGreaterThan(decodeCursor(end) ?? 0n)
    const target = `/logstores/ls/shards/0?type=log&cursor=${encodeURIComponent(end)}`
    expect(await service.refused('GET', target)).toBe('400 InvalidCursor')
  })
})

describe('retention', () => {
  test('hides groups older than the ttl at once, and frees them at the next sweep', async () => {
    const service = await serviceWithLogstore()
    await service.put('/logstores/ls', oneLog('old'))
    const old = await service.cursor('ls', 0, 'begin')
    await service.clock.advance(6 * 86_400_000)
    await service.put('/logstores/ls', oneLog('young'))
    await service.clock.advance(2 * 86_400_000)
    expect(await service.cursor('ls', 0, 'begin')).toBe(moved(old, 1n))
    const target = `/logstores/ls/shards/0?type=log&cursor=${encodeURIComponent(old)}`
    expect(await service.refused('GET', target)).toBe('400 InvalidCursor')
    await service.service.sweep()
    expect([...service.disk.streams.values()].map(({ begin, end }) => [begin, end])).toEqual([[1, 2]])
  })

  test('does not bring back what it hid when the ttl is raised or the clock goes back', async () => {
    const service = await serviceWithLogstore()
    await service.put('/logstores/ls')
    await service.clock.advance(8 * 86_400_000)
    const end = await service.cursor('ls', 0, 'begin')
    await service.json('PUT', '/logstores/ls', { body: { ttl: 3650 } })
    expect(await service.cursor('ls', 0, 'begin')).toBe(end)
  })

  test('keeps for ever what has a ttl of 3650 days', async () => {
    const service = await serviceWithLogstore(1, { sweepIntervalMs: 1e9 })
    await service.json('PUT', '/logstores/ls', { body: { ttl: 3650 } })
    await service.put('/logstores/ls')
    const begin = await service.cursor('ls', 0, 'begin')
    await service.clock.advance(4000 * 86_400_000)
    expect(await service.cursor('ls', 0, 'begin')).toBe(begin)
  })

  test('by size removes the oldest groups and keeps the newest', async () => {
    const service = await serviceWithLogstore(1, { shardBytesMax: 100 })
    for (let n = 0; n < 5; n++) await service.put('/logstores/ls', oneLog('x'.repeat(30)))
    await service.put('/logstores/ls', oneLog('y'.repeat(500)))
    const end = await service.cursor('ls', 0, 'end')
    await service.service.sweep()
    expect(await service.cursor('ls', 0, 'begin')).toBe(moved(end, -1n))
  })
})
