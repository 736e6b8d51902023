import { DirectoryCheckpointStore } from '../../src/checkpoint/index.ts'
import { fileSink } from '../../src/connectors/files/index.ts'
import { type Environment, isMillraceError } from '../../src/core/index.ts'
import { type Job, job } from '../../src/job/index.ts'
import { type JobHandle, JobRunner, noProgressMark, valueState } from '../../src/runtime/index.ts'
import {
  type FaultKind,
  type FaultPlan,
  type ProcessEnd,
  SeededRandom,
  type SimProcess,
  swarmFaultRates,
  World,
} from '../../src/testing/index.ts'
import { Oracle, type Truth } from './oracle.ts'
import { ShardedLog, shardedLogSource } from './sharded-log.ts'

/** Everything a seed decides before it begins. Printed with every failure. */
export interface ScenarioConfig {
  readonly records: number
  readonly keys: number
  readonly shards: number
  readonly splitRate: number
  readonly mergeRate: number
  readonly checkpointMs: number
  readonly timeoutMs: number
  readonly retained: number
  readonly inlineBytesMax: number
  readonly batchRecords: number
  readonly channelBatches: number
  readonly pullMax: number
  readonly rpcFailureRate: number
  readonly rollBytes: number
  readonly stopRate: number
  readonly rates: Partial<Record<FaultKind, number>>
}

const maxParallelism = 16
const dirs = { checkpoints: 'ck', archive: 'out/archive', counts: 'out/counts' }
/** Faults the design survives without help; rot is let in only where a refusal is the right answer. */
const kinds: readonly FaultKind[] = [
  'kill',
  'killAfter',
  'partial',
  'power',
  'powerAfter',
  'pause',
  'stall',
  'eio',
  'enospc',
  'emfile',
  'bitRot',
  'clockJump',
  'timerLate',
  'timerEarly',
]

const pick = <T>(random: SeededRandom, choices: readonly T[]): T => choices[random.int(choices.length)] as T

/** One configuration of the swarm. */
export const drawConfig = (seed: number): ScenarioConfig => {
  const random = new SeededRandom(seed).fork('config')
  return {
    records: 40 + random.int(100),
    keys: 1 + random.int(6),
    shards: 1 + random.int(4),
    splitRate: random.bool(0.7) ? 0.06 : 0,
    mergeRate: random.bool(0.5) ? 0.05 : 0,
    checkpointMs: pick(random, [100, 300, 1000]),
    timeoutMs: pick(random, [2_000, 20_000]),
    retained: 2 + random.int(2),
    inlineBytesMax: pick(random, [0, 64, 4096]),
    batchRecords: pick(random, [1, 2, 7, 512]),
    channelBatches: pick(random, [1, 2, 8]),
    pullMax: pick(random, [1, 5, 50]),
    rpcFailureRate: pick(random, [0, 0.05, 0.2]),
    rollBytes: pick(random, [20, 200, 1_000_000]),
    stopRate: pick(random, [0, 0.3]),
    rates: swarmFaultRates(random, kinds),
  }
}

export interface SeedOptions {
  readonly config?: ScenarioConfig | undefined
  /** Exactly these faults instead of random ones. */
  readonly plan?: FaultPlan | undefined
  readonly recordSites?: boolean | undefined
  readonly trace?: ((line: string) => void) | undefined
}

/** What a seed came to. */
export interface SeedResult {
  readonly seed: number
  readonly config: ScenarioConfig
  readonly violation: string | undefined
  readonly refused: boolean
  readonly traceHash: string
  readonly injected: FaultPlan
  readonly world: World
  readonly counters: Readonly<Record<string, number>>
}

const composeJob = (
  config: ScenarioConfig,
  world: World,
  log: ShardedLog,
  process: SimProcess,
  parallelism: number,
): Job =>
  job(
    'sim',
    {
      checkpoint: {
        dir: dirs.checkpoints,
        every: config.checkpointMs,
        timeout: config.timeoutMs,
        retained: config.retained,
      },
      parallelism,
      maxParallelism,
      batchRecords: config.batchRecords,
      channelBatches: config.channelBatches,
      stopDeadline: '5m',
      restart: { strategy: 'exponential', initial: 200, max: '5s' },
    },
    (flow) => {
      const { pullMax, rpcFailureRate, rollBytes } = config
      const source = shardedLogSource({ log, process, world, random: world.random.fork(`service of ${process.name}`), pullMax, failureRate: rpcFailureRate, discoveryMs: 400 })
      const records = flow.from('log', source)
      records
        .map((record) => record.line)
        .to('archive', fileSink({ dir: dirs.archive, format: 'text', roll: { size: rollBytes } }))
      records
        .keyBy((record) => record.key)
        .process('count', {
          state: { count: valueState<number>() },
          *each(_, { key, state }) {
            const count = (state.count.get() ?? 0) + 1
            state.count.set(count)
            yield `${key} ${count}`
          },
        })
        .to('counts', fileSink({ dir: dirs.counts, format: 'text' }))
    },
  )

/** Runs one seed: safety with faults, then healed until all is committed, then a clean stop. */
export const runSeed = async (seed: number, options: SeedOptions = {}): Promise<SeedResult> => {
  const config = options.config ?? drawConfig(seed)
  return await new Scenario(seed, config, options).run()
}

const truthOf = (log: ShardedLog): Truth => ({
  known: (line) => {
    const record = log.byLine.get(line)
    return record === undefined ? undefined : { stream: `shard-${record.shard}`, index: record.index, key: record.key }
  },
  parents: (stream) => (log.shards[Number(stream.slice(6))]?.parents ?? []).map((parent) => `shard-${parent}`),
  countsAt: (splits, enumerator) => {
    const upTo = new Map<number, number>()
    for (const split of splits as { readonly shard: number; readonly next: number }[]) {
      if (upTo.has(split.shard)) return `shard ${split.shard} is in it twice`
      upTo.set(split.shard, split.next)
    }
    const { assigned, finished } = (enumerator ?? { assigned: [], finished: [] }) as Record<string, readonly number[]>
    for (const shard of finished ?? []) {
      if (!upTo.has(shard)) upTo.set(shard, log.shards[shard]?.records.length ?? 0)
    }
    for (const shard of assigned ?? []) if (!upTo.has(shard)) return `shard ${shard} was assigned and is nowhere`
    const counts = new Map<string, number>()
    for (const [shard, next] of upTo) {
      for (const { key } of log.shards[shard]?.records.slice(0, next) ?? []) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return counts
  },
})

class Scenario {
  readonly #seed: number
  readonly #config: ScenarioConfig
  readonly #world: World
  readonly #log: ShardedLog
  readonly #oracle: Oracle
  readonly #random: SeededRandom
  readonly #counters: Record<string, number> = {}
  #lives = 0
  #alive = 0
  readonly #handles = new Map<SimProcess, JobHandle>()
  #stopped: SimProcess | undefined
  /** Those that were asked to stop: a failure on the way is theirs to report. */
  readonly #asked = new Set<SimProcess>()
  #refused = false
  #ending = false
  #ended: ProcessEnd | undefined
  #completedAfterHeal = 0
  #healed = false

  constructor(seed: number, config: ScenarioConfig, options: SeedOptions) {
    this.#seed = seed
    this.#config = config
    this.#world = new World(seed, {
      trace: options.trace,
      faults: {
        rates: config.rates,
        plan: options.plan,
        recordSites: options.recordSites,
        // Bits rot in published state only: what a part loses before it is committed nothing could notice.
        mayHappen: (kind, site) => kind !== 'bitRot' || site.path.startsWith(dirs.checkpoints),
      },
    })
    this.#random = this.#world.random.fork('scenario')
    this.#log = new ShardedLog(config.shards)
    const { disk } = this.#world.host()
    this.#oracle = new Oracle({
      world: this.#world,
      disk,
      truth: truthOf(this.#log),
      ...dirs,
      source: 'log',
      keyed: 'count',
    })
  }

  async run(): Promise<SeedResult> {
    const world = this.#world
    world.at(0, () => this.#feed())
    world.at(1, () => this.#spawn())
    world.at(25_000, () => this.#heal())
    const outcome = await world.run(() => this.#refused || this.#finished(), {
      eventsMax: 400_000,
      virtualMsMax: 1_200_000,
    })
    if (outcome === 'idle') world.violate('L4: nothing is left to happen, and work is left to do')
    if (outcome === 'budget')
      world.violate(
        `L1: ${this.#oracle.archived.size} of ${this.#log.size} records after ${world.nowMs} ms; ${this.#stuck()}`,
      )
    if (world.violations.length === 0 && !this.#refused) this.#checkEnd()
    return {
      seed: this.#seed,
      config: this.#config,
      violation: world.violations[0],
      refused: this.#refused,
      traceHash: world.traceHash,
      injected: world.faults.injected,
      world,
      counters: {
        ...this.#counters,
        lives: this.#lives,
        publishes: this.#oracle.publishes,
        commits: this.#oracle.commits,
        seals: this.#oracle.seals,
        powerLosses: this.#oracle.powerLosses,
        splits: this.#log.splits,
        merges: this.#log.merges,
        records: this.#log.size,
      },
    }
  }

  #count(what: string): void {
    this.#counters[what] = (this.#counters[what] ?? 0) + 1
  }

  #stuck(): string {
    return this.#world
      .host()
      .processes.map((process) => `${process.name}: ${JSON.stringify(this.#handles.get(process)?.waitingFor())}`)
      .join('; ')
  }

  /** The outside writes, splits and merges. */
  #feed(): void {
    const { records, keys, splitRate, mergeRate } = this.#config
    if (this.#log.size >= records) return
    for (let n = 1 + this.#random.int(4); n > 0 && this.#log.size < records; n--) this.#log.append(this.#random, keys)
    if (this.#log.shards.length < 12 && this.#random.bool(splitRate)) this.#log.split(this.#random)
    if (this.#random.bool(mergeRate)) this.#log.merge(this.#random)
    this.#world.at(this.#random.exponential(150), () => this.#feed())
  }

  #heal(): void {
    this.#healed = true
    this.#world.heal()
  }

  /** A supervisor that starts a process whenever it believes that none lives. */
  #spawn(): void {
    if (this.#refused || this.#ending) return
    this.#lives++
    this.#alive++
    const parallelism = 1 + this.#random.int(4)
    const process = this.#world.spawn(
      `p${this.#lives}`,
      (environment, self) => this.#main(environment, self, parallelism),
      {
        onEnd: (end, self) => this.#onEnd(end, self),
        onPause: (self) => {
          this.#count('pauses')
          this.#world.at(1_500, () => {
            if (self.paused && this.#alive === 1) {
              this.#count('zombies')
              this.#spawn()
            }
          })
        },
      },
    )
    if (this.#random.bool(this.#config.stopRate))
      this.#world.at(this.#random.exponential(4_000), () => this.#stopSometime(process))
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
    const { graph } = composeJob(this.#config, this.#world, this.#log, process, parallelism)
    const { fs, digest, clock, random } = environment
    const { retained, inlineBytesMax } = this.#config
    const store = new DirectoryCheckpointStore(
      { directory: dirs.checkpoints, retained, inlineBytesMax },
      { fs, digest, clock, random },
    )
    const runner = new JobRunner({
      graph,
      environment,
      store,
      restore: { restore: 'latest', allowRollback: false, renameState: {}, dropState: [], owner: process.name },
      mark: noProgressMark,
    })
    this.#handles.set(process, runner)
    runner.events$.subscribe((event) => {
      this.#count(event.kind)
      if (event.kind === 'checkpoint-completed' && this.#healed) this.#completedAfterHeal++
    })
    return await runner.done
  }

  #onEnd(end: ProcessEnd, process: SimProcess): void {
    this.#alive--
    const fenced = end.kind === 'threw' && isMillraceError(end.error) && end.error.code === 'FENCED'
    // The last one alive may be a zombie whose successor has ended: it learns so when it stops, and another one starts.
    if (process === this.#stopped && fenced) this.#ending = false
    else if (process === this.#stopped) {
      this.#ended = end
      return
    }
    if (end.kind === 'threw') this.#judge(end.error, process)
    if (this.#refused) return
    if (this.#alive === 0) this.#world.at(300 + this.#random.exponential(500), () => this.#spawn())
  }

  /** Only refusals that a fault explains, and the loss of ownership, may end a process. */
  #judge(error: Error, process: SimProcess): void {
    const rot = this.#world.faults.injected.some(([, kind]) => kind === 'bitRot')
    const code = isMillraceError(error) ? error.code : error.name
    this.#count(`exit ${code}`)
    if (code === 'FENCED' || (code === 'JOB_FAILED' && this.#asked.has(process))) return
    if (rot && (code === 'CHECKPOINT_CORRUPT' || code === 'CHECKPOINT_NEWER')) {
      this.#refused = true
      return
    }
    this.#world.violate(`the job died: ${error.stack ?? error.message}`)
  }

  #finished(): boolean {
    if (this.#ended !== undefined) return true
    if (!this.#healed || this.#ending || this.#log.size < this.#config.records) return false
    if (this.#world.events % 16 !== 0 || this.#oracle.archived.size < this.#log.size) return false
    const [process, ...others] = this.#world.host().processes
    if (process === undefined || others.length > 0 || this.#completedAfterHeal < 2) return false
    this.#ending = true
    this.#stopped = process
    this.#stop(process)
    return false
  }

  #checkEnd(): void {
    const world = this.#world
    const end = this.#ended
    if (end?.kind !== 'returned') return world.violate(`L3: the stop ended with ${JSON.stringify(end)}`)
    for (const line of this.#log.byLine.keys()) {
      if (!this.#oracle.archived.has(line)) return world.violate(`S1: ${line} was lost`)
    }
    this.#oracle.checkOrder('archive')
    const { disk } = world.host()
    const staged = disk.files('out').find(({ path }) => path.includes('/.ip-'))
    if (staged !== undefined) {
      const ofZombie = this.#counters['zombies'] !== undefined
      if (!ofZombie) return world.violate(`S11: ${staged.path} is left after a clean stop`)
    }
    const published = disk.files(dirs.checkpoints).filter(({ path }) => /\/ck-\d+$/.test(path))
    if (published.length > this.#config.retained + 1)
      return world.violate(`S11: ${published.length} checkpoints are kept`)
    const uses = world.tripwireUses
    if (uses.length > 0) return world.violate(`S14: global time or chance was used: ${JSON.stringify(uses[0])}`)
    const update = [...this.#log.byLine.values()].map(({ key }) => key)
    if (update.length !== this.#countUpdates(disk)) world.violate('S1: count updates are missing')
  }

  #countUpdates(disk: { files(directory: string): readonly { readonly path: string; bytes(): Uint8Array }[] }): number {
    const decoder = new TextDecoder()
    return disk
      .files(dirs.counts)
      .filter(({ path }) => /\/part-/.test(path))
      .reduce((sum, file) => sum + decoder.decode(file.bytes()).split('\n').length - 1, 0)
  }
}
