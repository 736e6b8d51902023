import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shardParents } from '../../../../src/connectors/sls/source/lineage.ts'
import { type ListedShard, ShardBook } from '../../../../src/connectors/sls/source/shard-book.ts'
import { newShardSplit, shardSplitId } from '../../../../src/connectors/sls/source/shard-split.ts'
import { evenRanges, splitEvenly } from '../../../../src/wire/index.ts'

const splitOf = ({ id, createTime }: ListedShard) => newShardSplit('p/l', id, createTime, {})
const idOf = (id: number): string => shardSplitId('p/l', id, 1)

const roots = (count: number): ListedShard[] =>
  evenRanges(count).map((range, id) => ({ id, range, readOnly: false, createTime: 1 }))

/** Splits a shard of a listing in two. */
const divided = (listing: readonly ListedShard[], id: number): ListedShard[] => {
  const parent = listing.find((shard) => shard.id === id)
  const ranges = parent && splitEvenly(parent.range, 2)
  const next = Math.max(...listing.map((shard) => shard.id)) + 1
  const children = (ranges ?? []).map((range, index) => ({ id: next + index, range, readOnly: false, createTime: 1 }))
  return [...listing.map((shard) => (shard.id === id ? { ...shard, readOnly: true } : shard)), ...children]
}

const enter = (book: ShardBook, listing: readonly ListedShard[]) => {
  const changes = book.update(listing)
  for (const shard of changes.found) book.add(shard, splitOf(shard))
  return changes
}

describe('the book of shards', () => {
  it('holds children back until their parents are finished', () => {
    const book = new ShardBook('p/l', true)
    const listing = divided(divided(roots(1), 0), 1)
    enter(book, listing)
    expect(book.ready().map(({ shard }) => shard)).toEqual([0])
    book.assign(idOf(0))
    expect(book.ready()).toEqual([])
    expect(book.finish(idOf(0))).toBe(false)
    expect(book.ready().map(({ shard }) => shard)).toEqual([1, 2])
    book.assign(idOf(1))
    book.finish(idOf(1))
    expect(book.ready().map(({ shard }) => shard)).toEqual([2, 3, 4])
    expect(book.waiting).toBe(3)
  })

  it('tells which shards were closed, and which are gone', () => {
    const book = new ShardBook('p/l', true)
    const before = roots(2)
    enter(book, before)
    book.assign(idOf(0))
    const after = divided(before, 0)
    expect(enter(book, after)).toMatchObject({ closed: [idOf(0)], vanished: [] })
    expect(enter(book, after)).toMatchObject({ closed: [], found: [] })
    expect(enter(book, after.slice(2)).vanished).toEqual([idOf(0), idOf(1)])
    book.finish(idOf(0))
    enter(book, after.slice(2))
    expect(book.get(idOf(0))).toBeUndefined()
  })

  it('knows where event time ended in the parents of a shard, as far as they said so', () => {
    const book = new ShardBook('p/l', true)
    const listing = divided(divided(roots(1), 0), 1)
    enter(book, listing)
    expect(book.watermarkBefore(idOf(1))).toBeUndefined()
    book.finish(idOf(0), 500)
    expect([0, 1, 2, 3].map((id) => book.watermarkBefore(idOf(id)))).toEqual([undefined, 500, 500, undefined])
    // Told again after a restore, when nobody knows it any more.
    book.finish(idOf(0))
    expect(book.watermarkBefore(idOf(1))).toBe(500)
    book.finish(idOf(1))
    expect(book.watermarkBefore(idOf(3))).toBeUndefined()
    expect(book.watermarkBefore('unknown')).toBeUndefined()
  })

  it('says when a shard has ended and nothing follows it yet', () => {
    const book = new ShardBook('p/l', true)
    enter(book, roots(1))
    book.assign(idOf(0))
    expect(book.finish(idOf(0))).toBe(true)
  })

  it('takes a shard of another creation time for another shard', () => {
    const book = new ShardBook('p/l', true)
    enter(book, roots(1))
    book.assign(idOf(0))
    const anew = roots(1).map((shard) => ({ ...shard, createTime: 9 }))
    const { found, vanished } = enter(book, anew)
    expect(found.map(({ createTime }) => createTime)).toEqual([9])
    expect(vanished).toEqual([idOf(0)])
    expect(book.ready().map(({ createTime }) => createTime)).toEqual([9])
  })

  it('hands out every shard once, parents first, in any history, also when it is stored and restored on the way', () => {
    const steps = fc.array(fc.record({ split: fc.nat(100), finish: fc.nat(100), restore: fc.boolean() }), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(steps, (moves) => {
        let listing = roots(2)
        let book = new ShardBook('p/l', true)
        enter(book, listing)
        const assigned: number[] = []
        const finished = new Set<number>()
        const take = (): void => {
          const parents = shardParents(listing)
          for (const split of book.ready()) {
            for (const parent of parents.get(split.shard) ?? []) expect(finished.has(parent)).toBe(true)
            assigned.push(split.shard)
            book.assign(split.splitId)
          }
        }
        const finish = (pick: number): void => {
          const readable = assigned.filter(
            (id) => !finished.has(id) && listing.find((shard) => shard.id === id)?.readOnly,
          )
          const id = readable[pick % readable.length]
          if (id === undefined) return
          finished.add(id)
          book.finish(idOf(id))
        }
        for (const { split, finish: pick, restore } of moves) {
          const open = listing.filter(({ readOnly }) => !readOnly)
          listing = divided(listing, open[split % open.length]?.id ?? 0)
          enter(book, listing)
          take()
          finish(pick)
          if (restore) book = new ShardBook('p/l', true, [...book.shards()])
        }
        for (let turn = 0; turn < listing.length; turn++) {
          take()
          finish(0)
        }
        take()
        expect([...assigned].sort((a, b) => a - b)).toEqual(listing.map(({ id }) => id))
        expect(book.waiting).toBe(0)
      }),
    )
  })
})
