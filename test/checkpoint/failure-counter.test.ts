import { describe, expect, test } from 'vitest'
import { type CheckpointFailureReason, FailureCounter } from '../../src/checkpoint/failure-counter.ts'
import { checkpointId } from '../../src/core/index.ts'

const failure = (id: number, reason: CheckpointFailureReason = 'expired', savepoint = false) => ({
  id: checkpointId(id),
  reason,
  savepoint,
})

describe('a failure counter', () => {
  test('tolerates as many failures in a row as it was told, and no more', () => {
    const counter = new FailureCounter(2)
    expect([1, 2, 3].map((id) => counter.onFailure(failure(id)))).toEqual(['tolerated', 'tolerated', 'exceeded'])
    expect(counter.inARow).toBe(0)
  })

  test('with nothing tolerated exceeds at the first', () => {
    expect(new FailureCounter(0).onFailure(failure(1))).toBe('exceeded')
  })

  test('counts each checkpoint once', () => {
    const counter = new FailureCounter(1)
    expect(counter.onFailure(failure(1, 'declined'))).toBe('tolerated')
    expect(counter.onFailure(failure(1, 'expired'))).toBe('tolerated')
    expect(counter.inARow).toBe(1)
  })

  test('starts anew after a newer success', () => {
    const counter = new FailureCounter(1)
    counter.onFailure(failure(1))
    counter.onSuccess(checkpointId(2))
    expect(counter.onFailure(failure(3))).toBe('tolerated')
  })

  test('ignores a failure older than the last success, which comes late', () => {
    const counter = new FailureCounter(0)
    counter.onSuccess(checkpointId(5))
    expect(counter.onFailure(failure(4))).toBe('tolerated')
    counter.onSuccess(checkpointId(3))
    expect(counter.onFailure(failure(4))).toBe('tolerated')
  })

  test('does not count savepoints, superseded ones and those given up because the job ends', () => {
    const counter = new FailureCounter(0)
    expect(counter.onFailure(failure(1, 'failed', true))).toBe('tolerated')
    expect(counter.onFailure(failure(2, 'superseded'))).toBe('tolerated')
    expect(counter.onFailure(failure(3, 'cancelled'))).toBe('tolerated')
    expect(counter.onFailure(failure(4, 'failed'))).toBe('exceeded')
  })
})
