import { describe, expect, it } from 'vitest'
import { type FileSystem, SourceError } from '../../../../src/core/index.ts'
import { diskWith, driverOf, readAll, texts } from './files-on-disk.ts'
import { type FileOperation, interruptedFileSystem } from './interrupted-file-system.ts'

const errno = (code: string): Error => Object.assign(new Error(`${code}: as the test wants`), { code })

/** A file system whose operations fail when the test says so. */
const failing = (
  fs: FileSystem,
  failure: (operation: FileOperation['name'], path: string) => string | undefined,
): FileSystem =>
  interruptedFileSystem(fs, ({ name, path }) => {
    const code = failure(name, path)
    if (code !== undefined) throw errno(code)
  })

describe('a files source that meets failures', () => {
  it.each([
    ['open', 'd/a.log'],
    ['stat', 'd/a.log'],
    ['list', 'd'],
  ] as const)('stops and names the path when %s of %s is not permitted', async (operation, path) => {
    const { environment } = diskWith({ 'd/a.log': 'one\n' })
    const fs = failing(environment.fs, (name, at) => (name === operation && at === path ? 'EACCES' : undefined))
    const end = readAll({ ...environment, fs }, { paths: 'd' })
    await expect(end).rejects.toBeInstanceOf(SourceError)
    await expect(end).rejects.toThrow(new RegExp(`SOURCE_REFUSED \\(path ${path}\\): EACCES.*fix: give the user`, 's'))
  })

  it('reads again with back-off what fails for a while, and says so meanwhile', async () => {
    const { environment } = diskWith({ 'd/a.log': 'a\n', 'd/b.log': 'b\n' })
    let failures = 5
    const fs = failing(environment.fs, (name, path) =>
      name === 'read' && path === 'd/a.log' && failures-- > 0 ? 'EIO' : undefined,
    )
    const driver = driverOf({ ...environment, fs }, { paths: 'd' })
    await driver.start()
    await driver.settle()
    expect(texts(driver.taken)).toEqual(['b'])
    expect(driver.readers[0]?.waitingFor()).toMatch(
      /split d\/a\.log#1 is degraded after 1 failure \(SOURCE_UNAVAILABLE\)/,
    )
    await driver.run(60_000, 1_000)
    expect(texts(driver.taken)).toEqual(['b', 'a'])
    await driver.close()
  })

  it('says which limit was hit when too many files are open', async () => {
    const { environment } = diskWith({ 'a.log': 'a\n' })
    const logged: unknown[] = []
    const note = (fields: unknown): void => {
      logged.push(fields)
    }
    const log = { ...environment.log, warn: note, child: () => log }
    const fs = failing(environment.fs, (name) => (name === 'open' ? 'EMFILE' : undefined))
    const driver = driverOf({ ...environment, fs, log }, { paths: 'a.log' })
    await driver.start()
    await driver.run(1_000)
    expect(logged).toMatchObject([{ split: 'a.log#1', err: { fix: expect.stringContaining('ulimit -n') } }])
    await driver.close()
    expect(environment.clock.pendingTimers).toBe(0)
  })

  it('opens a stale file anew', async () => {
    const { environment, other } = diskWith({ 'a.log': 'a\n' })
    let stale = false
    const fs = failing(environment.fs, (name) => (name === 'read' && stale ? 'ESTALE' : undefined))
    let opens = 0
    const counted: FileSystem = {
      ...fs,
      open: (path) => {
        opens++
        stale = false
        return fs.open(path)
      },
    }
    const driver = driverOf({ ...environment, fs: counted }, { paths: 'a.log', mode: 'tail' })
    await driver.start()
    await driver.run(300)
    stale = true
    other.append('a.log', 'b\n')
    await driver.run(20_000, 250)
    expect(texts(driver.taken)).toEqual(['a', 'b'])
    expect(opens).toBe(2)
    await driver.close()
  })

  it('goes on looking for files when a look fails, and gives up after ten in a row', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'a\n' })
    let broken = false
    const fs = failing(environment.fs, (name) => (name === 'list' && broken ? 'EIO' : undefined))
    const driver = driverOf({ ...environment, fs }, { paths: 'd', mode: 'tail', discoveryInterval: '1s' })
    await driver.start()
    broken = true
    other.append('d/b.log', 'b\n')
    await driver.run(5_000, 250)
    expect(texts(driver.taken)).toEqual(['a'])
    broken = false
    await driver.run(10_000, 250)
    expect(texts(driver.taken)).toEqual(['a', 'b'])
    expect(driver.failures).toEqual([])
    broken = true
    await driver.run(600_000, 5_000)
    expect(driver.failures).toHaveLength(1)
    expect(String(driver.failures[0])).toMatch(/SOURCE_UNAVAILABLE \(path d\): EIO/)
    await driver.close()
    expect(environment.clock.pendingTimers).toBe(0)
  })

  it('lists each directory once per look, however many files it knows', async () => {
    const files = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`d/${index}`, 'x\n']))
    const { environment } = diskWith(files)
    let lists = 0
    const fs = failing(environment.fs, (name) => {
      if (name === 'list') lists++
      return undefined
    })
    const driver = driverOf(
      { ...environment, fs },
      { paths: 'd', mode: 'tail', discoveryInterval: '1s', pollInterval: '1s' },
    )
    await driver.start()
    expect(lists).toBe(1)
    await driver.run(10_500, 500)
    expect(lists).toBeGreaterThanOrEqual(10)
    expect(lists).toBeLessThanOrEqual(12)
    await driver.close()
  })

  it('closes at once in the middle of a look, and of a read', async () => {
    const { environment } = diskWith({ 'd/a.log': 'a\n'.repeat(10_000) })
    for (let turns = 0; turns < 12; turns++) {
      const driver = driverOf(environment, { paths: 'd', mode: 'tail', readBytes: 100 })
      const starting = driver.start()
      for (let turn = 0; turn < turns; turn++) await undefined
      await driver.close()
      await starting
      await driver.close()
      expect(environment.clock.pendingTimers).toBe(0)
    }
  })
})
