import { DirectoryCheckpointStore } from '../../src/checkpoint/index.ts'
import { type Environment, isMillraceError, type Logger, silentLogger } from '../../src/core/index.ts'
import { type JobHandle, JobRunner, noProgressMark } from '../../src/runtime/index.ts'
import {
  type FaultKind,
  type FaultPlan,
  type FaultSite,
  type ProcessEnd,
  type SeededRandom,
  type SimProcess,
  World,
} from '../../src/testing/index.ts'
import { Oracle } from './oracle.ts'
import { type BaseConfig, crashRates, type Play, type Scenario } from './play.ts'

export interface TrialOptions {
  /** Default: what the scenario draws for the seed. */
  readonly config?: BaseConfig | undefined
  /** Exactly these faults instead of random ones. */
  readonly plan?: FaultPlan | undefined
  readonly recordSites?: boolean | undefined
  readonly trace?: ((line: string) => void) | undefined
}

/** What a seed came to. */
export interface TrialResult {
  readonly scenario: string
  readonly seed: number
  readonly config: BaseConfig
  readonly violation: string | undefined
  readonly traceHash: string
  readonly events: number
  readonly injected: FaultPlan
  readonly sites: readonly FaultSite[]
  readonly counters: Readonly<Record<string, number>>
}

const checkpoints = 'ck'
const maxParallelism = 16
/** About what a process does before it reads its first record. */
const startOperations = 80
/** What calls of the outside and of the disk may take in a checkpoint. */
const slackMs = 2_000

/** Runs one seed: safety with faults, then healed until all is committed, then a clean end. */
export const runTrial = async (scenario: Scenario, seed: number, options: TrialOptions = {}): Promise<TrialResult> =>
  await new Trial(scenario, seed, options.config ?? scenario.draw(seed), options).run()

/** A supervisor, an outside, and faults, around the processes of one job. */
class Trial {
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #config: BaseConfig
  readonly #world: World
  readonly #play: Play
  readonly #oracle: Oracle
  readonly #random: SeededRandom
  readonly #counters: Record<string, number> = {}
  /** Chance of its own, so that what is thinned out changes nothing else. */
  readonly #thin: SeededRandom
  /** Operations before the newest process began. */
  #startedAt = 0
  #lives = 0
  #alive = 0
  #lastParallelism: number | undefined
  readonly #handles = new Map<SimProcess, JobHandle>()
  #stopped: SimProcess | undefined
  /** Those that were asked to stop: a failure on the way is theirs to report. */
  readonly #asked = new Set<SimProcess>()
  #refused = false
  #ending = false
  #ended: ProcessEnd | undefined
  #completedAfterHeal = 0
  /** The last time a checkpoint completed, an attempt began or the faults ended. */
  #quietSince = 0
  readonly #restarted = new Set<SimProcess>()
  /** Those whose job ended as it should: stopped with a drain, or finished. */
  readonly #clean = new Set<SimProcess>()
  #healed = false

  constructor(scenario: Scenario, seed: number, config: BaseConfig, options: TrialOptions) {
    this.#scenario = scenario
    this.#seed = seed
    this.#config = config
    this.#world = new World(seed, {
      trace: options.trace,
      faults: {
        rates: config.rates,
        plan: options.plan,
        recordSites: options.recordSites,
        mayHappen: (kind, site) => this.#mayHappen(kind, site),
      },
    })
    this.#random = this.#world.random.fork('supervisor')
    this.#thin = this.#world.random.fork('thin')
    this.#play = scenario.open(config, {
      world: this.#world,
      random: this.#world.random.fork('outside'),
      count: (what) => this.#count(what),
      sees: (dir, line) => this.#oracle.sees(dir, line),
      starts: () => this.#counters['started'] ?? 0,
    })
    const { outputs, state } = this.#play
    this.#oracle = new Oracle({ world: this.#world, disk: this.#world.host().disk, checkpoints, outputs, state })
  }

  #mayHappen(kind: FaultKind, { operation, path }: FaultSite): boolean {
    // Bits rot in published state only: what a part loses before it is committed nothing could notice.
    if (kind === 'bitRot') {
      return this.#config.rotten ? /\/ck-\d+$/.test(path) : path.startsWith(`${checkpoints}/`)
    }
    if (!this.#config.directed || crashRates[kind] === undefined) return true
    if (/^(rename|syncDirectory|link)$/.test(operation) && path !== '.') return true
    const starts = this.#world.faults.operations - this.#startedAt < startOperations
    return this.#thin.bool(starts ? 0.5 : 0.05)
  }

  async run(): Promise<TrialResult> {
    const world = this.#world
    world.at(0, () => this.#play.start())
    world.at(1, () => this.#spawn())
    world.at(this.#config.faultMs, () => this.#heal())
    const outcome = await world.run(() => this.#refused || this.#finished(), {
      eventsMax: 400_000,
      virtualMsMax: 600_000,
    })
    if (outcome === 'idle') world.violate(`L4: nothing is left to happen, and work is left to do; ${this.#stuck()}`)
    if (outcome === 'budget') world.violate(`L1: ${this.#progress} after ${world.nowMs} ms; ${this.#stuck()}`)
    if (world.violations.length === 0 && !this.#refused) this.#checkEnd()
    return {
      scenario: this.#scenario.name,
      seed: this.#seed,
      config: this.#config,
      violation: world.violations[0],
      traceHash: world.traceHash,
      events: world.events,
      injected: world.faults.injected,
      sites: world.faults.sites,
      counters: this.#totals(),
    }
  }

  get #complete(): boolean {
    return this.#oracle.complete && (this.#play.complete?.() ?? true)
  }

  get #progress(): string {
    return `${this.#oracle.progress} ${this.#play.progress?.() ?? ''}`
  }

  #totals(): Record<string, number> {
    const { publishes, commits, seals, powerLosses } = this.#oracle
    for (const [, kind] of this.#world.faults.injected) this.#count(`fault ${kind}`)
    return {
      ...this.#counters,
      ...this.#play.counters?.(),
      lives: this.#lives,
      events: this.#world.events,
      publishes,
      commits,
      seals,
      powerLosses,
    }
  }

  #count(what: string): void {
    this.#counters[what] = (this.#counters[what] ?? 0) + 1
  }

  #stuck(): string {
    const { processes } = this.#world.host()
    return processes
      .map((process) => `${process.name}: ${JSON.stringify(this.#handles.get(process)?.waitingFor())}`)
      .join('; ')
  }

  /** L2: once nothing goes wrong any more, a checkpoint completes within three intervals. */
  #onCompleted(): void {
    const since = Math.max(this.#quietSince, this.#world.stallsOverMs)
    this.#quietSince = this.#world.nowMs
    // What went wrong before the first one after the healing may have to run into its timeout.
    if (!this.#healed || ++this.#completedAfterHeal === 1) return
    const boundMs = 3 * this.#config.checkpointMs + (this.#play.slackMs ?? slackMs)
    const tookMs = this.#world.nowMs - since
    if (tookMs > boundMs) this.#world.violate(`L2: ${tookMs} ms without a checkpoint; ${boundMs} are allowed`)
  }

  #heal(): void {
    this.#healed = true
    this.#quietSince = this.#world.nowMs
    this.#world.heal()
    this.#play.heal?.()
  }

  /** A supervisor that starts a process whenever it believes that none lives. */
  #spawn(): void {
    if (this.#refused || this.#ending || this.#ended !== undefined) return
    this.#lives++
    this.#alive++
    this.#startedAt = this.#world.faults.operations
    const parallelism = 1 + this.#random.int(this.#config.parallelismMax)
    const name = `p${this.#lives}`
    const process = this.#world.spawn(name, (environment, self) => this.#main(environment, self, parallelism), {
      log: this.#logger(name),
      onEnd: (end, self) => this.#onEnd(end, self),
      onPause: (self) => {
        this.#count('pauses')
        this.#world.at(1_500, () => {
          if (!self.paused || this.#alive !== 1) return
          this.#count('zombies')
          this.#spawn()
        })
      },
    })
    if (this.#random.bool(this.#config.stopRate)) {
      this.#world.at(this.#random.exponential(1_500), () => this.#stopSometime(process))
    }
  }

  /** Counts what is only said, and passes it on when somebody traces. */
  #logger(name: string): Logger {
    const inner = this.#world.logger(name) ?? silentLogger
    const counting = (bound: Logger): Logger => ({
      debug: (fields, message) => bound.debug(fields, message),
      info: (fields, message) => bound.info(fields, message),
      warn: (fields, message) => {
        if (message === 'no room; writing waits') this.#count('waits for room')
        bound.warn(fields, message)
      },
      error: (fields, message) => bound.error(fields, message),
      child: (fields) => counting(bound.child(fields)),
    })
    return counting(inner)
  }

  #stopSometime(process: SimProcess): void {
    if (!process.alive || this.#ending || this.#healed) return
    this.#count('stops')
    this.#stop(process)
  }

  #stop(process: SimProcess): void {
    this.#asked.add(process)
    process.after(
      0,
      () =>
        void this.#handles
          .get(process)
          ?.stop()
          .catch(() => {}),
    )
  }

  async #main(environment: Environment, process: SimProcess, parallelism: number): Promise<unknown> {
    const { checkpointMs, timeoutMs, retained, inlineBytesMax, batchRecords, channelBatches } = this.#config
    const checkpoint = { dir: checkpoints, every: checkpointMs, timeout: timeoutMs, retained }
    const { graph } = this.#play.compose({
      process,
      checkpoint,
      options: {
        checkpoint,
        parallelism,
        maxParallelism,
        batchRecords,
        channelBatches,
        stopDeadline: '5m',
        restart: { strategy: 'exponential', initial: 100, max: '2s' },
      },
    })
    const { fs, digest, clock, random } = environment
    const runner = new JobRunner({
      graph,
      environment,
      store: new DirectoryCheckpointStore(
        { directory: checkpoints, retained, inlineBytesMax },
        { fs, digest, clock, random },
      ),
      restore: { restore: 'latest', allowRollback: false, renameState: {}, dropState: [], owner: process.name },
      mark: noProgressMark,
    })
    this.#handles.set(process, runner)
    runner.events$.subscribe((event) => {
      this.#count(event.kind)
      if (event.kind === 'restarting') this.#restarted.add(process)
      if (event.kind === 'checkpoint-completed') this.#onCompleted()
      else if (event.kind === 'started' || event.kind === 'restarting') this.#quietSince = this.#world.nowMs
      if (event.kind !== 'started' || event.restored === undefined) return
      this.#count('restores')
      if (this.#lastParallelism !== undefined && this.#lastParallelism !== parallelism) this.#count('rescales')
      this.#lastParallelism = parallelism
    })
    return await runner.done
  }

  #onEnd(end: ProcessEnd, process: SimProcess): void {
    this.#alive--
    if (end.kind === 'returned') this.#clean.add(process)
    const fenced = end.kind === 'threw' && isMillraceError(end.error) && end.error.code === 'FENCED'
    // The last one alive may be a zombie whose successor has ended: it learns so when it stops, and another one starts.
    if (process === this.#stopped && fenced) this.#ending = false
    else if (process === this.#stopped || (this.#play.endsByItself && hasFinished(end))) {
      this.#ended ??= end
      return
    }
    if (end.kind === 'threw') this.#judge(end.error, process)
    if (this.#refused) return
    if (this.#alive === 0) this.#world.at(100 + this.#random.exponential(300), () => this.#spawn())
  }

  /** Only refusals that a fault explains, and the loss of ownership, may end a process. */
  #judge(error: Error, process: SimProcess): void {
    const rot = this.#world.faults.injected.some(([, kind]) => kind === 'bitRot')
    const code = isMillraceError(error) ? error.code : error.name
    this.#count(`exit ${code}`)
    if (code === 'FENCED' || (code === 'JOB_FAILED' && this.#asked.has(process))) return
    if (this.#play.mayEndWith?.(error, process)) return
    // A stall can outlast the deadline of a stop; the job has not ended then, and another process goes on.
    const stalled = this.#world.faults.injected.some(([, kind]) => kind === 'stall')
    if (code === 'JOB_CANCELLED' && this.#asked.has(process) && stalled) return
    if (rot && ['CHECKPOINT_CORRUPT', 'CHECKPOINT_NEWER', 'CHECKPOINT_FOREIGN'].includes(code)) {
      this.#refused = true
      return
    }
    this.#world.violate(`the job died: ${error.stack ?? error.message}`)
  }

  #finished(): boolean {
    const { endsByItself } = this.#play
    // Zombies of a job that ended by itself wake up and must do no harm.
    if (this.#ended !== undefined) return !endsByItself || this.#alive === 0
    if (endsByItself || !this.#healed || this.#ending || this.#world.events % 16 !== 0) return false
    if (!this.#play.written() || !this.#complete) return false
    const [process, ...others] = this.#world.host().processes
    if (process === undefined || others.length > 0 || this.#completedAfterHeal < 1) return false
    // One that has just begun cannot be asked yet.
    if (!this.#handles.has(process)) return false
    this.#ending = true
    this.#stopped = process
    this.#stop(process)
    return false
  }

  /** S13, of every process that ended cleanly and whose job never began anew in it. */
  #checkBalance(): void {
    const { balance } = this.#play
    if (balance === undefined) return
    for (const process of this.#clean) {
      if (this.#restarted.has(process)) continue
      const metrics = this.#handles.get(process)?.metrics()
      const figures = balance((metric, step) => metrics?.sum(metric, step) ?? 0, process)
      const [first, ...others] = figures.map(([, value]) => value)
      if (others.some((value) => value !== first)) {
        this.#world.violate(`S13: ${process.name}: ${figures.map((figure) => figure.join(' ')).join(', ')}`)
        return
      }
      this.#count('balances')
    }
  }

  #checkEnd(): void {
    const world = this.#world
    const end = this.#ended
    if (end?.kind !== 'returned') {
      world.violate(`L3: the stop ended with ${JSON.stringify(end)}`)
      return
    }
    this.#checkBalance()
    if (!this.#complete) {
      world.violate(`S1: lines were lost: ${this.#progress}`)
      return
    }
    this.#oracle.checkOrder()
    const verdict = this.#play.verdict?.()
    if (verdict !== undefined) {
      world.violate(verdict)
      return
    }
    const { disk } = world.host()
    const staged = disk.files('out').find(({ path }) => path.includes('/.ip-'))
    // What an attempt that was left behind in a stalled operation still stages is the next start's to remove, as a zombie's.
    const leftBehind = this.#world.faults.injected.some(([, kind]) => kind === 'stall')
    if (staged !== undefined && !leftBehind && this.#counters['zombies'] === undefined) {
      world.violate(`S11: ${staged.path} is left after a clean end`)
      return
    }
    const published = disk.files(checkpoints).filter(({ path }) => /\/ck-\d+$/.test(path))
    if (published.length > this.#config.retained + 1) {
      world.violate(`S11: ${published.length} checkpoints are kept`)
      return
    }
    const uses = world.tripwireUses
    if (uses.length > 0) {
      world.violate(`S14: global time or chance was used: ${JSON.stringify(uses[0])}`)
      return
    }
  }
}

const hasFinished = (end: ProcessEnd): boolean =>
  end.kind === 'returned' &&
  typeof end.value === 'object' &&
  end.value !== null &&
  'outcome' in end.value &&
  end.value.outcome === 'finished'
