import { describe, expect, test } from 'vitest'
import { errnoOf, ignoreMissing, joinPath, makeDirectories, parentPath, readWhole } from '../../src/core/index.ts'
import { memoryEnvironment, SeededRandom } from '../../src/testing/index.ts'

describe('paths', () => {
  test.each([
    [['a', 'b'], 'a/b'],
    [['a/', '/b'], 'a/b'],
    [['/', 'a'], '/a'],
    [['', 'a', ''], 'a'],
    [['.', 'a'], './a'],
  ])('join %j to %s', (parts, path) => {
    expect(joinPath(...parts)).toBe(path)
  })

  test.each([
    ['a/b/c', 'a/b'],
    ['/a', '/'],
    ['a', '.'],
    ['/a/b', '/a'],
  ])('%s lies in %s', (path, parent) => {
    expect(parentPath(path)).toBe(parent)
  })
})

describe('makeDirectories', () => {
  test('makes what is missing, and is content with what is there', async () => {
    const { fs } = memoryEnvironment()
    await makeDirectories(fs, '/a/b/c')
    await makeDirectories(fs, '/a/b/c')
    await makeDirectories(fs, '/a/b/d')
    expect(await fs.list('/a/b')).toEqual(['c', 'd'])
  })

  test('makes names that survive a loss of power', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { fs, disk } = memoryEnvironment()
      await makeDirectories(fs, '/a/b/c')
      disk.powerLoss(new SeededRandom(seed))
      expect((await fs.stat('/a/b/c')).kind).toBe('directory')
    }
  })

  test('refuses a file in the place of a directory, with its path', async () => {
    const { fs } = memoryEnvironment()
    await (await fs.create('/a')).close()
    await expect(makeDirectories(fs, '/a')).rejects.toMatchObject({ code: 'STORAGE_REFUSED', place: { path: '/a' } })
  })
})

describe('readWhole', () => {
  const written = async (bytes: Uint8Array) => {
    const { fs } = memoryEnvironment()
    const file = await fs.create('/f')
    await file.append(bytes)
    await file.close()
    return fs
  }

  test('gives every byte of a file larger than one read', async () => {
    const bytes = Uint8Array.from({ length: 2_500_000 }, (_, index) => index * 13)
    expect(Buffer.compare(await readWhole(await written(bytes), '/f', 3_000_000), bytes)).toBe(0)
  })

  test('gives no bytes of an empty file', async () => {
    expect(await readWhole(await written(new Uint8Array()), '/f', 10)).toHaveLength(0)
  })

  test('refuses a file that is too long, and takes one that just fits', async () => {
    const fs = await written(new Uint8Array(11))
    await expect(readWhole(fs, '/f', 10)).rejects.toMatchObject({ code: 'STORAGE_FAILED', place: { path: '/f' } })
    expect(await readWhole(fs, '/f', 11)).toHaveLength(11)
  })
})

describe('ignoreMissing', () => {
  test('swallows a missing name and nothing else', async () => {
    const { fs } = memoryEnvironment()
    await ignoreMissing(fs.unlink('/no'))
    await fs.mkdir('/d')
    const code = await ignoreMissing(fs.mkdir('/d')).then(
      () => 'nothing',
      (error: unknown) => errnoOf(error),
    )
    expect(code).toBe('EEXIST')
  })
})
