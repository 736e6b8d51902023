import { describe, expect, it } from 'vitest'
import { scenarios } from './scenarios/index.ts'
import { firstSeed, passesSeeds, withoutSls } from './swarm.ts'
import { runTrial } from './trial.ts'

describe(`swarm from seed ${firstSeed}, first half`, () => {
  passesSeeds(0, 430, withoutSls)
})

describe('determinism', () => {
  it.each(scenarios.map(({ name }) => name))('the same seed of %s gives the same trace', async (name) => {
    const scenario = scenarios.find((one) => one.name === name)
    if (scenario === undefined) throw new Error('there is no such scenario')
    const [one, again, other] = [
      await runTrial(scenario, firstSeed),
      await runTrial(scenario, firstSeed),
      await runTrial(scenario, firstSeed + 1),
    ]
    expect(again.traceHash).toBe(one.traceHash)
    expect(again.events).toBe(one.events)
    expect(other.traceHash).not.toBe(one.traceHash)
  })
})
