import { describe } from 'vitest'
import { firstSeed, passesSeeds, withoutSls } from './swarm.ts'

describe(`swarm from seed ${firstSeed}, second half`, () => {
  passesSeeds(430, 860, withoutSls)
})
