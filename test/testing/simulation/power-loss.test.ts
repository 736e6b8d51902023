import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom, SimDisk } from '../../../src/testing/index.ts'

const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What a power loss may leave, over many drawn fates of one disk. */
const fates = (prepare: (disk: SimDisk) => void, look: (disk: SimDisk) => string, count = 400): string[] => {
  const seen = new Set<string>()
  for (let seed = 0; seed < count; seed++) {
    const disk = new SimDisk()
    prepare(disk)
    disk.powerLoss(new SeededRandom(seed))
    seen.add(look(disk))
  }
  return [...seen].sort()
}

const names = (disk: SimDisk): string => disk.names('.').join()

describe('a power loss', () => {
  test('keeps nothing, a part or all of unsynced bytes, sometimes with zeros at their end', () => {
    const left = fates(
      (disk) => {
        disk.put('a', 'kept')
        disk.put('a', '123', { durable: false })
      },
      (disk) => disk.text('a') ?? 'gone',
    )
    expect(left).toEqual(
      [
        'kept',
        'kept1',
        'kept12',
        'kept123',
        'kept\0',
        'kept\0\0',
        'kept1\0',
        'kept\0\0\0',
        'kept1\0\0',
        'kept12\0',
      ].sort(),
    )
  })

  test('keeps a name only when its directory was synced, or by chance', () => {
    expect(fates((disk) => disk.mkdir('d'), names)).toEqual(['', 'd'])
    const synced = (disk: SimDisk): void => {
      disk.mkdir('d')
      disk.syncDirectory('.')
    }
    expect(fates(synced, names)).toEqual(['d'])
  })

  test('keeps any subset of pending names', () => {
    const made = (disk: SimDisk): void => {
      for (const name of ['x', 'y', 'z']) disk.mkdir(name)
    }
    expect(fates(made, names)).toEqual(['', 'x', 'x,y', 'x,y,z', 'x,z', 'y', 'y,z', 'z'])
  })

  test('never tears a rename within a directory', () => {
    const renamed = (disk: SimDisk): void => {
      disk.put('tmp', 'new')
      disk.put('final', 'old')
      disk.rename('tmp', 'final')
    }
    expect(fates(renamed, (disk) => `${names(disk)} ${disk.text('final')}`)).toEqual(['final new', 'final,tmp old'])
  })

  test('may leave both names of a file renamed to another directory, never none', () => {
    const renamed = (disk: SimDisk): void => {
      disk.makeDirectories('from')
      disk.makeDirectories('to')
      disk.put('from/a', 'x')
      disk.rename('from/a', 'to/a')
    }
    const look = (disk: SimDisk): string => [...disk.names('from'), '|', ...disk.names('to')].join('')
    expect(fates(renamed, look)).toEqual(['a|', 'a|a', '|a'])
    const sourceSynced = (disk: SimDisk): void => {
      renamed(disk)
      disk.syncDirectory('from')
    }
    expect(fates(sourceSynced, look)).toEqual(['|a'])
  })

  test('leaves a directory renamed to another one in one place', () => {
    const renamed = (disk: SimDisk): void => {
      for (const name of ['from', 'to', 'from/d']) disk.makeDirectories(name)
      disk.put('from/d/a', 'x')
      disk.rename('from/d', 'to/d')
    }
    const look = (disk: SimDisk): string =>
      disk
        .files('.')
        .map(({ path }) => path)
        .join()
    expect(fates(renamed, look)).toEqual(['from/d/a', 'to/d/a'])
  })

  test('does not let a synced rename be undone by an older removal of its target', () => {
    const prepared = (disk: SimDisk): void => {
      disk.makeDirectories('from')
      disk.makeDirectories('to')
      disk.put('from/a', 'new')
      disk.put('to/a', 'old')
      disk.unlink('to/a')
      disk.rename('from/a', 'to/a')
      disk.syncDirectory('from')
      disk.syncDirectory('to')
    }
    expect(fates(prepared, (disk) => disk.text('to/a') ?? 'gone')).toEqual(['new'])
  })

  test('may undo a truncation that was not synced, and what was appended after it', () => {
    const cut = (disk: SimDisk): void => {
      disk.put('a', 'abcd')
      const node = disk.open('a')
      if (node.kind !== 'file') throw new Error('not a file')
      disk.truncate(node, 'a', 2)
      disk.append(node, 'a', bytesOf('X'))
      disk.release(node)
    }
    expect(fates(cut, (disk) => disk.text('a') ?? 'gone')).toEqual(['ab', 'abX', 'ab\0', 'abcd'].sort())
  })

  test('can lose a file whose content was synced but not its name, and the content of one whose name was synced', () => {
    const onlyContent = (disk: SimDisk): void => {
      const node = disk.create('a')
      disk.append(node, 'a', bytesOf('x'))
      disk.sync(node, 'a')
      disk.release(node)
    }
    expect(fates(onlyContent, (disk) => disk.text('a') ?? 'gone')).toEqual(['gone', 'x'])
    const onlyName = (disk: SimDisk): void => {
      const node = disk.create('a')
      disk.append(node, 'a', bytesOf('x'))
      disk.syncDirectory('.')
      disk.release(node)
    }
    expect(fates(onlyName, (disk) => disk.text('a') ?? 'gone')).toEqual(['', '\0', 'x'])
  })
})

/** What the oracle below remembers of a file. */
interface Story {
  /** Every content it ever had since its last sync, the synced one first. */
  moments: string[]
}

const actionArb = fc.oneof(
  fc.record({ kind: fc.constantFrom('create', 'mkdir', 'unlink', 'rmdir', 'syncDirectory'), at: fc.nat(7) }),
  fc.record({ kind: fc.constantFrom('append', 'append', 'truncate', 'sync'), at: fc.nat(7) }),
  fc.record({ kind: fc.constantFrom('rename', 'link'), at: fc.nat(7), to: fc.nat(7) }),
)
const places = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'd/e/b']

/** Runs random actions on a disk and remembers what may and what must survive. */
class Oracle {
  readonly disk = new SimDisk({ reuseIds: new SeededRandom(7) })
  readonly #stories = new Map<string, Story>()
  #letter = 0

  run(action: typeof actionArb extends fc.Arbitrary<infer T> ? T : never): void {
    const path = places[action.at] ?? 'a'
    try {
      if ('to' in action) {
        const to = places[action.to] ?? 'a'
        if (action.kind === 'rename') this.disk.rename(path, to)
        else this.disk.link(path, to)
      } else {
        this.#act(action.kind, path)
      }
    } catch (error) {
      // Refused, as on a real disk: nothing happened.
      if (!(error instanceof Error && 'code' in error)) throw error
    }
  }

  #act(kind: string, path: string): void {
    if (kind === 'create') this.#create(path)
    else if (kind === 'mkdir') this.disk.mkdir(path)
    else if (kind === 'unlink') this.disk.unlink(path)
    else if (kind === 'rmdir') this.disk.rmdir(path)
    else if (kind === 'syncDirectory') this.disk.syncDirectory(path === 'a' ? '.' : path)
    else this.#write(kind, path)
  }

  #create(path: string): void {
    const node = this.disk.create(path)
    this.#stories.set(this.disk.statOf(node).fileId, { moments: [''] })
    this.disk.release(node)
  }

  #write(kind: string, path: string): void {
    const node = this.disk.open(path)
    try {
      const story = this.#stories.get(this.disk.statOf(node).fileId)
      if (node.kind !== 'file' || story === undefined) return
      if (kind === 'append') {
        const letter = String.fromCharCode(65 + (this.#letter++ % 26))
        this.disk.append(node, path, bytesOf(letter.repeat(1 + (this.#letter % 5))))
      } else if (kind === 'truncate') {
        this.disk.truncate(node, path, node.content.size >> 1)
      } else {
        this.disk.sync(node, path)
        story.moments = []
      }
      story.moments.push(textOf(node.content.volatile()))
    } finally {
      this.disk.release(node)
    }
  }

  /** Each file that is left has some moment of its story since its last sync, but for zeros at the end. */
  checkContents(): void {
    for (const { fileId, bytes, path } of this.disk.files('.')) {
      const text = textOf(bytes())
      const { moments } = this.#stories.get(fileId) ?? { moments: [] }
      const kept = text.replace(/\0+$/, '')
      const floor = Math.min(...moments.map(({ length }) => length))
      const explained = moments.some(
        (moment) =>
          moment.startsWith(kept) && text.length <= moment.length && kept.length >= Math.min(floor, text.length),
      )
      expect(explained, `${path}: ${JSON.stringify(text)} of ${JSON.stringify(moments)}`).toBe(true)
      expect(text.length).toBeGreaterThanOrEqual(floor)
    }
  }
}

const durableNames = (disk: SimDisk): string[] =>
  disk.files('.', 'durable').map(({ path, fileId }) => `${path} ${fileId}`)

test('after any history a power loss leaves only what may be left', () => {
  fc.assert(
    fc.property(fc.array(actionArb, { minLength: 5, maxLength: 60 }), fc.nat(), (actions, seed) => {
      const oracle = new Oracle()
      for (const action of actions) oracle.run(action)
      const { disk } = oracle
      disk.powerLoss(new SeededRandom(seed))
      oracle.checkContents()
      expect(durableNames(disk)).toEqual(disk.files('.').map(({ path, fileId }) => `${path} ${fileId}`))
      for (const { bytes, path } of disk.files('.')) expect(textOf(disk.bytes(path, 'durable'))).toBe(textOf(bytes()))
      const [left, used] = [disk.files('.').map(({ path, bytes }) => [path, textOf(bytes())]), disk.usedBytes]
      disk.powerLoss(new SeededRandom(seed + 1))
      expect(disk.files('.').map(({ path, bytes }) => [path, textOf(bytes())])).toEqual(left)
      expect(disk.usedBytes).toBe(used)
    }),
    { numRuns: 700 },
  )
})

test('what was synced under a synced name survives, whatever else was under way', () => {
  fc.assert(
    fc.property(
      fc.array(actionArb, { maxLength: 40 }),
      fc.array(actionArb, { maxLength: 20 }),
      fc.nat(),
      (before, after, seed) => {
        const oracle = new Oracle()
        for (const action of before) oracle.run(action)
        const { disk } = oracle
        disk.put('kept/deep/file', 'synced')
        // The others may do what they like, elsewhere, and to the same file as long as they only append.
        for (const action of after) oracle.run(action)
        disk.put('kept/deep/file', '+', { durable: false })
        disk.powerLoss(new SeededRandom(seed))
        expect(disk.text('kept/deep/file')?.slice(0, 6)).toBe('synced')
      },
    ),
    { numRuns: 300 },
  )
})

test('two files never have the same id at the same time, though ids come back', () => {
  const disk = new SimDisk({ reuseIds: new SeededRandom(3) })
  const random = new SeededRandom(4)
  const everSeen = new Set<string>()
  let came = 0
  for (let step = 0; step < 1_500; step++) {
    const name = `f${random.int(6)}`
    if (disk.bytes(name) === undefined) {
      disk.release(disk.create(name))
      const { fileId } = disk.stat(name)
      if (everSeen.has(fileId)) came++
      everSeen.add(fileId)
    } else {
      disk.unlink(name)
    }
    if (random.bool(0.2)) disk.syncDirectory('.')
    if (random.bool(0.02)) disk.powerLoss(random)
    const ids = disk.files('.').map(({ fileId }) => fileId)
    expect(new Set(ids).size).toBe(ids.length)
  }
  expect(came).toBeGreaterThan(10)
})
