import type { CollectSink } from '../../src/connectors/memory/index.ts'
import { type Job, type JobOptions, job } from '../../src/job/index.ts'
import type { HandLog } from './hand-source.ts'

export interface Hit {
  readonly key: string
  readonly n: number
}

export interface Total {
  readonly key: string
  readonly n: number
  readonly total: number
}

export const hit = (key: string, n: number): Hit => ({ key, n })

export const checkpoint = { dir: '/checkpoints', every: '1s' } as const

export interface TotalsOptions {
  readonly log: HandLog<Hit>
  readonly sink: CollectSink<Total>
  readonly options?: JobOptions
  /** Looks at every record before it is counted; may throw. */
  readonly look?: (hit: Hit) => void
}

/** The running total of every key: any record that is lost or counted twice shows in every total after it. */
export const totals = ({ log, sink, options = {}, look = () => {} }: TotalsOptions): Job =>
  job('totals', { ...options, checkpoint: { ...checkpoint, ...options.checkpoint, dir: checkpoint.dir } }, (flow) => {
    flow
      .from('in', log.source())
      .map((record) => {
        look(record)
        return record
      })
      .keyBy(({ key }) => key)
      .reduce(
        'total',
        (key): Total => ({ key, n: -1, total: 0 }),
        ({ key, total }, { n }) => ({ key, n, total: total + n }),
      )
      .to('out', sink)
  })

/** What the totals of these hits are when each is counted once, in the order of each key. */
export const expectedTotals = (hits: readonly Hit[]): Total[] => {
  const known = new Map<string, number>()
  return hits.map(({ key, n }) => {
    const total = (known.get(key) ?? 0) + n
    known.set(key, total)
    return { key, n, total }
  })
}

/** Totals by key, each key's in its order: what is comparable when several subtasks write. */
export const byKey = (list: readonly Total[]): Record<string, Total[]> => {
  const groups: Record<string, Total[]> = {}
  for (const total of list) groups[total.key] = [...(groups[total.key] ?? []), total]
  return groups
}
