import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChildEnd, JobChild, sleep } from './child.ts'
import { type CrashPlace, crashPlaces, type KillClass } from './crash-points.ts'
import {
  ConcurrentReader,
  checkLeftovers,
  checkOutput,
  fingerprintOf,
  type OutputSummary,
  type Problems,
} from './output-check.ts'
import type { Draws } from './random.ts'
import { type InputFile, writeInput } from './records.ts'

export const killModes = ['random', 'point', 'recovery', 'zombie', 'term', 'term-kill', 'term-twice'] as const
export type KillMode = (typeof killModes)[number]

/** One after the other, shuffled, then again: how often each way of dying comes. */
const deck: readonly KillMode[] = [
  ...Array<KillMode>(9).fill('point'),
  ...Array<KillMode>(4).fill('random'),
  ...Array<KillMode>(2).fill('recovery'),
  'zombie',
  'term',
  'term-kill',
  'term-twice',
]

/** A restart that needs longer than this until its first checkpoint is not healthy. */
const healthyMs = 5_000
const checkpointMs = 150
const retained = 3
/** Most processes run with the first; the others have to take over its state and its files. */
const parallelisms = [4, 4, 4, 4, 1, 2, 3]
const lifeMeanMs = 900
/** A crash point that is not reached by then is given up, and the process killed. */
const pointMs = 3_500

/** What happened in one or more rounds. */
export class Tally {
  kills = 0
  readonly incidents = new Map<string, number>()
  readonly classes = new Map<KillClass, number>()
  missedPoints = 0
  slowestStartMs = 0

  incident(mode: string): void {
    this.incidents.set(mode, (this.incidents.get(mode) ?? 0) + 1)
  }

  killed(...classes: readonly KillClass[]): void {
    this.kills++
    for (const killClass of new Set(classes)) this.classes.set(killClass, (this.classes.get(killClass) ?? 0) + 1)
  }
}

export interface RoundOptions {
  readonly directory: string
  readonly records: number
  readonly draws: Draws
  readonly tally: Tally
  readonly problems: Problems
  /** Kills after which the job may come to its end. */
  readonly kills: number
  /** When killing stops whatever the count, on the monotonic clock. */
  readonly untilMs: number
  readonly modes: readonly KillMode[]
  readonly log: (text: string) => void
}

interface Sample {
  readonly handles: number
  readonly rssBytes: number
}

/** One job from its first start to its end, killed in every way on the way. */
export class Round {
  readonly #o: RoundOptions
  readonly #archive: string
  readonly #counts: string
  readonly #checkpoints: string
  #files: InputFile[] = []
  #reader: ConcurrentReader
  #queue: KillMode[] = []
  #places: CrashPlace[] = []
  #phase = 0
  #firstSample: Sample | undefined
  #lastSample: Sample | undefined
  #kills = 0
  #finishedEarly = false

  constructor(options: RoundOptions) {
    this.#o = options
    this.#archive = join(options.directory, 'out', 'archive')
    this.#counts = join(options.directory, 'out', 'counts')
    this.#checkpoints = join(options.directory, 'checkpoints')
    this.#reader = new ConcurrentReader(this.#outputs, options.records, options.problems)
  }

  get #outputs() {
    return { archive: this.#archive, counts: this.#counts }
  }

  async run(): Promise<OutputSummary> {
    const { directory, records, problems, log } = this.#o
    const input = join(directory, 'input')
    await mkdir(input, { recursive: true })
    this.#files = await writeInput(input, records)
    log(`${records} records in ${this.#files.length} files, in ${directory}`)
    this.#reader.start()
    while (this.#goesOn()) await this.#incident()
    const summary = await this.#finish()
    await this.#reader.stop()
    if (this.#reader.archivedLines !== summary.archived) {
      problems.add(`the concurrent reader saw ${this.#reader.archivedLines} records, in the end ${summary.archived}`)
    }
    log(`the concurrent reader looked ${this.#reader.looks} times`)
    return summary
  }

  #goesOn(): boolean {
    const { kills, untilMs, problems } = this.#o
    return this.#kills < kills && performance.now() < untilMs && problems.count === 0 && !this.#finishedEarly
  }

  async #incident(): Promise<void> {
    const { draws, modes, tally } = this.#o
    if (this.#queue.length === 0) this.#queue = draws.shuffled(deck.filter((mode) => modes.includes(mode)))
    const mode = this.#queue.shift() ?? 'random'
    tally.incident(mode)
    switch (mode) {
      case 'random':
        return await this.#killAtRandom()
      case 'point':
        return await this.#killAtPoint()
      case 'recovery':
        return await this.#killWhileRecovering()
      case 'zombie':
        return await this.#zombie()
      case 'term':
        return await this.#terminate()
      case 'term-kill':
        return await this.#terminateThenKill()
      case 'term-twice':
        return await this.#terminateTwice()
    }
  }

  /** A rate at which the rest of the records lasts for the rest of the kills. */
  #rate(): number {
    const left = this.#o.records - this.#reader.archivedLines
    const killsLeft = Math.max(1, this.#o.kills - this.#kills)
    return Math.max(100, Math.round((0.7 * left) / ((killsLeft + 2) * (lifeMeanMs / 1000))))
  }

  async #start(crashAt?: string): Promise<JobChild> {
    const child = this.#spawn(this.#rate(), crashAt)
    if (!(await child.says('begin', 20_000))) this.#unexpected(child, 'did not begin')
    return child
  }

  #spawn(rate: number | null, crashAt?: string): JobChild {
    const input = this.#files.map(({ path }) => path)
    const { archive, counts } = this.#outputs
    const checkpoints = this.#checkpoints
    const parallelism = this.#o.draws.pick(parallelisms)
    return new JobChild({ input, archive, counts, checkpoints, parallelism, checkpointMs, rate }, crashAt)
  }

  #unexpected(child: JobChild, what: string, end?: ChildEnd): void {
    const how = end === undefined ? '' : `, exit code ${end.code}, signal ${end.signal}`
    const failed = child.last('failed')
    const why = failed === undefined ? '' : `: ${failed.code} ${failed.message}`
    this.#o.problems.add(`process ${child.pid} ${what}${how}${why}\n${child.stderr.slice(-2_000)}`.trimEnd())
  }

  /** Checks what every process is checked for once it has ended. */
  #note(child: JobChild): void {
    if (/unhandled|uncaught|MaxListeners|TypeError|RangeError/i.test(child.stderr)) {
      this.#o.problems.add(`process ${child.pid} wrote to standard error:\n${child.stderr.slice(-2_000)}`)
    }
    const { healthyAfterMs } = child
    const { tally } = this.#o
    tally.slowestStartMs = Math.max(tally.slowestStartMs, healthyAfterMs ?? 0)
    if (healthyAfterMs !== undefined && healthyAfterMs > healthyMs) {
      this.#unexpected(child, `had its first checkpoint only after ${Math.round(healthyAfterMs)} ms`)
    }
    const restarted = child.last('restarting')
    if (restarted !== undefined) {
      this.#o.problems.add(`process ${child.pid} restarted the job by itself: ${restarted.cause}`)
    }
    const checkpoint = child.last('checkpoint')
    if (checkpoint !== undefined) {
      this.#firstSample ??= checkpoint
      this.#lastSample = checkpoint
    }
  }

  /** Kills it, unless it has ended by itself: by its crash point, or because everything is read. */
  async #kill(child: JobChild): Promise<void> {
    const { tally } = this.#o
    child.kill('SIGKILL')
    const end = await child.ended
    if (end.signal === 'SIGKILL') {
      this.#kills++
      tally.killed(...(child.last('started') === undefined && child.last('begin') ? (['restore'] as const) : []))
    } else this.#endedByItself(child, end)
    this.#note(child)
  }

  #endedByItself(child: JobChild, end: ChildEnd): void {
    if (end.code === 0 && child.last('ended')?.outcome === 'finished') {
      this.#finishedEarly = true
      this.#o.log('the job came to its end before all kills were done')
    } else this.#unexpected(child, 'ended', end)
  }

  /** Waits until its first checkpoint shows that it is healthy. */
  async #healthy(child: JobChild): Promise<boolean> {
    if (await child.says('checkpoint', healthyMs)) return true
    if (child.isRunning) this.#unexpected(child, `had no checkpoint ${healthyMs} ms after its start`)
    return false
  }

  async #killAtRandom(): Promise<void> {
    const lifeMs = this.#o.draws.exponential(lifeMeanMs)
    const child = await this.#start()
    const dueMs = performance.now() + lifeMs
    if (lifeMs > healthyMs / 2) await this.#healthy(child)
    await sleep(Math.max(0, dueMs - performance.now()))
    await this.#kill(child)
  }

  async #killAtPoint(): Promise<void> {
    const { draws, tally, log } = this.#o
    // The order of the list first: its head has what every run must hit. Then at random.
    if (this.#places.length === 0) {
      this.#places = this.#phase === 0 ? [...crashPlaces] : draws.shuffled(crashPlaces)
      this.#phase++
    }
    const { operation, pathPart, phases, occurrences, killClass } = this.#places.shift() ?? draws.pick(crashPlaces)
    const point = `${operation}:${pathPart}:${draws.pick(occurrences)}:${draws.pick(phases)}`
    const child = await this.#start(point)
    const end = await child.endWithin(pointMs)
    if (end === undefined) {
      tally.missedPoints++
      log(`the point ${point} was not reached`)
      await this.#kill(child)
    } else if (end.signal === 'SIGKILL') {
      this.#kills++
      tally.killed(killClass, ...(child.last('started') === undefined ? (['restore'] as const) : []))
      this.#note(child)
    } else {
      this.#endedByItself(child, end)
      this.#note(child)
    }
  }

  async #killWhileRecovering(): Promise<void> {
    const { draws } = this.#o
    const times = 1 + Math.floor(draws.float() * 5)
    for (let time = 0; time < times && this.#goesOn(); time++) {
      const child = await this.#start()
      await sleep(draws.between(0, 300))
      await this.#kill(child)
    }
  }

  /** Two processes on one directory: the newer one goes on, the older one finds out and stops with exit code 3. */
  async #zombie(): Promise<void> {
    const { draws, problems } = this.#o
    const older = await this.#start()
    await this.#healthy(older)
    await sleep(draws.between(0, 400))
    older.kill('SIGSTOP')
    const newer = await this.#start()
    const healthy = await this.#healthy(newer)
    const generation = newer.last('started')?.generation ?? 0
    await sleep(draws.between(0, 600))
    const before = older.events.length
    older.kill('SIGCONT')
    const end = await older.endWithin(10_000)
    if (end === undefined) this.#unexpected(older, 'goes on although another process took over')
    else if (end.code !== 3 && older.last('ended') === undefined) {
      this.#unexpected(older, 'should have ended with exit code 3', end)
    }
    if (generation <= (older.last('started')?.generation ?? 0)) {
      problems.add(`process ${newer.pid} has generation ${generation}, no newer one than the process it took over from`)
    }
    // One checkpoint may have been published before the stop and be told of after it.
    const published = older.events.slice(before).filter(({ event }) => event === 'checkpoint')
    if (published.length > 1)
      problems.add(`process ${older.pid} published ${published.length} times after it was fenced`)
    if (healthy && !newer.isRunning) this.#unexpected(newer, 'ended', await newer.ended)
    older.kill('SIGKILL')
    this.#note(older)
    await this.#kill(newer)
  }

  async #terminate(): Promise<void> {
    const { draws, problems } = this.#o
    const child = await this.#start()
    await sleep(draws.exponential(600))
    child.kill('SIGTERM')
    const end = await child.endWithin(30_000)
    if (end?.code !== 0) {
      this.#unexpected(child, 'did not stop cleanly on SIGTERM', end)
      child.kill('SIGKILL')
      await child.ended
    } else {
      if (child.last('ended')?.outcome === 'finished') this.#finishedEarly = true
      await checkOutput(this.#outputs, this.#files, this.#finishedEarly, problems)
    }
    this.#note(child)
  }

  async #terminateThenKill(): Promise<void> {
    const { draws } = this.#o
    const child = await this.#start()
    await sleep(draws.exponential(600))
    child.kill('SIGTERM')
    await sleep(draws.between(0, 500))
    if (child.isRunning) return await this.#kill(child)
    const end = await child.ended
    if (end.code !== 0) this.#unexpected(child, 'did not stop cleanly on SIGTERM', end)
    this.#note(child)
  }

  async #terminateTwice(): Promise<void> {
    const { draws } = this.#o
    const child = await this.#start()
    await sleep(draws.exponential(600))
    child.kill('SIGTERM')
    await sleep(draws.between(0, 60))
    child.kill('SIGTERM')
    const end = await child.endWithin(15_000)
    if (end === undefined || (end.code !== 0 && end.code !== 143)) {
      this.#unexpected(child, 'should have ended with 143, or 0 when the first signal was enough', end)
      child.kill('SIGKILL')
      await child.ended
    }
    this.#note(child)
  }

  /** Lets the job come to its end, starts it once more, and compares everything. */
  async #finish(): Promise<OutputSummary> {
    const { problems } = this.#o
    await this.#runToEnd()
    const before = await fingerprintOf(this.#outputs)
    await this.#runToEnd()
    if ((await fingerprintOf(this.#outputs)) !== before)
      problems.add('a finished job that is started again writes output')
    this.#checkResources()
    await checkLeftovers({ ...this.#outputs, checkpoints: this.#checkpoints }, retained, problems)
    return await checkOutput(this.#outputs, this.#files, true, problems)
  }

  async #runToEnd(): Promise<void> {
    const child = this.#spawn(null)
    const end = await child.endWithin(120_000)
    if (end?.code !== 0 || child.last('ended')?.outcome !== 'finished') {
      this.#unexpected(child, 'should have come to its end', end)
      child.kill('SIGKILL')
      await child.ended
    }
    this.#note(child)
  }

  #checkResources(): void {
    const { problems, log } = this.#o
    const [first, last] = [this.#firstSample, this.#lastSample]
    if (first === undefined || last === undefined) return
    const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
    log(
      `open files ${first.handles} → ${last.handles}, memory ${mebibytes(first.rssBytes)} → ${mebibytes(last.rssBytes)} MiB`,
    )
    if (last.handles > first.handles + 20) problems.add(`open files grew from ${first.handles} to ${last.handles}`)
    if (last.rssBytes > first.rssBytes + 256 * 2 ** 20) problems.add(`memory grew to ${mebibytes(last.rssBytes)} MiB`)
  }

  /** What a person needs to look at the directory of a round that failed. */
  async describe(seed: number): Promise<void> {
    const { directory, problems } = this.#o
    await writeFile(join(directory, 'PROBLEMS.txt'), `seed ${seed}\n\n${problems.texts.join('\n\n')}\n`)
  }
}
