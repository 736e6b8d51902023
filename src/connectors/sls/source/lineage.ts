import type { HashRange } from '../../../wire/index.ts'

/** A shard as far as its place in the family goes. */
export interface ShardPlace {
  readonly id: number
  readonly range: HashRange
}

/** Keys that the shard `id` has the newest claim on. */
interface Claim {
  readonly begin: string
  readonly end: string
  readonly id: number
}

/** Index of the first claim that ends after `key`. Claims are in order and do not overlap. */
const firstEndingAfter = (claims: readonly Claim[], key: string): number => {
  let [low, high] = [0, claims.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const claim = claims[middle]
    if (claim !== undefined && claim.end <= key) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The direct parents of each shard. The service names none: for every sub-range of a shard it is the nearest older shard
 * that has it, whatever its status, and ids grow with time (flink-semantics paper, section E3). A shard without an entry
 * is a root; a parent that expired is not there, and its own parents are taken in its place.
 */
export const shardParents = (shards: Iterable<ShardPlace>): ReadonlyMap<number, readonly number[]> => {
  const parents = new Map<number, readonly number[]>()
  const claims: Claim[] = []
  for (const { id, range } of [...shards].sort((a, b) => a.id - b.id)) {
    const first = firstEndingAfter(claims, range.begin)
    let last = first
    const found = new Set<number>()
    const replaced: Claim[] = []
    for (let claim = claims[last]; claim !== undefined && claim.begin < range.end; claim = claims[++last]) {
      found.add(claim.id)
      if (claim.begin < range.begin) replaced.push({ ...claim, end: range.begin })
    }
    replaced.push({ ...range, id })
    const tail = claims[last - 1]
    if (last > first && tail !== undefined && tail.end > range.end) replaced.push({ ...tail, begin: range.end })
    claims.splice(first, last - first, ...replaced)
    if (found.size > 0)
      parents.set(
        id,
        [...found].sort((a, b) => a - b),
      )
  }
  return parents
}
