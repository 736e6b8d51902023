import { describe, expect, it } from 'vitest'
import { DataLossError, RecordError, SourceError } from '../../../../src/core/index.ts'
import { diskWith, driverOf, readAll, texts } from './files-on-disk.ts'

describe('a bounded files source', () => {
  it('gives each line of a file once, without its terminator, with path and offset', async () => {
    const { environment } = diskWith({ 'logs/a.log': 'one\ntwo\r\n\nlast' })
    const lines = await readAll(environment, { paths: 'logs/a.log' })
    expect(lines.map(({ text, path, offset }) => ({ text, path, offset }))).toEqual([
      { text: 'one', path: 'logs/a.log', offset: 0 },
      { text: 'two', path: 'logs/a.log', offset: 4 },
      { text: '', path: 'logs/a.log', offset: 9 },
      { text: 'last', path: 'logs/a.log', offset: 10 },
    ])
  })

  it('keeps bytes as they are: NUL, a byte order mark, a lone carriage return, what is not UTF-8', async () => {
    const content = Uint8Array.from([0xef, 0xbb, 0xbf, 0x61, 10, 0, 0x62, 13, 0x63, 13, 13, 10, 0xff, 0xc3, 10, 13])
    const { environment } = diskWith({ 'a.log': content })
    const lines = await readAll(environment, { paths: 'a.log' })
    expect(lines.map((line) => [...line.bytes])).toEqual([
      [0xef, 0xbb, 0xbf, 0x61],
      [0, 0x62, 13, 0x63, 13],
      [0xff, 0xc3],
      [13],
    ])
    expect(texts(lines)).toEqual(['\ufeffa', '\0b\rc\r', '\ufffd\ufffd', '\r'])
  })

  it('ends at once with empty files, and gives the empty lines of a file of newlines', async () => {
    const { environment } = diskWith({ 'd/empty': '', 'd/newlines': '\n'.repeat(20_000) })
    const lines = await readAll(environment, { paths: 'd' })
    expect(lines).toHaveLength(20_000)
    expect(new Set(texts(lines))).toEqual(new Set(['']))
    expect(lines.at(-1)?.offset).toBe(19_999)
  })

  it('reads a line of 10 MB', async () => {
    const long = 'x'.repeat(10_000_000)
    const { environment } = diskWith({ 'a.log': `short\n${long}\nend\n` })
    const lines = await readAll(environment, { paths: 'a.log' })
    expect(lines.map((line) => line.length)).toEqual([5, 10_000_000, 3])
  })

  it('stops at a line longer than lineBytesMax and names file and offset', async () => {
    const { environment } = diskWith({ 'a.log': 'fine\ntoo long for ten\nfine\n' })
    const running = driverOf(environment, { paths: 'a.log', lineBytesMax: 10 })
    await running.start()
    await expect(running.runToEnd()).rejects.toThrow(/RECORD_INVALID \(path a\.log, position 5\).*lineBytesMax, 10/s)
    expect(texts(running.taken)).toEqual(['fine'])
    await running.close()
    await expect(readAll(environment, { paths: 'a.log', lineBytesMax: 10 })).rejects.toBeInstanceOf(RecordError)
  })

  it('cuts a long line between characters when told to', async () => {
    const { environment } = diskWith({ 'a.log': 'abcde\nabcdef\r\nabcd\u20acx\nabcde\r\n' })
    const lines = await readAll(environment, { paths: 'a.log', lineBytesMax: 5, onLongLine: 'split' })
    expect(texts(lines)).toEqual(['abcde', 'abcde', 'f', 'abcd', '\u20acx', 'abcde'])
    expect(lines.map((line) => line.offset)).toEqual([0, 6, 11, 14, 18, 23])
  })

  it('reads up to the size at the start, also when the file grows meanwhile', async () => {
    const { environment, other } = diskWith({ 'a.log': 'one\ntwo\nthr' })
    const running = driverOf(environment, { paths: 'a.log', readBytes: 4 })
    await running.start()
    other.append('a.log', 'ee\nfour\n')
    await running.runToEnd()
    expect(texts(running.taken)).toEqual(['one', 'two', 'thr'])
    await running.close()
  })

  it('reads a file of two names once', async () => {
    const { environment, other } = diskWith({ 'd/b.log': 'one\n' })
    other.link('d/b.log', 'd/a.log')
    const lines = await readAll(environment, { paths: ['d', 'd/*.log', 'd/b.log'] })
    expect(lines.map((line) => line.path)).toEqual(['d/a.log'])
  })

  it('ends on every reader, also on those without a file', async () => {
    const { environment } = diskWith({ 'd/1': 'a\n', 'd/2': 'b\n', 'd/3': 'c\n' })
    const lines = await readAll(environment, { paths: 'd' }, { parallelism: 5 })
    expect(texts(lines).sort()).toEqual(['a', 'b', 'c'])
  })

  it('says which paths lead nowhere, all at once', async () => {
    const { environment } = diskWith({ 'd/x': '' })
    const start = driverOf(environment, { paths: ['missing.log', 'd/*.log', 'nowhere/'] }).start()
    await expect(start).rejects.toBeInstanceOf(SourceError)
    await expect(start).rejects.toThrow(/'missing\.log'.*'nowhere\/'.*'d\/\*\.log' leads to no file/s)
  })

  it('accepts a glob that matches nothing with allowEmpty, but not a missing file', async () => {
    const { environment } = diskWith({ 'd/x': '' })
    expect(await readAll(environment, { paths: 'd/*.log', allowEmpty: true })).toEqual([])
    await expect(readAll(environment, { paths: 'd/x.log', allowEmpty: true })).rejects.toThrow(/d\/x\.log/)
  })

  it('goes on reading a file whose name was removed', async () => {
    const { environment, other } = diskWith({ 'a.log': 'one\ntwo\nthree\n' })
    const running = driverOf(environment, { paths: 'a.log', readBytes: 4 })
    await running.start()
    while (running.poll().length === 0) await environment.clock.yield()
    other.unlink('a.log')
    await running.runToEnd()
    expect(texts(running.taken)).toEqual(['one', 'two', 'three'])
    await running.close()
  })

  it('stops after a restart without the file it was reading, or skips and counts it', async () => {
    const { environment, other } = diskWith({ 'd/a.log': 'one\ntwo\n', 'd/b.log': 'b\n' })
    const running = driverOf(environment, { paths: 'd', readBytes: 4 }, { batchRecordsMax: 1 })
    await running.start()
    while (!texts(running.taken).includes('one')) {
      running.poll()
      await environment.clock.yield()
    }
    const checkpoint = running.checkpoint()
    await running.close()
    other.unlink('d/a.log')

    const failing = driverOf(environment, { paths: 'd' }, { restore: checkpoint })
    await failing.start()
    const end = failing.runToEnd()
    await expect(end).rejects.toBeInstanceOf(DataLossError)
    await expect(end).rejects.toThrow(/DATA_LOSS \(path d\/a\.log, split d\/a\.log#1, position 4\).*onMissing: 'skip'/s)
    await failing.close()

    const skipping = driverOf(environment, { paths: 'd', onMissing: 'skip' }, { restore: checkpoint })
    await skipping.start()
    await skipping.runToEnd()
    expect(JSON.parse(new TextDecoder().decode(skipping.checkpoint().enumerator))).toMatchObject({ skippedFiles: 1 })
    await skipping.close()
  })
})
