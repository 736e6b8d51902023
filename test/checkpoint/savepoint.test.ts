import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FileSystem } from '../../src/core/index.ts'
import { failsWith, publish, request, restoredSeed, start, writeState } from './checkpoint-store-checks.ts'
import { type Desk, desk, failure } from './stores.ts'

let here: Desk
beforeEach(async () => {
  here = await desk()
})
afterEach(() => here.dispose())

/** The file system with some operations of its own. */
const withChange = (change: Partial<FileSystem>): FileSystem => ({ ...here.fs, ...change })

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
