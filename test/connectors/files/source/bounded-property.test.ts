import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DriverCheckpoint } from '../../../source/source-driver.ts'
import { diskWith, driverOf, readAll } from './files-on-disk.ts'
import { type PlainLine, plainLines, referenceLines } from './reference-lines.ts'

/** Bytes with many line ends, carriage returns and parts of UTF-8 characters. */
const content = fc
  .array(fc.constantFrom(10, 10, 13, 0, 0x61, 0x62, 0xe2, 0x82, 0xac, 0xff, 0xef, 0xbb, 0xbf), { maxLength: 120 })
  .map((bytes) => Uint8Array.from(bytes))

const readBytes = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(16, 64, 1024))

const packed = (bytes: Uint8Array, gzip: boolean, cut: number): Uint8Array => {
  if (!gzip) return bytes
  const at = Math.min(cut, bytes.length)
  return Buffer.concat([gzipSync(bytes.subarray(0, at)), gzipSync(bytes.subarray(at))])
}

describe('a bounded files source, with random content', () => {
  it('gives the same lines whatever the size of reads and batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        readBytes,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.nat(120),
        async (bytes, size, batchRecordsMax, gzip, cut) => {
          const { environment } = diskWith({ 'a.log': packed(bytes, gzip, cut) })
          const lines = await readAll(environment, { paths: 'a.log', readBytes: size }, { batchRecordsMax })
          expect(plainLines(lines)).toEqual(referenceLines(bytes, { lastLine: true }))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('cuts long lines at the same places whatever the size of reads', async () => {
    await fc.assert(
      fc.asyncProperty(content, readBytes, fc.integer({ min: 1, max: 9 }), async (bytes, size, lineBytesMax) => {
        const { environment } = diskWith({ 'a.log': bytes })
        const options = { paths: 'a.log', lineBytesMax, onLongLine: 'split' } as const
        const whole = await readAll(environment, options)
        const lines = await readAll(environment, { ...options, readBytes: size })
        expect(plainLines(lines)).toEqual(plainLines(whole))
        expect(Math.max(0, ...lines.map((line) => line.length))).toBeLessThanOrEqual(lineBytesMax)
        const joined = Buffer.concat(lines.map((line) => line.bytes))
        const expected = referenceLines(bytes, { lastLine: true }).map((line) => line.hex)
        expect(joined.toString('hex')).toBe(expected.join(''))
      }),
      { numRuns: 300 },
    )
  })

  it('goes on with exactly the lines that were not given out, wherever it is stopped and at whatever parallelism', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: content, gzip: fc.boolean(), cut: fc.nat(120) }), { minLength: 1, maxLength: 4 }),
        readBytes,
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.record({ polls: fc.nat(6), parallelism: fc.integer({ min: 1, max: 3 }) }), { maxLength: 12 }),
        async (files, size, batchRecordsMax, stops) => {
          const disk: Record<string, Uint8Array> = {}
          for (const [index, file] of files.entries()) disk[`d/${index}`] = packed(file.bytes, file.gzip, file.cut)
          const { environment } = diskWith(disk)
          const taken = new Map<string, PlainLine[]>(files.map((_, index) => [`d/${index}`, []]))
          let restore: DriverCheckpoint | undefined
          const run = async (polls: number, parallelism: number): Promise<boolean> => {
            const options = { paths: 'd', readBytes: size }
            const driver = driverOf(environment, options, { restore, parallelism, batchRecordsMax })
            await driver.start()
            for (let poll = 0; poll < polls && driver.ended.size < parallelism; poll++) {
              for (let turn = 0; turn < 3; turn++) await environment.clock.yield()
              driver.poll(poll % parallelism)
            }
            // What was given out after this checkpoint is given out again, so it is not counted.
            for (const line of driver.taken) taken.get(line.path)?.push(...plainLines([line]))
            restore = driver.checkpoint()
            const ended = driver.ended.size === parallelism
            driver.poll(0)
            await driver.close()
            return ended
          }
          for (const { polls, parallelism } of stops) await run(polls, parallelism)
          while (!(await run(2_000, 1)));
          for (const [index, file] of files.entries()) {
            expect(taken.get(`d/${index}`)).toEqual(referenceLines(file.bytes, { lastLine: true }))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
