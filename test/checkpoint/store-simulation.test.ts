import { describe, expect, test } from 'vitest'
import { type FaultKind, singleFaultPlans } from '../../src/testing/index.ts'
import { plantedBugs } from './planted-bugs.ts'
import { type SimulationOptions, simulate, weatherOf } from './store-simulation.ts'

/** `SIM_SEEDS=100000 SIM_FIRST=1 npx vitest run test/checkpoint/store-simulation` for a long run. */
const seeds = Number(process.env['SIM_SEEDS'] ?? 1000)
const first = Number(process.env['SIM_FIRST'] ?? 1)
const timeout = 60_000 + seeds * 100

interface Failure {
  readonly seed: number
  readonly violations: readonly string[]
}

/** The first seed with a violation. */
const firstFailure = async (
  from: number,
  to: number,
  options: (seed: number) => SimulationOptions,
): Promise<Failure | undefined> => {
  for (let seed = from; seed < to; seed++) {
    const { violations } = await simulate(seed, options(seed))
    if (violations.length > 0) return { seed, violations }
  }
  return undefined
}

describe('in a simulated world, the checkpoint store', () => {
  test('keeps what was acted on, whole and once, under random faults and rivals', { timeout }, async () => {
    expect(await firstFailure(first, first + seeds, weatherOf)).toBeUndefined()
  })

  const crashes: readonly FaultKind[] = ['kill', 'killAfter', 'partial', 'power', 'powerAfter', 'pause', 'eio']
  const refusals: readonly FaultKind[] = ['stall', 'enospc', 'emfile', 'eacces', 'bitRot']

  test.each([
    ['of one process after another', { seed: 7, target: 7, rivals: 0 }, [...crashes, ...refusals]],
    ['of processes that get in the way of each other', { seed: 4, target: 5, rivals: 0.5 }, crashes],
  ])('keeps it under every single fault at every operation %s', { timeout: 180_000 }, async (_, options, kinds) => {
    const { seed, ...rest } = options
    const short = { ...rest, checkpointsPerProcess: 2 }
    const calm = await simulate(seed, { ...short, faults: { recordSites: true } })
    expect(calm.violations).toEqual([])
    let runs = 0
    for (const plan of singleFaultPlans(calm.sites, kinds)) {
      const { violations, injected } = await simulate(seed, { ...short, faults: { plan } })
      expect(violations, JSON.stringify(plan)).toEqual([])
      expect(injected).toEqual(plan)
      runs++
    }
    expect(runs).toBeGreaterThan(500)
  })

  test('does the same again for the same seed', async () => {
    const [one, two] = [await simulate(3, weatherOf(3)), await simulate(3, weatherOf(3))]
    expect(one.traceHash).toBe(two.traceHash)
    expect(one.injected.length).toBeGreaterThan(0)
  })
})

describe('the simulation notices when', () => {
  test.each(Object.entries(plantedBugs))('%s', { timeout: 120_000 }, async (_, planted) => {
    const failure = await firstFailure(1, 400, (seed) => ({ ...weatherOf(seed), planted }))
    expect(failure).toBeDefined()
  })
})
