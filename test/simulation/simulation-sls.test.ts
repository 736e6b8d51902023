import { describe } from 'vitest'
import { sls } from './sls/sls-scenario.ts'
import { firstSeed, passesSeeds } from './swarm.ts'

describe(`swarm of the SLS connector from seed ${firstSeed}, first half`, () => {
  passesSeeds(1000, 1260, [sls])
})
