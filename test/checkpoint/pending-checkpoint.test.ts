import { describe, expect, test } from 'vitest'
import { PendingCheckpoint } from '../../src/checkpoint/pending-checkpoint.ts'
import { checkpointId } from '../../src/core/index.ts'

const five = checkpointId(5)
const pendingOf = (...participants: string[]) => new PendingCheckpoint<string>(five, participants)

describe('a pending checkpoint', () => {
  test('is complete when everyone has acknowledged', () => {
    const pending = pendingOf('a', 'b')
    expect(pending.acknowledge(five, 'a', 'state of a')).toEqual({ accepted: true })
    expect(pending.isComplete()).toBe(false)
    expect(pending.missing()).toEqual(['b'])
    expect(pending.acknowledge(five, 'b', 'state of b')).toEqual({ accepted: true })
    expect(pending.isComplete()).toBe(true)
    expect([...pending.snapshots()]).toEqual([
      ['a', 'state of a'],
      ['b', 'state of b'],
    ])
  })

  test('without participants is complete at once', () => {
    expect(pendingOf().isComplete()).toBe(true)
  })

  test('keeps the first acknowledgement of a participant and says why it ignores the second', () => {
    const pending = pendingOf('a', 'b')
    pending.acknowledge(five, 'a', 'first')
    expect(pending.acknowledge(five, 'a', 'second')).toEqual({ accepted: false, reason: 'already-acknowledged' })
    expect(pending.snapshots().get('a')).toBe('first')
  })

  test('ignores the acknowledgement of a stranger and of another checkpoint', () => {
    const pending = pendingOf('a')
    expect(pending.acknowledge(five, 'x', '')).toEqual({ accepted: false, reason: 'not-a-participant' })
    expect(pending.acknowledge(checkpointId(4), 'a', '')).toEqual({ accepted: false, reason: 'other-checkpoint' })
    expect(pending.missing()).toEqual(['a'])
  })

  test('never completes after somebody declined, and keeps the first reason', () => {
    const pending = pendingOf('a', 'b')
    const cause = new Error('disk full')
    expect(pending.decline(five, 'a', cause)).toEqual({ accepted: true })
    expect(pending.decline(five, 'b', new Error('other'))).toEqual({ accepted: false, reason: 'already-declined' })
    expect(pending.acknowledge(five, 'b', '')).toEqual({ accepted: false, reason: 'already-declined' })
    expect(pending.isComplete()).toBe(false)
    expect(pending.refusal()).toEqual({ participant: 'a', cause })
  })

  test('does not let a participant decline after it acknowledged', () => {
    const pending = pendingOf('a')
    pending.acknowledge(five, 'a', '')
    expect(pending.decline(five, 'a', new Error('late'))).toEqual({ accepted: false, reason: 'already-acknowledged' })
    expect(pending.isComplete()).toBe(true)
  })
})
