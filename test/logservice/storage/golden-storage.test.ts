import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { SimDisk } from '../../../src/testing/index.ts'
import { bytesOf, Desk, directory, first, second, streamsOf, textOf, texts } from './desk.ts'
import { golden, writeGolden } from './golden-storage.ts'

const goldenRoot = fileURLToPath(new URL('../golden/', import.meta.url))
const newest = 'storage-v1'

const filesOf = (disk: SimDisk): { name: string; bytes: Uint8Array }[] =>
  [directory, 'rescued'].flatMap((from) =>
    disk.files(from).map(({ path, bytes }) => ({
      name: path.replace(directory, 'data').replaceAll('/', '_'),
      bytes: bytes(),
    })),
  )

// A new format version gets a directory of its own, written once: WRITE_GOLDEN=1 npx vitest run test/logservice/storage/golden
if (process.env['WRITE_GOLDEN'] !== undefined) {
  await rm(join(goldenRoot, newest), { recursive: true, force: true })
  await mkdir(join(goldenRoot, newest), { recursive: true })
  for (const { name, bytes } of filesOf(await writeGolden())) await writeFile(join(goldenRoot, newest, name), bytes)
}

const versions = (await readdir(goldenRoot)).filter((name) => name.startsWith('storage-v')).sort()

/** The files of a golden directory on a simulated disk, those that `keep` wants. */
const load = async (version: string, which: 'data' | 'rescued', keep = (_name: string) => true): Promise<Desk> => {
  const desk = new Desk()
  for (const name of await readdir(join(goldenRoot, version))) {
    if (!name.startsWith(`${which}_`) || !keep(name)) continue
    desk.disk.put(`${directory}/${name.slice(which.length + 1)}`, await readFile(join(goldenRoot, version, name)))
  }
  return desk
}

describe.each(versions)('%s', (version) => {
  test.each([
    ['as it is', () => true],
    ['without its indexes', (name: string) => !name.endsWith('.index')],
  ])('is read %s', async (_, keep) => {
    const desk = await load(version, 'data', keep)
    const { storage, snapshot, facts } = await desk.open({ segmentBytes: 1024 })
    expect(textOf(snapshot ?? bytesOf('none'))).toBe(golden.state)
    expect(facts.map(textOf)).toEqual(golden.facts)
    expect(await texts(storage, first)).toEqual(golden.first)
    expect(await texts(storage, second)).toEqual(golden.second)
    expect(streamsOf(storage)).toEqual([first, second])
    expect([storage.begin(first), storage.end(first), storage.receivedMs(first, 9)]).toEqual([3, 22, 1_700_000_000_009])
    expect(storage.receivedMs(second, 1)).toBe(2 ** 40)
  })

  test('is read after a salvage, with its hole', async () => {
    const desk = await load(version, 'rescued')
    const { storage, facts } = await desk.open()
    expect(facts.map(textOf)).toEqual(golden.facts)
    expect(await texts(storage, first)).toEqual(golden.rescuedFirst)
    expect([storage.begin(first), storage.end(first)]).toEqual([3, 22])
  })
})

test('what is written today has the bytes of the newest golden directory', async () => {
  const written = filesOf(await writeGolden())
  expect(written.map(({ name }) => name)).toEqual((await readdir(join(goldenRoot, newest))).sort())
  for (const { name, bytes } of written) {
    expect(new Uint8Array(await readFile(join(goldenRoot, newest, name))), name).toEqual(new Uint8Array(bytes))
  }
})
