import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkpointId, type FileSystem } from '../../src/core/index.ts'
import { failsWith, publish, request, restoredSeed, start, writeState } from './checkpoint-store-checks.ts'
import { type Desk, desk, treeOf } from './stores.ts'

let here: Desk
beforeEach(async () => {
  here = await desk()
})
afterEach(() => here.dispose())

/** The file system with some operations of its own. */
const withChange = (change: Partial<FileSystem>): FileSystem => ({ ...here.fs, ...change })

describe('taking over', () => {
  test('changes nothing when the start is refused', async () => {
    await publish(await start(here.store()), 1)
    const before = await treeOf(here)
    await failsWith('CHECKPOINT_FOREIGN', here.store().open(request({ job: 'other' })))
    await failsWith('CHECKPOINT_NOT_FOUND', here.store().open(request({ restore: 77 })))
    await failsWith('CHECKPOINT_NOT_FOUND', here.store().open(request({ restore: join(here.base, 'nowhere') })))
    await failsWith('ROLLBACK_REFUSED', here.store().open(request({ restore: 1 })))
    expect(await treeOf(here)).toEqual(before)
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
    const left = await treeOf(here)
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
