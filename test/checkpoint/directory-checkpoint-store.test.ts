import { chmod, cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkpointId, type FileSystem } from '../../src/core/index.ts'
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
import { type Desk, desk } from './stores.ts'

let here: Desk
beforeEach(async () => {
  here = await desk()
})
afterEach(() => here.dispose())

const failure = (code: string): Error => Object.assign(new Error(`${code}: it was told to fail`), { code })

/** The file system with some operations of its own. */
const withChange = (change: Partial<FileSystem>): FileSystem => ({ ...here.fs, ...change })

const tree = async (path = here.root): Promise<string[]> => {
  const names = await here.fs.list(path)
  const below = await Promise.all(
    names.map(async (name) => {
      const { kind } = await here.fs.stat(join(path, name))
      return kind === 'file' ? [name] : (await tree(join(path, name))).map((inner) => `${name}/${inner}`)
    }),
  )
  return below.flat()
}

describe('the layout of a checkpoint directory', () => {
  test('is one directory per generation, with manifests and the parts too large for them', async () => {
    const session = await start(here.store())
    await publish(session, 1)
    await publish(session, 2, 'savepoint')
    await start(here.store())
    expect(await tree()).toEqual([
      'g000001.sealed/ck-0000000001',
      'g000001.sealed/ck-0000000002',
      'g000001.sealed/ck-0000000002.committables.out.0.part',
      'g000001.sealed/ck-0000000002.keyed.totals.0.part',
      'g000001.sealed/owner',
      'g000002/ck-0000000004',
      'g000002/ck-0000000004.keyed.totals.0.part',
      'g000002/owner',
      'savepoint-0000000003/ck-0000000003',
      'savepoint-0000000003/ck-0000000003.committables.out.0.part',
      'savepoint-0000000003/ck-0000000003.keyed.totals.0.part',
    ])
    const carried = await here.fs.stat(join(here.root, 'g000002/ck-0000000004.keyed.totals.0.part'))
    const original = await here.fs.stat(join(here.root, 'g000001.sealed/ck-0000000002.keyed.totals.0.part'))
    expect(carried.fileId).toBe(original.fileId)
  })

  test('keeps names apart that differ only in signs a file name cannot have, or in case', async () => {
    const session = await start(here.store())
    const writer = session.begin(session.nextId(), 'periodic')
    const uids = ['a/b', 'a:b', 'A b', '../../x', 'é'.repeat(300)]
    const operators = []
    for (const uid of uids) {
      const part = await writer.writePart({ ...keyedOf(0), uid }, largeBytes(uid.length))
      operators.push({ uid, kind: 'keyed' as const, parallelism: 1, parts: [part] })
    }
    await writer.publish(operators)
    const files = (await here.fs.list(join(here.root, 'g000001'))).filter((name) => name.endsWith('.part'))
    expect(new Set(files.map((name) => name.toLowerCase())).size).toBe(uids.length)
    const next = await here.store().open(request())
    for (const { uid, parts } of next.restored?.operators ?? []) {
      for (const part of parts) expect(await next.readPart(part)).toEqual(largeBytes(uid.length))
    }
  })
})

describe('a damaged checkpoint', () => {
  const newest = ['g000001', 'ck-0000000003'] as const
  beforeEach(async () => {
    const session = await start(here.store())
    await publish(session, 1)
    await publish(session, 2)
  })

  const damage = async (name: string, change: (bytes: Buffer) => Uint8Array): Promise<void> => {
    const path = join(here.root, newest[0], name)
    await writeFile(path, change(await readFile(path)))
  }
  const flip = (bytes: Buffer): Uint8Array => bytes.map((byte, index) => (index === 200 ? byte ^ 1 : byte))

  test.each([
    ['whose manifest has a flipped bit', 'ck-0000000003', flip, /CRC-32 of its \d+ bytes is/],
    ['whose manifest is cut', 'ck-0000000003', (bytes: Buffer) => bytes.subarray(0, 500), /has 500 bytes, but says/],
    ['whose part has a flipped bit', 'ck-0000000003.keyed.totals.0.part', flip, /20000 bytes .* have SHA-256/],
    [
      'whose part is cut',
      'ck-0000000003.keyed.totals.0.part',
      (bytes: Buffer) => bytes.subarray(1),
      /has 19999 bytes; the manifest says 20000/,
    ],
  ])('%s is refused and not skipped for an older one', async (_, name, change, message) => {
    await damage(name, change)
    await failsWith('CHECKPOINT_CORRUPT', here.store().open(request()), message)
    await failsWith('CHECKPOINT_CORRUPT', here.store().open(request()), message)
    const older = await here.store().open(request({ restore: 2, allowRollback: true }))
    expect(await restoredSeed(older)).toBe(1)
    expect(await older.carryOver()).toBe(4)
  })

  test('with a part missing is refused with the name of the part', async () => {
    await here.fs.unlink(join(here.root, newest[0], 'ck-0000000003.keyed.totals.0.part'))
    await failsWith('CHECKPOINT_CORRUPT', here.store().open(request()), /keyed\.totals\.0\.part.*the part is missing/)
  })

  test('is refused under another name', async () => {
    await here.fs.rename(join(here.root, ...newest), join(here.root, newest[0], 'ck-0000000009'))
    await failsWith('CHECKPOINT_CORRUPT', here.store().open(request()), /its name says checkpoint 9, its content .* 3/)
  })

  test('does not disturb the owner, nor hide that the directory is of another job', async () => {
    const session = await here.store().open(request({ restore: 'none' }))
    await session.carryOver()
    const { checkpointId: id } = await publish(session, 3)
    const manifest = join(here.root, 'g000002', `ck-${String(id).padStart(10, '0')}`)
    await writeFile(manifest, 'x')
    await failsWith('CHECKPOINT_FOREIGN', here.store().open(request({ job: 'other' })))
    await failsWith('CHECKPOINT_CORRUPT', here.store().open(request()))
    await publish(session, 4)
  })
})

describe('taking over', () => {
  test('changes nothing when the start is refused', async () => {
    await publish(await start(here.store()), 1)
    const before = await tree()
    await failsWith('CHECKPOINT_FOREIGN', here.store().open(request({ job: 'other' })))
    await failsWith('CHECKPOINT_NOT_FOUND', here.store().open(request({ restore: 77 })))
    await failsWith('CHECKPOINT_NOT_FOUND', here.store().open(request({ restore: join(here.base, 'nowhere') })))
    await failsWith('ROLLBACK_REFUSED', here.store().open(request({ restore: 1 })))
    expect(await tree()).toEqual(before)
  })

  test('is lost with FENCED when another starter seals first', async () => {
    await publish(await start(here.store()), 1)
    let raced = false
    const fs = withChange({
      async rename(from, to) {
        if (!raced) {
          raced = true
          await here.store().open(request())
        }
        return here.fs.rename(from, to)
      },
    })
    await failsWith('FENCED', here.store(fs).open(request()), /another process took over while this one started/)
  })

  test('is lost with FENCED when another starter claims the next generation first', async () => {
    await publish(await start(here.store()), 1)
    let raced = false
    const fs = withChange({
      async mkdir(path) {
        if (!raced) {
          raced = true
          await start(here.store())
        }
        return here.fs.mkdir(path)
      },
    })
    await failsWith('FENCED', here.store(fs).open(request()))
  })

  test('is lost with FENCED when newer owners removed what was being read', async () => {
    await publish(await start(here.store()), 1)
    let raced = false
    const fs = withChange({
      async open(path) {
        if (!raced && path.endsWith('.part')) {
          raced = true
          for (let seed = 2; seed < 6; seed++) {
            const session = await start(here.store())
            await session.retire((await publish(session, seed)).checkpointId)
          }
        }
        return here.fs.open(path)
      },
    })
    await failsWith('FENCED', here.store(fs).open(request()))
  })

  test('is lost by a starter that slept while its number was claimed and sealed away', async () => {
    await publish(await start(here.store()), 1)
    let raced = false
    const fs = withChange({
      async mkdir(path) {
        if (!raced) {
          raced = true
          await start(here.store())
          await start(here.store())
        }
        return here.fs.mkdir(path)
      },
    })
    await failsWith('FENCED', here.store(fs).open(request()), /generation 3 exists already/)
    // The directory it made by then is nobody's, and the next start removes it.
    expect(await here.fs.list(here.root)).toContain('g000002')
    await start(here.store())
    expect(await here.fs.list(here.root)).not.toContain('g000002')
  })

  test('a sealed name that was made again does not bring the old owner back', async () => {
    await publish(await start(here.store()), 1)
    let zombie = await here.store().open(request())
    let slept = false
    const sleeper = withChange({
      async mkdir(path) {
        if (slept) return here.fs.mkdir(path)
        slept = true
        // While it sleeps before `mkdir g000003`, g000003 is claimed, works, and is sealed by g000004.
        zombie = await start(here.store())
        await publish(zombie, 2)
        await start(here.store())
        return here.fs.mkdir(path)
      },
    })
    await failsWith('FENCED', here.store(sleeper).open(request()))
    expect(zombie.generation).toBe(3)
    expect(await here.fs.list(here.root)).toContain('g000003')
    await failsWith('FENCED', publish(zombie, 3), /generation 3 of this process is over/)
    await failsWith('FENCED', zombie.retire(checkpointId(2)))
    expect(await restoredSeed(await here.store().open(request()))).toBe(2)
  })

  test('removes what crashed attempts left, and leaves what a person put there', async () => {
    const session = await start(here.store())
    await publish(session, 1)
    await writeState(session.begin(session.nextId(), 'periodic'), 2)
    const old = join(here.root, 'g000001')
    await writeFile(join(old, 'tmp-ck-0000000003'), 'half')
    await writeFile(join(old, 'notes.txt'), 'mine')
    await here.store().open(request())
    await start(here.store())
    const left = await tree()
    expect(left.filter((name) => name.startsWith('g000001'))).toEqual([
      'g000001.sealed/ck-0000000001',
      'g000001.sealed/ck-0000000002',
      'g000001.sealed/ck-0000000002.committables.out.0.part',
      'g000001.sealed/ck-0000000002.keyed.totals.0.part',
      'g000001.sealed/notes.txt',
      'g000001.sealed/owner',
    ])
    expect(left.filter((name) => name.startsWith('g000002'))).toEqual([])
  })

  test('fences by name: the new owner stands in the message of the old one', async () => {
    const old = await start(here.store())
    await here.store().open(request({ owner: 'host-c:77' }))
    await failsWith('FENCED', publish(old, 1), /generation 1 of this process is over: .*generation 2, owner host-c:77/)
  })
})

describe('a savepoint', () => {
  test('goes where the caller says, can be moved, and is restored from there', async () => {
    const session = await start(here.store())
    await publish(session, 1)
    const elsewhere = join(here.base, 'kept', 'before-upgrade')
    const { checkpointId: id } = await publish(session, 2, 'savepoint', elsewhere)
    await cp(elsewhere, join(here.base, 'moved'), { recursive: true })
    const name = `ck-${String(id).padStart(10, '0')}`
    for (const restore of [elsewhere, `${elsewhere}/`, join(here.base, 'moved'), join(here.base, 'moved', name)]) {
      // An earlier turn of this loop has carried it over under a newer id.
      expect(await restoredSeed(await here.store().open(request({ restore, allowRollback: true })))).toBe(2)
    }
    const fresh = await desk()
    const restored = await start(fresh.store(), { restore: elsewhere })
    expect(await restoredSeed(restored)).toBe(2)
    expect(restored.nextId()).toBeGreaterThan(id + 1)
    await fresh.dispose()
  })

  test('is copied when it cannot be linked, because it is on another file system', async () => {
    await publish(await start(here.store()), 3, 'savepoint', join(here.base, 'kept'))
    const fs = withChange({ link: () => Promise.reject(failure('EXDEV')) })
    await start(here.store(fs), { restore: join(here.base, 'kept'), allowRollback: true })
    expect(await restoredSeed(await here.store().open(request()))).toBe(3)
  })

  test('is not written into a directory that has one', async () => {
    const session = await start(here.store())
    const kept = join(here.base, 'kept')
    await publish(session, 1, 'savepoint', kept)
    await failsWith(
      'CHECKPOINT_DECLINED',
      publish(session, 2, 'savepoint', kept),
      /directory of its own; in this one is ck-/,
    )
    await writeFile(join(here.base, 'file'), '')
    await failsWith(
      'CHECKPOINT_DECLINED',
      publish(session, 2, 'savepoint', join(here.base, 'file')),
      /not a directory|a file is/,
    )
    await publish(session, 3)
  })

  test('that was discarded leaves nothing', async () => {
    const session = await start(here.store())
    const writer = session.begin(session.nextId(), 'savepoint')
    await writeState(writer, 1)
    await writer.discard()
    expect(await here.fs.list(here.root)).toEqual(['g000001'])
  })

  test('survives every clean-up', async () => {
    const session = await start(here.store())
    const { checkpointId: id } = await publish(session, 1, 'savepoint')
    for (let seed = 2; seed < 8; seed++) await session.retire((await publish(session, seed)).checkpointId)
    await start(here.store())
    expect(await restoredSeed(await here.store().open(request({ restore: id, allowRollback: true })))).toBe(1)
  })

  test('of another job is refused', async () => {
    await publish(await start(here.store()), 1, 'savepoint', join(here.base, 'kept'))
    const other = await desk()
    const open = other.store().open(request({ job: 'other', restore: join(here.base, 'kept') }))
    await failsWith('CHECKPOINT_FOREIGN', open)
    await other.dispose()
  })

  test('can also be a copy of a whole checkpoint directory', async () => {
    await publish(await start(here.store()), 4)
    await start(here.store())
    const copy = join(here.base, 'copy')
    await cp(here.root, copy, { recursive: true })
    const other = await desk()
    expect(await restoredSeed(await other.store().open(request({ restore: copy })))).toBe(4)
    await other.dispose()
  })
})

describe('a directory that cannot be used', () => {
  test('because a file is in its place is refused with its name', async () => {
    await writeFile(join(here.base, 'deep'), '')
    await failsWith('STORAGE_REFUSED', here.store().open(request()), /remove the file/)
  })

  test.runIf(process.getuid?.() !== 0)('because of its permissions is refused', async () => {
    await chmod(here.base, 0o500)
    await failsWith('STORAGE_REFUSED', here.store().open(request()), /permission/)
    await chmod(here.base, 0o700)
  })

  test.each([
    ['EACCES', 'give the user of this process permission to read and write it'],
    ['EROFS', 'mount the file system for writing'],
    ['ENOENT', 'create the directory above it'],
  ])('because of %s is refused with the fix', async (code, fix) => {
    const fs = withChange({ mkdir: () => Promise.reject(failure(code)) })
    const error = await failsWith('STORAGE_REFUSED', here.store(fs).open(request()))
    expect(error.message).toContain(here.root)
    expect(error.fix).toContain(fix)
  })
})

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

describe('a session that is misused', () => {
  test('says which rule was broken', async () => {
    const session = await here.store().open(request())
    await expect(async () => session.begin(session.nextId(), 'periodic')).rejects.toThrow(/carry-over/)
    await expect(session.cleanUp()).rejects.toThrow(/carry-over/)
    await session.carryOver()
    await expect(session.carryOver()).rejects.toThrow(/once/)
    await expect(async () => session.begin(checkpointId(1), 'periodic')).rejects.toThrow(/greater than every one/)
    const writer = session.begin(session.nextId(), 'periodic')
    await writer.openPart(keyedOf(0))
    await expect(writer.publish([])).rejects.toThrow(/every part is finished/)
    const part = await (async () => {
      const other = session.begin(session.nextId(), 'periodic')
      return other.writePart(keyedOf(0), largeBytes(1))
    })()
    const third = session.begin(session.nextId(), 'periodic')
    const foreign = [{ uid: 'totals', kind: 'keyed' as const, parallelism: 1, parts: [part] }]
    await expect(third.publish(foreign)).rejects.toThrow(/was written by it/)
  })
})
