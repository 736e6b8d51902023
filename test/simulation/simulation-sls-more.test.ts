import { describe } from 'vitest'
import { sls } from './sls/sls-scenario.ts'
import { firstSeed, passesSeeds } from './swarm.ts'

describe(`swarm of the SLS connector from seed ${firstSeed}, second half`, () => {
  passesSeeds(1200, 1400, [sls])
})
