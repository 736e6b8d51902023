import { expect, it } from 'vitest'
import type { Scenario } from './play.ts'
import { reproduce } from './reproduction.ts'
import { scenarios } from './scenarios/index.ts'
import { sls } from './sls/sls-scenario.ts'
import { runTrial } from './trial.ts'

/** Seeds of one test: a failing one names its group, and a hanging one is found by its time-out. */
const groupSeeds = 50

/** Where the seeds of this run begin: `SEED` of the environment, as every run of the tests prints it. */
export const firstSeed = (Number(process.env['SEED'] ?? 1) % 1_000_000) + 1

/** All scenarios but that of the SLS connector, which has test files of its own. */
export const withoutSls = scenarios.filter((scenario) => scenario !== sls)

/** Seeds `firstSeed + from` up to `firstSeed + to`, dealt over some scenarios in turn; each must pass. */
export const passesSeeds = (from: number, to: number, over: readonly Scenario[]): void => {
  for (let group = firstSeed + from; group < firstSeed + to; group += groupSeeds) {
    const end = Math.min(group + groupSeeds, firstSeed + to)
    it(`seeds ${group} to ${end - 1} lose nothing, repeat nothing and end`, { timeout: 120_000 }, async () => {
      for (let seed = group; seed < end; seed++) {
        const scenario = over[seed % over.length]
        if (scenario === undefined) throw new Error('there is no scenario')
        const result = await runTrial(scenario, seed)
        if (result.violation !== undefined) expect.fail(JSON.stringify(await reproduce(scenario, result), undefined, 2))
      }
    })
  }
}
