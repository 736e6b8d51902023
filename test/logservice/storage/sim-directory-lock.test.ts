import { describe, expect, test } from 'vitest'
import { SimDisk } from '../../../src/testing/index.ts'
import { simDirectoryLock } from '../../../src/testing/simulation/sim-directory-lock.ts'
import { directoryLockChecks } from './directory-lock-checks.ts'

describe('the directory lock of the simulation', () => {
  directoryLockChecks(async () => {
    const disk = new SimDisk()
    disk.makeDirectories('a/b')
    disk.makeDirectories('c')
    return {
      one: simDirectoryLock(disk, { name: 'one', alive: true }),
      other: simDirectoryLock(disk, { name: 'other', alive: true }),
      directory: 'a/b',
      elsewhere: 'c',
      async dispose() {},
    }
  })

  test('forgets an owner that died', async () => {
    const disk = new SimDisk()
    disk.makeDirectories('a')
    const holder = { name: 'one', alive: true }
    await simDirectoryLock(disk, holder).acquire('a')
    holder.alive = false
    await expect(simDirectoryLock(disk, { name: 'two', alive: true }).acquire('a')).resolves.toBeDefined()
  })
})
