import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { GzipBytes, GzipFailure, PlainBytes } from '../../../../src/connectors/files/file-bytes.ts'
import { nodeCompression } from '../../../../src/platform/index.ts'
import { diskWith } from './files-on-disk.ts'

const { signal } = new AbortController()
const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 251)

describe('the bytes of a file', () => {
  it('end at the limit', async () => {
    const { environment } = diskWith({ a: 'abcdef' })
    const bytes = new PlainBytes(await environment.fs.open('a'), 4)
    expect([...(await bytes.read(2, 10))]).toEqual([0x63, 0x64])
    expect([...(await bytes.read(9, 10))]).toEqual([])
  })

  it('of a gzip file are read on, again, and back', async () => {
    const { environment } = diskWith({ a: gzipSync(content) })
    const bytes = new GzipBytes(await environment.fs.open('a'), null, nodeCompression)
    for (const [position, length] of [
      [0, 10],
      [5, 100_000],
      [5, 10],
      [200_000, 100],
      [10, 20],
      [299_990, 50],
      [300_000, 5],
      [0, 300_001],
    ] as const) {
      const read = await bytes.read(position, length, signal)
      expect(Buffer.compare(read, content.subarray(position, position + length))).toBe(0)
    }
    bytes.finish()
    bytes.close()
  })

  it('of a gzip file that stops early are no whole file', async () => {
    const packed = gzipSync(content)
    const { environment } = diskWith({ a: packed })
    const bytes = new GzipBytes(await environment.fs.open('a'), packed.length - 1, nodeCompression)
    await bytes.read(0, 1_000_000, signal)
    expect(() => bytes.finish()).toThrow(GzipFailure)
    bytes.close()
  })

  it('stop inflating when nobody wants them any more', async () => {
    const { environment } = diskWith({ a: gzipSync(content) })
    const bytes = new GzipBytes(await environment.fs.open('a'), null, nodeCompression)
    await expect(bytes.read(0, 10, AbortSignal.abort(new Error('closed')))).rejects.toThrow('closed')
    bytes.close()
  })
})
