import type { CheckpointSession, OperatorState } from '../../src/checkpoint/checkpoint-store.ts'
import { DirectoryCheckpointStore } from '../../src/checkpoint/directory-checkpoint-store.ts'
import { type Environment, type FileSystem, MillraceError } from '../../src/core/index.ts'
import {
  type FaultKind,
  type FaultOptions,
  type FaultPlan,
  type FaultSite,
  type ProcessEnd,
  type RunOutcome,
  SeededRandom,
  type SimProcess,
  swarmFaultRates,
  World,
} from '../../src/testing/index.ts'
import { request } from './checkpoint-store-checks.ts'
import { inlineBytesMax, type Receipt, stateBytes } from './counting-state.ts'
import { utf8 } from './manifests.ts'
import { StoreOracle } from './store-oracle.ts'

export const root = 'data/checkpoints'

export interface SimulationOptions {
  readonly faults: FaultOptions
  /** Odds that the supervisor starts a second process beside a living one, at each of its rounds. */
  readonly rivals?: number
  /** Checkpoints a process publishes before it stops by itself. */
  readonly checkpointsPerProcess?: number
  /** Records that must have been committed in the end. */
  readonly target?: number
  /** A file system with a planted bug. */
  readonly planted?: ((fs: FileSystem) => FileSystem) | undefined
  readonly trace?: ((line: string) => void) | undefined
}

export interface SimulationResult {
  readonly violations: readonly string[]
  readonly outcome: RunOutcome
  readonly events: number
  readonly injected: FaultPlan
  /** Where faults could have happened, when they are recorded. */
  readonly sites: readonly FaultSite[]
  readonly traceHash: string
  readonly published: number
}

const header = { serializer: 'simulated', version: 1 }

/** A job of one subtask that counts records, stages them as output and commits them after each checkpoint. */
class CountingJob {
  readonly #environment: Environment
  readonly #process: SimProcess
  readonly #oracle: StoreOracle
  readonly #random: SeededRandom
  #count = 0
  #pending: Receipt[] = []

  constructor(environment: Environment, process: SimProcess, oracle: StoreOracle, random: SeededRandom) {
    this.#environment = environment
    this.#process = process
    this.#oracle = oracle
    this.#random = random
  }

  async run(store: DirectoryCheckpointStore, checkpoints: number): Promise<void> {
    const { name } = this.#process
    const session = await store.open(request({ job: 'counting', owner: name }))
    await this.#restore(session)
    await this.#commit()
    const carried = session.nextId()
    this.#oracle.givesUp(name, carried)
    this.#oracle.restored(name, this.#count)
    await session.carryOver()
    this.#oracle.keeps(name, carried)
    await session.cleanUp()
    for (let taken = 0; taken < checkpoints; taken++) {
      await this.#environment.clock.sleep(20)
      this.#work(session)
      if (this.#random.bool(0.1)) await this.#savepoint(session)
      await this.#checkpoint(session)
    }
  }

  async #restore(session: CheckpointSession): Promise<void> {
    const { restored } = session
    if (restored !== undefined) {
      const [counted, keyed, receipts] = restored.operators.flatMap(({ parts }) => parts)
      if (counted === undefined || keyed === undefined) throw new Error('a restored checkpoint lacks a part')
      this.#count = Number(new TextDecoder().decode(await session.readPart(counted)))
      this.#oracle.restoredState(this.#process.name, this.#count, await session.readPart(keyed))
      if (receipts !== undefined) {
        this.#pending = JSON.parse(new TextDecoder().decode(await session.readPart(receipts))) as Receipt[]
      }
    }
  }

  #work(session: CheckpointSession): void {
    const from = this.#count
    this.#count += 1 + this.#random.int(3)
    const name = `${session.generation}-${this.#process.name}-${from}`
    this.#pending.push({ name, from, to: this.#count })
  }

  async #commit(): Promise<void> {
    for (const receipt of this.#pending) {
      await this.#environment.clock.sleep(1)
      this.#oracle.commit(this.#process.name, receipt)
    }
    this.#pending = []
  }

  async #checkpoint(session: CheckpointSession): Promise<void> {
    const { name } = this.#process
    const id = session.nextId()
    const writer = session.begin(id, 'periodic')
    try {
      const operators = await this.#write(writer)
      // Sometimes the coordinator gives up while parts are written or the manifest is published.
      if (this.#random.bool(0.05)) void this.#discardSoon(writer.discard.bind(writer))
      await writer.publish(operators)
      this.#oracle.publishedCount++
    } catch (error) {
      this.#oracle.givesUp(name, id)
      await writer.discard()
      if (error instanceof MillraceError && error.remedy === 'stop') throw error
      return
    }
    await this.#commit()
    try {
      await session.retire(id)
    } catch (error) {
      if (error instanceof MillraceError && error.remedy === 'stop') throw error
    }
  }

  async #discardSoon(discard: () => Promise<void>): Promise<void> {
    await this.#environment.clock.sleep(this.#random.int(60))
    await discard()
  }

  async #savepoint(session: CheckpointSession): Promise<void> {
    const writer = session.begin(session.nextId(), 'savepoint')
    try {
      this.#oracle.savepoint(await writer.publish(await this.#write(writer)))
    } catch (error) {
      await writer.discard()
      if (error instanceof MillraceError && error.remedy === 'stop') throw error
    }
  }

  async #write(writer: ReturnType<CheckpointSession['begin']>): Promise<OperatorState[]> {
    const counted = { ...header, uid: 'in', kind: 'splits', subtask: 0 } as const
    const keyed = { ...header, uid: 'count', kind: 'keyed', subtask: 0 } as const
    const receipts = { ...header, uid: 'out', kind: 'committables', subtask: 0 } as const
    return [
      { uid: 'in', kind: 'source', parallelism: 1, parts: [await writer.writePart(counted, utf8(`${this.#count}`))] },
      { uid: 'count', kind: 'keyed', parallelism: 1, parts: [await writer.writePart(keyed, stateBytes(this.#count))] },
      {
        uid: 'out',
        kind: 'sink',
        parallelism: 1,
        parts: [await writer.writePart(receipts, utf8(JSON.stringify(this.#pending)))],
      },
    ]
  }
}

/** Starts processes as an orchestrator does: again when one ended, a second one when the first seems to hang. */
class Supervisor {
  readonly #world: World
  readonly #oracle: StoreOracle
  readonly #options: SimulationOptions
  readonly #random: SeededRandom
  #started = 0
  healed = false

  constructor(world: World, oracle: StoreOracle, options: SimulationOptions) {
    this.#world = world
    this.#oracle = oracle
    this.#options = options
    this.#random = world.random.fork('supervisor')
  }

  start(): void {
    if (this.#oracle.finished()) return
    const name = `p${++this.#started}`
    const { checkpointsPerProcess = 3, planted } = this.#options
    const random = this.#world.random.fork(`job ${name}`)
    const hooks = {
      onEnd: (end: ProcessEnd) => {
        this.#oracle.ended(name, end)
        this.#startSoon()
      },
      onPause: () => this.#startSoon(),
    }
    if (this.#world.host().processes.length > 0) this.#oracle.overlapped = true
    this.#world.spawn(
      name,
      (environment, process) => {
        const fs = planted?.(environment.fs) ?? environment.fs
        const store = new DirectoryCheckpointStore(
          { directory: root, inlineBytesMax, retained: 2 },
          { ...environment, fs },
        )
        return new CountingJob(environment, process, this.#oracle, random).run(store, checkpointsPerProcess)
      },
      hooks,
    )
    const { rivals = 0 } = this.#options
    if (!this.healed && this.#random.bool(rivals)) this.#startSoon(true)
  }

  #startSoon(rival = false): void {
    this.#world.at(this.#random.exponential(rival ? 150 : 60), () => {
      const running = this.#world.host().processes.some((process) => !process.paused)
      if (rival || !running) this.start()
    })
  }
}

const swarmKinds: readonly FaultKind[] = [
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
  'clockJump',
  'timerLate',
]

/**
 * What goes wrong in the run of a seed. Half of them are storms, in which processes are killed, the machine loses power
 * and processes sleep so often that hardly a step of the protocol is left in peace; some have reads that go wrong.
 */
export const weatherOf = (seed: number): SimulationOptions => {
  const random = new SeededRandom(seed).fork('weather')
  const rivals = random.bool(0.4) ? 0.4 : 0
  if (seed % 2 === 0) {
    const kinds: readonly FaultKind[] = seed % 5 === 0 ? [...swarmKinds, 'bitRot', 'eacces'] : swarmKinds
    return { rivals, faults: { rates: swarmFaultRates(random, kinds) } }
  }
  const often = 0.005 + 0.02 * random.float()
  const rates = { kill: often, killAfter: often, power: often / 2, powerAfter: often, pause: often, eio: often }
  return { rivals, faults: { rates } }
}

/** Runs the counting job through a world of faults and says what went wrong. */
export const simulate = async (seed: number, options: SimulationOptions): Promise<SimulationResult> => {
  const world = new World(seed, { faults: options.faults, trace: options.trace })
  const oracle = new StoreOracle(world, root, options.target ?? 8)
  world.host().disk.makeDirectories('data')
  const supervisor = new Supervisor(world, oracle, options)
  supervisor.start()
  const budget = { eventsMax: 30_000, virtualMsMax: 400_000 }
  // Faults for a while, then none: what is left must come to its end.
  let sites: readonly FaultSite[] | undefined
  world.at(1_200, () => {
    sites ??= world.faults.sites.slice()
    supervisor.healed = true
    world.heal()
  })
  let outcome = await world.run(() => oracle.finished(), budget)
  sites ??= world.faults.sites.slice()
  if (outcome === 'done') outcome = await checkSavepoints(world, oracle)
  if (outcome !== 'done' && outcome !== 'violated') world.violate(`the job did not reach its target: ${outcome}`)
  oracle.close()
  return {
    violations: world.violations,
    outcome,
    events: world.events,
    injected: world.faults.injected,
    sites,
    traceHash: world.traceHash,
    published: oracle.publishedCount,
  }
}

/** Every savepoint whose publication was reported is there in the end, and whole. */
const checkSavepoints = async (world: World, oracle: StoreOracle): Promise<RunOutcome> => {
  let done = false
  world.faults.enabled = false
  for (const process of world.host().processes) process.kill()
  world.spawn(
    'savepoints',
    async (environment) => {
      for (const { checkpointId: restore } of oracle.savepoints) {
        const store = new DirectoryCheckpointStore({ directory: root, inlineBytesMax }, environment)
        const session = await store.open(request({ job: 'counting', restore, allowRollback: true }))
        oracle.sameManifest(restore, session.restored)
      }
      done = true
    },
    { onEnd: (end) => (end.kind === 'threw' ? world.violate(`a savepoint is lost: ${end.error.message}`) : undefined) },
  )
  return world.run(() => done)
}
