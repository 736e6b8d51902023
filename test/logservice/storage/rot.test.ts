import { describe, expect, test } from 'vitest'
import { salvage } from '../../../src/logservice/storage/index.ts'
import { batchHeaderBytes, tableEntryBytes } from '../../../src/logservice/storage/segment-format.ts'
import { simDirectoryLock } from '../../../src/testing/simulation/sim-directory-lock.ts'
import { Desk, directory, fact, first, group, second, textOf, texts } from './desk.ts'

const segment = (number: number): string => `${directory}/segment-000000000${number}.log`
const sidecar = (number: number): string => `${directory}/segment-000000000${number}.index`

/** Changes bytes of a file as rot does: nobody is told. */
const rot = (desk: Desk, path: string, change: (bytes: Uint8Array) => Uint8Array): void => {
  const bytes = change(new Uint8Array(desk.disk.bytes(path) ?? []))
  desk.disk.unlink(path)
  desk.disk.put(path, bytes)
}

const flip = (desk: Desk, path: string, at: number): void => {
  rot(desk, path, (bytes) => {
    bytes[at] = (bytes[at] ?? 0) ^ 0x10
    return bytes
  })
}

const positionOf = (desk: Desk, path: string, text: string): number =>
  Buffer.from(desk.disk.bytes(path) ?? []).indexOf(text)

const corrupt = { code: 'LOG_STORE_CORRUPT', remedy: 'stop', exitCode: 5 }

describe('rot in the last segment', () => {
  const filled = async (): Promise<Desk> => {
    const desk = new Desk()
    const { storage } = await desk.open({ segmentBytes: 1 << 20 })
    for (let n = 0; n < 10; n++) await storage.commit([group(first, `first ${n}`), group(second, `second ${n}`)])
    await storage.commit([fact('a fact')])
    await storage.commit([group(second, 'last')])
    return desk
  }

  test('takes the stream it touches out of service, and no other', async () => {
    const desk = await filled()
    flip(desk, segment(1), positionOf(desk, segment(1), 'first 4'))
    const { storage } = await desk.open()
    await expect(texts(storage, first)).rejects.toMatchObject({
      ...corrupt,
      message: expect.stringContaining('npx millrace logservice salvage'),
      place: { path: segment(1), position: String(positionOf(desk, segment(1), 'second 4') - 7) },
    })
    await expect(storage.commit([group(first, 'more')])).rejects.toMatchObject(corrupt)
    await storage.commit([group(second, 'more')])
    expect((await texts(storage, second)).slice(-2)).toEqual(['10:last', '11:more'])
    expect(storage.end(first)).toBe(10)
  })

  test('in the definitions opens nothing', async () => {
    const desk = await filled()
    flip(desk, segment(1), positionOf(desk, segment(1), 'a fact'))
    await expect(desk.open()).rejects.toMatchObject(corrupt)
    // Refusing gives the directory back.
    await expect(desk.open()).rejects.toMatchObject(corrupt)
  })

  test('in the frame of a batch opens nothing, because it may have been a definition', async () => {
    const desk = await filled()
    flip(desk, segment(1), positionOf(desk, segment(1), 'first 4') - 60)
    await expect(desk.open()).rejects.toMatchObject(corrupt)
  })

  test('at its end is a torn write, which is cut off', async () => {
    const desk = await filled()
    flip(desk, segment(1), positionOf(desk, segment(1), 'last'))
    const { storage } = await desk.open()
    expect(await texts(storage, second)).toHaveLength(10)
    await storage.commit([group(second, 'next')])
    const { storage: again } = await desk.open()
    expect((await texts(again, second)).at(-1)).toBe('10:next')
  })

  test('at its end is rot after a clean stop', async () => {
    const desk = new Desk()
    const { storage } = await desk.open()
    await storage.commit([group(first, 'kept')])
    await storage.commit([group(first, 'last')])
    await storage.close()
    flip(desk, segment(1), positionOf(desk, segment(1), 'last'))
    const { storage: again } = await desk.open()
    await expect(texts(again, first)).rejects.toMatchObject(corrupt)
  })

  test.each([0, 1, 79, 80, 100])('a segment cut to %i bytes does not stop the scan for ever', async (size) => {
    const desk = await filled()
    rot(desk, segment(1), (bytes) => bytes.slice(0, size))
    const opened = desk.open()
    if (size < 80) await expect(opened).rejects.toMatchObject(corrupt)
    else expect((await opened).storage.end(first)).toBe(0)
  })

  test('garbage and zeros behind the end change nothing', async () => {
    for (const tail of [new Uint8Array(5000), new TextEncoder().encode('mrb1'.repeat(2000))]) {
      const desk = await filled()
      rot(desk, segment(1), (bytes) => new Uint8Array([...bytes, ...tail]))
      const { storage, facts } = await desk.open()
      expect(await texts(storage, second)).toHaveLength(11)
      expect(facts.map(textOf)).toEqual(['a fact'])
    }
  })

  test('what a client sent never looks like a batch, even when it is one', async () => {
    const desk = await filled()
    const image = desk.disk.bytes(segment(1)) ?? new Uint8Array(0)
    const { storage } = await desk.open()
    await storage.commit([{ kind: 'group', stream: first, receivedMs: 1, rawBytes: 1, block: image.slice() }])
    const newest =
      desk
        .names()
        .filter((name) => name.endsWith('.log'))
        .at(-1) ?? ''
    // The write was torn at its very beginning: only what the client sent is whole.
    const path = `${directory}/${newest}`
    const sent = Buffer.from(desk.disk.bytes(path) ?? []).lastIndexOf('mrlogseg')
    flip(desk, path, sent - tableEntryBytes - batchHeaderBytes + 20)
    const again = await desk.open()
    expect(await texts(again.storage, first)).toHaveLength(10)
    expect(await texts(again.storage, second)).toHaveLength(11)
  })
})

describe('rot in ended segments', () => {
  const filled = async (): Promise<Desk> => {
    const desk = new Desk()
    desk.state = 'the state'
    const { storage } = await desk.open({ segmentBytes: 1024 })
    for (let n = 0; n < 40; n++) {
      await storage.commit([group(first, `first ${n} `.padEnd(60, 'x'))])
      await storage.commit([group(second, `second ${n} `.padEnd(60, 'x')), fact(`f${n}`)])
    }
    return desk
  }

  test('is found when it is read, and then the stream is out of service', async () => {
    const desk = await filled()
    flip(desk, segment(2), positionOf(desk, segment(2), 'first'))
    const { storage } = await desk.open({ segmentBytes: 1024, cacheBytes: 0 })
    await expect(texts(storage, first)).rejects.toMatchObject({ ...corrupt, place: { path: segment(2) } })
    await expect(storage.commit([group(first, 'x')])).rejects.toMatchObject(corrupt)
    expect(await texts(storage, second)).toHaveLength(40)
  })

  test('of the index costs a scan and nothing else', async () => {
    const desk = await filled()
    flip(desk, sidecar(2), 200)
    flip(desk, sidecar(3), 5)
    const { storage } = await desk.open({ segmentBytes: 1024 })
    expect(await texts(storage, first)).toHaveLength(40)
  })

  test('of a frame, without an index, takes out the streams whose groups are missing', async () => {
    const desk = await filled()
    desk.disk.unlink(sidecar(2))
    flip(desk, segment(2), positionOf(desk, segment(2), 'first') - 60)
    const { storage } = await desk.open({ segmentBytes: 1024 })
    await expect(texts(storage, first)).rejects.toMatchObject(corrupt)
    expect(await texts(storage, second)).toHaveLength(40)
    expect(storage.end(first)).toBe(40)
  })

  test('a segment that is missing takes out its streams', async () => {
    const desk = await filled()
    desk.disk.unlink(segment(2))
    const { storage } = await desk.open({ segmentBytes: 1024 })
    await expect(texts(storage, first)).rejects.toMatchObject(corrupt)
    await expect(texts(storage, second)).rejects.toMatchObject(corrupt)
    expect([storage.end(first), storage.end(second)]).toEqual([40, 40])
  })

  test('of the snapshot opens nothing: what was published is not absent', async () => {
    const desk = await filled()
    flip(desk, `${directory}/snapshot`, 60)
    await expect(desk.open()).rejects.toMatchObject({ ...corrupt, place: { path: `${directory}/snapshot` } })
  })

  test('a newer format is told from rot', async () => {
    const desk = await filled()
    const { digest } = desk.environment
    rot(desk, `${directory}/snapshot`, (bytes) => {
      const view = new DataView(bytes.buffer)
      view.setUint32(8, 7, true)
      view.setUint32(12, 7, true)
      view.setUint32(16, digest.crc32(bytes.subarray(20)), true)
      return bytes
    })
    await expect(desk.open()).rejects.toMatchObject({ code: 'LOG_STORE_NEWER', exitCode: 4 })
  })

  test('one bit that is wrong only once harms nobody', async () => {
    const desk = await filled()
    let reads = 0
    desk.fs = {
      ...desk.environment.fs,
      async open(path) {
        const file = await desk.environment.fs.open(path)
        return {
          stat: () => file.stat(),
          sync: () => file.sync(),
          close: () => file.close(),
          async readAt(position, length) {
            const bytes = await file.readAt(position, length)
            const at = Math.floor(bytes.length / 2)
            if (reads++ % 2 === 0) bytes[at] = (bytes[at] ?? 0) ^ 1
            return bytes
          },
        }
      },
    }
    const { storage } = await desk.open({ segmentBytes: 1024, cacheBytes: 0 })
    expect(await texts(storage, first)).toHaveLength(40)
    expect(await texts(storage, second)).toHaveLength(40)
  })

  const rescue = (desk: Desk, to = 'rescued') =>
    salvage({
      ...desk.environment,
      from: directory,
      to,
      lock: simDirectoryLock(desk.disk, { name: 'salvage', alive: true }),
      segmentBytes: 1024,
    })

  /** The rescued directory, opened as the storage of the service. */
  const openRescued = (desk: Desk) => desk.open({ directory: 'rescued', segmentBytes: 1024 })

  test('leaves a hole behind a salvage, and every other group keeps its index', async () => {
    const desk = await filled()
    const { storage } = await desk.open({ segmentBytes: 1024 })
    await storage.close()
    flip(desk, segment(2), positionOf(desk, segment(2), 'first'))
    const report = await rescue(desk)
    expect(report).toMatchObject({ groups: 79, snapshotLost: false, factsLost: 0 })
    expect(report.lost).toEqual([expect.objectContaining({ file: 'segment-0000000002.log' })])
    const [hole] = report.holes
    expect(report.holes).toEqual([{ stream: first, from: hole?.from, to: (hole?.from ?? 0) + 1 }])

    const rescued = await openRescued(desk)
    expect(textOf(rescued.snapshot ?? new Uint8Array(0))).toBe('the state')
    const groups = await texts(rescued.storage, first)
    expect(groups).toHaveLength(39)
    for (const text of groups) expect(text).toMatch(/^(\d+):first \1 x/)
    expect(groups.some((text) => text.startsWith(`${hole?.from}:`))).toBe(false)
    expect(await texts(rescued.storage, second)).toHaveLength(40)
    // A read never spans the hole: the indexes of one answer are consecutive.
    const answer = await rescued.storage.read(first, 0, { count: 100, rawBytesMax: 1e9, before: 1e9 })
    expect(answer.at(-1)?.index).toBe((hole?.from ?? 0) - 1)
    for (let n = 0; n < 30; n++) await rescued.storage.commit([group(first, `first ${40 + n} x`.padEnd(60))])
    const later = await openRescued(desk)
    expect(await texts(later.storage, first)).toHaveLength(69)
  })

  test('of a whole segment is salvaged around', async () => {
    const desk = await filled()
    desk.kill()
    desk.disk.unlink(segment(2))
    const report = await rescue(desk)
    expect(report.holes.map(({ stream }) => stream).sort()).toEqual([first, second])
    const { storage } = await openRescued(desk)
    expect([storage.end(first), storage.end(second)]).toEqual([40, 40])
    await storage.commit([group(first, 'next')])
    expect((await texts(storage, first)).at(-1)).toBe('40:next')
  })

  test('of the snapshot costs the definitions, not the groups', async () => {
    const desk = await filled()
    desk.kill()
    flip(desk, `${directory}/snapshot`, 60)
    const report = await rescue(desk)
    expect(report).toMatchObject({ groups: 80, snapshotLost: true, holes: [] })
    const { storage, snapshot } = await openRescued(desk)
    expect(snapshot).toBeUndefined()
    expect(await texts(storage, first)).toHaveLength(40)
  })

  test('behind the last snapshot leaves a hole no smaller than what was lost', async () => {
    const desk = new Desk()
    const { storage } = await desk.open()
    for (let n = 0; n < 6; n++) await storage.commit([group(first, `first ${n}`)])
    await storage.commit([group(second, 'second 0')])
    flip(desk, segment(1), positionOf(desk, segment(1), 'first 5') - 60)
    await expect(desk.open()).rejects.toMatchObject(corrupt)
    const report = await rescue(desk)
    expect(report).toMatchObject({ groups: 6, facts: 0 })
    const rescued = await openRescued(desk)
    expect(rescued.storage.end(first)).toBeGreaterThanOrEqual(6)
    expect(await texts(rescued.storage, first)).toHaveLength(5)
    expect(await texts(rescued.storage, second)).toEqual(['0:second 0'])
  })

  test('is not salvaged into a directory with something in it, nor while the service runs', async () => {
    const desk = await filled()
    desk.kill()
    desk.disk.put('taken/file', 'x')
    await expect(rescue(desk, 'taken')).rejects.toMatchObject({ code: 'STORAGE_REFUSED' })
    const { storage } = await desk.open()
    await expect(rescue(desk)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
    await storage.close()
  })

  test('a salvage that did not come to its end is not taken for a storage', async () => {
    const desk = await filled()
    desk.disk.put('half/salvage-unfinished', '')
    await expect(desk.open({ directory: 'half' })).rejects.toMatchObject({ code: 'STORAGE_REFUSED' })
  })
})
