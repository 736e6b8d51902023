import type { SeededRandom } from '../../../src/testing/index.ts'

/** Targets of the dispatch, each a logstore of its name, with their numbers of shards. */
export const targetShards = { 'to-a': 1, 'to-b': 2, 'to-c': 1 } as const
export type TargetName = keyof typeof targetShards
export const targetNames = Object.keys(targetShards) as TargetName[]

/** The topic `t3` has no route. */
export const routes: Readonly<Record<string, TargetName | readonly TargetName[]>> = {
  t0: 'to-a',
  t1: 'to-b',
  t2: ['to-c', 'to-a'],
}

/** A target that is slow, fails, or does not answer, for a while. */
export interface Spell {
  readonly target: TargetName
  readonly how: 'slow' | 'failing' | 'silent'
  readonly fromMs: number
  readonly untilMs: number
}

export interface RoutingConfig {
  readonly unmatched: 'drop' | TargetName
  /** Bytes that each target may be behind. */
  readonly bufferBytes: number
  /** LogGroups of a request; 0: each by itself. */
  readonly batchGroups: number
  readonly spell?: Spell | undefined
  /** Nothing but the spell goes wrong: the other targets must not notice it. */
  readonly patient: boolean
}

export const drawRouting = (random: SeededRandom, faultMs: number): RoutingConfig => {
  const spell: Spell = {
    target: random.pick(targetNames),
    how: random.pick(['slow', 'failing', 'silent']),
    fromMs: random.int(faultMs / 2),
    untilMs: faultMs / 2 + random.int(faultMs / 2),
  }
  const routing = {
    unmatched: random.pick(['drop', 'drop', 'to-c'] as const),
    bufferBytes: random.pick([400, 1_500, 1 << 16]),
    batchGroups: random.pick([0, 2, 256]),
    spell: random.bool(0.7) ? spell : undefined,
    patient: random.bool(0.15),
  }
  if (!routing.patient) return routing
  return { ...routing, spell: { ...spell, fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER }, bufferBytes: 1 << 16 }
}

/** Where a LogGroup of a topic has to go. */
export const targetsOf = (topic: string, { unmatched }: Pick<RoutingConfig, 'unmatched'>): readonly TargetName[] => {
  switch (topic) {
    case 't0':
      return ['to-a']
    case 't1':
      return ['to-b']
    case 't2':
      return ['to-a', 'to-c']
    default:
      return unmatched === 'drop' ? [] : [unmatched]
  }
}
