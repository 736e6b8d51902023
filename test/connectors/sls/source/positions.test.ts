import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FetchedGroups, type GroupRecords } from '../../../../src/connectors/sls/source/fetched-groups.ts'
import { newShardSplit } from '../../../../src/connectors/sls/source/shard-split.ts'

const records = (counts: readonly number[], skip: number): GroupRecords<string>[] =>
  counts.map((count, group) => {
    const skipped = group === 0 ? skip : 0
    const all = Array.from({ length: count }, (_, index) => `${group}.${index}`)
    return { records: all.slice(skipped), timestamps: undefined, skipped, packageId: `p${group}`, bytes: count * 10 }
  })

const fetched = (
  counts: readonly number[],
  options: { skip?: number; queryHash?: string | null; packagesMax?: number },
) => {
  const { skip = 0, queryHash = null, packagesMax = 0 } = options
  const split = { ...newShardSplit('p/l', 3, 1, { cursor: 1_000n, queryHash }), skip }
  const end = { ...split, cursor: 1_000n + BigInt(counts.length), skip: 0 }
  const groups = records(counts, skip)
  return new FetchedGroups({
    split,
    pulled: { next: end.cursor, bytes: 100, release: () => {} },
    groups,
    end,
    waitMs: 0,
    packagesMax,
  })
}

const groupCounts = fc.array(fc.nat(4), { minLength: 1, maxLength: 12 })

describe('positions in a pull', () => {
  it('lead to exactly the records that were not given out', () => {
    fc.assert(
      fc.property(groupCounts, fc.nat(4), fc.nat(60), (counts, wanted, given) => {
        const skip = Math.min(wanted, counts[0] ?? 0)
        const all = fetched(counts, { skip })
        const count = Math.min(given, all.records.length)
        const { cursor, skip: left } = all.splitAfter(count)
        const group = Number((cursor as bigint) - 1_000n)
        const rest = counts
          .slice(group)
          .flatMap((size, index) =>
            Array.from({ length: size }, (_, log) => `${group + index}.${log}`).slice(index === 0 ? left : 0),
          )
        expect(rest).toEqual(all.records.slice(count, all.records.length))
      }),
    )
  })

  it('and origins can be asked for when the answer was let go of', () => {
    fc.assert(
      fc.property(groupCounts, (counts) => {
        const [kept, freed] = [fetched(counts, { packagesMax: 3 }), fetched(counts, { packagesMax: 3 })]
        freed.release()
        expect(freed.records.slice(0, freed.records.length)).toEqual([])
        for (let count = 0; count <= kept.records.length; count++) {
          expect(freed.splitAfter(count)).toEqual(kept.splitAfter(count))
          expect(freed.originOf(count)).toEqual(kept.originOf(count))
        }
      }),
    )
  })

  it('count records and stay at the pull under a query', () => {
    const all = fetched([2, 0, 3], { queryHash: 'abc', skip: 1 })
    expect(all.splitAfter(3)).toMatchObject({ cursor: 1_000n, skip: 4 })
    expect(all.splitAfter(4)).toMatchObject({ cursor: 1_003n, skip: 0 })
    expect(all.originOf(1)).toEqual({ split: 'p/l/3@1', position: `${btoa('1000')}+2` })
  })

  it('remember the packages that were given out whole, the last ones only', () => {
    const all = fetched([2, 2, 2], { packagesMax: 2 })
    expect(all.splitAfter(1).packages).toEqual([])
    expect(all.splitAfter(2).packages).toEqual(['p0'])
    expect(all.splitAfter(5).packages).toEqual(['p0', 'p1'])
  })
})
