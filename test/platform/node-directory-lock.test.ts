import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeDirectoryLock } from '../../src/platform/node-directory-lock.ts'
import { directoryLockChecks } from '../logservice/storage/directory-lock-checks.ts'

const fixtureBelow = async (...parts: readonly string[]) => {
  const base = await mkdtemp(join(tmpdir(), 'millrace-lock-'))
  const directory = join(base, ...parts, 'data')
  const elsewhere = join(base, ...parts, 'more')
  await mkdir(directory, { recursive: true })
  await mkdir(elsewhere)
  return {
    one: nodeDirectoryLock,
    other: nodeDirectoryLock,
    directory,
    elsewhere,
    dispose: () => rm(base, { recursive: true, force: true }),
  }
}

describe('the directory lock of Node', () => {
  directoryLockChecks(() => fixtureBelow())
})

describe('the directory lock of Node in a directory with a long path', () => {
  directoryLockChecks(() => fixtureBelow('x'.repeat(120), 'y'.repeat(120)))
})

describe('the directory lock of Node and other processes', () => {
  let fixture: Awaited<ReturnType<typeof fixtureBelow>>
  let child: ChildProcess | undefined
  beforeEach(async () => {
    fixture = await fixtureBelow()
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    await fixture.dispose()
  })

  /** Another process that listens as an owner does. */
  const startOwner = async (): Promise<ChildProcess> => {
    const program = `
      const name = 'owner-' + process.pid + '-0123456789abcdef.sock'
      require('node:net').createServer((s) => s.end('owner')).listen(name, () => console.log('ready'))`
    const started = spawn(process.execPath, ['-e', program], {
      cwd: fixture.directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(started.stdout, 'data')
    return started
  }

  test('a living owner keeps the directory, and the error names its process', async () => {
    child = await startOwner()
    await expect(nodeDirectoryLock.acquire(fixture.directory)).rejects.toMatchObject({
      code: 'DIRECTORY_IN_USE',
      message: expect.stringContaining(`process ${child.pid} works in this directory`),
    })
  })

  test('a killed owner leaves a file that stops nobody, and it is cleared away', async () => {
    child = await startOwner()
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await readdir(fixture.directory)).toHaveLength(1)
    const owned = await nodeDirectoryLock.acquire(fixture.directory)
    expect(await readdir(fixture.directory)).toEqual([expect.stringContaining(`owner-${process.pid}-`)])
    await owned.release()
    expect(await readdir(fixture.directory)).toEqual([])
  })

  test('a stopped owner is alive', async () => {
    child = await startOwner()
    child.kill('SIGSTOP')
    await expect(nodeDirectoryLock.acquire(fixture.directory)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
  })
})
