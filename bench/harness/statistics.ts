/** Sorted copy. */
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** The middle value; of an even number of values, the mean of the two in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = ascending(values)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new Error('no values to take the median of')
  return (lower + upper) / 2
}

export interface Spread {
  readonly least: number
  readonly most: number
}

export const spreadOf = (values: readonly number[]): Spread => ({
  least: Math.min(...values),
  most: Math.max(...values),
})

/** What was measured, and the same of the baseline, in one repetition. */
export interface Pair {
  readonly value: number
  readonly baseline: number
}

export interface Compared extends Pair {
  /** Median of the ratios of the pairs, not the ratio of the medians: what disturbs a pair disturbs both of it. */
  readonly ratio: number
  readonly ratios: Spread
}

/** Medians of pairs that were measured next to each other. */
export const compare = (pairs: readonly Pair[]): Compared => {
  const ratios = pairs.map(({ value, baseline }) => value / baseline)
  return {
    value: median(pairs.map(({ value }) => value)),
    baseline: median(pairs.map(({ baseline }) => baseline)),
    ratio: median(ratios),
    ratios: spreadOf(ratios),
  }
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** How much `y` grows when `x` grows by one: least squares. */
export const slope = (points: readonly Point[]): number => {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length
  const over = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0)
  const under = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  if (under === 0) throw new Error('a slope needs two different x')
  return over / under
}
