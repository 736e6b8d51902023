import { asError, type Environment, isMillraceError } from '../../../src/core/index.ts'
import { type LogStorage, openStorage, type StreamId, streamId } from '../../../src/logservice/storage/index.ts'
import {
  type FaultKind,
  type FaultOptions,
  faultKinds,
  type ProcessEnd,
  SeededRandom,
  type SimProcess,
  swarmFaultRates,
  World,
} from '../../../src/testing/index.ts'
import { simDirectoryLock } from '../../../src/testing/simulation/sim-directory-lock.ts'
import { entriesOfCall, StorageLedger } from './storage-ledger.ts'

const directory = 'data'

export interface ModelRun {
  readonly violations: readonly string[]
  readonly traceHash: string
  readonly world: World
  readonly counts: ModelCounts
}

export interface ModelCounts {
  calls: number
  confirmed: number
  refused: number
  lives: number
  latched: number
  trims: number
  drops: number
  snapshots: number
  returned: number
}

export interface ModelOptions {
  readonly faults?: FaultOptions | undefined
  readonly trace?: ((line: string) => void) | undefined
  /** Commits after which everything is checked. Default: 10 to 49. */
  readonly calls?: number | undefined
}

const modelKinds: readonly FaultKind[] = faultKinds.filter(
  (kind) => !['clockJump', 'timerLate', 'timerEarly'].includes(kind),
)

/** One world: writers that put, read, trim and drop, on a machine where anything may fail, until they have had enough. */
export const runStorageWorld = async (seed: number, options: ModelOptions = {}): Promise<ModelRun> => {
  const config = new SeededRandom(seed).fork('storage model')
  const rates = swarmFaultRates(config.fork('rates'), modelKinds)
  const world = new World(seed, { faults: options.faults ?? { rates }, trace: options.trace, ioDelayMs: 1 })
  const run = new StorageModel(world, config, options.calls)
  await run.play()
  return { violations: world.violations, traceHash: world.traceHash, world, counts: run.counts }
}

class StorageModel {
  readonly counts: ModelCounts = {
    calls: 0,
    confirmed: 0,
    refused: 0,
    lives: 0,
    latched: 0,
    trims: 0,
    drops: 0,
    snapshots: 0,
    returned: 0,
  }
  readonly #world: World
  readonly #random: SeededRandom
  readonly #ledger: StorageLedger
  readonly #target: number
  readonly #settings: {
    readonly segmentBytes: number
    readonly batchBytesMax: number
    readonly cacheBytes: number
    readonly reserveBytes: number
    readonly openFilesMax: number
  }
  readonly #capacityBytes: number
  #streams: StreamId[]
  #lastStream = 3
  #healed = false
  #over = false

  constructor(world: World, random: SeededRandom, calls: number | undefined) {
    this.#world = world
    this.#random = random
    this.#ledger = new StorageLedger((what) => world.violate(what))
    const drawn = 10 + random.int(40)
    this.#target = calls ?? drawn
    this.#settings = {
      segmentBytes: 1024 + random.int(2) * random.int(4096),
      batchBytesMax: 100 + random.int(2000),
      cacheBytes: [0, 700, 1 << 20][random.int(3)] ?? 0,
      reserveBytes: random.int(3) * 1500,
      openFilesMax: 1 + random.int(4),
    }
    this.#capacityBytes = random.bool(0.3) ? 12_000 + random.int(20_000) : 2 ** 50
    this.#streams = [streamId(1), streamId(2), streamId(3)]
  }

  async play(): Promise<void> {
    const world = this.#world
    world.host().disk.capacityBytes = this.#capacityBytes
    this.#spawn()
    const budget = { eventsMax: 40_000, virtualMsMax: 10 * 3_600_000 }
    await world.run(() => this.counts.calls >= this.#target, budget)
    world.heal()
    world.host().disk.capacityBytes = 2 ** 50
    this.#healed = true
    const outcome = await world.run(() => this.#over, budget)
    if (outcome !== 'done' && outcome !== 'violated') world.violate(`the storage did not come back: ${outcome}`)
  }

  #spawn(): void {
    const name = `p${this.counts.lives++}`
    this.#world.spawn(name, (environment, process) => this.#live(environment, process), {
      onEnd: (end) => this.#ended(name, end),
    })
  }

  #ended(name: string, end: ProcessEnd): void {
    if (end.kind === 'threw') this.#checkError(name, end.error)
    if (this.#over) return
    this.#world.at(1 + this.#random.int(50), () => this.#spawn())
  }

  /** Errors are allowed when a fault made them. */
  #checkError(name: string, error: Error): void {
    if (!isMillraceError(error) || error.code === 'INVARIANT_BROKEN') {
      this.#world.violate(`${name} ended with ${error.stack ?? error.message}`)
      return
    }
    const rot = this.#world.faults.injected.some(([, kind]) => kind === 'bitRot')
    if (error.code === 'LOG_STORE_CORRUPT' && !rot) this.#world.violate(`${name} refuses: ${error.message}`)
    if (error.code === 'DIRECTORY_IN_USE') this.#world.violate(`${name} found the directory taken`)
  }

  async #live(environment: Environment, process: SimProcess): Promise<void> {
    const random = this.#random.fork(process.name)
    const { storage, snapshot, facts } = await openStorage({
      ...environment,
      ...this.#settings,
      directory,
      lock: simDirectoryLock(this.#world.host().disk, process),
      snapshot: () => {
        this.counts.snapshots++
        return this.#ledger.snapshot()
      },
    })
    this.#ledger.recovered(storage, snapshot, facts)
    this.#streams = this.#streams.filter((id) => !this.#ledger.stream(id).dropped)
    if (random.bool(0.3) || this.#healed) await this.#readAll(storage)
    if (this.#healed) {
      await this.#last(storage, environment, process)
      return
    }
    const writers = Array.from({ length: 1 + random.int(4) }, (_, at) =>
      this.#work(storage, environment, random.fork(`writer ${at}`)),
    )
    const ends = await Promise.allSettled(writers)
    await storage.close()
    for (const end of ends) if (end.status === 'rejected') throw asError(end.reason)
    this.counts.returned++
  }

  async #last(storage: LogStorage, environment: Environment, process: SimProcess): Promise<void> {
    const stream = this.#streams[0] ?? streamId(++this.#lastStream)
    await this.#put(storage, environment, [{ stream, size: 30, receivedMs: 5 }])
    await this.#readAll(storage)
    await storage.close()
    const again = await openStorage({
      ...environment,
      ...this.#settings,
      directory,
      lock: simDirectoryLock(this.#world.host().disk, process),
      snapshot: () => this.#ledger.snapshot(),
    })
    this.#ledger.recovered(again.storage, again.snapshot, again.facts)
    await this.#readAll(again.storage)
    await again.storage.close()
    const left = this.#world.host().disk.names(directory)
    if (left.some((name) => name.endsWith('.tmp'))) this.#world.violate(`half-written files are left: ${left.join()}`)
    this.#over = true
  }

  async #readAll(storage: LogStorage): Promise<void> {
    for (const stream of this.#streams) await this.#ledger.checkGroups(storage, stream, 0)
  }

  async #work(storage: LogStorage, environment: Environment, random: SeededRandom): Promise<void> {
    const { clock } = environment
    const times = 1 + random.int(12)
    for (let turn = 0; turn < times; turn++) {
      if (random.bool(0.3)) await clock.sleep(random.int(20))
      const draw = random.float()
      if (draw < 0.65) await this.#putSome(storage, environment, random)
      else if (draw < 0.8) await this.#read(storage, random)
      else if (draw < 0.95) await this.#trim(storage, random)
      else await this.#drop(storage, random)
      this.#ledger.checkShape(storage, 'while it runs')
    }
  }

  async #putSome(storage: LogStorage, environment: Environment, random: SeededRandom): Promise<void> {
    const groups = Array.from({ length: random.int(4) }, () => ({
      stream: this.#anyStream(random),
      size: 10 + random.int(random.bool(0.1) ? 1500 : 150),
      receivedMs: 1000 + random.int(1000),
    }))
    await this.#put(storage, environment, groups)
  }

  async #put(
    storage: LogStorage,
    _environment: Environment,
    groups: readonly { readonly stream: StreamId; readonly size: number; readonly receivedMs: number }[],
  ): Promise<void> {
    const call = this.#ledger.call(groups)
    this.counts.calls++
    try {
      await storage.commit(entriesOfCall(call))
    } catch (error) {
      call.status = 'refused'
      this.#refused(error)
      return
    }
    this.counts.confirmed++
    this.#ledger.confirmed(call)
  }

  /** A refusal that passes; anything else ends the process. */
  #refused(error: unknown): void {
    this.counts.refused++
    if (isMillraceError(error) && error.code === 'LOG_STORE_UNAVAILABLE' && !this.#healed) return
    if (isMillraceError(error) && error.code === 'LOG_STORE_FAILED') this.counts.latched++
    throw error
  }

  async #read(storage: LogStorage, random: SeededRandom): Promise<void> {
    const stream = this.#anyStream(random)
    try {
      await this.#ledger.checkGroups(storage, stream, random.int(storage.end(stream) + 1))
    } catch (error) {
      // No more files, just now.
      if (!isMillraceError(error) || !['STORAGE_FAILED', 'STORAGE_REFUSED'].includes(error.code)) throw error
    }
  }

  async #trim(storage: LogStorage, random: SeededRandom): Promise<void> {
    const id = this.#anyStream(random)
    const stream = this.#ledger.stream(id)
    const index = random.int(storage.end(id) + 3)
    const begin = Math.min(index, storage.end(id))
    stream.trimAskedTo = Math.max(stream.trimAskedTo, begin)
    this.counts.trims++
    try {
      await storage.trim(id, index)
      if (begin > stream.trimmedTo) stream.trimmedTo = begin
    } catch (error) {
      this.#refused(error)
    }
  }

  async #drop(storage: LogStorage, random: SeededRandom): Promise<void> {
    const id = this.#anyStream(random)
    this.#streams = this.#streams.map((other) => (other === id ? streamId(++this.#lastStream) : other))
    const stream = this.#ledger.stream(id)
    stream.dropAsked = true
    this.counts.drops++
    try {
      await storage.drop(id)
      stream.dropped = true
    } catch (error) {
      this.#refused(error)
    }
  }

  #anyStream(random: SeededRandom): StreamId {
    return this.#streams[random.int(this.#streams.length)] ?? streamId(1)
  }
}

/**
 * Many worlds, one after the other. The first ones with a violation are given back: `runStorageWorld(seed)` replays one.
 */
export const runStorageModel = async (
  runs: number,
  seed: number,
): Promise<{ readonly failures: readonly string[]; readonly counts: ModelCounts; readonly faults: number }> => {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  let faults = 0
  for (let run = 0; run < runs && failures.length < 5; run++) {
    const result = await runStorageWorld(seed + run)
    if (result.violations.length > 0) failures.push(`seed ${seed + run}: ${result.violations.join('; ')}`)
    for (const [name, count] of Object.entries(result.counts)) counts[name] = (counts[name] ?? 0) + count
    faults += result.world.faults.injected.length
  }
  return { failures, counts: counts as unknown as ModelCounts, faults }
}
