import { describe, test } from 'vitest'
import type { Environment } from '../../src/core/index.ts'
import {
  type ContractCheck,
  clockContract,
  compressionContract,
  digestContract,
  fileSystemContract,
  memoryEnvironment,
  randomContract,
  VirtualClock,
  World,
} from '../../src/testing/index.ts'

const runAll = (checks: readonly ContractCheck[]): void => {
  for (const check of checks) test(check.name, () => check.run())
}

/** Runs each check as the main function of a simulated process. */
const runInWorlds = (contract: (environment: () => Environment) => ContractCheck[]): void => {
  let current: Environment | undefined
  const environment = (): Environment => {
    if (current === undefined) throw new Error('no process runs')
    return current
  }
  for (const check of contract(environment)) {
    test(check.name, async () => {
      for (const seed of [1, 2, 3]) {
        const world = new World(seed)
        world.host().disk.mkdir('root')
        const process = world.spawn('check', (own) => {
          current = own
          return check.run()
        })
        const outcome = await world.run(() => !process.alive)
        if (process.end?.kind === 'threw') throw process.end.error
        if (outcome !== 'done') throw new Error(`${outcome}: ${world.violations.join()}`)
      }
    })
  }
}

/** Moves the virtual clock until the check is over. */
const runAdvancing = (clocks: { current: VirtualClock }, checks: readonly ContractCheck[]): void => {
  for (const check of checks) {
    test(check.name, () => {
      clocks.current = new VirtualClock()
      return clocks.current.advanceUntil(check.run())
    })
  }
}

describe('the file system in memory', () =>
  runAll(
    fileSystemContract(() => {
      const { fs, disk } = memoryEnvironment()
      disk.mkdir('root')
      return { fs, root: 'root' }
    }),
  ))
describe('the simulated file system', () =>
  runInWorlds((environment) => fileSystemContract(() => ({ fs: environment().fs, root: '/root' }))))
describe('the simulated clock', () => runInWorlds((environment) => clockContract(() => environment().clock)))
describe('the virtual clock', () => {
  const clocks = { current: new VirtualClock() }
  runAdvancing(
    clocks,
    clockContract(() => clocks.current),
  )
})
describe('the seeded randomness', () => runAll(randomContract(() => memoryEnvironment({ seed: 42 }).random)))
describe('the simulated randomness', () => runInWorlds((environment) => randomContract(() => environment().random)))
describe('the digests of tests', () => runAll(digestContract(() => memoryEnvironment().digest)))
describe('the compression of tests', () => runAll(compressionContract(() => memoryEnvironment().compression)))
describe('the compression in a simulation', () =>
  runInWorlds((environment) => compressionContract(() => environment().compression)))
