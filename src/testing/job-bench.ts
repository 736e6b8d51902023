import { DirectoryCheckpointStore } from '../checkpoint/index.ts'
import { type Environment, isMillraceError } from '../core/index.ts'
import type { Job } from '../job/index.ts'
import { type JobEvent, type JobHandle, JobRunner, noProgressMark, type RestoreOptions } from '../runtime/index.ts'
import type { FaultPlan } from './simulation/faults.ts'
import type { ProcessEnd } from './simulation/kernel.ts'
import type { SimDisk } from './simulation/sim-disk.ts'
import type { SimProcess } from './simulation/sim-process.ts'
import { World } from './simulation/world.ts'

export interface JobBenchOptions {
  /** Default 1. */
  readonly seed?: number | undefined
  /** Exactly these faults. Default: none. */
  readonly plan?: FaultPlan | undefined
  /** Keeps `world.faults.sites`. Default false. */
  readonly recordSites?: boolean | undefined
  /** Called with each step of the run. Slow. Default: none. */
  readonly trace?: ((line: string) => void) | undefined
}

/** One process that runs a job. */
export interface BenchRun {
  readonly process: SimProcess
  readonly events: readonly JobEvent[]
  /** Undefined until the process has got that far. */
  readonly handle: JobHandle | undefined
  /** Undefined while it runs. */
  readonly end: ProcessEnd | undefined
  /** Checkpoints completed by this process. */
  readonly checkpoints: number
  kill(): void
  /** Asks the job to stop; `end` tells when it has. */
  stop(options?: { readonly drain?: boolean }): void
  /** The code of the error it ended with; undefined for any other end. */
  readonly errorCode: string | undefined
}

/**
 * A simulated machine on which jobs run as processes that can be killed: for tests of connectors. Time is virtual and the
 * order of things follows the seed; the job, its checkpoints and its files are the real code.
 */
export class JobBench {
  readonly world: World
  #runs = 0

  constructor(options: JobBenchOptions = {}) {
    const { seed = 1, plan = [], recordSites = false, trace } = options
    this.world = new World(seed, { faults: { plan, recordSites }, trace })
  }

  get disk(): SimDisk {
    return this.world.host().disk
  }

  /** Starts a process that runs `job`, or the job made for the process. The job's checkpoint directory lies on the disk. */
  start(
    job: Job | ((environment: Environment, process: SimProcess) => Job),
    restore: Partial<RestoreOptions> = {},
  ): BenchRun {
    const events: JobEvent[] = []
    let handle: JobHandle | undefined
    let asked: { readonly drain?: boolean } | undefined
    const askToStop = (): void => {
      // How it ended is in `end`.
      if (asked !== undefined) handle?.stop(asked).catch(() => {})
    }
    const name = `run-${++this.#runs}`
    const process = this.world.spawn(name, async (environment, self) => {
      const { graph } = typeof job === 'function' ? job(environment, self) : job
      const { checkpoint } = graph.settings
      const { fs, digest, clock, random } = environment
      const store =
        checkpoint &&
        new DirectoryCheckpointStore(
          { directory: checkpoint.dir, retained: checkpoint.retained },
          { fs, digest, clock, random },
        )
      const standard = { restore: 'latest', allowRollback: false, renameState: {}, dropState: [], owner: name } as const
      const runner = new JobRunner({
        graph,
        environment,
        store,
        restore: { ...standard, ...restore },
        mark: noProgressMark,
      })
      handle = runner
      runner.events$.subscribe((event) => events.push(event))
      askToStop()
      return await runner.done
    })
    return {
      process,
      events,
      get handle() {
        return handle
      },
      get end() {
        return process.end
      },
      get checkpoints() {
        return events.filter((event) => event.kind === 'checkpoint-completed').length
      },
      kill: () => process.kill(),
      stop: (options = {}) => {
        asked = options
        process.after(0, askToStop)
      },
      get errorCode() {
        const { end } = process
        if (end?.kind !== 'threw') return undefined
        return isMillraceError(end.error) ? end.error.code : end.error.name
      },
    }
  }

  /**
   * Lets time pass until `condition` holds.
   * @throws Error when it does not hold after ten virtual minutes, or when nothing is left to happen.
   */
  async until(what: string, condition: () => boolean): Promise<void> {
    const outcome = await this.world.run(condition, { eventsMax: 2_000_000, virtualMsMax: 600_000 })
    if (outcome === 'done') return
    throw new Error(
      `${what}: ${outcome} after ${Math.round(this.world.nowMs)} virtual ms ${this.world.violations.join('; ')}`,
    )
  }

  /** Lets a run come to its end. @throws the error it ended with, or an Error when it was killed. */
  async finish(run: BenchRun): Promise<void> {
    await this.until('the job ends', () => run.end !== undefined)
    if (run.end?.kind === 'threw') throw run.end.error
    if (run.end?.kind === 'killed') throw new Error('the job was killed')
  }

  /** Lets virtual milliseconds pass. */
  async pass(ms: number): Promise<void> {
    const until = this.world.nowMs + ms
    let reached = false
    this.world.at(ms, () => {
      reached = true
    })
    await this.until(`${until} ms`, () => reached)
  }
}
