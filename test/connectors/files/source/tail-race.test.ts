import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FileSystem, ReadableFile } from '../../../../src/core/index.ts'
import { diskWith, driverOf, texts } from './files-on-disk.ts'

/** A file system that lets others work right before each of its operations. */
const interrupted = (fs: FileSystem, interrupt: () => void): FileSystem => {
  const file = (inner: ReadableFile): ReadableFile => ({
    readAt: (position, length) => {
      interrupt()
      return inner.readAt(position, length)
    },
    stat: () => {
      interrupt()
      return inner.stat()
    },
    sync: () => inner.sync(),
    close: () => {
      interrupt()
      return inner.close()
    },
  })
  return {
    ...fs,
    open: async (path) => {
      interrupt()
      return file(await fs.open(path))
    },
    stat: (path) => {
      interrupt()
      return fs.stat(path)
    },
    list: (path) => {
      interrupt()
      return fs.list(path)
    },
  }
}

const effect = fc.constantFrom('none', 'none', 'line', 'line', 'part', 'rotate', 'cut' as const)

const play = async (effects: readonly string[], readBytes: number, mayCut: boolean): Promise<void> => {
  const { environment, other } = diskWith({ 'd/a.log': 'line 0 first\n' })
  const written = ['line 0 first']
  let part = ''
  let count = 0
  let at = 0
  const act = (): void => {
    const what = effects[at++]
    if (what === 'line') {
      const text = `line ${++count} ${'.'.repeat((count * 5) % 30)}`
      other.append('d/a.log', `${text}\n`)
      written.push(part + text)
      part = ''
    } else if (what === 'part') {
      const text = `part ${++count} `
      other.append('d/a.log', text)
      part += text
    } else if (what === 'rotate' && part === '') {
      other.rename('d/a.log', `d/a.log.${++count}`)
      other.append('d/a.log')
    } else if (what === 'cut' && mayCut) {
      other.truncate('d/a.log')
      part = ''
    }
  }
  const fs = interrupted(environment.fs, act)
  const options = { paths: 'd/a.log*', mode: 'tail', pollInterval: 10, discoveryInterval: 50, readBytes } as const
  const driver = driverOf({ ...environment, fs }, options)
  await driver.start()
  while (at < effects.length) {
    await driver.run(20, 7)
    if (driver.failures[0] !== undefined) throw driver.failures[0]
  }
  await driver.run(1_000, 25)
  const given = texts(driver.taken)
  if (mayCut) {
    // What was cut away unread is gone; nothing else may be wrong.
    expect(new Set(given).size).toBe(given.length)
    expect(given.filter((text) => !written.includes(text))).toEqual([])
  } else {
    expect([...given].sort()).toEqual([...written].sort())
  }
  await driver.close()
  expect(environment.clock.pendingTimers).toBe(0)
}

describe('a tailing files source, with others working between any two of its file operations', () => {
  it('gives each line once while files are appended to and rotated', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(effect, { maxLength: 80 }), fc.constantFrom(1, 7, 64), (effects, readBytes) =>
        play(effects, readBytes, false),
      ),
      { numRuns: 30 },
    )
  })

  it('gives no line twice and no mixture of two lines while files are cut short too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(effect, { maxLength: 80 }), fc.constantFrom(1, 7, 64), (effects, readBytes) =>
        play(effects, readBytes, true),
      ),
      { numRuns: 50 },
    )
  })
})
