import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CheckpointTrigger } from '../../src/checkpoint/checkpoint-trigger.ts'

const periodic = { kind: 'start', request: { kind: 'periodic' } }
const start = (kind: 'savepoint' | 'forced', tag: string) => ({ kind: 'start', request: { kind, tag } })

describe('a checkpoint trigger', () => {
  test('starts a periodic checkpoint when the interval is over, not before', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100 }, 1000)
    expect(trigger.next(1000)).toEqual({ kind: 'wait', untilMs: 1100 })
    expect(trigger.next(1099)).toEqual({ kind: 'wait', untilMs: 1100 })
    expect(trigger.next(1100)).toEqual(periodic)
  })

  test('starts nothing while one runs', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100 }, 0)
    trigger.next(100)
    trigger.request({ kind: 'savepoint', tag: 's' })
    expect(trigger.next(500)).toEqual({ kind: 'idle' })
  })

  test('makes one checkpoint of all the ticks it missed, and stays on the grid', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100 }, 0)
    expect(trigger.next(100)).toEqual(periodic)
    trigger.ended(430)
    expect(trigger.next(430)).toEqual(periodic)
    trigger.ended(440)
    expect(trigger.next(440)).toEqual({ kind: 'wait', untilMs: 500 })
  })

  test('counts the minimum pause from the end of the checkpoint before', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100, minPauseMs: 70 }, 0)
    trigger.next(100)
    trigger.ended(190)
    expect(trigger.next(200)).toEqual({ kind: 'wait', untilMs: 260 })
    expect(trigger.next(260)).toEqual(periodic)
  })

  test('does not let the minimum pause delay what somebody asked for', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100, minPauseMs: 1000 }, 0)
    trigger.next(100)
    trigger.ended(110)
    trigger.request({ kind: 'forced', tag: 'f' })
    expect(trigger.next(111)).toEqual(start('forced', 'f'))
  })

  test('takes savepoints first, then forced ones, then the periodic one, each in the order asked', () => {
    const trigger = new CheckpointTrigger<string>({ intervalMs: 100 }, 0)
    trigger.request({ kind: 'forced', tag: 'f1' })
    trigger.request({ kind: 'forced', tag: 'f2' })
    trigger.request({ kind: 'savepoint', tag: 's1' })
    trigger.request({ kind: 'savepoint', tag: 's2' })
    const order = Array.from({ length: 5 }, () => {
      const decision = trigger.next(200)
      trigger.ended(200)
      return decision
    })
    expect(order).toEqual([
      start('savepoint', 's1'),
      start('savepoint', 's2'),
      start('forced', 'f1'),
      start('forced', 'f2'),
      periodic,
    ])
  })

  test('refuses a request when sixteen wait', () => {
    const trigger = new CheckpointTrigger<number>({}, 0)
    for (let tag = 0; tag < 16; tag++) trigger.request({ kind: 'forced', tag })
    expect(() => trigger.request({ kind: 'savepoint', tag: 16 })).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_DECLINED' }),
    )
  })

  test('without an interval waits for requests', () => {
    const trigger = new CheckpointTrigger<string>({}, 0)
    expect(trigger.next(10 ** 9)).toEqual({ kind: 'idle' })
    trigger.request({ kind: 'savepoint', tag: 's' })
    expect(trigger.next(10 ** 9)).toEqual(start('savepoint', 's'))
  })

  test('gives back what waits', () => {
    const trigger = new CheckpointTrigger<string>({}, 0)
    trigger.request({ kind: 'forced', tag: 'f' })
    trigger.request({ kind: 'savepoint', tag: 's' })
    expect(trigger.takeWaiting().map(({ tag }) => tag)).toEqual(['s', 'f'])
    expect(trigger.next(0)).toEqual({ kind: 'idle' })
  })

  test('never starts two at once, keeps the pause, and does not fall behind the interval', () => {
    const step = fc.record({ passMs: fc.integer({ min: 1, max: 50 }), end: fc.boolean(), ask: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step), fc.nat(60), (steps, minPauseMs) => {
        const trigger = new CheckpointTrigger<undefined>({ intervalMs: 100, minPauseMs }, 0)
        let nowMs = 0
        let running = false
        let endedMs = Number.NEGATIVE_INFINITY
        for (const { passMs, end, ask } of steps) {
          nowMs += passMs
          if (ask && trigger.takeWaiting().length === 0) trigger.request({ kind: 'forced', tag: undefined })
          if (running && end) {
            trigger.ended(nowMs)
            running = false
            endedMs = nowMs
          }
          const decision = trigger.next(nowMs)
          if (decision.kind === 'wait') {
            expect(running).toBe(false)
            expect(decision.untilMs).toBeGreaterThan(nowMs)
            expect(decision.untilMs).toBeLessThanOrEqual(Math.max(nowMs + 100, endedMs + minPauseMs))
          }
          if (decision.kind !== 'start') continue
          expect(running).toBe(false)
          if (decision.request.kind === 'periodic') expect(nowMs - endedMs).toBeGreaterThanOrEqual(minPauseMs)
          running = true
        }
      }),
    )
  })
})
