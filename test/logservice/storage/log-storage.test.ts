import { expect, test } from 'vitest'
import type { FileSystem, WritableFile } from '../../../src/core/index.ts'
import { SeededRandom } from '../../../src/testing/index.ts'
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

/** The file system, where one kind of call can be made to wait for ever, or until it is let go. */
const gated = (fs: FileSystem) => {
  const gate = { sync: 0, appended: 0, hold: undefined as 'sync' | 'syncDirectory' | undefined, let: () => {} }
  const pass = (what: 'sync' | 'syncDirectory'): Promise<void> | undefined =>
    gate.hold === what
      ? new Promise((resolve) => {
          gate.let = resolve
        })
      : undefined
  const wrap = (file: WritableFile): WritableFile => ({
    get size() {
      return file.size
    },
    append: (bytes) => {
      gate.appended++
      return file.append(bytes)
    },
    truncate: (size) => file.truncate(size),
    async sync() {
      gate.sync++
      await pass('sync')
      await file.sync()
    },
    close: () => file.close(),
  })
  return {
    gate,
    fs: {
      ...fs,
      create: async (path: string) => wrap(await fs.create(path)),
      async syncDirectory(path: string) {
        await pass('syncDirectory')
        await fs.syncDirectory(path)
      },
    },
  }
}

const turns = async (desk: Desk, count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await desk.environment.clock.yield()
}

test('calls that come while one write is under way share the next one, and a slow disk stalls no read', async () => {
  const desk = new Desk()
  const { gate, fs } = gated(desk.environment.fs)
  desk.fs = fs
  const { storage } = await desk.open({ batchBytesMax: 8000, cacheBytes: 0 })
  await storage.commit([group(first, 'a')])
  const before = { ...gate }
  gate.hold = 'sync'
  const settled: number[] = []
  const commits = Array.from({ length: 100 }, (_, n) =>
    storage.commit([group(first, `${n}`)]).then(() => settled.push(n)),
  )
  await turns(desk)
  const late = storage.commit([group(second, 'late')])
  await turns(desk)
  expect(settled).toEqual([])
  expect(await texts(storage, first)).toEqual(['0:a'])
  expect([storage.end(first), storage.end(second)]).toEqual([1, 0])
  gate.hold = undefined
  gate.let()
  await Promise.all([...commits, late])
  expect(settled).toEqual(Array.from({ length: 100 }, (_, n) => n))
  expect(gate.sync - before.sync).toBe(2)
  expect(gate.appended - before.appended).toBe(2)
})

test('a batch is bounded, and a call that is larger is written alone', async () => {
  const desk = new Desk()
  const { gate, fs } = gated(desk.environment.fs)
  desk.fs = fs
  const { storage } = await desk.open({ batchBytesMax: 1000 })
  await storage.commit([group(first, 'a')])
  const before = gate.appended
  await Promise.all(
    ['x'.repeat(400), 'x'.repeat(400), 'x'.repeat(5000), 'y'].map((text) => storage.commit([group(first, text)])),
  )
  expect(gate.appended - before).toBe(3)
  expect(await texts(storage, first)).toHaveLength(5)
})

test('what a start has shown is there after the next power failure, also when that start was the second in a row', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const desk = new Desk()
    const { gate, fs } = gated(desk.environment.fs)
    desk.fs = fs
    const { storage } = await desk.open()
    await storage.commit([group(first, 'a')])
    gate.hold = 'sync'
    // Written, not yet confirmed; the process is killed.
    void storage.commit([group(first, 'b')])
    await turns(desk)
    gate.hold = undefined
    // The next one is killed before the name of its new segment is durable.
    let named = false
    desk.fs = {
      ...fs,
      async rename(from, to) {
        await fs.rename(from, to)
        named ||= to.endsWith('.log')
      },
      syncDirectory: (path) => (named ? new Promise(() => {}) : fs.syncDirectory(path)),
    }
    void desk.open()
    await turns(desk, 60)
    expect(named).toBe(true)
    desk.fs = desk.environment.fs
    const { storage: shown } = await desk.open()
    expect(await texts(shown, first)).toEqual(['0:a', '1:b'])
    desk.kill()
    desk.disk.powerLoss(new SeededRandom(seed))
    const { storage: again } = await desk.open()
    expect(await texts(again, first)).toEqual(['0:a', '1:b'])
  }
})

test('a read gives what its limits allow, and one group in any case', async () => {
  const desk = new Desk()
  const { storage } = await desk.open()
  await storage.commit(['aaaa', 'bb', 'cccc', 'd'].map((text) => group(first, text)))
  const read = async (from: number, count: number, rawBytesMax: number, before: number): Promise<number[]> =>
    (await storage.read(first, from, { count, rawBytesMax, before })).map(({ index }) => index)
  expect(await read(0, 9, 1000, 9)).toEqual([0, 1, 2, 3])
  expect(await read(1, 2, 1000, 9)).toEqual([1, 2])
  expect(await read(0, 9, 12, 9)).toEqual([0, 1])
  expect(await read(0, 9, 1, 9)).toEqual([0])
  expect(await read(0, 9, 1000, 2)).toEqual([0, 1])
  expect(await read(4, 9, 1000, 9)).toEqual([])
  expect(await read(2, 9, 1000, 2)).toEqual([])
  expect(storage.firstReceivedFrom(first, 1001)).toBe(4)
})

test('a commit that no caller should make is a defect, and changes nothing', async () => {
  const desk = new Desk()
  const { storage } = await desk.open()
  const wrong: readonly Partial<{ stream: number; receivedMs: number; rawBytes: number }>[] = [
    { stream: -1 },
    { stream: 2 ** 32 },
    { receivedMs: 0.5 },
    { rawBytes: Number.NaN },
  ]
  for (const change of wrong) {
    const entry = { ...group(first, 'x'), ...change } as ReturnType<typeof group>
    await expect(storage.commit([group(first, 'y'), entry])).rejects.toMatchObject({ code: 'INVARIANT_BROKEN' })
  }
  await storage.commit([])
  expect(storage.end(first)).toBe(0)
})
