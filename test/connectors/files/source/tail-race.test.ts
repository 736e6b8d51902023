import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diskWith, driverOf, texts } from './files-on-disk.ts'
import { interruptedFileSystem } from './interrupted-file-system.ts'

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
  const fs = interruptedFileSystem(environment.fs, act)
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

  it('drops what it read of a file that was cut and written anew during the read', async () => {
    const { environment, other } = diskWith({ 'a.log': 'one\n' })
    let armed = false
    let reads = 0
    const fs = interruptedFileSystem(environment.fs, ({ name, position }) => {
      // The first of these reads finds that there is a line, the second one reads it.
      if (!armed || name !== 'read' || position !== 4 || ++reads < 2) return
      armed = false
      other.truncate('a.log')
      other.append('a.log', 'three, longer than both before\nfour\n')
    })
    const driver = driverOf({ ...environment, fs }, { paths: 'a.log', mode: 'tail', pollInterval: 100 })
    await driver.start()
    await driver.run(300)
    other.append('a.log', 'two\n')
    armed = true
    await driver.run(500)
    expect(armed).toBe(false)
    expect(texts(driver.taken)).toEqual(['one', 'three, longer than both before', 'four'])
    await driver.close()
  })

  it('does not take a part of a line for the last one when somebody still writes it', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'one\nhalf' })
    let looks = 0
    let writes = 0
    const fs = interruptedFileSystem(environment.fs, ({ name, position }) => {
      if (name === 'read' && position === 4) looks++
      // Right after the last read of a file without a name: its unfinished line was read once before.
      if (name !== 'fstat' || looks !== 2 || writes > 0) return
      writes++
      other.append('d/a.moved', ' a line\n')
    })
    const driver = driverOf(
      { ...environment, fs },
      { paths: 'd/*.log', mode: 'tail', pollInterval: 100, discoveryInterval: 1_000, rotateWait: 500 },
    )
    await driver.start()
    await driver.run(300)
    other.rename('d/a.log', 'd/a.moved')
    await driver.run(6_000)
    expect(writes).toBe(1)
    expect(texts(driver.taken)).toEqual(['one', 'half a line'])
    expect(driver.readers[0]?.unfinishedSplitIds()).toEqual([])
    await driver.close()
  })
})
