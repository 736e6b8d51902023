import { asError, type Cancel, type Clock, type Environment, type Logger, silentLogger } from '../../core/index.ts'
import { abortableSleep } from '../abortable-sleep.ts'
import { cryptoDigest } from '../crypto-digest.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { syncCompression } from '../sync-compression.ts'
import { ErrnoError } from './errno-error.ts'
import type { Fault, FaultKind, FaultSite } from './faults.ts'
import type { EventOwner, Kernel, Machine, ProcessEnd, WorldEvent } from './kernel.ts'
import { type IoGateway, simFileSystem } from './sim-file-system.ts'
import type { SimNode } from './sim-node.ts'

/** What a process runs. When the promise settles, the process is over, whatever it left behind. */
export type ProcessMain = (environment: Environment, process: SimProcess) => Promise<unknown>

export interface ProcessHooks {
  /** Called once, at once when the process ends. */
  readonly onEnd?: ((end: ProcessEnd, process: SimProcess) => void) | undefined
  /** Called when it is stopped, as by SIGSTOP: a supervisor may take it for dead. */
  readonly onPause?: ((process: SimProcess) => void) | undefined
  /** Default: says nothing, or to the world's trace when it has one. */
  readonly log?: Logger | undefined
}

const timerKinds: readonly FaultKind[] = ['timerLate', 'timerEarly']
const timerSite: FaultSite = { operation: 'timer', path: '', kinds: timerKinds }
const dayMs = 86_400_000

/**
 * A process of the simulated machine. Killed, its pending promises never settle and its timers never run: no `catch` or
 * `finally` sees the end, exactly as with SIGKILL. Paused, everything due waits until it is resumed.
 */
export class SimProcess implements IoGateway, EventOwner {
  readonly name: string
  readonly host: Machine
  readonly environment: Environment
  readonly #world: Kernel
  readonly #hooks: ProcessHooks
  readonly #latency: SeededRandom
  readonly #open = new Map<SimNode, number>()
  /** What came due while it was paused, in order. */
  #deferred: WorldEvent[] = []
  #end: ProcessEnd | undefined
  #paused = false
  #wakeUp: Cancel = () => {}

  constructor(world: Kernel, host: Machine, name: string, main: ProcessMain, hooks: ProcessHooks) {
    this.name = name
    this.host = host
    this.#world = world
    this.#hooks = hooks
    const random = world.random.fork(`process ${name}`)
    this.#latency = random.fork('latency')
    this.environment = {
      clock: this.#clock(),
      random: random.fork('random'),
      fs: simFileSystem(host.disk, this),
      digest: cryptoDigest,
      compression: syncCompression,
      log: hooks.log ?? world.logger(name) ?? silentLogger,
    }
    this.after(0, () => this.#run(main))
  }

  get alive(): boolean {
    return this.#end === undefined
  }

  get paused(): boolean {
    return this.#paused && this.alive
  }

  /** Undefined while it lives. */
  get end(): ProcessEnd | undefined {
    return this.#end
  }

  /** Files it holds open now. */
  get openFiles(): number {
    let count = 0
    for (const times of this.#open.values()) count += times
    return count
  }

  /** SIGKILL. Nothing happens when it is over already. */
  kill(): void {
    this.finish({ kind: 'killed', by: 'kill' })
  }

  /** SIGSTOP, and SIGCONT after `ms` when given. */
  pause(ms?: number): void {
    if (!this.alive || this.#paused) return
    this.#paused = true
    this.#world.note(`${this.name} stopped`)
    if (ms !== undefined) this.#wakeUp = this.#world.schedule(ms, () => this.resume(), undefined)
    this.#world.attempt(() => this.#hooks.onPause?.(this))
  }

  /** SIGCONT: all that waited comes due now, in its old order, with other things of this moment in between. */
  resume(): void {
    if (!this.paused) return
    this.#paused = false
    this.#wakeUp()
    this.#world.note(`${this.name} continued`)
    const deferred = this.#deferred
    this.#deferred = []
    this.#world.reschedule(deferred)
  }

  /** Runs something inside the process after `ms`: late when it is paused, never when it is over. */
  after(ms: number, run: () => void): Cancel {
    return this.#world.schedule(ms, run, this)
  }

  /** For the world: keeps an event that came due during a pause. */
  defer(event: WorldEvent): void {
    this.#deferred.push(event)
  }

  /** For the world: ends the process, and tells who asked to be told. */
  finish(end: ProcessEnd): void {
    this.abandon(end)()
  }

  /** For the host: ends the process; the function that is given back tells who asked to be told. */
  abandon(end: ProcessEnd): () => void {
    if (!this.alive) return () => {}
    this.#end = end
    this.#deferred = []
    this.#wakeUp()
    for (const [node, times] of this.#open) for (let n = 0; n < times; n++) this.host.disk.release(node)
    this.#open.clear()
    this.#world.note(`${this.name} ended: ${describeEnd(end)}`)
    return () => this.#world.attempt(() => this.#hooks.onEnd?.(end, this))
  }

  opened(node: SimNode): void {
    this.#open.set(node, (this.#open.get(node) ?? 0) + 1)
  }

  closed(node: SimNode): void {
    const times = this.#open.get(node) ?? 0
    if (times > 1) this.#open.set(node, times - 1)
    else this.#open.delete(node)
  }

  /** One input or output: some time passes, the effect happens or a fault does, some time passes, the caller learns of it. */
  perform<T>(site: FaultSite, effect: (fault: Fault | undefined) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(this.#delay(), () => {
        const fault = site.kinds.length === 0 ? undefined : this.#world.faults.decide(site)
        const act = (): void => this.#act(site, fault, () => effect(fault), resolve, reject)
        if (fault === undefined) act()
        else this.#before(fault, act)
      })
    })
  }

  #delay(): number {
    return this.#latency.exponential(this.#world.ioDelayMs / 2)
  }

  /** What a fault does before the effect. */
  #before(fault: Fault, act: () => void): void {
    const { kind, random } = fault
    if (kind === 'kill') {
      this.kill()
    } else if (kind === 'power') {
      this.host.powerLoss(random)
    } else if (kind === 'stall') {
      const ms = 30_000 + random.exponential(30_000)
      this.#world.stalledUntil(ms)
      this.after(ms, act)
    } else if (kind === 'pause') {
      const actFirst = random.bool(0.5)
      if (actFirst) act()
      this.pause(5_000 + random.exponential(20_000))
      if (!actFirst) this.after(0, act)
    } else {
      if (kind === 'clockJump') this.host.wallOffsetMs += Math.round((random.float() * 2 - 1) * dayMs)
      act()
    }
  }

  /** The effect, what a fault does after it, and the answer. */
  #act<T>(
    site: FaultSite,
    fault: Fault | undefined,
    effect: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { disk } = this.host
    this.#world.note(`${this.name} ${site.operation} ${site.path}${fault === undefined ? '' : ` !${fault.kind}`}`)
    let settle: () => void
    disk.actor = this.name
    try {
      const value = effect()
      settle = () => resolve(value)
    } catch (error) {
      // Anything else comes from an observer of the test.
      if (!(error instanceof ErrnoError)) this.#world.fail(error)
      settle = () => reject(error)
    } finally {
      disk.actor = 'outside'
    }
    if (fault?.kind === 'killAfter' || fault?.kind === 'partial') this.kill()
    else if (fault?.kind === 'powerAfter') this.host.powerLoss(fault.random)
    else this.after(this.#delay(), settle)
  }

  #clock(): Clock {
    const timer = (ms: number, run: () => void): Cancel => {
      const waitMs = ms > 0 ? ms : 0
      if (waitMs === 0) return this.after(0, run)
      if (waitMs === Number.POSITIVE_INFINITY) return () => {}
      const fault = this.#world.faults.decide(timerSite)
      if (fault?.kind === 'timerLate') return this.after(waitMs + fault.random.exponential(500), run)
      if (fault?.kind === 'timerEarly') return this.after(Math.max(0, waitMs - fault.random.float()), run)
      return this.after(waitMs, run)
    }
    return {
      wallMs: () => this.host.wallMs(),
      monoMs: () => this.host.monoMs(),
      sleep: (ms, signal) => abortableSleep(timer, ms, signal),
      timer,
      yield: () => new Promise((resolve) => this.after(0, resolve)),
    }
  }

  #run(main: ProcessMain): void {
    const failed = (thrown: unknown): void => this.finish({ kind: 'threw', error: asError(thrown) })
    try {
      main(this.environment, this).then((value) => this.finish({ kind: 'returned', value }), failed)
    } catch (thrown) {
      failed(thrown)
    }
  }
}

const describeEnd = (end: ProcessEnd): string =>
  end.kind === 'returned' ? 'returned' : end.kind === 'threw' ? `threw ${end.error.message}` : `killed by ${end.by}`
