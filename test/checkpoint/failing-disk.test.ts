import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FileSystem } from '../../src/core/index.ts'
import {
  failsWith,
  keyedOf,
  largeBytes,
  publish,
  request,
  restoredSeed,
  splitsOf,
  start,
  writeState,
} from './checkpoint-store-checks.ts'
import { utf8 } from './manifests.ts'
import { type Desk, desk, failure } from './stores.ts'

let here: Desk
beforeEach(async () => {
  here = await desk()
})
afterEach(() => here.dispose())

/** The file system with some operations of its own. */
const withChange = (change: Partial<FileSystem>): FileSystem => ({ ...here.fs, ...change })

describe('a failing disk', () => {
  type Method = 'create' | 'append' | 'sync' | 'rename' | 'link' | 'syncDirectory'

  /** Fails the nth of an operation from now on. */
  const failing = (method: Method, nth: number, code: string) => {
    let left = nth
    const turn = (): void => {
      if (--left === 0) throw failure(code)
    }
    const guard = <A extends unknown[], R>(name: Method, call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (name === method) turn()
        return call(...args)
      }
    }
    const { fs } = here
    const create = async (path: string) => {
      if (method === 'create') turn()
      const file = await fs.create(path)
      return {
        get size() {
          return file.size
        },
        append: guard('append', (bytes: Uint8Array) => file.append(bytes)),
        sync: guard('sync', () => file.sync()),
        truncate: (size: number) => file.truncate(size),
        close: () => file.close(),
      }
    }
    return withChange({
      create,
      rename: guard('rename', (from: string, to: string) => fs.rename(from, to)),
      link: guard('link', (from: string, to: string) => fs.link(from, to)),
      syncDirectory: guard('syncDirectory', (path: string) => fs.syncDirectory(path)),
    })
  }

  const methods: readonly Method[] = ['create', 'append', 'sync', 'rename', 'syncDirectory']
  test.each(methods)('at any %s costs one checkpoint and nothing else', async (method) => {
    for (let nth = 1; nth <= 3; nth++) {
      const place = here
      const session = await start(place.store(), { restore: 'none' })
      await publish(session, 1)
      // The session's own file system fails from here on; sessions made before are not touched.
      let fs: FileSystem = place.fs
      const late: FileSystem = {
        ...place.fs,
        create: (path) => fs.create(path),
        rename: (from, to) => fs.rename(from, to),
        syncDirectory: (path) => fs.syncDirectory(path),
      }
      const owner = await start(place.store(late))
      fs = failing(method, nth, 'EIO')
      const writer = owner.begin(owner.nextId(), 'periodic')
      let failed = false
      try {
        await writer.publish(await writeState(writer, 2))
      } catch (error) {
        failed = true
        expect(error).toMatchObject({ code: 'STORAGE_FAILED', remedy: 'restart' })
        await writer.discard()
      }
      const names = await place.fs.list(join(place.root, `g${String(owner.generation).padStart(6, '0')}`))
      if (failed) {
        expect(names.filter((name) => name.includes(String(writer.id).padStart(10, '0')))).toEqual([])
      }
      expect(await restoredSeed(await place.store().open(request()))).toBe(failed ? 1 : 2)
    }
  })

  test('that is full is told with the bytes that are left', async () => {
    let full = false
    const { fs } = here
    const session = await start(
      here.store(withChange({ create: (path) => (full ? Promise.reject(failure('ENOSPC')) : fs.create(path)) })),
    )
    full = true
    await failsWith('STORAGE_FAILED', publish(session, 1), /no space is left \(\d+ bytes free\)/)
    full = false
    await publish(session, 2)
  })

  test('a part that failed fails the checkpoint, even when the caller goes on', async () => {
    const fs = failing('append', 4, 'EIO')
    const session = await start(here.store(fs))
    const writer = session.begin(session.nextId(), 'periodic')
    const part = await writer.openPart(keyedOf(0))
    await part.append(largeBytes(1))
    await failsWith(
      'STORAGE_FAILED',
      part.append(largeBytes(2)).then(() => part.append(largeBytes(3))),
    )
    await failsWith('STORAGE_FAILED', writer.writePart(splitsOf(0), utf8('at 1')))
    await failsWith('STORAGE_FAILED', writer.publish([]))
  })
})
