import assert from 'node:assert/strict'
import { errnoOf, type FileSystem, joinPath, type ReadableFile, readWhole, type WritableFile } from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'

export interface FileSystemFixture {
  readonly fs: FileSystem
  /** An empty directory of this check's own. */
  readonly root: string
  dispose?(): Promise<void> | void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const bytesOf = (text: string): Uint8Array => encoder.encode(text)

const failsWith = async (code: string, operation: Promise<unknown>): Promise<void> => {
  const thrown: unknown = await operation.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(thrown instanceof Error, `expected ${code}, but the call succeeded or threw something that is not an Error`)
  assert.equal(errnoOf(thrown), code)
}

/** What the checks do over and over, with paths below the fixture's root. */
class Desk {
  readonly fs: FileSystem
  readonly #root: string

  constructor(fixture: FileSystemFixture) {
    this.fs = fixture.fs
    this.#root = fixture.root
  }

  at(...parts: readonly string[]): string {
    return joinPath(this.#root, ...parts)
  }

  async write(name: string, text = ''): Promise<void> {
    await this.withFile(name, (file) => file.append(bytesOf(text)))
  }

  async withFile<T>(name: string, use: (file: WritableFile) => Promise<T>): Promise<T> {
    const file = await this.fs.create(this.at(name))
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  }

  async withOpen<T>(name: string, use: (file: ReadableFile) => Promise<T>): Promise<T> {
    const file = await this.fs.open(this.at(name))
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  }

  async text(name: string): Promise<string> {
    return decoder.decode(await readWhole(this.fs, this.at(name), 1 << 24))
  }

  async id(name: string): Promise<string> {
    return (await this.fs.stat(this.at(name))).fileId
  }
}

const fileChecks: Record<string, (desk: Desk) => Promise<void>> = {
  'create gives a new empty file': async (desk) => {
    await desk.withFile('a', async (file) => assert.equal(file.size, 0))
    const found = await desk.fs.stat(desk.at('a'))
    assert.equal(found.kind, 'file')
    assert.equal(found.size, 0)
    assert.ok(Number.isFinite(found.modifiedMs))
  },
  'create refuses a taken name with EEXIST': async (desk) => {
    await desk.write('a', 'kept')
    await desk.fs.mkdir(desk.at('d'))
    await failsWith('EEXIST', desk.fs.create(desk.at('a')))
    await failsWith('EEXIST', desk.fs.create(desk.at('d')))
    assert.equal(await desk.text('a'), 'kept')
  },
  'a path through a missing directory fails with ENOENT, through a file with ENOTDIR': async (desk) => {
    await desk.write('a')
    for (const [way, code] of [
      ['missing', 'ENOENT'],
      ['a', 'ENOTDIR'],
    ] as const) {
      const inside = desk.at(way, 'x')
      await failsWith(code, desk.fs.create(inside))
      await failsWith(code, desk.fs.open(inside))
      await failsWith(code, desk.fs.stat(inside))
      await failsWith(code, desk.fs.list(inside))
      await failsWith(code, desk.fs.mkdir(inside))
      await failsWith(code, desk.fs.rmdir(inside))
      await failsWith(code, desk.fs.unlink(inside))
      await failsWith(code, desk.fs.syncDirectory(inside))
      await failsWith(code, desk.fs.rename(inside, desk.at('b')))
      await failsWith(code, desk.fs.rename(desk.at('a'), inside))
      await failsWith(code, desk.fs.link(inside, desk.at('b')))
      await failsWith(code, desk.fs.link(desk.at('a'), inside))
    }
  },
  'appended bytes follow one another and size counts them': async (desk) => {
    await desk.withFile('a', async (file) => {
      await file.append(bytesOf('one '))
      await file.append(bytesOf(''))
      await file.append(bytesOf('two'))
      assert.equal(file.size, 7)
    })
    assert.equal(await desk.text('a'), 'one two')
  },
  'a large append is written whole': async (desk) => {
    const big = Uint8Array.from({ length: 3_000_001 }, (_, index) => index % 251)
    await desk.withFile('a', (file) => file.append(big))
    assert.deepEqual(Buffer.from(await readWhole(desk.fs, desk.at('a'), big.length)), Buffer.from(big))
  },
  'readAt gives fewer bytes only at the end of the file': async (desk) => {
    await desk.write('a', '0123456789')
    await desk.withOpen('a', async (file) => {
      const read = async (position: number, length: number): Promise<string> =>
        decoder.decode(await file.readAt(position, length))
      assert.equal(await read(2, 3), '234')
      assert.equal(await read(8, 100), '89')
      assert.equal(await read(0, 10), '0123456789')
      assert.equal(await read(10, 5), '')
      assert.equal(await read(99, 5), '')
      assert.equal(await read(3, 0), '')
    })
  },
  'bytes that were read belong to the caller': async (desk) => {
    await desk.write('a', 'abc')
    await desk.withOpen('a', async (file) => {
      const first = await file.readAt(0, 3)
      first.fill(0)
      assert.equal(decoder.decode(await file.readAt(0, 3)), 'abc')
      assert.equal(first.buffer.byteLength, 3)
    })
  },
  'a reader sees what is appended after it was opened': async (desk) => {
    await desk.withFile('a', async (file) => {
      await desk.withOpen('a', async (reader) => {
        await file.append(bytesOf('later'))
        assert.equal(decoder.decode(await reader.readAt(0, 9)), 'later')
        assert.equal((await reader.stat()).size, 5)
      })
    })
  },
  'truncate cuts, and the next append continues there': async (desk) => {
    await desk.withFile('a', async (file) => {
      await file.append(bytesOf('0123456789'))
      await file.truncate(4)
      assert.equal(file.size, 4)
      await file.append(bytesOf('x'))
      await file.truncate(5)
      assert.equal(file.size, 5)
    })
    assert.equal(await desk.text('a'), '0123x')
  },
  'truncate refuses a size the file does not have with EINVAL': async (desk) => {
    await desk.withFile('a', async (file) => {
      await file.append(bytesOf('abc'))
      await failsWith('EINVAL', file.truncate(4))
      await failsWith('EINVAL', file.truncate(-1))
      assert.equal(file.size, 3)
    })
  },
  'sync works on a file being written and on one being read': async (desk) => {
    await desk.withFile('a', async (file) => {
      await file.append(bytesOf('abc'))
      await file.sync()
      await desk.withOpen('a', (reader) => reader.sync())
    })
  },
  'an open file outlives its name': async (desk) => {
    await desk.withFile('a', async (file) => {
      await file.append(bytesOf('one'))
      await desk.withOpen('a', async (reader) => {
        await desk.fs.rename(desk.at('a'), desk.at('b'))
        await file.append(bytesOf(' two'))
        await desk.fs.unlink(desk.at('b'))
        await file.append(bytesOf(' three'))
        await file.sync()
        assert.equal(decoder.decode(await reader.readAt(0, 99)), 'one two three')
      })
    })
    assert.deepEqual(await desk.fs.list(desk.at()), [])
  },
  'a closed file refuses with EBADF, and may be closed again': async (desk) => {
    const file = await desk.fs.create(desk.at('a'))
    await file.close()
    await file.close()
    await failsWith('EBADF', file.append(bytesOf('x')))
    await failsWith('EBADF', file.sync())
    const reader = await desk.fs.open(desk.at('a'))
    await reader.close()
    await reader.close()
    await failsWith('EBADF', reader.readAt(0, 1))
    await failsWith('EBADF', reader.stat())
  },
  'open and stat of a missing name fail with ENOENT': async (desk) => {
    await failsWith('ENOENT', desk.fs.open(desk.at('no')))
    await failsWith('ENOENT', desk.fs.stat(desk.at('no')))
  },
  'fileId is the same for two names of a file, kept across renames, and differs between files': async (desk) => {
    await desk.write('a')
    await desk.write('b')
    const a = await desk.id('a')
    assert.notEqual(a, await desk.id('b'))
    await desk.fs.link(desk.at('a'), desk.at('a2'))
    assert.equal(await desk.id('a2'), a)
    await desk.fs.mkdir(desk.at('d'))
    await desk.fs.rename(desk.at('a'), desk.at('d', 'a'))
    assert.equal(await desk.id('d/a'), a)
    assert.equal(await desk.withOpen('d/a', async (file) => (await file.stat()).fileId), a)
  },
}

const directoryChecks: Record<string, (desk: Desk) => Promise<void>> = {
  'list gives the names sorted by code unit': async (desk) => {
    // U+1F600 starts with the code unit D83D, so it comes before U+FB01, though its code point is greater.
    const names = ['b', 'B', 'a-10', 'a-9', '.hidden', 'é', '\u{1f600}', 'ﬁ']
    for (const name of names) await desk.write(name)
    await desk.fs.mkdir(desk.at('directory'))
    assert.deepEqual(await desk.fs.list(desk.at()), [...names, 'directory'].sort())
    assert.deepEqual(await desk.fs.list(desk.at('directory')), [])
  },
  'list of a missing directory fails with ENOENT, of a file with ENOTDIR': async (desk) => {
    await desk.write('a')
    await failsWith('ENOENT', desk.fs.list(desk.at('no')))
    await failsWith('ENOTDIR', desk.fs.list(desk.at('a')))
  },
  'mkdir makes an empty directory and refuses a taken name with EEXIST': async (desk) => {
    await desk.fs.mkdir(desk.at('d'))
    assert.equal((await desk.fs.stat(desk.at('d'))).kind, 'directory')
    await failsWith('EEXIST', desk.fs.mkdir(desk.at('d')))
    await desk.write('a')
    await failsWith('EEXIST', desk.fs.mkdir(desk.at('a')))
  },
  'rmdir removes only an empty directory': async (desk) => {
    await desk.fs.mkdir(desk.at('d'))
    await desk.write('d/a')
    await failsWith('ENOTEMPTY', desk.fs.rmdir(desk.at('d')))
    await desk.fs.unlink(desk.at('d/a'))
    await desk.fs.rmdir(desk.at('d'))
    await failsWith('ENOENT', desk.fs.rmdir(desk.at('d')))
    await desk.write('a')
    await failsWith('ENOTDIR', desk.fs.rmdir(desk.at('a')))
  },
  'rename replaces an existing file in one step': async (desk) => {
    await desk.write('old', 'old')
    await desk.write('new', 'new')
    await desk.withOpen('old', async (reader) => {
      await desk.fs.rename(desk.at('new'), desk.at('old'))
      assert.equal(decoder.decode(await reader.readAt(0, 9)), 'old')
    })
    assert.equal(await desk.text('old'), 'new')
    assert.deepEqual(await desk.fs.list(desk.at()), ['old'])
  },
  'rename of a missing name fails with ENOENT and leaves the target alone': async (desk) => {
    await desk.write('a', 'kept')
    await failsWith('ENOENT', desk.fs.rename(desk.at('no'), desk.at('a')))
    assert.equal(await desk.text('a'), 'kept')
  },
  'rename of one name of a file onto another of the same file changes nothing': async (desk) => {
    await desk.write('a', 'x')
    await desk.fs.link(desk.at('a'), desk.at('b'))
    await desk.fs.rename(desk.at('a'), desk.at('b'))
    await desk.fs.rename(desk.at('a'), desk.at('a'))
    assert.deepEqual(await desk.fs.list(desk.at()), ['a', 'b'])
  },
  'rename keeps files and directories apart': async (desk) => {
    await desk.write('file')
    await desk.fs.mkdir(desk.at('empty'))
    await desk.fs.mkdir(desk.at('full'))
    await desk.write('full/a')
    await failsWith('EISDIR', desk.fs.rename(desk.at('file'), desk.at('empty')))
    await failsWith('ENOTDIR', desk.fs.rename(desk.at('empty'), desk.at('file')))
    await failsWith('ENOTEMPTY', desk.fs.rename(desk.at('empty'), desk.at('full')))
    await failsWith('EINVAL', desk.fs.rename(desk.at('full'), desk.at('full', 'inside')))
    await desk.fs.rename(desk.at('full'), desk.at('empty'))
    assert.deepEqual(await desk.fs.list(desk.at('empty')), ['a'])
  },
  'a renamed directory fences every path below its old name': async (desk) => {
    await desk.fs.mkdir(desk.at('g1'))
    await desk.write('g1/tmp', 'x')
    await desk.withOpen('g1/tmp', async (reader) => {
      await desk.fs.rename(desk.at('g1'), desk.at('g1.sealed'))
      await failsWith('ENOENT', desk.fs.rename(desk.at('g1', 'tmp'), desk.at('g1', 'ck-1')))
      await failsWith('ENOENT', desk.fs.create(desk.at('g1', 'tmp2')))
      await failsWith('ENOENT', desk.fs.syncDirectory(desk.at('g1')))
      assert.equal(decoder.decode(await reader.readAt(0, 1)), 'x')
    })
    assert.deepEqual(await desk.fs.list(desk.at('g1.sealed')), ['tmp'])
  },
  'link gives a second name and refuses a taken one with EEXIST': async (desk) => {
    await desk.write('a', 'one')
    await desk.write('taken')
    await desk.fs.link(desk.at('a'), desk.at('b'))
    await failsWith('EEXIST', desk.fs.link(desk.at('a'), desk.at('taken')))
    await failsWith('EEXIST', desk.fs.link(desk.at('a'), desk.at('a')))
    await failsWith('ENOENT', desk.fs.link(desk.at('no'), desk.at('c')))
    await desk.fs.unlink(desk.at('a'))
    assert.equal(await desk.text('b'), 'one')
  },
  'link refuses a directory with EPERM': async (desk) => {
    await desk.fs.mkdir(desk.at('d'))
    await failsWith('EPERM', desk.fs.link(desk.at('d'), desk.at('e')))
  },
  'unlink removes a file, and refuses a directory with EISDIR': async (desk) => {
    await desk.write('a')
    await desk.fs.mkdir(desk.at('d'))
    await desk.fs.unlink(desk.at('a'))
    await failsWith('ENOENT', desk.fs.unlink(desk.at('a')))
    await failsWith('EISDIR', desk.fs.unlink(desk.at('d')))
  },
  'syncDirectory takes a directory and nothing else': async (desk) => {
    await desk.write('a')
    await desk.fs.syncDirectory(desk.at())
    await failsWith('ENOENT', desk.fs.syncDirectory(desk.at('no')))
    await failsWith('ENOTDIR', desk.fs.syncDirectory(desk.at('a')))
  },
  'freeBytes gives a number of bytes for any name that exists': async (desk) => {
    await desk.write('a')
    for (const path of [desk.at(), desk.at('a')]) {
      const free = await desk.fs.freeBytes(path)
      assert.ok(Number.isFinite(free) && free >= 0)
    }
    await failsWith('ENOENT', desk.fs.freeBytes(desk.at('no')))
  },
  'a name may be written with // and /./': async (desk) => {
    await desk.fs.mkdir(desk.at('d'))
    await desk.write('d/a', 'x')
    assert.equal((await desk.fs.stat(`${desk.at('d')}//./a`)).size, 1)
  },
  'a name of more than 255 bytes fails with ENAMETOOLONG': async (desk) => {
    await desk.write('n'.repeat(255))
    await failsWith('ENAMETOOLONG', desk.fs.create(desk.at('n'.repeat(256))))
    await failsWith('ENAMETOOLONG', desk.fs.create(desk.at('é'.repeat(128))))
  },
  'operations on different files may run at the same time': async (desk) => {
    const names = Array.from({ length: 20 }, (_, index) => `f${index}`)
    await Promise.all(names.map((name) => desk.write(name, name)))
    assert.deepEqual(await Promise.all(names.map((name) => desk.text(name))), names)
    await Promise.all(names.map((name) => desk.fs.rename(desk.at(name), desk.at(`${name}.done`))))
    assert.equal((await desk.fs.list(desk.at())).filter((name) => name.endsWith('.done')).length, 20)
  },
}

/** What every `FileSystem` keeps, as Linux does it. `setup` is called inside each check's `run`. */
export const fileSystemContract = (setup: () => Promise<FileSystemFixture> | FileSystemFixture): ContractCheck[] => {
  const all = { ...fileChecks, ...directoryChecks }
  return checksWith(
    setup,
    (fixture) => fixture.dispose?.(),
    Object.fromEntries(Object.entries(all).map(([name, check]) => [name, (fixture) => check(new Desk(fixture))])),
  )
}
