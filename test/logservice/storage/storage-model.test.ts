import { expect, test } from 'vitest'
import { type FaultKind, singleFaultPlans } from '../../../src/testing/index.ts'
import { runStorageModel, runStorageWorld } from './storage-model.ts'

const seed = Number(process.env['SEED'])
/** For a machine that has much else to do. */
const patienceMs = 240_000

test(
  'whatever fails, what was confirmed is there, in order and at its index, and nothing else is',
  async () => {
    const { failures, counts, faults } = await runStorageModel(80, seed)
    expect(failures).toEqual([])
    // Runs in which nothing happens prove nothing. Far more of them: node dist/test/logservice/storage/model-main.js
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(5)
    expect(faults).toBeGreaterThan(150)
  },
  patienceMs,
)

test('the same seed gives the same run', async () => {
  const [one, two] = [await runStorageWorld(seed), await runStorageWorld(seed)]
  expect(two.traceHash).toBe(one.traceHash)
})

test('nothing of the storage takes time or chance from anywhere but its ports', async () => {
  const { world } = await runStorageWorld(seed)
  expect(world.tripwireUses).toEqual([])
})

const crashes: readonly FaultKind[] = ['kill', 'killAfter', 'partial', 'power', 'powerAfter']
const refusals: readonly FaultKind[] = ['eio', 'enospc', 'emfile', 'eacces', 'bitRot']

test.each([
  ['a crash', crashes, 4],
  ['a refusal', refusals, 5],
])(
  '%s at every single file operation of a scenario harms nothing',
  async (_, kinds, scenario) => {
    const whole = await runStorageWorld(scenario, { faults: { recordSites: true }, calls: 9 })
    expect(whole.violations).toEqual([])
    const failures: string[] = []
    let happened = 0
    for (const plan of singleFaultPlans(whole.world.faults.sites, kinds, scenario)) {
      const run = await runStorageWorld(scenario, { faults: { plan }, calls: 9 })
      happened += run.world.faults.injected.length
      if (run.violations.length > 0) failures.push(`${JSON.stringify(plan)}: ${run.violations.join('; ')}`)
    }
    expect(failures).toEqual([])
    expect(happened).toBeGreaterThan(30)
  },
  patienceMs,
)
