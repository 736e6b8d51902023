import { type Figure, jsonLine, keepsFloor, table } from './figure.ts'

export interface BenchmarkOptions {
  /** Fewer and shorter repetitions: to see that it runs, not to quote. */
  readonly quick: boolean
  /** Tells a person what is going on. */
  readonly say: (text: string) => void
}

export interface Benchmark {
  readonly name: string
  /** What it measures, in a line. */
  readonly title: string
  run(options: BenchmarkOptions): Promise<readonly Figure[]>
}

export type Suites = Readonly<Record<string, readonly Benchmark[]>>

export interface SuiteOutput {
  /** Results: tables, or lines of JSON. */
  readonly out: (line: string) => void
  /** Everything else. */
  readonly say: (line: string) => void
}

interface Command {
  readonly benchmarks: readonly Benchmark[]
  readonly json: boolean
  readonly floors: boolean
  readonly quick: boolean
}

const usageOf = (suites: Suites): string[] => [
  'usage: npm run bench -- <suite> [benchmark …] [--json] [--floors] [--quick]',
  ...Object.entries(suites).map(([suite, list]) => `  ${suite}: ${list.map(({ name }) => name).join(', ')}`),
  '  --json    a line of JSON for every figure, and no tables',
  '  --floors  exit code 1 when a figure does not keep its floor',
  '  --quick   short, to see that it runs; figures are not to be quoted',
]

/** What is asked for; a text says what is wrong with the arguments. */
const commandOf = (args: readonly string[], suites: Suites): Command | string => {
  const switches = args.filter((arg) => arg.startsWith('--'))
  const [suite, ...names] = args.filter((arg) => !arg.startsWith('--'))
  const unknown = switches.find((arg) => !['--json', '--floors', '--quick'].includes(arg))
  if (unknown !== undefined) return `there is no option ${unknown}`
  if (suite === undefined) return 'name a suite'
  const all = Object.hasOwn(suites, suite) ? suites[suite] : undefined
  if (all === undefined) return `there is no suite '${suite}'`
  const missing = names.find((name) => !all.some((benchmark) => benchmark.name === name))
  if (missing !== undefined) return `there is no benchmark '${missing}' in ${suite}`
  return {
    benchmarks: all.filter(({ name }) => names.length === 0 || names.includes(name)),
    json: switches.includes('--json'),
    floors: switches.includes('--floors'),
    quick: switches.includes('--quick'),
  }
}

/** Runs what the arguments ask for. Gives the exit code: 2 for arguments that cannot be used, 1 for a missed floor. */
export const runSuites = async (
  args: readonly string[],
  suites: Suites,
  { out, say }: SuiteOutput,
): Promise<number> => {
  const command = commandOf(args, suites)
  if (typeof command === 'string') {
    for (const line of [command, ...usageOf(suites)]) say(line)
    return 2
  }
  const { benchmarks, json, floors, quick } = command
  const missed: Figure[] = []
  for (const benchmark of benchmarks) {
    say(`${benchmark.name}: ${benchmark.title}`)
    const figures = await benchmark.run({ quick, say: (text) => say(`  ${text}`) })
    for (const line of json ? figures.map(jsonLine) : ['', benchmark.name, ...table(figures), '']) out(line)
    missed.push(...figures.filter((figure) => !keepsFloor(figure)))
  }
  for (const { bench, figure, floor } of missed) say(`${bench}, ${figure}: the floor is ${floor}`)
  return floors && missed.length > 0 ? 1 : 0
}
