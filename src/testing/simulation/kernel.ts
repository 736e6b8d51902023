import type { Cancel, Environment, Logger } from '../../core/index.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { SimEvent } from './event-heap.ts'
import type { FaultInjector } from './faults.ts'
import type { SimDisk } from './sim-disk.ts'

/** How a process ended. */
export type ProcessEnd =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: Error }
  | { readonly kind: 'killed'; readonly by: 'kill' | 'power' }

/** What a process sees of the machine it runs on. */
export interface Machine {
  readonly name: string
  readonly disk: SimDisk
  /** How far its wall clock is from virtual time; free to change. */
  wallOffsetMs: number
  wallMs(): number
  /** Counts from when the machine was switched on. */
  monoMs(): number
  /** Every process on it dies, and the disk loses what it may lose. */
  powerLoss(random?: SeededRandom): void
}

/** What the world sees of a process. */
export interface EventOwner {
  readonly name: string
  readonly host: Machine
  readonly environment: Environment
  readonly alive: boolean
  readonly paused: boolean
  /** Keeps an event that came due during a pause. */
  defer(event: WorldEvent): void
  finish(end: ProcessEnd): void
}

/** The owner is undefined for what the world itself does. */
export type WorldEvent = SimEvent<EventOwner | undefined>

/** What machines and processes see of the world. */
export interface Kernel {
  /** A stall of so many milliseconds begins. */
  stalledUntil(inMs: number): void
  readonly seed: number
  readonly nowMs: number
  readonly startWallMs: number
  readonly ioDelayMs: number
  readonly random: SeededRandom
  readonly faults: FaultInjector
  /** Whose event runs now. */
  readonly current: EventOwner | undefined
  schedule(ms: number, run: () => void, owner: EventOwner | undefined): Cancel
  reschedule(events: readonly WorldEvent[]): void
  /** Runs code of the test, such as an observer; what it throws ends the run, and no process ever sees it. */
  attempt(run: () => void): void
  fail(thrown: unknown): void
  note(text: string): void
  logger(name: string): Logger | undefined
  /** @throws Error when the name was used before. */
  claimName(name: string): string
}
