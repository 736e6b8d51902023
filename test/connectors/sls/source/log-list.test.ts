import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JoinedList } from '../../../../src/connectors/sls/source/joined-list.ts'
import { LogList } from '../../../../src/connectors/sls/source/log.ts'
import { PulledGroup } from '../../../../src/connectors/sls/source/pulled-group.ts'
import { viewLogGroup } from '../../../../src/wire/index.ts'
import { texts } from './test-logstores.ts'
import { groupOf } from './written-shard.ts'

const origin = { logstore: 'p/l', shard: 0, cursor: 7n, receivedSeconds: undefined, metadataFields: false }

const namesOf = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

const listOf = (names: readonly string[], skip: number): LogList =>
  new LogList(new PulledGroup(viewLogGroup(groupOf(...names)), origin), skip)

const ranges = fc.array(fc.tuple(fc.nat(12), fc.nat(12)), { maxLength: 8 })

describe('the logs of a LogGroup', () => {
  it('are made in any order, any number of times, without those that are left out', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), ranges, (count, wanted, asked) => {
        const names = namesOf(count)
        const skip = Math.min(wanted, count)
        const list = listOf(names, skip)
        expect(list.length).toBe(count - skip)
        for (const [from, to] of asked) {
          const logs = list.slice(from, to)
          expect(texts(logs)).toEqual(names.slice(skip).slice(from, to))
          expect(logs.map(({ index }) => index)).toEqual(logs.map((_, index) => skip + from + index))
        }
      }),
    )
  })

  it('stand one after another with those of other groups, until they are let go of', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { maxLength: 6 }), ranges, (counts, asked) => {
        const groups = counts.map((count, group) => namesOf(count, `${group}.`))
        const joined = new JoinedList(groups.map((names) => listOf(names, 0)))
        const all = groups.flat()
        expect(joined.length).toBe(all.length)
        for (const [from, to] of asked) {
          expect(texts([...joined.slice(from, to)])).toEqual(all.slice(from, to))
        }
        joined.release()
        expect(joined.slice(0, joined.length)).toEqual([])
      }),
    )
  })

  it('stay whole for whoever keeps them', () => {
    const joined = new JoinedList([listOf(['a', 'b', 'c'], 1)])
    const kept = joined.slice(0, 2)
    joined.release()
    expect(texts([...kept])).toEqual(['b', 'c'])
  })
})
