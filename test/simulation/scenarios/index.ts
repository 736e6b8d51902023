import type { Scenario } from '../play.ts'
import { sls } from '../sls/sls-scenario.ts'
import { diskFull } from './disk-full.ts'
import { filesBounded } from './files-bounded.ts'
import { filesTail } from './files-tail.ts'
import { forwarded } from './forwarded.ts'
import { sharded } from './sharded.ts'
import { steps } from './steps.ts'

/** All scenarios. Seeds are dealt over them in turn. */
export const scenarios: readonly Scenario[] = [sharded, filesBounded, steps, diskFull, filesTail, forwarded, sls]

/** @throws Error naming those there are. */
export const scenarioNamed = (name: string): Scenario => {
  const found = scenarios.find((scenario) => scenario.name === name)
  if (found === undefined) {
    throw new Error(`there is no scenario '${name}'; there are ${scenarios.map((one) => one.name).join(', ')}`)
  }
  return found
}
