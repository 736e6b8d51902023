import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Driver } from './driver.ts'
import { placeOf, SetUpError, setUpDriver } from './set-up.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-set-up-'))
  mkdirSync(join(root, 'test', 'interop', 'x', 'parts'), { recursive: true })
  write('manifest.txt', '1')
  write('parts/one.txt', '1')
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const write = (name: string, text: string): void => writeFileSync(join(root, 'test', 'interop', 'x', name), text)

const driverWith = (more: Partial<Driver> = {}): Driver => ({
  name: 'x',
  title: 'X 1.0',
  folder: 'x',
  manifests: ['manifest.txt', 'parts/'],
  tools: [{ command: process.execPath, args: ['--version'], install: 'Node' }],
  setUp: async () => {},
  start: () => ({ command: process.execPath, args: [] }),
  blanks: {},
  ...more,
})

describe('setUpDriver', () => {
  test('sets up once for each state of the manifests, folders of them included', async () => {
    const place = placeOf(root, 'x')
    const driver = driverWith()
    expect(await setUpDriver(driver, place)).toBe(true)
    expect(await setUpDriver(driver, place)).toBe(false)
    write('manifest.txt', '2')
    expect(await setUpDriver(driver, place)).toBe(true)
    write('parts/two.txt', '')
    expect(await setUpDriver(driver, place)).toBe(true)
    expect(await setUpDriver(driver, place)).toBe(false)
  })

  test('tries again after a set-up that failed', async () => {
    const place = placeOf(root, 'x')
    const broken = driverWith({
      setUp: () => place.run({ command: process.execPath, args: ['-e', 'process.exit(3)'] }),
    })
    await expect(setUpDriver(broken, place)).rejects.toThrow(/ended with 3/)
    expect(await setUpDriver(driverWith(), place)).toBe(true)
  })

  test('names a tool that is missing and what to install', async () => {
    const driver = driverWith({ tools: [{ command: 'no-such-tool-7', args: [], install: 'No Such Tool 7' }] })
    const failed = setUpDriver(driver, placeOf(root, 'x'))
    await expect(failed).rejects.toThrow(SetUpError)
    await expect(failed).rejects.toThrow(/install No Such Tool 7/)
  })
})
