import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arguments } from './arguments.ts'
import { type Answer, Worker } from './children.ts'
import { corpusDirectory, readCorpus, replay } from './corpus.ts'
import { type PlantedBug, plantedBugs } from './planted-bugs/index.ts'
import type { Reproduction } from './reproduction.ts'
import { scenarios } from './scenarios/index.ts'

type Say = (line: string) => void

/** A copy of the sources that a bug can be planted in, compiled without type checks. */
class Nursery {
  readonly #root: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-planted-'))

  constructor(root: string) {
    this.#root = root
    for (const name of ['src', 'test/simulation', 'tsconfig.json', 'package.json']) {
      cpSync(join(root, name), join(this.#directory, name), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(this.#directory, 'node_modules'))
    const tsconfig = { extends: './tsconfig.json', include: ['src', 'test/simulation'], compilerOptions: quick }
    writeFileSync(join(this.#directory, 'tsconfig.planted.json'), JSON.stringify(tsconfig))
  }

  /** A child that runs the code with the bug in it. The bug stays in the program only. */
  grow(bug: PlantedBug): Worker {
    const path = join(this.#directory, bug.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, plant(bug, text))
    try {
      const compiler = join(this.#root, 'node_modules/.bin/tsc')
      execFileSync(compiler, ['-p', join(this.#directory, 'tsconfig.planted.json')], { stdio: 'pipe' })
    } finally {
      writeFileSync(path, text)
    }
    return new Worker(join(this.#directory, 'dist/test/simulation/main.js'))
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

const quick = { noCheck: true, declaration: false, declarationMap: false, sourceMap: false }

/** @throws Error when the place of the bug is not there, or there twice. */
export const plant = (bug: PlantedBug, text: string): string => {
  const [before, after, more] = text.split(bug.search)
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`${bug.id}: its text must occur once in ${bug.file}`)
  }
  return before + bug.replacement + after
}

interface Verdict {
  readonly bug: PlantedBug
  readonly seeds: number
  readonly killer: Reproduction | undefined
}

const chunkSeeds = 50

const hunt = async (nursery: Nursery, bug: PlantedBug, { from, cap }: Arguments): Promise<Verdict> => {
  const worker = nursery.grow(bug)
  const names = scenarios.map(({ name }) => name).filter((name) => bug.scenarios?.includes(name) ?? true)
  if (names.length === 0) throw new Error(`${bug.id} names no scenario there is`)
  let seeds = 0
  try {
    while (seeds < cap) {
      const count = Math.min(chunkSeeds, cap - seeds)
      const request = { from: from + seeds, count, scenarios: names, untilFirst: true }
      const answer = await worker.ask({ kind: 'batch', request })
      if (answer.kind !== 'batch') throw new Error(`${bug.id}: ${brokenText(answer)}`)
      seeds += answer.result.seeds
      const [killer] = answer.result.failures
      if (killer !== undefined) return { bug, seeds, killer }
    }
    return { bug, seeds, killer: undefined }
  } finally {
    worker.close()
  }
}

const brokenText = (answer: Answer): string =>
  answer.kind === 'broken' ? answer.message : `a ${answer.kind} came back`

/** Does something with every bug, `jobs` at a time, each lane in a copy of the sources of its own. */
const overBugs = async (
  bugs: readonly PlantedBug[],
  jobs: number,
  visit: (nursery: Nursery, bug: PlantedBug) => Promise<void>,
): Promise<void> => {
  const waiting = [...bugs]
  const lane = async (): Promise<void> => {
    const nursery = new Nursery(process.cwd())
    try {
      for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) await visit(nursery, bug)
    } finally {
      nursery.close()
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, bugs.length) }, lane))
}

const row = ({ bug, seeds, killer }: Verdict): string => {
  const found = killer === undefined ? 'SURVIVED' : killer.violation.slice(0, 60)
  const plan = killer === undefined ? '' : `${killer.plan.length} faults`
  return `${bug.id.padEnd(30)} ${String(seeds).padStart(5)}  ${(killer?.scenario ?? '').padEnd(14)} ${plan.padEnd(10)} ${found}`
}

/** Looks for every planted bug. True when nine of ten are found. */
export const runPlanted = async (options: Arguments, say: Say): Promise<boolean> => {
  const bugs = plantedBugs.filter(({ id }) => options.bug === undefined || id === options.bug)
  if (bugs.length === 0) throw new Error(`there is no planted bug '${options.bug}'`)
  const verdicts: Verdict[] = []
  say(`${'planted bug'.padEnd(30)} seeds  scenario       plan       found by`)
  await overBugs(bugs, options.jobs, async (nursery, bug) => {
    const verdict = await hunt(nursery, bug, options)
    verdicts.push(verdict)
    say(row(verdict))
    if (options.save && verdict.killer !== undefined) keep(verdict.killer, bug)
  })
  const killers = verdicts.filter(({ killer }) => killer !== undefined)
  const survivors = verdicts.filter(({ killer }) => killer === undefined).map(({ bug }) => bug.id)
  const flawed: string[] = []
  for (const { bug, killer } of killers) {
    const violation = killer === undefined ? undefined : await replay(killer)
    if (violation !== undefined) flawed.push(`${bug.id}: its plan fails on the real code too: ${violation}`)
  }
  for (const flaw of flawed) say(flaw)
  say(`${killers.length} of ${verdicts.length} found; survivors: ${survivors.join(', ') || 'none'}`)
  return killers.length >= 0.9 * verdicts.length && flawed.length === 0
}

const keep = (killer: Reproduction, bug: PlantedBug): void => {
  const directory = join(corpusDirectory, 'planted')
  mkdirSync(directory, { recursive: true })
  const text = JSON.stringify({ story: `with ${bug.id}, ${bug.breaks}`, ...killer }, undefined, 2)
  writeFileSync(join(directory, `${bug.id}.json`), `${text}\n`)
}

/** Every kept plan still finds its bug. That the real code passes it is `replayCorpus`'s part. */
export const runPlantedCorpus = async (jobs: number, say: Say): Promise<boolean> => {
  const corpus = new Map(readCorpus('planted').map(({ name, reproduction }) => [name, reproduction]))
  const bugs = plantedBugs.filter(({ id }) => corpus.has(id))
  let missed = 0
  await overBugs(bugs, jobs, async (nursery, bug) => {
    const request = corpus.get(bug.id)
    if (request === undefined) return
    const worker = nursery.grow(bug)
    try {
      const answer = await worker.ask({ kind: 'replay', request })
      if (answer.kind === 'replay' && answer.violation !== undefined) return
      missed++
      say(`planted ${bug.id}: its plan does not find it any more; look for another with --planted ${bug.id} --save`)
    } finally {
      worker.close()
    }
  })
  say(`planted bugs: ${bugs.length - missed} of ${bugs.length} kept plans find theirs`)
  return missed === 0
}
