import { type FaultKind, type FaultPlan, faultKinds, singleFaultPlans } from '../../src/testing/index.ts'
import type { Scenario } from './play.ts'
import { type Reproduction, signatureOf } from './reproduction.ts'
import { scenarioNamed } from './scenarios/index.ts'
import { runTrial } from './trial.ts'

/** One of `parts` equal shares of the exhaustive sweep of a scenario. */
export interface SweepRequest {
  readonly scenario: string
  readonly part: number
  readonly parts: number
}

export interface SweepResult {
  readonly scenario: string
  readonly runs: number
  /** Runs in which the fault really happened. */
  readonly applied: number
  readonly byKind: Readonly<Record<string, number>>
  readonly failures: readonly Reproduction[]
}

export const sweepSeed = 1
/** Permission trouble is for people to solve, so it ends the job: that is tested where the message is. */
const sweptKinds: readonly FaultKind[] = faultKinds.filter((kind) => kind !== 'eacces')

/** Every single fault at every operation of the scenario's smallest run. */
export const sweepPlans = async (scenario: Scenario): Promise<FaultPlan[]> => {
  const base = await runTrial(scenario, sweepSeed, { config: scenario.smallest, plan: [], recordSites: true })
  if (base.violation !== undefined) throw new Error(`${scenario.name} fails without any fault: ${base.violation}`)
  // After the healing no fault happens.
  const kinds = sweptKinds.filter((kind) => !scenario.without.includes(kind))
  const plans = singleFaultPlans(base.sites, kinds)
  return [...plans].filter(([fault]) => fault?.[1] !== 'bitRot' || base.sites[fault[0]]?.path.startsWith('ck/'))
}

export const runSweepPart = async ({ scenario: name, part, parts }: SweepRequest): Promise<SweepResult> => {
  const scenario = scenarioNamed(name)
  const plans = (await sweepPlans(scenario)).filter((_, index) => index % parts === part)
  const byKind: Record<string, number> = {}
  const failures: Reproduction[] = []
  let applied = 0
  for (const plan of plans) {
    const result = await runTrial(scenario, sweepSeed, { config: scenario.smallest, plan })
    const kind = result.injected[0]?.[1]
    if (kind !== undefined) {
      applied++
      byKind[kind] = (byKind[kind] ?? 0) + 1
    }
    const { violation } = result
    if (violation === undefined) continue
    const known = failures.some((failure) => signatureOf(failure.violation) === signatureOf(violation))
    if (known && failures.length >= 5) continue
    failures.push({ scenario: name, seed: sweepSeed, config: scenario.smallest, plan, violation })
  }
  return { scenario: name, runs: plans.length, applied, byKind, failures }
}
