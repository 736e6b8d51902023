/**
 * What a job promises about its output.
 *
 * - `exactly-once`: every record has its effect once in everything a reader can see.
 * - `at-least-once`: no record is lost; some may be written again after a failure.
 * - `best-effort`: no promise across failures.
 *
 * State inside the job is exactly-once whenever the source can replay and checkpoints are on,
 * whatever the sinks can promise.
 */
export type Guarantee = 'exactly-once' | 'at-least-once' | 'best-effort'

/** The guarantees a source or sink may have inside a job that promises `J`. */
export type AtLeast<J extends Guarantee> = J extends 'exactly-once'
  ? 'exactly-once'
  : J extends 'at-least-once'
    ? 'exactly-once' | 'at-least-once'
    : Guarantee

const rank: Record<Guarantee, number> = { 'best-effort': 0, 'at-least-once': 1, 'exactly-once': 2 }

/** The weaker of two guarantees. */
export const weaker = (a: Guarantee, b: Guarantee): Guarantee => (rank[a] <= rank[b] ? a : b)

/** True when `actual` is enough for a job that promises `promised`. */
export const satisfies = (actual: Guarantee, promised: Guarantee): boolean => rank[actual] >= rank[promised]
