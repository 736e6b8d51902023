import { describe } from 'vitest'
import { firstSeed, passesSeeds } from './swarm.ts'

describe(`swarm from seed ${firstSeed}, second half`, () => {
  passesSeeds(500, 1000)
})
