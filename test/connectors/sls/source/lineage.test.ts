import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ShardPlace, shardParents } from '../../../../src/connectors/sls/source/lineage.ts'
import { evenRanges, type HashRange, splitEvenly } from '../../../../src/wire/index.ts'

interface TrueShard extends ShardPlace {
  readonly parents: readonly number[]
  open: boolean
}

/** A logstore's history, with the parents that the service does not tell. */
class History {
  readonly shards: TrueShard[] = []

  constructor(count: number) {
    for (const range of evenRanges(count)) this.#add(range, [])
  }

  split(pick: number, ways: number): void {
    const open = this.#open()
    const shard = open[pick % open.length]
    const ranges = shard && splitEvenly(shard.range, ways)
    if (shard === undefined || ranges === undefined) return
    shard.open = false
    for (const range of ranges) this.#add(range, [shard.id])
  }

  merge(pick: number): void {
    const open = this.#open()
    const left = open[pick % open.length]
    const right = open.find((shard) => shard.range.begin === left?.range.end)
    if (left === undefined || right === undefined) return
    left.open = false
    right.open = false
    this.#add({ begin: left.range.begin, end: right.range.end }, [left.id, right.id])
  }

  ancestors(id: number): ReadonlySet<number> {
    const found = new Set<number>()
    const visit = (shard: number): void => {
      for (const parent of this.shards[shard]?.parents ?? []) {
        found.add(parent)
        visit(parent)
      }
    }
    visit(id)
    return found
  }

  #open(): TrueShard[] {
    return this.shards.filter((shard) => shard.open)
  }

  #add(range: HashRange, parents: readonly number[]): void {
    this.shards.push({ id: this.shards.length, range, parents: [...parents].sort((a, b) => a - b), open: true })
  }
}

const histories = fc
  .record({
    count: fc.integer({ min: 1, max: 6 }),
    steps: fc.array(
      fc.record({ split: fc.boolean(), pick: fc.nat(1000), ways: fc.integer({ min: 2, max: 6 }), gone: fc.boolean() }),
      { maxLength: 40 },
    ),
  })
  .map(({ count, steps }) => {
    const history = new History(count)
    for (const { split, pick, ways } of steps) {
      if (split) history.split(pick, ways)
      else history.merge(pick)
    }
    return { history, gone: new Set(steps.flatMap(({ gone }, index) => (gone ? [index] : []))) }
  })

const place = (id: number, begin: string, end: string): ShardPlace => ({
  id,
  range: { begin: begin.padEnd(32, '0'), end: end === 'f' ? 'f'.repeat(32) : end.padEnd(32, '0') },
})

describe('the lineage of shards', () => {
  it('finds the parents of every shard in any history of splits and merges', () => {
    fc.assert(
      fc.property(histories, ({ history }) => {
        const parents = shardParents(history.shards)
        for (const shard of history.shards) expect(parents.get(shard.id) ?? []).toEqual(shard.parents)
      }),
    )
  })

  it('does not depend on the order of the list', () => {
    fc.assert(
      fc.property(histories, ({ history }) => {
        expect([...shardParents([...history.shards].reverse())]).toEqual([...shardParents(history.shards)])
      }),
    )
  })

  it('names ancestors only, and every parent that is left, when old shards are gone', () => {
    fc.assert(
      fc.property(histories, ({ history, gone }) => {
        const left = history.shards.filter((shard) => shard.open || !gone.has(shard.id))
        const listed = new Set(left.map(({ id }) => id))
        const parents = shardParents(left)
        for (const { id, parents: truth } of left) {
          const found = parents.get(id) ?? []
          const ancestors = history.ancestors(id)
          for (const parent of found) expect(ancestors.has(parent)).toBe(true)
          for (const parent of truth) if (listed.has(parent)) expect(found).toContain(parent)
        }
      }),
    )
  })

  it('knows a split into three, a merge over it, and a root', () => {
    const shards = [
      place(0, '0', '8'),
      place(1, '8', 'f'),
      place(2, '0', '3'),
      place(3, '3', '5'),
      place(4, '5', '8'),
      place(5, '5', 'f'),
    ]
    expect([...shardParents(shards)]).toEqual([
      [2, [0]],
      [3, [0]],
      [4, [0]],
      [5, [1, 4]],
    ])
  })
})
