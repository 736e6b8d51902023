import { salvage } from '../../../src/logservice/storage/index.ts'
import type { SimDisk } from '../../../src/testing/index.ts'
import { Desk, directory, fact, first, group, second } from './desk.ts'

/** What the golden directories hold. Never changed after a release. */
export const golden = {
  state: 'state through 16',
  facts: ['fact 17', 'fact 18', 'fact 19', 'fact 20', 'fact 21', 'the end'],
  first: ['3:first 3 ü', ...Array.from({ length: 18 }, (_, n) => `${n + 4}:first ${n + 4} ü`)],
  second: ['0:', '1:binary'],
  /** Without the group that rotted. */
  rescuedFirst: ['3:first 3 ü', '4:first 4 ü', ...Array.from({ length: 16 }, (_, n) => `${n + 6}:first ${n + 6} ü`)],
}

const third = 7 as typeof first

/**
 * Writes format 1 as it is today: segments with and without an index, a snapshot, facts, a trim, a drop, an empty block,
 * and what a salvage makes of it.
 */
export const writeGolden = async (): Promise<SimDisk> => {
  const desk = new Desk()
  const { storage } = await desk.open({ segmentBytes: 1024 })
  await storage.commit([group(second, '', 5)])
  for (let n = 0; n < 22; n++) {
    await storage.commit([group(first, `first ${n} ü`, 1_700_000_000_000 + n), fact(`fact ${n}`)])
    desk.state = `state through ${n}`
    if (n === 4) await storage.trim(first, 3)
    if (n === 6) await storage.commit([group(third, 'gone')])
    if (n === 9) await storage.drop(third)
  }
  await storage.commit([group(second, 'binary', 2 ** 40), fact('the end')])
  desk.kill()
  const bytes = new Uint8Array(desk.disk.bytes(`${directory}/segment-0000000002.log`) ?? [])
  const at = Buffer.from(bytes).indexOf('first 5')
  bytes[at] = 0
  for (const { path, bytes: content } of desk.disk.files(directory)) {
    desk.disk.put(path.replace(directory, 'rotten'), path.endsWith('0002.log') ? bytes : content())
  }
  await salvage({ ...desk.environment, from: 'rotten', to: 'rescued', lock: desk.lockOf('salvage') })
  return desk.disk
}
