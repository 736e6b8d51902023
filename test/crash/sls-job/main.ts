/**
 * `npm run crash:sls -- --kills 20`: a job that reads a logstore of eight shards, counts exactly once and copies to another
 * logstore, and the log service it reads from, as processes of their own: both are killed again and again while shards are
 * split and merged. This process is never killed; it ends with 1 when anything is wrong.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Problems } from '../output-check.ts'
import { Draws } from '../random.ts'
import { type RunFigures, runCrashes } from './run.ts'

const usage = `npm run crash:sls -- [--kills N] [--records N] [--reshards N] [--seed S] [--keep]

  --kills N      SIGKILLs of job and log service together                         20
  --records N    records written to the source                                    500000
  --reshards N   splits and merges of its shards                                  10
  --seed S       repeats the choices of a run; not its timing                     drawn
  --keep         keep the files of a run that found nothing, too`

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const misuse = (text: string): never => {
  process.stderr.write(`${text}\n\n${usage}\n`)
  process.exit(2)
}

interface Options {
  readonly kills: number
  readonly records: number
  readonly reshards: number
  readonly seed: number
  readonly keep: boolean
}

const readOptions = (): Options => {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const options = { kills: text, records: text, reshards: text, seed: text, keep: flag, help: flag } as const
  const parse = () => parseArgs({ options }).values
  let values: ReturnType<typeof parse>
  try {
    values = parse()
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error))
  }
  if (values.help) {
    say(usage)
    process.exit(0)
  }
  const number = (name: 'kills' | 'records' | 'reshards' | 'seed', fallback: number, least: number): number => {
    const value = values[name] === undefined ? fallback : Number(values[name])
    return Number.isSafeInteger(value) && value >= least
      ? value
      : misuse(`--${name} ${values[name]} is not a whole number from ${least}`)
  }
  return {
    kills: number('kills', 20, 0),
    records: number('records', 500_000, 1_000),
    reshards: number('reshards', 10, 0),
    seed: number('seed', Math.floor(Math.random() * 2 ** 24), 0),
    keep: values.keep,
  }
}

/** True when a server can have that port. */
const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/**
 * A port that stays free while the service is dead: below those the system gives to others, and drawn, because several runs
 * may be under way on one machine.
 */
const steadyPort = async (): Promise<number> => {
  const draws = new Draws(process.pid)
  for (let tries = 0; tries < 50; tries++) {
    const port = 20_000 + Math.floor(draws.float() * 10_000)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

const { kills, records, reshards, seed, keep } = readOptions()
const directory = await mkdtemp(join(tmpdir(), 'millrace-crash-sls-'))
const startedMs = performance.now()
const log = (text: string): void => say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)
const problems = new Problems()
const port = await steadyPort()
log(`seed ${seed}, node ${process.version}, ${records} records, in ${directory}`)

const run = runCrashes({ directory, port, records, kills, reshards, seed, problems, log })
const { ways, ...figures } = await run.catch((error: unknown): RunFigures => {
  problems.add(`the run broke off: ${error instanceof Error ? error.stack : String(error)}`)
  return { ways: {} }
})
// A run in which little happened proves little.
const atLeast = (name: string, least: number): void => {
  const times = figures[name]
  if (problems.count === 0 && typeof times === 'number' && times < least)
    problems.add(`${name} is ${times}, less than ${least}: the run proves too little`)
}
atLeast('reshards', reshards)
atLeast('kills', kills)
if (kills >= 20) atLeast('early', records / 20)
if (kills >= 20) for (const name of ['points', 'stops', 'afterRestores', 'repeatedPuts']) atLeast(name, 1)
if (reshards >= 10) for (const name of ['splits', 'merges']) atLeast(name, 3)

say('')
for (const [way, times] of Object.entries(typeof ways === 'object' ? ways : {}))
  say(`${String(times).padStart(4)} × ${way}`)
for (const text of problems.texts) say(`✗ ${text}`)
if (problems.count > 0) {
  say(`✗ ${problems.count} problems. Look at ${directory}: data/ of the service, out/ and checkpoints/ of the job.`)
  say(
    `  The same choices again: npm run crash:sls -- --seed ${seed} --kills ${kills} --records ${records} --reshards ${reshards}`,
  )
} else if (keep) say(`files kept in ${directory}`)
else await rm(directory, { recursive: true, force: true })
say(
  JSON.stringify({
    event: 'crash-sls',
    ok: problems.count === 0,
    seed,
    records,
    ...figures,
    problems: problems.count,
    seconds: Math.round((performance.now() - startedMs) / 1000),
  }),
)
process.exitCode = problems.count === 0 ? 0 : 1
