import { parseArgs } from 'node:util'
import { scenarioNamed, scenarios } from './scenarios/index.ts'

export const usage = `npm run sim -- [options]
  --seeds N          seeds to run, dealt over the scenarios in turn (default 2000)
  --from S           the first one (default: SEED of the environment, else 1)
  --scenario NAME    only this one: ${scenarios.map(({ name }) => name).join(', ')}
  --seed S [--trace] one seed, with every step of it
  --sweep [NAME]     every single fault at every operation of a small run
  --planted [ID]     the planted bugs, or one of them: each must be found
  --cap N            seeds for each planted bug (default 3000)
  --save             with --planted: keep what killed each bug in test/simulation/corpus/planted
  --ci               what .ci/run needs: seeds, three sweeps, the corpus with its planted bugs
  --jobs N           child processes (default 2)
`

export interface Arguments {
  readonly mode: 'seeds' | 'seed' | 'sweep' | 'planted' | 'ci' | 'help'
  readonly seeds: number
  readonly from: number
  readonly scenarios: readonly string[]
  readonly trace: boolean
  readonly bug: string | undefined
  readonly cap: number
  readonly save: boolean
  readonly jobs: number
}

const numberOf = (name: string, text: string | undefined, otherwise: number): number => {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a number from 0, not '${text}'`)
  return value
}

/** @throws Error with what is wrong. */
export const readArguments = (args: readonly string[]): Arguments => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      scenario: { type: 'string' },
      trace: { type: 'boolean' },
      sweep: { type: 'boolean' },
      planted: { type: 'boolean' },
      cap: { type: 'string' },
      save: { type: 'boolean' },
      ci: { type: 'boolean' },
      jobs: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const [name, ...more] = positionals
  if (more.length > 0 || (name !== undefined && !values.sweep && !values.planted)) {
    throw new Error(`'${more[0] ?? name}' is too much`)
  }
  const one = values.scenario ?? (values.sweep ? name : undefined)
  const first = numberOf('from', values.from ?? process.env['SEED'], 1)
  return {
    mode: modeOf(values),
    seeds: numberOf('seeds', values.seeds, 2000),
    from: numberOf('seed', values.seed, first),
    scenarios: one === undefined ? scenarios.map((scenario) => scenario.name) : [scenarioNamed(one).name],
    trace: values.trace === true,
    bug: values.planted ? name : undefined,
    cap: numberOf('cap', values.cap, 3000),
    save: values.save === true,
    jobs: Math.max(1, numberOf('jobs', values.jobs, 2)),
  }
}

const modeOf = (values: Readonly<Record<string, unknown>>): Arguments['mode'] => {
  if (values['help']) return 'help'
  if (values['ci']) return 'ci'
  if (values['planted']) return 'planted'
  if (values['sweep']) return 'sweep'
  return values['seed'] === undefined ? 'seeds' : 'seed'
}
