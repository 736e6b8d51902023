import type { Scenario } from './play.ts'
import { notReproduced, type Reproduction, reproduce } from './reproduction.ts'
import { scenarios } from './scenarios/index.ts'
import { runTrial } from './trial.ts'

/** Seeds to be run by one process. */
export interface BatchRequest {
  readonly from: number
  readonly count: number
  /** Names; the seeds are dealt over them in turn. */
  readonly scenarios: readonly string[]
  /** Ends at the first violation. */
  readonly untilFirst?: boolean | undefined
}

export interface BatchResult {
  readonly seeds: number
  readonly totals: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly failures: readonly Reproduction[]
  /** Seeds that were run twice. */
  readonly repeated: number
}

const repeatEvery = 100

/** Runs the seeds one after the other; one in a hundred twice, to compare the traces. */
export const runBatch = async (request: BatchRequest): Promise<BatchResult> => {
  const chosen = scenarios.filter(({ name }) => request.scenarios.includes(name))
  const totals: Record<string, Record<string, number>> = {}
  const failures: Reproduction[] = []
  let repeated = 0
  let seeds = 0
  for (let seed = request.from; seed < request.from + request.count; seed++) {
    const scenario = chosen[seed % chosen.length]
    if (scenario === undefined) break
    const result = await runTrial(scenario, seed)
    seeds++
    add(totals, scenario.name, { seeds: 1, ...result.counters })
    if (result.violation !== undefined) {
      const failure = await reproduce(scenario, result)
      // A hunt wants a plan that it can keep.
      if (request.untilFirst && failure.violation.startsWith(notReproduced)) continue
      failures.push(failure)
      if (request.untilFirst) break
    } else if (Math.floor(seed / chosen.length) % repeatEvery === 0) {
      repeated++
      const again = await runTrial(scenario, seed)
      if (again.traceHash !== result.traceHash) failures.push(unlike(scenario, seed))
    }
  }
  return { seeds, totals, failures, repeated }
}

const unlike = (scenario: Scenario, seed: number): Reproduction => ({
  scenario: scenario.name,
  seed,
  violation: 'the same seed gave another trace',
  config: scenario.draw(seed),
  plan: [],
})

type Totals = Record<string, Record<string, number>>

const add = (totals: Totals, scenario: string, counters: Readonly<Record<string, number>>): void => {
  const sums = totals[scenario] ?? {}
  totals[scenario] = sums
  for (const [name, value] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + value
}

export const addTotals = (totals: Totals, more: BatchResult['totals']): void => {
  for (const [scenario, counters] of Object.entries(more)) add(totals, scenario, counters)
}

/** Fewer seeds than this say nothing about what they missed. */
const judgedFrom = 300

/** What a batch was meant to meet and did not: such a batch proves less than it seems to. */
export const vacuous = (totals: BatchResult['totals']): string[] =>
  scenarios.flatMap(({ name, required }) => {
    const counters = totals[name]
    if (counters === undefined || (counters['seeds'] ?? 0) < judgedFrom) return []
    return required.filter((counter) => (counters[counter] ?? 0) === 0).map((counter) => `${name}: no ${counter}`)
  })
