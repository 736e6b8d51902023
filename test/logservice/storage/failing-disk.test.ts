import { describe, expect, test } from 'vitest'
import type { FileSystem, WritableFile } from '../../../src/core/index.ts'
import { openStorage } from '../../../src/logservice/storage/index.ts'
import { Desk, directory, fact, first, group, second, textOf, texts } from './desk.ts'

type Operation = 'append' | 'sync' | 'syncDirectory' | 'truncate' | 'create' | 'rename'

const failure = (code: string): Error => Object.assign(new Error(`${code}: it was told to fail`), { code })

/** A file system whose next operations of a kind fail when told. */
class Failing {
  readonly fs: FileSystem
  /** Operations that fail, with what; removed once used, unless they are to last. */
  readonly planned = new Map<Operation, { readonly code: string; readonly lasting: boolean }>()
  readonly calls: string[] = []

  constructor(fs: FileSystem) {
    const wrap = (path: string, file: WritableFile): WritableFile => ({
      get size() {
        return file.size
      },
      append: async (bytes) => {
        if (this.planned.has('append')) await file.append(bytes.subarray(0, bytes.length >> 1))
        this.#turn('append', path)
        await file.append(bytes)
      },
      truncate: async (size) => {
        this.#turn('truncate', path)
        await file.truncate(size)
      },
      sync: async () => {
        this.#turn('sync', path)
        await file.sync()
      },
      close: () => file.close(),
    })
    this.fs = {
      ...fs,
      create: async (path) => {
        this.#turn('create', path)
        return wrap(path, await fs.create(path))
      },
      rename: async (from, to) => {
        this.#turn('rename', to)
        await fs.rename(from, to)
      },
      syncDirectory: async (path) => {
        this.#turn('syncDirectory', path)
        await fs.syncDirectory(path)
      },
    }
  }

  fail(operation: Operation, code: string, lasting = false): void {
    this.planned.set(operation, { code, lasting })
  }

  #turn(operation: Operation, path: string): void {
    this.calls.push(`${operation} ${path}`)
    const planned = this.planned.get(operation)
    if (planned === undefined) return
    if (!planned.lasting) this.planned.delete(operation)
    throw failure(planned.code)
  }
}

const failingDesk = (): { readonly desk: Desk; readonly failing: Failing } => {
  const desk = new Desk()
  const failing = new Failing(desk.environment.fs)
  desk.fs = failing.fs
  return { desk, failing }
}

const unavailable = { code: 'LOG_STORE_UNAVAILABLE', remedy: 'retry' }
const failed = { code: 'LOG_STORE_FAILED', remedy: 'stop' }

describe('a commit', () => {
  test('that the disk refuses leaves nothing, and the next one goes on', async () => {
    for (const [operation, code] of [
      ['append', 'ENOSPC'],
      ['append', 'EDQUOT'],
      ['append', 'EIO'],
      ['sync', 'ENOSPC'],
    ] as const) {
      const { desk, failing } = failingDesk()
      const { storage } = await desk.open()
      await storage.commit([group(first, 'a')])
      failing.fail(operation, code)
      await expect(storage.commit([group(first, 'lost'), group(second, 'lost')])).rejects.toMatchObject(unavailable)
      expect([storage.end(first), storage.end(second)]).toEqual([1, 0])
      await storage.commit([group(first, 'b')])
      expect(await texts(storage, first)).toEqual(['0:a', '1:b'])
      const { storage: again } = await desk.open()
      expect(await texts(again, first)).toEqual(['0:a', '1:b'])
      expect(again.end(second)).toBe(0)
    }
  })

  test('whose remains cannot be cut off goes on in a new segment', async () => {
    const { desk, failing } = failingDesk()
    const { storage } = await desk.open()
    await storage.commit([group(first, 'a')])
    failing.fail('append', 'ENOSPC')
    failing.fail('truncate', 'EIO')
    await expect(storage.commit([group(first, 'lost')])).rejects.toMatchObject(unavailable)
    await storage.commit([group(first, 'b')])
    expect(desk.names().filter((name) => name.endsWith('.log'))).toHaveLength(2)
    const { storage: again } = await desk.open()
    expect(await texts(again, first)).toEqual(['0:a', '1:b'])
  })

  test('that the disk does not confirm stops the storage, and the file is never synced again', async () => {
    const { desk, failing } = failingDesk()
    const { storage } = await desk.open()
    await storage.commit([group(first, 'a')])
    failing.fail('sync', 'EIO')
    const [one, two] = [storage.commit([group(first, 'b')]), storage.commit([group(second, 'c')])]
    await expect(one).rejects.toMatchObject(failed)
    await expect(two).rejects.toMatchObject(failed)
    const calls = failing.calls.length
    await expect(storage.commit([group(first, 'd')])).rejects.toMatchObject(failed)
    await expect(storage.trim(first, 1)).rejects.toMatchObject(failed)
    expect(failing.calls.length).toBe(calls)
    // What was confirmed before is still read.
    expect(storage.end(first)).toBe(1)
    await storage.close()
    expect(failing.calls.slice(calls).filter((call) => call.startsWith('sync'))).toEqual([])
  })

  test('is not confirmed while the name of its segment is not', async () => {
    const { desk, failing } = failingDesk()
    const { storage } = await desk.open()
    failing.fail('syncDirectory', 'EIO')
    await expect(storage.commit([group(first, 'a')])).rejects.toMatchObject(failed)
  })

  test('needs a file: without one it can be repeated', async () => {
    const { desk, failing } = failingDesk()
    const { storage } = await desk.open()
    for (const operation of ['create', 'rename', 'sync'] as const) {
      failing.fail(operation, 'EMFILE')
      await expect(storage.commit([group(first, 'a')])).rejects.toMatchObject(unavailable)
    }
    await storage.commit([group(first, 'a')])
    expect(await texts(storage, first)).toEqual(['0:a'])
    expect(desk.names().filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('tells the free bytes of a full disk', async () => {
    const desk = new Desk()
    const { storage } = await desk.open()
    desk.disk.capacityBytes = desk.disk.usedBytes + 600
    await expect(storage.commit([group(first, 'x'.repeat(5000))])).rejects.toThrow(
      /no space is left \(\d+ bytes free\)/,
    )
    desk.disk.capacityBytes = 2 ** 50
    await storage.commit([group(first, 'x'.repeat(5000))])
    expect(storage.end(first)).toBe(1)
  })
})

describe('a full disk', () => {
  test('still takes trims, drops and facts from the reserve, until the space they free is back', async () => {
    const desk = new Desk()
    const options = { segmentBytes: 1024, reserveBytes: 4096 }
    const { storage } = await desk.open(options)
    for (let n = 0; n < 30; n++) await storage.commit([group(first, 'x'.repeat(300)), group(second, 'y')])
    desk.disk.capacityBytes = desk.disk.usedBytes
    await expect(storage.commit([group(first, 'z'.repeat(300))])).rejects.toMatchObject(unavailable)
    await storage.commit([fact('a fact')])
    await storage.trim(second, 28)
    await storage.drop(first)
    expect(desk.disk.freeBytes).toBeGreaterThan(0)
    await storage.trim(second, 30)
    await storage.commit([group(second, 'again')])
    expect(await texts(storage, second)).toEqual(['30:again'])
    const { storage: again, facts, snapshot } = await desk.open(options)
    expect(await texts(again, second)).toEqual(['30:again'])
    expect(snapshot !== undefined || facts.map(textOf).includes('a fact')).toBe(true)
  })

  test('lets a storage with an unconfirmed batch open, with the space of the reserve', async () => {
    const desk = new Desk()
    const options = { reserveBytes: 4096 }
    const { storage } = await desk.open(options)
    await storage.commit([group(first, 'a')])
    desk.disk.capacityBytes = desk.disk.usedBytes
    const { storage: again } = await desk.open(options)
    expect(await texts(again, first)).toEqual(['0:a'])
  })
})

describe('a storage', () => {
  test('that is closed takes nothing, and closes once', async () => {
    const desk = new Desk()
    const { storage } = await desk.open()
    const last = storage.commit([group(first, 'a')])
    await Promise.all([storage.close(), storage.close()])
    await last
    await expect(storage.commit([group(first, 'b')])).rejects.toMatchObject({ code: 'LOG_STORE_CLOSED' })
  })

  test('has one owner at a time', async () => {
    const desk = new Desk()
    const { storage } = await desk.open()
    const { clock, random, digest, log, fs } = desk.environment
    const other = {
      directory,
      fs,
      clock,
      random,
      digest,
      log,
      snapshot: () => new Uint8Array(0),
      lock: desk.lockOf('other'),
    }
    await expect(openStorage(other)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE', exitCode: 3 })
    await storage.close()
    await expect(openStorage(other)).resolves.toBeDefined()
  })

  test('refuses a file in the place of its directory, and a directory it may not use', async () => {
    const desk = new Desk()
    desk.disk.put(directory, 'x')
    await expect(desk.open()).rejects.toMatchObject({ code: 'STORAGE_REFUSED' })
  })

  test('removes half-written files and leftovers of a snapshot, whichever of them a crash left', async () => {
    const desk = new Desk()
    const { storage } = await desk.open({ segmentBytes: 1024 })
    for (let n = 0; n < 20; n++) await storage.commit([group(first, 'x'.repeat(300))])
    const dead = desk.disk.bytes(`${directory}/segment-0000000001.log`)?.slice() ?? new Uint8Array(0)
    await storage.trim(first, 20)
    await storage.close()
    desk.disk.put(`${directory}/segment-0000000001.log`, dead)
    desk.disk.put(`${directory}/segment-0000000099.log.tmp`, 'half')
    desk.disk.put(`${directory}/snapshot.tmp`, 'half')
    const { storage: again } = await desk.open({ segmentBytes: 1024 })
    expect([again.begin(first), again.end(first)]).toEqual([20, 20])
    expect(desk.names().filter((name) => /0001|tmp/.test(name))).toEqual([])
  })
})
