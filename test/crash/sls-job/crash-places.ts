import { type CrashPlace, crashPlaces, type KillClass } from '../crash-points.ts'
import type { Draws } from '../random.ts'

/** Points that this job reaches too: it reads no files, and its outputs have no directories below them. */
const jobPlaces: readonly CrashPlace[] = crashPlaces.filter(
  ({ pathPart }) => pathPart !== '/input-' && pathPart !== 'bucket=',
)

/** What comes with every checkpoint, and more than once. */
const frequent: readonly KillClass[] = ['append', 'sync', 'commit']

interface ServicePlace {
  readonly operation: string
  readonly pathPart: string
  readonly phases: CrashPlace['phases']
  /** The occurrence is drawn from 1 up to this. */
  readonly occurrencesMax: number
}

const around = ['before', 'after'] as const

const servicePlaces: readonly ServicePlace[] = [
  { operation: 'append', pathPart: '', phases: ['before', 'partial', 'after'], occurrencesMax: 300 },
  { operation: 'sync', pathPart: '', phases: around, occurrencesMax: 300 },
  { operation: 'append', pathPart: '', phases: ['before', 'partial', 'after'], occurrencesMax: 5 },
  { operation: 'sync', pathPart: '', phases: around, occurrencesMax: 5 },
  { operation: 'create', pathPart: '', phases: around, occurrencesMax: 3 },
  { operation: 'rename', pathPart: '', phases: around, occurrencesMax: 2 },
  { operation: 'syncDirectory', pathPart: '', phases: around, occurrencesMax: 5 },
  { operation: 'read', pathPart: '', phases: around, occurrencesMax: 30 },
]

/** A moment at which a process ends itself, as `MILLRACE_CRASH_AT` names it. */
export interface CrashMoment {
  readonly text: string
  /** For the tally. */
  readonly inside: string
}

export const jobMoment = (draws: Draws): CrashMoment => {
  const { operation, pathPart, phases, occurrences, killClass } = draws.pick(jobPlaces)
  // Half of them late, when the process has done some work.
  const occurrence = draws.pick(occurrences) * (frequent.includes(killClass) && draws.float() < 0.5 ? 6 : 1)
  return { text: `${operation}:${pathPart}:${occurrence}:${draws.pick(phases)}`, inside: killClass }
}

export const serviceMoment = (draws: Draws): CrashMoment => {
  const { operation, pathPart, phases, occurrencesMax } = draws.pick(servicePlaces)
  const occurrence = 1 + Math.floor(draws.float() * occurrencesMax)
  return { text: `${operation}:${pathPart}:${occurrence}:${draws.pick(phases)}`, inside: operation }
}
