import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Arguments, readArguments, usage } from './arguments.ts'
import { addTotals, vacuous } from './batch.ts'
import { childFlag, dealTasks, serve, type Task } from './children.ts'
import { replayCorpus } from './corpus.ts'
import { runPlanted } from './planted.ts'
import type { Reproduction } from './reproduction.ts'
import { scenarioNamed } from './scenarios/index.ts'
import { runTrial } from './trial.ts'

const program = fileURLToPath(import.meta.url)
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const chunkSeeds = 25
const failuresMax = 5

const report = (failure: Reproduction): void => {
  const { scenario, seed, violation, plan } = failure
  const directory = '.millrace/sim'
  const path = `${directory}/${scenario}-${seed}.json`
  mkdirSync(directory, { recursive: true })
  writeFileSync(path, `${JSON.stringify(failure, undefined, 2)}\n`)
  say(`\nVIOLATION  ${violation}`)
  say(`  scenario ${scenario}, seed ${seed}, ${plan.length} faults after shrinking: ${JSON.stringify(plan)}`)
  say(`  config ${JSON.stringify(failure.config)}`)
  say(`  again:  npm run sim -- --scenario ${scenario} --seed ${seed} --trace      for the corpus: ${path}`)
}

function* seedTasks({ from, seeds, scenarios }: Arguments): Generator<Task> {
  for (let at = from; at < from + seeds; at += chunkSeeds) {
    const count = Math.min(chunkSeeds, from + seeds - at)
    yield { kind: 'batch', request: { from: at, count, scenarios } }
  }
}

/** The random swarm. */
const runSeeds = async (options: Arguments): Promise<boolean> => {
  const { from, seeds, jobs } = options
  const totals: Record<string, Record<string, number>> = {}
  const start = performance.now()
  let [done, failures, repeated, told] = [0, 0, 0, 0]
  say(`seeds ${from} to ${from + seeds - 1} over ${options.scenarios.join(', ')}`)
  await dealTasks(program, jobs, seedTasks(options), (answer) => {
    if (answer.kind !== 'batch') throw new Error(answer.kind === 'broken' ? answer.message : 'another answer')
    const { result } = answer
    done += result.seeds
    repeated += result.repeated
    addTotals(totals, result.totals)
    for (const failure of result.failures) report(failure)
    failures += result.failures.length
    if (performance.now() - told > 5000) {
      told = performance.now()
      say(`  ${done} of ${seeds} seeds, ${failures} violations, ${rate(done, start)}`)
    }
    return failures >= failuresMax ? 'enough' : 'more'
  })
  for (const [name, counters] of Object.entries(totals)) say(`${name}: ${table(counters)}`)
  const missing = vacuous(totals)
  for (const what of missing) say(`NOT MET  ${what}: the batch proves less than it should`)
  say(`${done} seeds, ${failures} violations, ${repeated} run twice, ${rate(done, start)}`)
  return failures === 0 && missing.length === 0
}

const rate = (count: number, start: number): string => {
  const ms = performance.now() - start
  return `${(ms / 1000).toFixed(1)} s, ${Math.round((count / ms) * 60_000)} a minute`
}

const table = (counters: Readonly<Record<string, number>>): string =>
  Object.entries(counters)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

const runSweep = async ({ jobs }: Arguments, names: readonly string[]): Promise<boolean> => {
  let failed = 0
  for (const scenario of names) {
    const start = performance.now()
    const parts = jobs * 4
    const tasks = Array.from(
      { length: parts },
      (_, part): Task => ({ kind: 'sweep', request: { scenario, part, parts } }),
    )
    let [runs, applied] = [0, 0]
    const byKind: Record<string, number> = {}
    await dealTasks(program, jobs, tasks[Symbol.iterator](), (answer) => {
      if (answer.kind !== 'sweep') throw new Error(answer.kind === 'broken' ? answer.message : 'another answer')
      const { result } = answer
      runs += result.runs
      applied += result.applied
      for (const [kind, count] of Object.entries(result.byKind)) byKind[kind] = (byKind[kind] ?? 0) + count
      for (const failure of result.failures) report(failure)
      failed += result.failures.length
      return 'more'
    })
    say(`sweep of ${scenario}: ${runs} runs, ${applied} faults happened (${table(byKind)}), ${rate(runs, start)}`)
  }
  return failed === 0
}

const runOne = async ({ from, trace, scenarios }: Arguments): Promise<boolean> => {
  let good = true
  for (const name of scenarios) {
    const result = await runTrial(scenarioNamed(name), from, trace ? { trace: say } : {})
    good &&= result.violation === undefined
    say(`${name}, seed ${from}: ${result.violation ?? 'no violation'}; trace ${result.traceHash}`)
    say(`  ${JSON.stringify(result.config)}`)
    say(`  ${table(result.counters)}`)
  }
  return good
}

const sweptInCi = ['sharded', 'files-bounded', 'steps']

const runCi = async (options: Arguments): Promise<boolean> => {
  const outcomes = [await runSeeds(options), await runSweep(options, sweptInCi), await replayCorpus(say)]
  const { runPlantedCorpus } = await import('./planted.ts')
  outcomes.push(await runPlantedCorpus(options.jobs, say))
  return outcomes.every(Boolean)
}

const run = async (options: Arguments): Promise<boolean> => {
  switch (options.mode) {
    case 'help':
      say(usage)
      return true
    case 'seeds':
      return await runSeeds(options)
    case 'seed':
      return await runOne(options)
    case 'sweep':
      return await runSweep(options, options.scenarios)
    case 'planted':
      return await runPlanted(options, say)
    case 'ci':
      return await runCi(options)
  }
}

if (process.argv[2] === childFlag) serve()
else {
  try {
    process.exitCode = (await run(readArguments(process.argv.slice(2)))) ? 0 : 1
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`)
    process.exitCode = 2
  }
}
