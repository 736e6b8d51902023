import { SeededRandom } from '../seeded-random.ts'

/**
 * What can go wrong at an input or output of a process.
 *
 * - `kill`, `killAfter`: SIGKILL before or after the effect · `partial`: an append in part, then SIGKILL
 * - `power`, `powerAfter`: the machine loses power before or after the effect
 * - `pause`: SIGSTOP for 5 s and more, before or after the effect
 * - `stall`: the operation takes 30 s and more
 * - `eio`: a sync fails; of a file, it drops what was not written · `enospc`: the disk is full, just now
 * - `emfile`, `eacces`: no more open files; permission denied · `bitRot`: a read gives one bit wrong
 * - `clockJump`: the wall clock moves, up to a day either way · `timerLate`, `timerEarly`: a timer misses its time
 * - `refused`: no connection · `requestLost`: it breaks before the request arrived · `answerLost`: it breaks, or falls
 *   silent, after the request was carried out · `answerCut`: the answer ends early, with nothing to show for it ·
 *   `slow`: the request arrives seconds later, perhaps after the caller gave up
 */
export const faultKinds = [
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
  'eacces',
  'bitRot',
  'clockJump',
  'timerLate',
  'timerEarly',
  'refused',
  'requestLost',
  'answerLost',
  'answerCut',
  'slow',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** How likely each kind is at each place where it can happen; a kind that is not named never happens. */
export type FaultRates = Partial<Readonly<Record<FaultKind, number>>>

/** A fault that happens: at which operation, counted from 0, which kind, and what its details are drawn from. */
export type PlannedFault = readonly [operation: number, kind: FaultKind, detail: number]
export type FaultPlan = readonly PlannedFault[]

/** A fault that happens now. */
export interface Fault {
  readonly kind: FaultKind
  /** Everything else about it is drawn from here, so that it is the same when its plan is replayed. */
  readonly random: SeededRandom
}

/** A place where a fault may happen. */
export interface FaultSite {
  /** What is done, e.g. `rename` or `timer`. */
  readonly operation: string
  /** What it is done to; empty for timers. */
  readonly path: string
  readonly kinds: readonly FaultKind[]
}

export interface FaultOptions {
  /** Faults at random. Default: none. */
  readonly rates?: FaultRates | undefined
  /** Exactly these faults; `rates` then counts for nothing. */
  readonly plan?: FaultPlan | undefined
  /** Keeps random faults away from some places, e.g. bit rot from the input files. Plans are not asked. */
  readonly mayHappen?: ((kind: FaultKind, site: FaultSite) => boolean) | undefined
  /** With it, `sites` has an entry for each operation. Default false. */
  readonly recordSites?: boolean | undefined
}

/** Typical rates: together about one fault in thirty operations. */
export const usualFaultRates: Required<FaultRates> = {
  kill: 0.004,
  killAfter: 0.004,
  partial: 0.01,
  power: 0.003,
  powerAfter: 0.003,
  pause: 0.003,
  stall: 0.002,
  eio: 0.01,
  enospc: 0.004,
  emfile: 0.01,
  eacces: 0.002,
  bitRot: 0.005,
  clockJump: 0.002,
  timerLate: 0.02,
  timerEarly: 0.05,
  refused: 0.01,
  requestLost: 0.01,
  answerLost: 0.02,
  answerCut: 0.01,
  slow: 0.01,
}

/** One configuration of a swarm: each kind with even odds, at 0.3 to 3 times its usual rate. */
export const swarmFaultRates = (
  random: SeededRandom,
  kinds: readonly FaultKind[] = faultKinds,
): Partial<Record<FaultKind, number>> => {
  const rates: Partial<Record<FaultKind, number>> = {}
  for (const kind of kinds) {
    // Both are drawn in any case, so that a kind more in the list changes nothing for the others before it.
    const on = random.bool(0.5)
    const factor = 0.3 * 10 ** random.float()
    if (on) rates[kind] = usualFaultRates[kind] * factor
  }
  return rates
}

/** Decides, once per operation, whether and how it goes wrong. */
export class FaultInjector {
  /** Off after `heal`: operations are still counted, nothing goes wrong any more. */
  enabled = true
  readonly #plan: ReadonlyMap<number, PlannedFault> | undefined
  readonly #mayHappen: ((kind: FaultKind, site: FaultSite) => boolean) | undefined
  readonly #streams: { readonly kind: FaultKind; readonly rate: number; readonly random: SeededRandom }[] = []
  readonly #sites: FaultSite[] | undefined
  readonly #injected: PlannedFault[] = []
  #operations = 0

  constructor(random: SeededRandom, options: FaultOptions = {}) {
    this.#plan = options.plan === undefined ? undefined : new Map(options.plan.map((fault) => [fault[0], fault]))
    this.#mayHappen = options.mayHappen
    this.#sites = options.recordSites === true ? [] : undefined
    for (const kind of faultKinds) {
      const rate = options.rates?.[kind] ?? 0
      if (rate > 0) this.#streams.push({ kind, rate, random: random.fork(`fault ${kind}`) })
    }
  }

  /** Operations so far. */
  get operations(): number {
    return this.#operations
  }

  /** What happened so far: replaying it as a plan gives the same run. */
  get injected(): FaultPlan {
    return this.#injected
  }

  /** The places so far, by operation; empty unless they are recorded. */
  get sites(): readonly FaultSite[] {
    return this.#sites ?? []
  }

  decide(site: FaultSite): Fault | undefined {
    const operation = this.#operations++
    this.#sites?.push(site)
    if (!this.enabled) return undefined
    const planned = this.#plan === undefined ? this.#draw(operation, site) : this.#plan.get(operation)
    if (planned === undefined || !site.kinds.includes(planned[1])) return undefined
    this.#injected.push(planned)
    return { kind: planned[1], random: new SeededRandom(planned[2]) }
  }

  #draw(operation: number, site: FaultSite): PlannedFault | undefined {
    let drawn: PlannedFault | undefined
    // Every kind draws from its own stream, also after one was found: a kind more or less changes nothing for the others.
    for (const { kind, rate, random } of this.#streams) {
      if (!site.kinds.includes(kind) || !random.bool(rate)) continue
      const detail = random.u32()
      if (drawn === undefined && (this.#mayHappen?.(kind, site) ?? true)) drawn = [operation, kind, detail]
    }
    return drawn
  }
}

/** Every plan of one fault for a run whose places were recorded: for an exhaustive sweep. */
export function* singleFaultPlans(
  sites: readonly FaultSite[],
  kinds: readonly FaultKind[] = faultKinds,
  detail = 0,
): Generator<FaultPlan> {
  for (const [operation, site] of sites.entries()) {
    for (const kind of kinds) if (site.kinds.includes(kind)) yield [[operation, kind, detail]]
  }
}
