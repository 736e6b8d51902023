import { expect, test } from 'vitest'
import { bytesOf, Desk, fact, first, group, second, textOf, texts } from './desk.ts'

test('what was committed is there after a restart, in order, facts too', async () => {
  const desk = new Desk()
  const { storage, facts, snapshot } = await desk.open()
  expect([facts, snapshot]).toEqual([[], undefined])
  await storage.commit([group(first, 'a'), fact('f1'), group(second, 'b')])
  await Promise.all([storage.commit([group(first, 'c')]), storage.commit([fact('f2'), group(first, 'd')])])
  expect(await texts(storage, first)).toEqual(['0:a', '1:c', '2:d'])

  const again = await desk.open()
  expect(again.facts.map(textOf)).toEqual(['f1', 'f2'])
  expect(await texts(again.storage, first)).toEqual(['0:a', '1:c', '2:d'])
  expect(await texts(again.storage, second)).toEqual(['0:b'])
  await again.storage.commit([group(first, 'e')])
  await again.storage.close()

  const third = await desk.open({ cacheBytes: 0 })
  expect(await texts(third.storage, first)).toEqual(['0:a', '1:c', '2:d', '3:e'])
  expect(third.facts.map(textOf)).toEqual(['f1', 'f2'])
})

test('a stream that was never written is empty', async () => {
  const { storage } = await new Desk().open()
  expect([storage.begin(first), storage.end(first), storage.bytes(first)]).toEqual([0, 0, 0])
  expect(storage.receivedMs(first, -1)).toBeUndefined()
  expect(storage.firstReceivedFrom(first, 0)).toBe(0)
  expect(await texts(storage, first)).toEqual([])
  expect([...storage.streams()]).toEqual([])
})

test('segments are rolled, the owner state is kept in a snapshot, and old facts go', async () => {
  const desk = new Desk()
  const { storage } = await desk.open({ segmentBytes: 1024 })
  for (let n = 0; n < 40; n++) {
    await storage.commit([group(first, `${n}`.repeat(50)), fact(`f${n}`)])
    desk.state = `through f${n}`
  }
  const { facts, snapshot, storage: again } = await desk.open({ segmentBytes: 1024 })
  const through = Number(/through f(\d+)/.exec(textOf(snapshot ?? bytesOf('')))?.[1])
  expect(through).toBeGreaterThan(25)
  expect(facts.map(textOf)).toEqual(Array.from({ length: 39 - through }, (_, n) => `f${through + 1 + n}`))
  expect(await texts(again, first)).toHaveLength(40)
  expect(desk.names().filter((name) => name.endsWith('.log')).length).toBeGreaterThan(3)
})

test('trimmed groups are gone at once, their segments soon, and indexes are never used again', async () => {
  const desk = new Desk()
  const { storage } = await desk.open({ segmentBytes: 1024 })
  for (let n = 0; n < 40; n++) await storage.commit([group(first, 'x'.repeat(100))])
  const before = desk.names().length
  const trimmed = storage.trim(first, 100)
  expect([storage.begin(first), storage.end(first), storage.bytes(first)]).toEqual([40, 40, 0])
  await trimmed
  await storage.close()
  expect(desk.names().length).toBeLessThan(before)
  expect(desk.names().filter((name) => name.endsWith('.log')).length).toBeLessThan(2)
  const { storage: again } = await desk.open({ segmentBytes: 1024 })
  expect([again.begin(first), again.end(first)]).toEqual([40, 40])
  await again.commit([group(first, 'y')])
  expect(await texts(again, first)).toEqual(['40:y'])
})

test('a dropped stream leaves nothing behind', async () => {
  const desk = new Desk()
  const { storage } = await desk.open({ segmentBytes: 1024 })
  for (let n = 0; n < 20; n++) await storage.commit([group(first, 'x'.repeat(100)), group(second, 'y')])
  await storage.drop(first)
  expect([...storage.streams()]).toEqual([second])
  const { storage: again } = await desk.open({ segmentBytes: 1024 })
  expect([...again.streams()]).toEqual([second])
  expect(await texts(again, second)).toHaveLength(20)
})
