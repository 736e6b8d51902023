import { describe, test } from 'vitest'
import { DirectoryCheckpointStore } from '../../src/checkpoint/directory-checkpoint-store.ts'
import { memoryEnvironment } from '../../src/testing/index.ts'
import { checkpointStoreChecks, type StoreFixture } from './checkpoint-store-checks.ts'
import { desk } from './stores.ts'

const onDisk = async (): Promise<StoreFixture> => {
  const { store, dispose } = await desk()
  return { store: () => store(), dispose }
}

const inMemory = (): StoreFixture => {
  const environment = memoryEnvironment()
  return { store: () => new DirectoryCheckpointStore({ directory: 'checkpoints' }, environment) }
}

describe.each([
  ['on the real file system', onDisk],
  ['in memory', inMemory],
])('the checkpoint store in a directory %s', (_, setup) => {
  for (const check of checkpointStoreChecks(setup)) test(check.name, () => check.run())
})
