import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { FilesSourceOptions } from '../../../../src/connectors/files/index.ts'
import { diskWith, driverOf, texts, textsOf } from './files-on-disk.ts'
import { interruptedFileSystem } from './interrupted-file-system.ts'

const tail = (paths: string | string[], more: Partial<FilesSourceOptions> = {}): FilesSourceOptions => ({
  paths,
  mode: 'tail',
  pollInterval: 100,
  discoveryInterval: '1s',
  rotateWait: 500,
  ...more,
})

/** Longer than it takes to see that a file is gone and quiet. */
const goneMs = 4_000

describe('a tailing files source', () => {
  it('gives lines as they are completed', async () => {
    const { environment, other } = diskWith({ 'a.log': 'one\ntw' })
    const driver = driverOf(environment, tail('a.log'))
    await driver.start()
    await driver.run(500)
    expect(texts(driver.taken)).toEqual(['one'])
    other.append('a.log', 'o\r')
    await driver.run(500)
    other.append('a.log', '\nthree\nfo')
    await driver.run(500)
    expect(texts(driver.taken)).toEqual(['one', 'two', 'three'])
    expect(driver.taken.map((line) => line.offset)).toEqual([0, 4, 9])
    await driver.close()
    expect(environment.clock.pendingTimers).toBe(0)
  })

  it('waits for files that are not there yet, and reads later ones from their beginning', async () => {
    const { environment, other } = diskWith({ 'd/other.txt': 'x\n' })
    const driver = driverOf(environment, tail(['d/*.log', 'missing/'], { start: 'latest' }), { parallelism: 2 })
    await driver.start()
    await driver.run(1_000)
    other.append('d/a.log', 'a1\n')
    other.append('missing/b.log', 'b1\n')
    await driver.run(2_000)
    other.append('d/c.log', 'c1\n')
    await driver.run(2_000)
    expect(texts(driver.taken).sort()).toEqual(['a1', 'b1', 'c1'])
    const loads = driver.readers.map((reader) => reader.unfinishedSplitIds().length)
    expect(loads.sort()).toEqual([1, 2])
    await driver.close()
  })

  it('starts after the last complete line with start: latest, and gives the line being written whole', async () => {
    const { environment, other } = diskWith({
      'a.log': 'old\nhalf',
      'b.log': 'no line yet',
      'c.log.gz': gzipSync('old\n'),
    })
    const driver = driverOf(environment, tail(['a.log', 'b.log', 'c.log.gz'], { start: 'latest' }))
    await driver.start()
    await driver.run(300)
    expect(driver.taken).toEqual([])
    other.append('a.log', ' a line\n')
    other.append('b.log', '\n')
    await driver.run(3_000)
    expect(texts(driver.taken)).toEqual(['half a line', 'no line yet'])
    await driver.close()
  })

  it('starts with everything by default', async () => {
    const { environment } = diskWith({ 'a.log': 'old\n', 'b.gz': gzipSync('older\n') })
    const driver = driverOf(environment, tail(['a.log', 'b.gz']))
    await driver.start()
    await driver.run(300)
    expect(texts(driver.taken)).toEqual(['old', 'older'])
    await driver.close()
  })

  it('follows a file that is renamed within what is watched, and reads the new one under the old name', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'one\n' })
    const driver = driverOf(environment, tail('d/a.log*'))
    await driver.start()
    await driver.run(300)
    other.rename('d/a.log', 'd/a.log.1')
    other.append('d/a.log', 'three\n')
    other.append('d/a.log.1', 'two\n')
    await driver.run(goneMs)
    other.append('d/a.log.1', 'late\n')
    await driver.run(1_000)
    expect(texts(driver.taken)).toEqual(['one', 'two', 'three', 'late'])
    expect(driver.taken.at(-1)?.path).toBe('d/a.log.1')
    expect(driver.readers[0]?.unfinishedSplitIds()).toEqual(['d/a.log#1', 'd/a.log#2'])
    await driver.close()
  })

  it('finishes a file that was moved away or removed, with its last line even without a newline', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'a1\na2', 'd/b.log': 'b1\nb2' })
    const driver = driverOf(environment, tail('d/*.log'))
    await driver.start()
    await driver.run(300)
    expect(texts(driver.taken)).toEqual(['a1', 'b1'])
    other.rename('d/a.log', 'd/a.old')
    other.unlink('d/b.log')
    other.append('d/a.old', ' more\na3')
    await driver.run(goneMs)
    expect(textsOf(driver.taken, 'd/a.log')).toEqual(['a1', 'a2 more', 'a3'])
    expect(textsOf(driver.taken, 'd/b.log')).toEqual(['b1', 'b2'])
    expect(driver.readers[0]?.unfinishedSplitIds()).toEqual([])
    driver.checkpoint()
    expect(driver.splits()).toEqual([])
    await driver.close()
  })

  it('keeps reading a removed file for as long as somebody writes to it', async () => {
    const { environment, other } = diskWith({ 'd/a.log': '1\n' })
    const driver = driverOf(environment, tail('d/*.log', { rotateWait: '2s' }))
    await driver.start()
    await driver.run(300)
    other.rename('d/a.log', 'd/gone')
    for (let count = 2; count < 12; count++) {
      other.append('d/gone', `${count}\n`)
      await driver.run(1_000)
    }
    expect(texts(driver.taken)).toHaveLength(11)
    await driver.run(goneMs)
    expect(driver.readers[0]?.unfinishedSplitIds()).toEqual([])
    await driver.close()
  })

  it('starts again when a file is cut short, also when it has grown longer than before since', async () => {
    const { environment, other } = diskWith({ 'a.log': 'one\ntwo\n' })
    const driver = driverOf(environment, tail('a.log'))
    await driver.start()
    await driver.run(300)
    other.truncate('a.log')
    other.append('a.log', '3\n')
    await driver.run(300)
    other.truncate('a.log')
    other.append('a.log', 'four\nfive\nsix\n')
    await driver.run(300)
    other.truncate('a.log')
    await driver.run(300)
    other.append('a.log', 'seven\n')
    await driver.run(300)
    expect(texts(driver.taken)).toEqual(['one', 'two', '3', 'four', 'five', 'six', 'seven'])
    await driver.close()
  })

  it('grows the fingerprint of a short file, so that it is told from another one later', async () => {
    const { environment, other } = diskWith({ 'a.log': 'a\n' })
    const driver = driverOf(environment, tail('a.log'))
    await driver.start()
    await driver.run(300)
    const covered = (): unknown => driver.splits().map((split) => 'fingerprint' in split && split.fingerprint)
    expect(covered()).toMatchObject([{ bytes: 2 }])
    other.append('a.log', `${'x'.repeat(2_000)}\n`)
    await driver.run(300)
    expect(covered()).toMatchObject([{ bytes: 1024 }])
    await driver.close()
  })

  it('does not keep more files open than told', async () => {
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`d/${index}.log`, `${index}\n`]))
    const { environment, other } = diskWith(files)
    let open = 0
    const fs = interruptedFileSystem(environment.fs, ({ name }) => {
      if (name === 'open') open++
      if (name === 'close') open--
    })
    const driver = driverOf({ ...environment, fs }, tail('d', { openFilesMax: 5 }))
    await driver.start()
    await driver.run(1_000)
    expect(open).toBe(5)
    for (let index = 0; index < 20; index++) {
      other.append(`d/${index}.log`, `${index} again\n`)
      await driver.run(1_300)
      expect(open).toBeLessThanOrEqual(6)
    }
    other.unlink('d/3.log')
    other.rename('d/4.log', 'd/4.old')
    await driver.run(goneMs)
    expect(texts(driver.taken)).toHaveLength(40)
    expect(driver.readers[0]?.unfinishedSplitIds()).toHaveLength(19)
    await driver.close()
    expect(open).toBe(0)
  })

  it('reads a gzip file while it is written', async () => {
    const packed = gzipSync(Array.from({ length: 500 }, (_, index) => `line ${index} ${Math.sqrt(index)}\n`).join(''))
    const { environment, other } = diskWith({ 'a.gz': '' })
    const driver = driverOf(environment, tail('a.gz'))
    await driver.start()
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 900],
      [900, 2_000],
      [2_000, packed.length],
    ] as const) {
      other.append('a.gz', packed.subarray(from, to))
      await driver.run(300)
    }
    expect(driver.taken).toHaveLength(500)
    await driver.close()
  })

  it('does not read the start of a long line again each time it grows', async () => {
    const { environment, other } = diskWith({ 'a.log': 'x'.repeat(100_000) })
    let reads = 0
    const fs = interruptedFileSystem(environment.fs, ({ name, position }) => {
      if (name === 'read' && position === 0) reads++
    })
    const driver = driverOf({ ...environment, fs }, tail('a.log'))
    await driver.start()
    for (let count = 0; count < 50; count++) {
      await driver.run(200)
      other.append('a.log', 'y')
    }
    // Each look reads the first bytes only, to see that it is still the same file.
    expect(reads).toBeLessThan(60)
    other.append('a.log', '\n')
    await driver.run(200)
    expect(driver.taken[0]?.length).toBe(100_050)
    await driver.close()
  })

  it('keeps a file open that ends with a part of a line, so that its removal does not lose it', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'a1\na2', 'd/b.log': 'b1\nb2', 'd/c.log': 'c1\nc2' })
    const driver = driverOf(environment, tail('d/*.log', { openFilesMax: 1 }))
    await driver.start()
    await driver.run(1_000)
    for (const name of ['a', 'b', 'c']) other.unlink(`d/${name}.log`)
    await driver.run(goneMs)
    expect(texts(driver.taken).sort()).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2'])
    await driver.close()
  })

  it('reads nothing of files that do not change', async () => {
    const { environment } = diskWith({ 'a.log': 'a1\na2', 'b.gz': gzipSync('b1\nb2') })
    let reads = 0
    const fs = interruptedFileSystem(environment.fs, ({ name }) => {
      if (name === 'read') reads++
    })
    const driver = driverOf({ ...environment, fs }, tail(['a.log', 'b.gz']))
    await driver.start()
    await driver.run(500)
    const before = reads
    await driver.run(5_000)
    expect(reads).toBe(before)
    await driver.close()
  })
})
