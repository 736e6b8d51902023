import type { FaultPlan } from '../../src/testing/index.ts'
import { shrink } from '../../src/testing/index.ts'
import type { BaseConfig, Scenario } from './play.ts'
import { runTrial, type TrialResult } from './trial.ts'

/** A failing run as data: what a report prints and the corpus keeps. */
export interface Reproduction {
  readonly scenario: string
  readonly seed: number
  readonly violation: string
  readonly config: BaseConfig
  readonly plan: FaultPlan
  /** One line for people: what went wrong. */
  readonly story?: string | undefined
}

/** Two violations count as the same one if they differ in numbers and paths only. */
export const signatureOf = (violation: string): string =>
  /^[SL]\d+/.exec(violation)?.[0] ?? violation.replace(/[\d"'\\]+/g, '#').slice(0, 30)

export const notReproduced = 'NOT REPRODUCED BY ITS PLAN'
const runsMax = 300
/** A run that does not end takes seconds; a plan that is not the shortest is worth more than none. */
const shrinkMs = 15_000

/** The fewest of its faults with which a run still fails in the same way. */
export const reproduce = async (scenario: Scenario, failed: TrialResult): Promise<Reproduction> => {
  const { seed, config, violation = '', injected } = failed
  const signature = signatureOf(violation)
  const until = performance.now() + shrinkMs
  let runs = 0
  const fails = async (plan: FaultPlan): Promise<boolean> => {
    if (++runs > runsMax || (runs > 1 && performance.now() > until)) return false
    const again = await runTrial(scenario, seed, { config, plan })
    return again.violation !== undefined && signatureOf(again.violation) === signature
  }
  const reproduction = { scenario: scenario.name, seed, config, violation: oneLine(violation) }
  try {
    return { ...reproduction, plan: await shrink(injected, fails) }
  } catch {
    // Random faults that replay differently would be a fault of the simulator itself: the whole plan is still a lead.
    return { ...reproduction, violation: `${notReproduced}: ${oneLine(violation)}`, plan: injected }
  }
}

const oneLine = (text: string): string => text.split('\n', 1)[0] ?? ''
