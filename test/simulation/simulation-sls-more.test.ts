import { describe } from 'vitest'
import { sls } from './sls/sls-scenario.ts'
import { firstSeed, passesSeeds } from './swarm.ts'

describe(`swarm of the SLS connector from seed ${firstSeed}, second half`, () => {
  passesSeeds(1260, 1520, [sls])
})
