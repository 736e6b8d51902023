import { join } from 'node:path'
import { type ChildEnd, sleep } from '../child.ts'
import type { ServiceClient } from '../log-service/service-client.ts'
import type { Draws } from '../random.ts'
import { jobMoment } from './crash-places.ts'
import { groupProgress } from './group-progress.ts'
import type { Life } from './lives.ts'
import { SlsJobProcess } from './processes.ts'
import { type ServiceKeeper, type Tally, tallied } from './service-keeper.ts'

const checkpointMs = 300
/** Most processes run with the first; the others have to take over its state, its shards and its files. */
const parallelisms = [4, 4, 4, 1, 2, 3, 8]
/** Most processes are not killed before they have read their share, or before that has taken this long. */
const workMaxMs = 10_000
/** A job that has no checkpoint so long after the service came back is stuck. */
const recoveryMaxMs = 20_000
/** After this many kills comes one process that is ended by SIGTERM. */
const killsPerStop = 5

export interface JobKeeperOptions {
  readonly directory: string
  readonly endpoint: string
  readonly client: ServiceClient
  readonly service: ServiceKeeper
  readonly draws: Draws
  readonly tally: Tally
  readonly kills: number
  /** Records that a process should have read before it is killed; zero when that is no matter any more. */
  readonly share: () => number
  readonly lifeMeanMs: number
  readonly pointMs: number
  readonly problem: (text: string) => void
  readonly log: (text: string) => void
  readonly goesOn: () => boolean
}

/** Runs the job again and again, and ends it in every way there is. */
export class JobKeeper {
  readonly #o: JobKeeperOptions
  readonly lives: Life[] = []
  deaths = 0
  points = 0
  /** Processes that ended with 0 on SIGTERM. */
  stops = 0
  /** Those that could not, because the service was dead just then. */
  brokenStops = 0
  /** Attempts that a process made by itself after a failure. */
  restarts = 0
  slowestStartMs = 0
  /** From the return of the service to the next checkpoint of a job that was there meanwhile. */
  slowestRecoveryMs = 0

  constructor(options: JobKeeperOptions) {
    this.#o = options
  }

  get archive(): string {
    return join(this.#o.directory, 'out', 'archive')
  }

  get counts(): string {
    return join(this.#o.directory, 'out', 'counts')
  }

  get checkpoints(): string {
    return join(this.#o.directory, 'checkpoints')
  }

  /** Until all its kills are done. */
  async run(): Promise<void> {
    const { draws, kills, goesOn } = this.#o
    let untilStop = killsPerStop
    while (this.deaths < kills && goesOn()) {
      if (untilStop === 0) {
        untilStop = killsPerStop
        await this.#stopOne()
        continue
      }
      untilStop--
      const drawn = draws.float()
      if (drawn < 0.6) await this.#killAtPoint()
      else if (drawn < 0.87) await this.#killAtRandom()
      else await this.#killWhileStarting()
    }
  }

  /** One life that nobody ends before `until` resolves, and that is then told to stop. */
  async runUntil(until: (process: SlsJobProcess) => Promise<void>): Promise<void> {
    const restartsBefore = this.restarts
    await this.#live(undefined, async (process) => {
      await until(process)
      await this.#stop(process, () => false)
    })
    if (this.restarts > restartsBefore) this.#o.problem('the job restarted although nothing was killed')
  }

  async #killAtPoint(): Promise<void> {
    const { draws, pointMs, tally, log } = this.#o
    const { text, inside } = jobMoment(draws)
    await this.#live(text, async (process) => {
      await this.#worked(process)
      const end = await process.endWithin(pointMs)
      if (end === undefined) log(`the point ${text} was not reached`)
      tallied(tally, end === undefined ? 'job, a random moment' : `job, ${inside}`)
      if (end !== undefined) this.points++
      await this.#kill(process)
    })
  }

  async #killAtRandom(): Promise<void> {
    const { draws, lifeMeanMs, service, tally } = this.#o
    const lifeMs = draws.exponential(lifeMeanMs)
    const [both, afresh] = [draws.float() < 0.2, draws.float() < 0.25]
    await this.#live(undefined, async (process) => {
      if (!afresh) await this.#worked(process)
      await process.endWithin(lifeMs)
      if (both) service.strike()
      tallied(tally, both ? 'job, with the service' : 'job, a random moment')
      await this.#kill(process)
    })
  }

  async #killWhileStarting(): Promise<void> {
    const { draws, tally } = this.#o
    const afterMs = draws.between(0, 400)
    await this.#live(undefined, async (process) => {
      while (process.all('begin').length === 0 && process.isRunning) await sleep(5)
      await sleep(afterMs)
      tallied(tally, 'job, starting')
      await this.#kill(process)
    })
  }

  /** Resolves when it has read its share by a checkpoint, or has ended, or that takes too long. */
  async #worked(process: SlsJobProcess): Promise<void> {
    const { share } = this.#o
    const untilMs = performance.now() + workMaxMs
    const read = (): number => process.all('checkpoint').at(-1)?.records ?? 0
    while (read() < share() && process.isRunning && performance.now() < untilMs) await sleep(10)
  }

  async #stopOne(): Promise<void> {
    const { draws, lifeMeanMs, service } = this.#o
    const lifeMs = draws.exponential(lifeMeanMs)
    const early = draws.float() < 0.5
    const wasServing = service.isServing
    const deathsBefore = service.deaths
    await this.#live(undefined, async (process) => {
      while (process.all('begin').length === 0 && process.isRunning) await sleep(5)
      if (!early) await this.#worked(process)
      await process.endWithin(lifeMs)
      await this.#stop(process, () => !wasServing || !service.isServing || service.deaths > deathsBefore)
    })
  }

  async #live(crashAt: string | undefined, during: (process: SlsJobProcess) => Promise<void>): Promise<void> {
    const { endpoint, client, draws, service, log } = this.#o
    const floor = await groupProgress(client).catch(() => undefined)
    const deathsBefore = service.deaths
    const { archive, counts, checkpoints } = this
    const parallelism = draws.pick(parallelisms)
    const life = this.lives.length
    const settings = { endpoint, archive, counts, checkpoints, parallelism, checkpointMs, life }
    const process = new SlsJobProcess(settings, crashAt)
    await during(process)
    const recoveryMs = process.slowestAfter(service.servesSinceMs)
    this.slowestRecoveryMs = Math.max(this.slowestRecoveryMs, recoveryMs)
    if (recoveryMs > recoveryMaxMs)
      this.#o.problem(`job process ${life} had no checkpoint ${Math.round(recoveryMs)} ms after the service came back`)
    await process.ended
    // A death that its keeper has not heard of yet is no matter: this process had no time to send anything after it.
    const serviceDeaths = service.deaths - deathsBefore
    const generations = process.all('started').map(({ generation }) => generation)
    const ambiguous = process.all('ended').at(-1)?.ambiguous
    const ambiguousAtLeast = ambiguous ?? process.all('checkpoint').at(-1)?.ambiguous ?? 0
    this.lives.push({ generations, serviceDeaths, floor: floor ?? new Map(), ambiguous, ambiguousAtLeast })
    for (const { cause } of process.all('restarting')) {
      this.restarts++
      log(`job process ${life} restarts: ${cause.split('\n', 1)[0]}`)
    }
    this.slowestStartMs = Math.max(this.slowestStartMs, process.healthyAfterMs ?? 0)
    if (/unhandled|uncaught|MaxListeners|TypeError|RangeError/i.test(process.stderr))
      this.#o.problem(`job process ${life} wrote to standard error:\n${process.stderr.slice(-2_000)}`)
  }

  async #kill(process: SlsJobProcess): Promise<void> {
    process.kill('SIGKILL')
    const end = await process.ended
    if (end.signal === 'SIGKILL') this.deaths++
    else this.#unexpected(process, 'ended by itself', end)
  }

  /** @param disturbed true when the service was dead at some time, so that there may be no last checkpoint */
  async #stop(process: SlsJobProcess, disturbed: () => boolean): Promise<void> {
    process.kill('SIGTERM')
    const end = await process.endWithin(45_000)
    if (end?.code === 0 && process.all('ended').length > 0) {
      this.stops++
      return
    }
    if (end?.code === 1 && process.all('failed').at(-1)?.code === 'JOB_FAILED' && disturbed()) {
      this.brokenStops++
      return
    }
    this.#unexpected(process, 'did not stop cleanly on SIGTERM', end)
    process.kill('SIGKILL')
  }

  #unexpected(process: SlsJobProcess, what: string, end?: ChildEnd): void {
    const how = end === undefined ? '' : `, exit code ${end.code}, signal ${end.signal}`
    const failed = process.all('failed').at(-1)
    const why = failed === undefined ? '' : `: ${failed.code} ${failed.message}`
    this.#o.problem(`job process ${this.lives.length} ${what}${how}${why}\n${process.stderr.slice(-2_000)}`.trimEnd())
  }
}
