import { asError, type Cancel, type Logger } from '../../core/index.ts'
import { SeededRandom } from '../seeded-random.ts'
import { EventHeap } from './event-heap.ts'
import { FaultInjector, type FaultOptions } from './faults.ts'
import type { EventOwner, Kernel, WorldEvent } from './kernel.ts'
import { SimHost } from './sim-host.ts'
import type { ProcessHooks, ProcessMain, SimProcess } from './sim-process.ts'
import { TraceHash } from './trace-hash.ts'
import { Tripwire, type TripwireUse } from './tripwire.ts'

// Taken before anything can replace it: the loop itself must turn in real time.
const nextTurn = setImmediate

export interface WorldOptions {
  /** What goes wrong. Default: nothing. */
  readonly faults?: FaultOptions | undefined
  /** The mean time an input or output takes, in milliseconds. Default 4. */
  readonly ioDelayMs?: number | undefined
  /** The wall clock at virtual time 0. Default: 14 November 2023. */
  readonly startWallMs?: number | undefined
  /** Called with each step of the run, for reading a replay. Slow. Default: none. */
  readonly trace?: ((line: string) => void) | undefined
  /** With it, the global clock, timers and randomness are virtual while the world runs. Default true. */
  readonly tripwire?: boolean | undefined
}

export interface RunBudget {
  /** Default 1,000,000. */
  readonly eventsMax?: number | undefined
  /** Virtual milliseconds from the start of this run. Default: an hour. */
  readonly virtualMsMax?: number | undefined
}

/**
 * - `done`: the predicate holds · `violated`: `violate` was called, or a rejection was not handled
 * - `idle`: nothing is left to happen, which is a deadlock unless all work is done · `budget`: too many events or too late
 */
export type RunOutcome = 'done' | 'violated' | 'idle' | 'budget'

type Owner = EventOwner | undefined

/**
 * A deterministic world: machines, processes and virtual time in one Node process. Everything that happens is an event
 * in one queue, ordered by virtual time and then at random; one event runs per turn of Node's loop, so that its promises
 * are all settled before the next. The same seed and options give the same run, to the byte: compare `traceHash`.
 */
export class World implements Kernel {
  readonly seed: number
  /** Where every other stream of chance is forked from, by label. */
  readonly random: SeededRandom
  readonly faults: FaultInjector
  readonly ioDelayMs: number
  readonly startWallMs: number
  readonly #queue = new EventHeap<Owner>()
  readonly #order: SeededRandom
  readonly #hash = new TraceHash()
  readonly #trace: ((line: string) => void) | undefined
  readonly #tripwire: Tripwire | undefined
  readonly #hosts = new Map<string, SimHost>()
  readonly #names = new Set<string>()
  readonly #violations: string[] = []
  #failure: Error | undefined
  #current: Owner
  #stallsOverMs = 0
  #nowMs = 0
  #sequence = 0
  #events = 0
  #holds = 0
  #running = false

  constructor(seed: number, options: WorldOptions = {}) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    this.#order = this.random.fork('order')
    this.faults = new FaultInjector(this.random, options.faults)
    this.ioDelayMs = options.ioDelayMs ?? 4
    this.startWallMs = options.startWallMs ?? 1_700_000_000_000
    this.#trace = options.trace
    this.#tripwire = options.tripwire === false ? undefined : new Tripwire(this)
  }

  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Events that ran so far. */
  get events(): number {
    return this.#events
  }

  /** What is running now: undefined for events of the world itself. */
  get current(): EventOwner | undefined {
    return this.#current
  }

  /** A digest of all that happened so far. */
  get traceHash(): string {
    return this.#hash.hex()
  }

  get violations(): readonly string[] {
    return this.#violations
  }

  /** Uses of global time or chance by code of this package, which should have taken a port; each place once. */
  get tripwireUses(): readonly TripwireUse[] {
    return this.#tripwire?.uses ?? []
  }

  /** The machine of that name, made when first asked for. */
  host(name = 'host'): SimHost {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const host = new SimHost(this, name)
    this.#hosts.set(name, host)
    return host
  }

  /** Starts a process on the machine `host`. */
  spawn(name: string, main: ProcessMain, hooks?: ProcessHooks): SimProcess {
    return this.host().spawn(name, main, hooks)
  }

  /** Runs something of the outside after `ms`. */
  at(ms: number, run: () => void): Cancel {
    return this.schedule(ms, run, undefined)
  }

  /** Runs something for a process: late while it is paused, never once it is over. */
  schedule(ms: number, run: () => void, owner: Owner): Cancel {
    if (owner !== undefined && !owner.alive) return () => {}
    const event: WorldEvent = {
      atMs: this.#nowMs + ms,
      tie: this.#order.u32(),
      sequence: this.#sequence++,
      owner,
      run,
    }
    this.#queue.push(event)
    return () => {
      event.run = undefined
    }
  }

  /** For a process that continues: its events come due now and keep their order among themselves. */
  reschedule(events: readonly WorldEvent[]): void {
    const ties = events.map(() => this.#order.u32()).sort((left, right) => left - right)
    for (const [index, event] of events.entries()) {
      const { owner, run } = event
      const again: WorldEvent = {
        atMs: Math.max(event.atMs, this.#nowMs),
        tie: ties[index] ?? 0,
        sequence: this.#sequence++,
        owner,
        // Not the function of now: whoever holds the first event's cancel may still use it.
        run: () => event.run?.(),
      }
      if (run !== undefined) this.#queue.push(again)
    }
  }

  /** When the last stall that has begun is over, in virtual milliseconds; it may outlast the healing. */
  get stallsOverMs(): number {
    return this.#stallsOverMs
  }

  /** @internal */
  stalledUntil(inMs: number): void {
    this.#stallsOverMs = Math.max(this.#stallsOverMs, this.#nowMs + inMs)
  }

  /** No fault happens any more, stopped processes continue. What went wrong before stays as it is. */
  heal(): void {
    this.note('heal')
    this.faults.enabled = false
    for (const host of this.#hosts.values()) for (const process of host.processes) process.resume()
  }

  /**
   * Time stands still, and global time is real, until the function that comes back is called: something real is on its
   * way, such as bytes in a socket. For tests of real adapters; such a run does not repeat to the byte.
   */
  hold(): Cancel {
    if (this.#holds++ === 0 && this.#running) this.#tripwire?.disarm()
    let held = true
    return () => {
      if (!held) return
      held = false
      if (--this.#holds === 0 && this.#running) this.#tripwire?.arm()
    }
  }

  /** Makes something part of the run's identity, and of its trace. */
  note(text: string): void {
    this.#hash.add(text, this.#nowMs)
    this.#trace?.(`${this.#nowMs.toFixed(2)} ${text}`)
  }

  /** Ends the run: something that must never happen has happened. */
  violate(what: string): void {
    this.#violations.push(what)
    this.note(`VIOLATION ${what}`)
  }

  attempt(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      this.fail(thrown)
    }
  }

  /** Ends the run with an error of the test itself: `run` rejects with it. */
  fail(thrown: unknown): void {
    this.#failure ??= asError(thrown)
  }

  /** For a process: a logger that writes into the trace, when there is one. */
  logger(name: string): Logger | undefined {
    const trace = this.#trace
    if (trace === undefined) return undefined
    const at = (bound: object): Logger => {
      const log =
        (level: string) =>
        (fields: object, message: string): void => {
          const all = { ...bound, ...fields }
          trace(`${this.#nowMs.toFixed(2)} ${name} ${level}: ${message} ${printable(all)}`)
        }
      const [debug, info, warn, error] = [log('debug'), log('info'), log('warn'), log('error')]
      return { debug, info, warn, error, child: (fields) => at({ ...bound, ...fields }) }
    }
    return at({})
  }

  /** For a host: refuses a name that was used before. */
  claimName(name: string): string {
    if (this.#names.has(name)) throw new Error(`the world has had a process ${name} already`)
    this.#names.add(name)
    return name
  }

  /**
   * Lets things happen until `done` holds, which is asked before every event. May be called again to go on.
   * @throws Error while this world, or another one, is running; whatever an event of the world itself, or `done`, throws
   */
  run(done: () => boolean, budget: RunBudget = {}): Promise<RunOutcome> {
    if (this.#running) throw new Error('the world is running already')
    const calm = this.#guard()
    this.#running = true
    const eventsMax = this.#events + (budget.eventsMax ?? 1_000_000)
    const untilMs = this.#nowMs + (budget.virtualMsMax ?? 3_600_000)
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          this.#current = undefined
          if (this.#holds > 0) {
            nextTurn(turn)
            return
          }
          const outcome = this.#outcome(done, eventsMax, untilMs)
          if (outcome === undefined) {
            this.#step()
            nextTurn(turn)
          } else {
            calm()
            resolve(outcome)
          }
        } catch (thrown) {
          calm()
          reject(thrown)
        }
      }
      nextTurn(turn)
    })
  }

  #outcome(done: () => boolean, eventsMax: number, untilMs: number): RunOutcome | undefined {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#violations.length > 0) return 'violated'
    if (done()) return 'done'
    const next = this.#peek()
    if (next === undefined) return 'idle'
    return this.#events >= eventsMax || next.atMs > untilMs ? 'budget' : undefined
  }

  /** The next event that will really run. */
  #peek(): WorldEvent | undefined {
    for (;;) {
      const event = this.#queue.peek()
      if (event === undefined) return undefined
      const { owner, run } = event
      if (run !== undefined && (owner === undefined || (owner.alive && !owner.paused))) return event
      this.#queue.pop()
      if (run !== undefined && owner?.paused === true) owner.defer(event)
    }
  }

  #step(): void {
    const event = this.#queue.pop()
    if (event?.run === undefined) return
    this.#nowMs = event.atMs
    this.#events++
    this.#current = event.owner
    if (event.owner === undefined) {
      event.run()
      return
    }
    try {
      event.run()
    } catch (thrown) {
      // What nobody catches in a callback ends a Node process.
      event.owner.finish({ kind: 'threw', error: asError(thrown) })
    }
  }

  /** Sets the traps of a run; the function takes them away again. */
  #guard(): () => void {
    if (this.#holds === 0) this.#tripwire?.arm()
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const onRejection = (reason: unknown): void => {
      this.violate(`unhandled rejection in ${this.#current?.name ?? 'the world'}: ${asError(reason).stack}`)
    }
    process.on('unhandledRejection', onRejection)
    return () => {
      process.off('unhandledRejection', onRejection)
      for (const other of others) process.on('unhandledRejection', other)
      this.#tripwire?.disarm()
      this.#current = undefined
      this.#running = false
    }
  }
}

const printable = (fields: object): string => {
  try {
    return JSON.stringify(fields, (_, value: unknown) => {
      if (value instanceof Error) return value.message
      return typeof value === 'bigint' ? value.toString() : value
    })
  } catch {
    return '(fields that cannot be printed)'
  }
}
