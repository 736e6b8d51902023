import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConsumerMembers, type GroupRules, type GroupShard } from '../../src/logservice/consumer-members.ts'

const rules: GroupRules = { timeoutMs: 1000, order: false }

const plain = (...ids: number[]): GroupShard[] => ids.map((id) => ({ id, over: false, ancestors: [] }))

const shardsFor = (answer: ReturnType<ConsumerMembers['heartbeat']>): readonly number[] =>
  answer.kind === 'shards' ? answer.shards : expect.unreachable(answer.kind)

describe('the members of a consumer group', () => {
  test('first get all shards, then share them by way of a handshake', () => {
    const members = new ConsumerMembers()
    const beat = (name: string, listed: readonly number[], ms: number): readonly number[] =>
      shardsFor(members.heartbeat(name, listed, ms, rules, plain(0, 1, 2, 3)))
    expect(beat('a', [], 0)).toEqual([0, 1, 2, 3])
    expect(beat('b', [], 10)).toEqual([])
    // Two are reserved for b; a still works on them, and b must not get them.
    expect(beat('a', [0, 1, 2, 3], 20)).toEqual([0, 1])
    expect(beat('b', [], 30)).toEqual([])
    expect(beat('a', [0, 1, 3], 40)).toEqual([0, 1])
    expect(beat('b', [], 50)).toEqual([2])
    expect(beat('a', [0, 1], 60)).toEqual([0, 1])
    expect(beat('b', [2], 70)).toEqual([2, 3])
  })

  test('keep their shards when they come back with an empty list', () => {
    const members = new ConsumerMembers()
    members.heartbeat('a', [], 0, rules, plain(0, 1))
    members.heartbeat('b', [], 0, rules, plain(0, 1))
    const before = shardsFor(members.heartbeat('a', [], 10, rules, plain(0, 1)))
    expect(shardsFor(members.heartbeat('a', [], 20, rules, plain(0, 1)))).toEqual(before)
  })

  test('that say nothing for longer than the timeout lose their shards to the others', () => {
    const members = new ConsumerMembers()
    members.heartbeat('a', [], 0, rules, plain(0, 1))
    expect(shardsFor(members.heartbeat('b', [], 1000, rules, plain(0, 1)))).toEqual([])
    expect(shardsFor(members.heartbeat('b', [], 1001, rules, plain(0, 1)))).toEqual([0, 1])
    expect(members.heartbeat('a', [0, 1], 1002, rules, plain(0, 1))).toEqual({ kind: 'expired' })
    expect(shardsFor(members.heartbeat('a', [], 1003, rules, plain(0, 1)))).toEqual([])
  })

  test('give a shard in transfer back when the one it was for is gone', () => {
    const members = new ConsumerMembers()
    members.heartbeat('a', [], 0, rules, plain(0, 1))
    members.heartbeat('b', [], 500, rules, plain(0, 1))
    expect(shardsFor(members.heartbeat('a', [0, 1], 600, rules, plain(0, 1)))).toEqual([0])
    expect(shardsFor(members.heartbeat('a', [0, 1], 1501, rules, plain(0, 1)))).toEqual([0, 1])
  })

  test('with order read the children of a shard only when it is over', () => {
    const members = new ConsumerMembers()
    const ordered = { ...rules, order: true }
    const family = (over: boolean): GroupShard[] => [
      { id: 0, over, ancestors: [] },
      { id: 1, over: false, ancestors: [0] },
      { id: 2, over: false, ancestors: [0] },
    ]
    expect(shardsFor(members.heartbeat('a', [], 0, ordered, family(false)))).toEqual([0])
    expect(shardsFor(members.heartbeat('a', [0], 1, ordered, family(true)))).toEqual([1, 2])
    // A checkpoint was forced back: the parent is to be read again, and first.
    expect(shardsFor(members.heartbeat('a', [1, 2], 2, ordered, family(false)))).toEqual([0])
    expect(shardsFor(members.heartbeat('a', [], 3, rules, family(false)))).toEqual([0, 1, 2])
  })

  test('are not more than allowed', () => {
    const members = new ConsumerMembers(1)
    members.heartbeat('a', [], 0, rules, plain(0))
    expect(members.heartbeat('b', [], 0, rules, plain(0))).toEqual({ kind: 'full' })
    expect(shardsFor(members.heartbeat('b', [], 2000, rules, plain(0)))).toEqual([0])
  })

  test('share thirty thousand shards without counting them again for each', () => {
    const members = new ConsumerMembers()
    const shards = plain(...Array(30_000).keys())
    const held = new Map<string, readonly number[]>()
    for (let round = 0; round < 4; round++)
      for (const name of ['a', 'b', 'c', 'd'])
        held.set(name, shardsFor(members.heartbeat(name, held.get(name) ?? [], 0, rules, shards)))
    expect([...held.values()].map(({ length }) => length)).toEqual([7500, 7500, 7500, 7500])
  })

  const step = fc.record({
    consumer: fc.constantFrom('a', 'b', 'c', 'd'),
    waitMs: fc.constantFrom(0, 10, 400, 900, 2500),
    /** How much of what it should give up a consumer still works on. */
    keeps: fc.boolean(),
    restarts: fc.boolean(),
    shardCount: fc.integer({ min: 0, max: 7 }),
  })

  test('never hold one shard at the same time, as long as each stops what it is not given', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const members = new ConsumerMembers()
        const working = new Map<string, { shards: Set<number>; beatMs: number }>()
        let nowMs = 0
        for (const { consumer, waitMs, keeps, restarts, shardCount } of steps) {
          nowMs += waitMs
          // A consumer that could not beat in time stops by itself.
          for (const [name, { beatMs }] of working) if (nowMs - beatMs > rules.timeoutMs) working.delete(name)
          const before = restarts ? undefined : working.get(consumer)
          const listed = [...(before?.shards ?? [])]
          const answer = members.heartbeat(consumer, listed, nowMs, rules, plain(...Array(shardCount).keys()))
          if (answer.kind !== 'shards') {
            working.delete(consumer)
            continue
          }
          const given = new Set(answer.shards)
          const kept = keeps ? listed : []
          working.set(consumer, { shards: new Set([...given, ...kept]), beatMs: nowMs })
          for (const [name, { shards }] of working) {
            if (name === consumer) continue
            for (const id of given)
              expect(shards.has(id) && id < shardCount, `${name} still works on ${id}`).toBe(false)
          }
        }
      }),
    )
  })

  test('differ by one shard at most after a few rounds, and all shards are read', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 9 }), (steps, shardCount) => {
        const members = new ConsumerMembers()
        const shards = plain(...Array(shardCount).keys())
        let nowMs = 0
        for (const { consumer, waitMs } of steps) {
          nowMs += waitMs
          members.heartbeat(consumer, [], nowMs, rules, shards)
        }
        const held = new Map<string, readonly number[]>(['a', 'b', 'c'].map((name) => [name, []]))
        nowMs += 5000
        for (let round = 0; round < 4; round++)
          for (const name of held.keys()) {
            const answer = members.heartbeat(name, held.get(name) ?? [], nowMs, rules, shards)
            held.set(name, shardsFor(answer))
          }
        const counts = [...held.values()].map(({ length }) => length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        expect([...held.values()].flat().sort((a, b) => a - b)).toEqual([...Array(shardCount).keys()])
      }),
    )
  })
})
