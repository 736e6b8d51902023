import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type ShardEnumeratorState,
  shardEnumeratorSerializer,
} from '../../../../src/connectors/sls/source/enumerator-state.ts'
import {
  newShardSplit,
  type ShardSplit,
  shardSplitSerializer,
} from '../../../../src/connectors/sls/source/shard-split.ts'

const golden = (name: string): Uint8Array => readFileSync(new URL(`golden/${name}`, import.meta.url))

/** What the golden files hold. They are never written again. */
const splits: readonly ShardSplit[] = [
  newShardSplit('proj/access', 0, 1_772_510_000, {}),
  {
    ...newShardSplit('proj/access', 12, 1_772_510_001, {
      cursor: 1_772_510_706_000_000_001n,
      queryHash: '0123456789abcdef',
    }),
    skip: 17,
    stop: 1_772_510_706_000_009_999n,
  },
  {
    ...newShardSplit('audit', 3, 0, { cursor: 9_223_372_036_854_775_807n }),
    losses: 2,
    lostGroups: 4_000_000_000,
    packages: ['0123456789ABCDEF-1', '0123456789ABCDEF-2'],
    state: 'finished',
  },
]

const range = { begin: '0'.repeat(32), end: '8'.padEnd(32, '0') }
const state: ShardEnumeratorState = {
  parallelism: 4,
  queryHash: null,
  end: 'now',
  complete: false,
  logstores: [
    {
      key: 'proj/access',
      shards: [
        { id: 0, createTime: 1_772_510_000, range, readOnly: true, state: 'finished' },
        { id: 12, createTime: 1_772_510_001, range, readOnly: false, state: 'assigned' },
        {
          id: 13,
          createTime: 1_772_510_001,
          range,
          readOnly: false,
          state: 'waiting',
          split: newShardSplit('proj/access', 13, 1_772_510_001, { cursor: 1_772_510_706_000_000_000n }),
        },
      ],
    },
    { key: 'audit', shards: [] },
  ],
  owners: new Map([['proj/access/12@1772510001', 3]]),
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

describe('conf-S25 checkpoints of the SLS source', () => {
  it('of version 1 are read for ever', () => {
    const stored = JSON.parse(text(golden('sls-shard-v1.json'))) as readonly unknown[]
    expect(stored.map((split) => shardSplitSerializer.deserialize(1, bytes(split)))).toEqual(splits)
    expect(shardEnumeratorSerializer.deserialize(1, golden('sls-enumerator-v1.json'))).toEqual(state)
  })

  it('of version 2 are read for ever', () => {
    expect(shardEnumeratorSerializer.deserialize(2, golden('sls-enumerator-v2.json'))).toEqual(state)
  })

  it('are written as the golden files of the present version', () => {
    expect([shardSplitSerializer.name, shardSplitSerializer.version]).toEqual(['sls-shard', 1])
    expect([shardEnumeratorSerializer.name, shardEnumeratorSerializer.version]).toEqual(['sls-enumerator', 2])
    expect(splits.map((split) => JSON.parse(text(shardSplitSerializer.serialize(split))))).toEqual(
      JSON.parse(text(golden('sls-shard-v1.json'))),
    )
    expect(JSON.parse(text(shardEnumeratorSerializer.serialize(state)))).toEqual(
      JSON.parse(text(golden('sls-enumerator-v2.json'))),
    )
  })

  it('take less than 1 KB for a shard', () => {
    const perShard =
      shardEnumeratorSerializer.serialize(state).length / 3 +
      shardSplitSerializer.serialize(splits[1] as ShardSplit).length
    expect(perShard).toBeLessThan(1_000)
  })

  it.each([
    [{ cursor: '1.5' }, /cursor is not the decimal text of an integer/],
    [{ cursor: 5 }, /cursor is not the decimal text/],
    [{ skip: -1 }, /skip is not a number from 0/],
    [{ state: 'done' }, /state is not one of reading, finished/],
    [{ packages: [1] }, /package is not text/],
    [{ logstore: undefined }, /logstore is not text/],
  ])('with something else in them are refused', (change, expected) => {
    const [first] = JSON.parse(text(golden('sls-shard-v1.json'))) as readonly object[]
    expect(() => shardSplitSerializer.deserialize(1, bytes({ ...first, ...change }))).toThrow(expected)
  })
})
