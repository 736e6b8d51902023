import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeCompression, nodeFileSystem } from '../../../../src/platform/index.ts'
import { type MemoryEnvironment, memoryEnvironment } from '../../../../src/testing/index.ts'
import type { SourceDriver } from '../../../source/source-driver.ts'
import { driverOf, readAll, texts } from './files-on-disk.ts'
import { interruptedFileSystem } from './interrupted-file-system.ts'

let dir = ''
let environment: MemoryEnvironment

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-files-'))
  environment = { ...memoryEnvironment(), fs: nodeFileSystem(), compression: nodeCompression }
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Real reads end when they end; virtual time moves in between. */
const until = async (driver: SourceDriver<{ readonly text: string }>, count: number): Promise<void> => {
  for (let turn = 0; turn < 3_000 && driver.taken.length < count; turn++) {
    driver.poll()
    if (driver.failures[0] !== undefined) throw driver.failures[0]
    await environment.clock.advance(50)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

describe('a files source on the real file system', () => {
  it('reads directories with links that lead back up, each file once', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true })
    writeFileSync(join(dir, 'a/one.log'), 'one\n')
    writeFileSync(join(dir, 'a/b/two.log.gz'), gzipSync('two\n'))
    symlinkSync('..', join(dir, 'a/b/up'))
    symlinkSync('self', join(dir, 'a/self'))
    symlinkSync('nowhere', join(dir, 'a/broken'))
    symlinkSync('one.log', join(dir, 'a/b/zlink.log'))
    symlinkSync('../one.log', join(dir, 'a/b/other.log'))
    let operations = 0
    const fs = interruptedFileSystem(environment.fs, () => operations++)
    environment = { ...environment, fs }
    for (const paths of [dir, `${dir}/**`, `${dir}/**/*.log*`, [`${dir}/a`, `${dir}/a/b/up/*.log`]]) {
      expect(texts(await readAll(environment, { paths })).sort()).toEqual(['one', 'two'])
      expect(operations).toBeLessThan(100)
      operations = 0
    }
  })

  it('follows rotation by rename and by copy and truncate', async () => {
    const path = join(dir, 'a.log')
    writeFileSync(path, 'one\ntw')
    const options = { paths: `${dir}/a.log*`, mode: 'tail', pollInterval: 100, discoveryInterval: '1s' } as const
    const driver = driverOf(environment, options)
    await driver.start()
    await until(driver, 1)
    appendFileSync(path, 'o\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'three\n')
    await until(driver, 3)
    truncateSync(path)
    appendFileSync(path, 'four\nfive\nsix\n')
    await until(driver, 6)
    expect(texts(driver.taken).sort()).toEqual(['five', 'four', 'one', 'six', 'three', 'two'])
    await driver.close()
    expect(environment.clock.pendingTimers).toBe(0)
  })

  it('does not wait for the writer of a pipe, and refuses a device', async () => {
    await expect(readAll(environment, { paths: '/dev/null' })).rejects.toThrow(
      /SOURCE_REFUSED \(path \/dev\/null\).*neither a regular file nor a directory/s,
    )
  })
})
