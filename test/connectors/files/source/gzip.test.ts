import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { SourceError } from '../../../../src/core/index.ts'
import { nodeCompression } from '../../../../src/platform/index.ts'
import { diskWith, driverOf, readAll, texts } from './files-on-disk.ts'

const content = Array.from({ length: 5_000 }, (_, index) => `line ${index} ${'.'.repeat(index % 90)}`)
const text = `${content.join('\n')}\n`

describe('gzip files', () => {
  it('are known by their first bytes, and positions are in the decompressed bytes', async () => {
    const { environment } = diskWith({ 'a.log': gzipSync(text), 'b.log.gz': 'not compressed\n' })
    const lines = await readAll(environment, { paths: ['a.log', 'b.log.gz'] })
    const packed = lines.filter((line) => line.path === 'a.log')
    expect(texts(packed)).toEqual(content)
    expect(packed[1]?.offset).toBe('line 0 \n'.length)
    expect(texts(lines.filter((line) => line.path === 'b.log.gz'))).toEqual(['not compressed'])
  })

  it('may consist of several members', async () => {
    const half = Math.floor(text.length / 2)
    const members = Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(''), gzipSync(text.slice(half))])
    const { environment } = diskWith({ 'a.gz': members })
    expect(texts(await readAll(environment, { paths: 'a.gz', readBytes: 1000 }))).toEqual(content)
  })

  it('go on after a restart where they were', async () => {
    const { environment } = diskWith({ 'a.gz': gzipSync(text) })
    const first = driverOf(environment, { paths: 'a.gz', readBytes: 4096 }, { batchRecordsMax: 7 })
    await first.start()
    while (first.taken.length < 777) {
      first.poll()
      await environment.clock.yield()
    }
    const count = first.taken.length
    const checkpoint = first.checkpoint()
    await first.close()
    const rest = await readAll(environment, { paths: 'a.gz' }, { restore: checkpoint })
    expect(texts(rest)).toEqual(content.slice(count))
  })

  it.each([
    ['cut short', gzipSync(text).subarray(0, 2_000)],
    ['damaged', Buffer.from(gzipSync(text)).fill(0x55, 1_000, 1_010)],
    ['followed by rubbish', Buffer.concat([gzipSync(text), Buffer.from('rubbish')])],
  ])('%s stop the job and are named', async (_, bytes) => {
    for (const compression of ['simulated', 'real']) {
      const disk = diskWith({ 'd/a.gz': bytes })
      const environment =
        compression === 'real' ? { ...disk.environment, compression: nodeCompression } : disk.environment
      const end = readAll(environment, { paths: 'd/a.gz' })
      await expect(end).rejects.toBeInstanceOf(SourceError)
      await expect(end).rejects.toThrow(/SOURCE_REFUSED \(path d\/a\.gz.*cannot be decompressed/)
    }
  })

  it('are decompressed by the real codec too, a megabyte of zeros included', async () => {
    const disk = diskWith({ 'a.gz': gzipSync(`${text}${'0'.repeat(3_000_000)}\nend\n`) })
    const environment = { ...disk.environment, compression: nodeCompression }
    const lines = await readAll(environment, { paths: 'a.gz', readBytes: 10_000 })
    expect(texts(lines.slice(0, content.length))).toEqual(content)
    expect(lines.slice(content.length).map((line) => line.length)).toEqual([3_000_000, 3])
  })
})
