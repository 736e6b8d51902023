import type { SeededRandom } from '../seeded-random.ts'
import type { Kernel, Machine } from './kernel.ts'
import { SimDisk } from './sim-disk.ts'
import { type ProcessHooks, type ProcessMain, SimProcess } from './sim-process.ts'

/** A machine of the simulation: a disk, a clock, and the processes that share them. */
export class SimHost implements Machine {
  readonly name: string
  readonly disk: SimDisk
  wallOffsetMs = 0
  readonly #world: Kernel
  #processes: SimProcess[] = []
  #bootedMs: number
  #powerLosses = 0

  constructor(world: Kernel, name: string) {
    this.#world = world
    this.name = name
    this.#bootedMs = world.nowMs
    this.disk = new SimDisk({
      name,
      wallMs: () => this.wallMs(),
      reuseIds: world.random.fork(`file ids ${name}`),
    })
  }

  /** Those that live. */
  get processes(): readonly SimProcess[] {
    this.#processes = this.#processes.filter(({ alive }) => alive)
    return this.#processes
  }

  wallMs(): number {
    return Math.floor(this.#world.startWallMs + this.#world.nowMs + this.wallOffsetMs)
  }

  monoMs(): number {
    return this.#world.nowMs - this.#bootedMs
  }

  /** Starts a process. Its name must be new in the world: its randomness comes from it. */
  spawn(name: string, main: ProcessMain, hooks: ProcessHooks = {}): SimProcess {
    const process = new SimProcess(this.#world, this, this.#world.claimName(name), main, hooks)
    this.#processes.push(process)
    this.#world.note(`${name} started on ${this.name}`)
    return process
  }

  /** Every process dies, the disk loses what it may lose, and the machine is on again at once, without a process. */
  powerLoss(random: SeededRandom = this.#world.random.fork(`power loss ${this.name} ${this.#powerLosses}`)): void {
    this.#powerLosses++
    this.#world.note(`${this.name} loses power`)
    // The processes end first, so that their files are closed; who reacts to it must find the disk as it will be.
    const ended = this.processes.map((process) => process.abandon({ kind: 'killed', by: 'power' }))
    this.disk.powerLoss(random)
    this.#bootedMs = this.#world.nowMs
    for (const tell of ended) tell()
  }
}
