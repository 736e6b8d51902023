import type { MetricName } from '../../src/core/index.ts'
import type { CheckpointOptions, Job, JobOptions } from '../../src/job/index.ts'
import { type FaultKind, SeededRandom, type SimProcess, swarmFaultRates, type World } from '../../src/testing/index.ts'
import type { OutputTruth, StateTruth } from './oracle.ts'

/** What a seed decides before it begins, in every scenario. Printed with every failure. */
export interface BaseConfig {
  readonly records: number
  readonly keys: number
  /** How long things go wrong, in virtual milliseconds. */
  readonly faultMs: number
  readonly parallelismMax: number
  readonly checkpointMs: number
  readonly timeoutMs: number
  readonly retained: number
  readonly inlineBytesMax: number
  readonly batchRecords: number
  readonly channelBatches: number
  readonly rollBytes: number
  readonly stopRate: number
  /** Crashes fall where they hurt: while a process starts, and around the publication of a checkpoint. */
  readonly directed: boolean
  /** Bits rot in manifests, often, and nowhere else. */
  readonly rotten?: boolean | undefined
  readonly rates: Partial<Record<FaultKind, number>>
}

/** What a scenario gets to work with. */
export interface Stage {
  readonly world: World
  /** Everything the outside does is drawn from here. */
  readonly random: SeededRandom
  readonly count: (what: string) => void
  /** Whether a reader of that output can see the line now. */
  readonly sees: (dir: string, line: string) => boolean
  /** How often an attempt of the job has begun, in all processes. */
  readonly starts: () => number
}

/** A metric of a step, over its subtasks; 0 when it was never counted. */
export type MetricSum = (metric: MetricName, step: string) => number

/** What one process is started with. */
export interface Life {
  readonly process: SimProcess
  /** Options every job of the simulation has: checkpoints, parallelism, batches, restart. */
  readonly options: JobOptions
  /** The same as in the options, for a job that promises something. */
  readonly checkpoint: CheckpointOptions & { readonly dir: string }
}

/** One run of a scenario: the outside, the job, and the truth about both. */
export interface Play {
  readonly compose: (life: Life) => Job
  readonly outputs: readonly OutputTruth[]
  readonly state?: StateTruth | undefined
  /** Whether outputs that are no files have everything; default true. */
  readonly complete?: (() => boolean) | undefined
  /** How far such outputs are, for the report. */
  readonly progress?: (() => string) | undefined
  /** S13: figures that are one and the same after a clean end of a process that never restarted its job. */
  readonly balance?: ((sum: MetricSum, process: SimProcess) => readonly (readonly [string, number])[]) | undefined
  /** Whether a process that was not asked to end may end with this. Default: it may not. */
  readonly mayEndWith?: ((error: Error, process: SimProcess) => boolean) | undefined
  /** After a clean end: what is not as it must be. */
  readonly verdict?: (() => string | undefined) | undefined
  /** The outside has written everything it ever will. */
  readonly written: () => boolean
  /** The outside begins. */
  readonly start: () => void
  /** The job is bounded: its process must end without being asked to. */
  readonly endsByItself: boolean
  /** What calls of the outside may still keep a checkpoint waiting once nothing goes wrong. Default 2 seconds. */
  readonly slackMs?: number | undefined
  readonly heal?: (() => void) | undefined
  readonly counters?: (() => Readonly<Record<string, number>>) | undefined
}

export interface Scenario {
  readonly name: string
  /** Counters of which none may be zero over a batch of 300 seeds. */
  readonly required: readonly string[]
  /** Faults that are no part of it. */
  readonly without: readonly FaultKind[]
  readonly draw: (seed: number) => BaseConfig
  /** A fixed, small configuration for the exhaustive sweep. */
  readonly smallest: BaseConfig
  readonly open: (config: BaseConfig, stage: Stage) => Play
}

/** A scenario with a configuration of its own. What comes back to `open` is what `draw` gave, or a corpus file kept. */
export const defineScenario = <Config extends BaseConfig>(scenario: {
  readonly name: string
  readonly required: readonly string[]
  readonly without?: readonly FaultKind[]
  readonly draw: (random: SeededRandom, base: BaseConfig) => Config
  readonly smallest: Config
  readonly open: (config: Config, stage: Stage) => Play
}): Scenario => ({
  name: scenario.name,
  required: [...alwaysRequired, ...scenario.required],
  without: scenario.without ?? [],
  draw: (seed) => {
    const random = new SeededRandom(seed).fork('config')
    const { rates, ...config } = scenario.draw(random, drawBase(random))
    const kept = Object.entries(rates).filter(([kind]) => !scenario.without?.includes(kind as FaultKind))
    return { ...config, rates: Object.fromEntries(kept) }
  },
  smallest: scenario.smallest,
  open: (config, stage) => scenario.open(config as Config, stage),
})

const alwaysRequired = [
  'restores',
  'rescales',
  'publishes',
  'commits',
  'seals',
  'powerLosses',
  'exit FENCED',
  'checkpoint-failed',
  'restarting',
  'stops',
]

/** Faults the design survives without help; rot is let in only where a refusal is the right answer. */
export const swarmKinds: readonly FaultKind[] = [
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

/** Crashes, which a directed run has all of, at its own rates. */
export const crashRates: Partial<Record<FaultKind, number>> = {
  kill: 0.01,
  killAfter: 0.01,
  power: 0.01,
  powerAfter: 0.01,
  pause: 0.01,
}

/** One configuration of the swarm, as far as it is the same everywhere. */
const drawBase = (random: SeededRandom): BaseConfig => {
  const base = drawSettings(random)
  if (random.bool(0.06)) return { ...base, rotten: true, rates: { ...base.rates, ...crashRates, bitRot: 0.1 } }
  return random.bool(0.3) ? { ...base, directed: true, rates: { ...base.rates, ...crashRates } } : base
}

const drawSettings = (random: SeededRandom): BaseConfig => ({
  records: 16 + random.int(40),
  keys: 1 + random.int(5),
  faultMs: 2_000 + random.int(6_000),
  parallelismMax: random.pick([1, 2, 3, 4]),
  checkpointMs: random.pick([100, 300, 1000]),
  timeoutMs: random.pick([2_000, 20_000]),
  retained: 2 + random.int(2),
  inlineBytesMax: random.pick([0, 64, 4096]),
  batchRecords: random.pick([1, 2, 7, 512]),
  channelBatches: random.pick([1, 2, 8]),
  rollBytes: random.pick([20, 200, 1_000_000]),
  stopRate: random.pick([0, 0.3]),
  directed: false,
  rates: swarmFaultRates(random, swarmKinds),
})

/** What the sweeps have in common. */
export const smallestBase: BaseConfig = {
  records: 6,
  keys: 2,
  faultMs: 1_500,
  parallelismMax: 1,
  checkpointMs: 500,
  timeoutMs: 20_000,
  retained: 2,
  inlineBytesMax: 64,
  batchRecords: 2,
  channelBatches: 2,
  rollBytes: 1_000_000,
  stopRate: 0,
  directed: false,
  rates: {},
}
