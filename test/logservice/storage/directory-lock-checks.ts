import { expect, test } from 'vitest'
import type { DirectoryLock } from '../../../src/core/index.ts'

export interface LockFixture {
  /** Locks of two processes of one machine. */
  readonly one: DirectoryLock
  readonly other: DirectoryLock
  /** Directories that exist. */
  readonly directory: string
  readonly elsewhere: string
  dispose(): Promise<void>
}

const refused = { code: 'DIRECTORY_IN_USE', remedy: 'stop', exitCode: 3 }

/** What every directory lock promises. */
export const directoryLockChecks = (fixture: () => Promise<LockFixture>): void => {
  const check = (name: string, run: (fixture: LockFixture) => Promise<void>): void => {
    test(name, async () => {
      const made = await fixture()
      try {
        await run(made)
      } finally {
        await made.dispose()
      }
    })
  }

  check('a directory has one owner at a time', async ({ one, other, directory }) => {
    const owned = await one.acquire(directory)
    await expect(other.acquire(directory)).rejects.toMatchObject(refused)
    await expect(one.acquire(directory)).rejects.toMatchObject({ ...refused, place: { path: directory } })
    await owned.release()
    const again = await other.acquire(directory)
    await again.release()
  })

  check('another directory is free', async ({ one, other, directory, elsewhere }) => {
    const [here, there] = [await one.acquire(directory), await other.acquire(elsewhere)]
    await Promise.all([here.release(), there.release()])
  })

  check('a release that comes twice takes nothing from the next owner', async ({ one, other, directory }) => {
    const owned = await one.acquire(directory)
    await owned.release()
    const next = await other.acquire(directory)
    await owned.release()
    await expect(one.acquire(directory)).rejects.toMatchObject(refused)
    await next.release()
  })

  check('of two that start at once, one gets it', async ({ one, other, directory }) => {
    for (let round = 0; round < 5; round++) {
      const ends = await Promise.allSettled([one.acquire(directory), other.acquire(directory)])
      const owners = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
      expect(owners).toHaveLength(1)
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject(refused)
      await owners[0]?.release()
    }
  })

  check('a directory that is not there is refused', async ({ one, directory }) => {
    await expect(one.acquire(`${directory}/missing`)).rejects.toMatchObject({ code: 'ENOENT' })
  })
}
