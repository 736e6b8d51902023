import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkpointId, type FileSystem } from '../../src/core/index.ts'
import { failsWith, keyedOf, largeBytes, publish, request, restoredSeed, start } from './checkpoint-store-checks.ts'
import { type Desk, desk, failure, treeOf } from './stores.ts'

let here: Desk
beforeEach(async () => {
  here = await desk()
})
afterEach(() => here.dispose())

/** The file system with some operations of its own. */
const withChange = (change: Partial<FileSystem>): FileSystem => ({ ...here.fs, ...change })

describe('the layout of a checkpoint directory', () => {
  test('is one directory per generation, with manifests and the parts too large for them', async () => {
    const session = await start(here.store())
    await publish(session, 1)
    await publish(session, 2, 'savepoint')
    await start(here.store())
    expect(await treeOf(here)).toEqual([
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
