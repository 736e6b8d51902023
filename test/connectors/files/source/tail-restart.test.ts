import { describe, expect, it } from 'vitest'
import type { FilesSourceOptions } from '../../../../src/connectors/files/index.ts'
import type { DriverCheckpoint } from '../../../source/source-driver.ts'
import { diskWith, driverOf, type OtherProgram, texts } from './files-on-disk.ts'

const tail = (paths: string | string[], more: Partial<FilesSourceOptions> = {}): FilesSourceOptions => ({
  paths,
  mode: 'tail',
  pollInterval: 100,
  discoveryInterval: '1s',
  rotateWait: 500,
  ...more,
})

const header = `#${' the same header in every file'.repeat(40)}\n`

/** Reads what is there, stops, lets others work, and reads on from the checkpoint. */
const acrossRestart = async (
  files: Record<string, string>,
  options: FilesSourceOptions,
  meanwhile: (other: OtherProgram) => void,
): Promise<{ readonly before: string[]; readonly after: string[] }> => {
  const { environment, other } = diskWith(files)
  const first = driverOf(environment, options)
  await first.start()
  await first.run(1_000)
  const restore: DriverCheckpoint = first.checkpoint()
  await first.close()
  meanwhile(other)
  const second = driverOf(environment, options, { restore })
  await second.start()
  try {
    await second.run(5_000)
    if (second.failures[0] !== undefined) throw second.failures[0]
    return { before: texts(first.taken), after: texts(second.taken) }
  } finally {
    await second.close()
  }
}

describe('a tailing files source after a restart', () => {
  it('goes on where the checkpoint says, and finds what came while it was down', async () => {
    const { before, after } = await acrossRestart({ 'd/a.log': 'one\nhal' }, tail('d/*.log'), (other) => {
      other.append('d/a.log', 'f\ntwo\n')
      other.append('d/b.log', 'new\n')
    })
    expect(before).toEqual(['one'])
    expect(after.sort()).toEqual(['half', 'new', 'two'])
  })

  it('follows a file that was renamed while it was down', async () => {
    const { after } = await acrossRestart({ 'd/a.log': 'one\n' }, tail('d/a.log*'), (other) => {
      other.append('d/a.log', 'two\n')
      other.rename('d/a.log', 'd/a.log.1')
      other.append('d/a.log', 'three\n')
    })
    expect(after).toEqual(['two', 'three'])
  })

  it('finds a renamed file beside its old name even when that is not watched', async () => {
    const { after } = await acrossRestart({ 'd/a.log': 'one\n' }, tail('d/a.log'), (other) => {
      other.append('d/a.log', 'two\n')
      other.rename('d/a.log', 'd/a.log.2024-05-01')
      other.append('d/a.log', 'three\n')
    })
    expect(after.sort()).toEqual(['three', 'two'])
  })

  it('starts again when a file was cut short while it was down', async () => {
    const { after } = await acrossRestart({ 'd/a.log': 'one\ntwo\n' }, tail('d/a.log'), (other) => {
      other.truncate('d/a.log')
      other.append('d/a.log', 'and then some more\n')
    })
    expect(after).toEqual(['and then some more'])
  })

  it('tells files with the same header apart by their ids', async () => {
    const files = { 'd/a.log': `${header}one\n` }
    const { after } = await acrossRestart(files, tail('d/a.log*'), (other) => {
      other.rename('d/a.log', 'd/a.log.1')
      other.append('d/a.log', `${header}two\n`)
    })
    expect(after).toEqual([header.trimEnd(), 'two'])
  })

  it('knows a file that was copied to a new disk by what it starts with', async () => {
    const { after } = await acrossRestart({ 'd/a.log': `${header}one\n` }, tail('d/a.log'), (other) => {
      other.unlink('d/a.log')
      other.append('d/a.log', `${header}one\ntwo\n`)
    })
    expect(after).toEqual(['two'])
  })

  it('stops when a file it had not finished is gone, and says how to accept that', async () => {
    const files = { 'd/a.log': 'one\n', 'd/b.log': 'b\n' }
    await expect(acrossRestart(files, tail('d/*.log'), (other) => other.unlink('d/a.log'))).rejects.toThrow(
      /DATA_LOSS \(path d\/a\.log.*position 4.*onMissing: 'skip'/s,
    )
  })

  it('goes on without a file that is gone with onMissing: skip, and reads a new one of the same name', async () => {
    const files = { 'd/a.log': 'one\n', 'd/b.log': 'b\n' }
    const { after } = await acrossRestart(files, tail('d/*.log', { onMissing: 'skip' }), (other) => {
      other.unlink('d/a.log')
      other.append('d/a.log', 'new\n')
      other.append('d/b.log', 'b2\n')
    })
    expect(after.sort()).toEqual(['b2', 'new'])
  })

  it('does not move the start of latest', async () => {
    const { before, after } = await acrossRestart({ 'a.log': 'old\n' }, tail('a.log', { start: 'latest' }), (other) => {
      other.append('a.log', 'new\n')
    })
    expect(before).toEqual([])
    expect(after).toEqual(['new'])
  })

  it('refuses a checkpoint of the other mode', async () => {
    const { environment } = diskWith({ 'a.log': 'x\n' })
    const first = driverOf(environment, tail('a.log'))
    await first.start()
    const restore = first.checkpoint()
    await first.close()
    expect(() => driverOf(environment, { paths: 'a.log' }, { restore })).toThrow(/CHECKPOINT_MISMATCH.*mode: 'tail'/s)
  })

  it('keeps a finished file finished when the checkpoint was taken before everybody knew', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'one\n', 'd/b.log': 'b\n' })
    const first = driverOf(environment, tail('d/*.log'))
    await first.start()
    await first.run(500)
    other.unlink('d/a.log')
    await first.run(4_000)
    const restore = first.checkpoint({ complete: false })
    expect(restore.readers[0]).toHaveLength(2)
    await first.close()
    const second = driverOf(environment, tail('d/*.log'), { restore })
    await second.start()
    await second.run(3_000)
    expect(second.taken).toEqual([])
    second.checkpoint()
    expect(second.splits()).toHaveLength(1)
    await second.close()
  })

  it('sees that a file was cut short although it was never read before', async () => {
    const { environment, other } = diskWith({ 'a.log': 'old\n' })
    const options = tail('a.log', { start: 'latest' })
    const first = driverOf(environment, options)
    await first.start()
    const restore = first.checkpoint()
    await first.close()
    other.truncate('a.log')
    other.append('a.log', 'new, and longer\n')
    const second = driverOf(environment, options, { restore })
    await second.start()
    await second.run(1_000)
    expect(texts(second.taken)).toEqual(['new, and longer'])
    await second.close()
  })

  it('counts a skipped file once, however often it is restored', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'one\n' })
    const options = tail('d/*.log', { onMissing: 'skip' })
    let restore: DriverCheckpoint | undefined
    for (let round = 0; round < 3; round++) {
      const driver = driverOf(environment, options, { restore })
      await driver.start()
      await driver.run(1_000)
      restore = driver.checkpoint({ complete: false })
      await driver.close()
      if (round === 0) other.unlink('d/a.log')
    }
    expect(JSON.parse(new TextDecoder().decode(restore?.enumerator))).toMatchObject({ skippedFiles: 1, files: [] })
    expect(restore?.readers[0]).toHaveLength(1)
  })

  it('at another parallelism forgets the files that nobody brought back', async () => {
    const { environment } = diskWith({ 'd/a.log': 'a\n', 'd/b.log': 'b\n' })
    const first = driverOf(environment, tail('d/*.log'))
    await first.start()
    await first.run(500)
    const checkpoint = first.checkpoint()
    await first.close()
    const restore = { ...checkpoint, readers: [(checkpoint.readers[0] ?? []).slice(1)] }
    const second = driverOf(environment, tail('d/*.log'), { restore, parallelism: 2 })
    await second.start()
    await second.run(2_000)
    // Its mark was gone with a checkpoint; a file that is there all the same is a new one.
    expect(texts(second.taken)).toEqual(['a'])
    await second.close()
  })
})
