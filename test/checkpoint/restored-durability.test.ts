import { expect, test } from 'vitest'
import { DirectoryCheckpointStore } from '../../src/checkpoint/directory-checkpoint-store.ts'
import type { FileSystem } from '../../src/core/index.ts'
import { memoryEnvironment, SeededRandom } from '../../src/testing/index.ts'
import { publish, request, restoredSeed, start } from './checkpoint-store-checks.ts'
import { type PlantedBug, restoredIsNotSynced } from './planted-bugs.ts'
import { root } from './store-simulation.ts'

/**
 * A process dies between the rename of a manifest and the sync of its directory; its successor restores that checkpoint
 * and acts on it; then the machine loses power. This was the second failure of the prototype (reliability paper, section
 * 3.10), and random faults take thousands of seeds to find it.
 */
const survives = async (seed: number, planted: PlantedBug = (fs) => fs): Promise<boolean> => {
  const environment = memoryEnvironment({ seed })
  const { disk, fs } = environment
  disk.makeDirectories('data')
  const storeOn = (port: FileSystem) => new DirectoryCheckpointStore({ directory: root }, { ...environment, fs: port })
  let dying = false
  const died = new Promise<void>(() => {})
  const first = await start(storeOn({ ...fs, syncDirectory: (path) => (dying ? died : fs.syncDirectory(path)) }))
  await publish(first, 1)
  const renamed = new Promise<void>((resolve) => {
    disk.observe(({ operation }) => {
      if (operation === 'link' || operation === 'rename') resolve()
    })
  })
  dying = true
  const writer = first.begin(first.nextId(), 'periodic')
  // Without parts in files there is no sync of the directory before the rename.
  void writer.publish([])
  await renamed
  const second = await storeOn(planted(fs)).open(request())
  expect(second.restored?.checkpointId).toBe(writer.id)
  disk.powerLoss(new SeededRandom(seed))
  const third = await storeOn(fs).open(request())
  return third.restored?.checkpointId === writer.id
}

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

test('a checkpoint that was restored survives a power loss right after', async () => {
  for (const seed of seeds) expect(await survives(seed), `seed ${seed}`).toBe(true)
})

test('it would not without the sync of what was read', async () => {
  const outcomes = await Promise.all(seeds.map((seed) => survives(seed, restoredIsNotSynced)))
  expect(outcomes).toContain(false)
})

test('a checkpoint whose publication was reported survives every power loss', async () => {
  for (const seed of seeds) {
    const environment = memoryEnvironment({ seed })
    environment.disk.makeDirectories('data')
    const store = new DirectoryCheckpointStore({ directory: root }, environment)
    await publish(await start(store), seed)
    environment.disk.powerLoss(new SeededRandom(seed))
    expect(await restoredSeed(await store.open(request()))).toBe(seed)
  }
})
