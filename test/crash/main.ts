/**
 * `npm run crash -- --kills 40`: runs real jobs as processes on real files, kills them in every way there is, and compares
 * what is left. This process is never killed; it ends with 1 when anything is wrong.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { requiredClasses } from './crash-points.ts'
import { runOnFullDisk } from './full-disk.ts'
import { runMainJob } from './main-job.ts'
import { Problems } from './output-check.ts'
import { Draws } from './random.ts'
import { type KillMode, killModes, Round, Tally } from './round.ts'

const usage = `npm run crash -- [--kills N] [--minutes M] [--records N] [--seed S] [--only MODE] [--main-job] [--no-tmpfs] [--keep]

  --kills N      SIGKILLs before the job may come to its end                      40
  --minutes M    go on for that long, round after round, instead
  --records N    records of a round                                               200000
  --seed S       repeats the choices of a run; not its timing                     drawn
  --only MODE    one way of dying: ${killModes.join(', ')}, full-disk
  --main-job     only the main job, killed ten times and resumed
  --no-tmpfs     without the full disk, where a tmpfs cannot be mounted
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
  readonly minutes: number | undefined
  readonly records: number
  readonly seed: number
  readonly only: KillMode | 'full-disk' | undefined
  readonly mainJob: boolean
  readonly tmpfs: boolean
  readonly keep: boolean
}

const readOptions = (): Options => {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const options = { kills: text, minutes: text, records: text, seed: text, only: text, help: flag, keep: flag } as const
  const parse = () => parseArgs({ options: { ...options, 'main-job': flag, 'no-tmpfs': flag } }).values
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
  const number = (name: 'kills' | 'minutes' | 'records' | 'seed', fallback: number, least: number): number => {
    const value = values[name] === undefined ? fallback : Number(values[name])
    return value >= least && (name === 'minutes' || Number.isSafeInteger(value))
      ? value
      : misuse(`--${name} ${values[name]} is not a number from ${least}`)
  }
  const modes = [...killModes, 'full-disk'] as const
  const only = modes.find((mode) => mode === values.only)
  if (values.only !== undefined && only === undefined) misuse(`--only ${values.only} is none of ${modes.join(', ')}`)
  return {
    kills: number('kills', 40, 1),
    minutes: values.minutes === undefined ? undefined : number('minutes', 1, 0.1),
    records: number('records', 200_000, 1_000),
    seed: number('seed', Math.floor(Math.random() * 2 ** 31), 0),
    only,
    mainJob: values['main-job'],
    tmpfs: !values['no-tmpfs'],
    keep: values.keep,
  }
}

const { kills, minutes, records, seed, only, mainJob, tmpfs, keep } = readOptions()
const directory = await mkdtemp(join(tmpdir(), 'millrace-crash-'))
const startedMs = performance.now()
const log = (text: string): void => say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)
const draws = new Draws(seed)
const tally = new Tally()
const problems = new Problems()
const roundKillsMax = 60
const totals = { records: 0, archived: 0, lost: 0, duplicate: 0, rounds: 0 }
log(`seed ${seed}, node ${process.version}`)

const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : startedMs + minutes * 60_000
const wantsMore = (): boolean =>
  problems.count === 0 && (minutes === undefined ? tally.kills < kills : performance.now() < untilMs)

if (!mainJob && only !== 'full-disk') {
  while (wantsMore()) {
    totals.rounds++
    const round = new Round({
      directory: join(directory, `round-${totals.rounds}`),
      records,
      draws,
      tally,
      problems,
      kills: minutes === undefined ? Math.min(roundKillsMax, kills - tally.kills) : roundKillsMax,
      untilMs,
      modes: only === undefined ? killModes : [only],
      log,
    })
    const { archived, counted, parts, lost, duplicate } = await round.run()
    log(`${archived} records archived and ${counted} counted in ${parts} parts, ${lost} lost, ${duplicate} twice`)
    totals.records += records
    totals.archived += archived
    totals.lost += lost
    totals.duplicate += duplicate
    if (problems.count > 0) await round.describe(seed)
    else if (!keep) await rm(join(directory, `round-${totals.rounds}`), { recursive: true })
  }
}
if (problems.count === 0 && !mainJob && tmpfs && (only === undefined || only === 'full-disk')) {
  await runOnFullDisk({ directory: join(directory, 'full-disk'), tally, problems, log })
}
if (problems.count === 0 && (mainJob || only === undefined)) {
  await runMainJob({ directory: join(directory, 'main-job'), draws, tally, problems, log })
}

const classes = [...tally.classes].sort((a, b) => b[1] - a[1])
if (only === undefined && !mainJob && problems.count === 0) {
  for (const name of requiredClasses) {
    if (!tally.classes.has(name))
      problems.add(`no kill happened inside ${name}: the run proves too little; give it more kills`)
  }
}
say('')
say('  way of dying      times')
for (const [mode, times] of tally.incidents) say(`  ${mode.padEnd(16)}${String(times).padStart(7)}`)
say('')
say('  killed inside     times')
for (const [name, times] of classes) say(`  ${name.padEnd(16)}${String(times).padStart(7)}`)
say('')
say(
  `  ${tally.kills} kills, ${tally.missedPoints} crash points not reached, slowest restart ${Math.round(tally.slowestStartMs)} ms`,
)
say(`  ${totals.archived} of ${totals.records} records, ${totals.lost} lost, ${totals.duplicate} duplicate`)
for (const text of problems.texts) say(`  ✗ ${text}`)
if (problems.count > 0) {
  say(
    `  ✗ ${problems.count} problems. Look at ${directory}: input/, out/, checkpoints/ of the round, and PROBLEMS.txt.`,
  )
  say(`    The same choices again: npm run crash -- --seed ${seed} --kills ${kills} --records ${records}`)
} else if (keep) say(`  files kept in ${directory}`)
else await rm(directory, { recursive: true, force: true })
say(
  JSON.stringify({
    event: 'crash',
    ok: problems.count === 0,
    seed,
    kills: tally.kills,
    ...totals,
    problems: problems.count,
    classes: Object.fromEntries(classes),
    seconds: Math.round((performance.now() - startedMs) / 1000),
  }),
)
process.exitCode = problems.count === 0 ? 0 : 1
