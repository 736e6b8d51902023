import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import type { Clock } from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'

/** A timer may run this much early: clocks and timers are rounded differently. */
const earlyMs = 1.5

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('resolved instead of rejecting'),
    (reason: unknown) => reason,
  )

const checks: Record<string, (clock: Clock) => Promise<void> | void> = {
  'wallMs counts milliseconds since 1970': (clock) => {
    const wall = clock.wallMs()
    assert.ok(wall > Date.UTC(2015) && wall < Date.UTC(2200))
  },
  'monoMs never goes back': async (clock) => {
    let last = clock.monoMs()
    for (let turn = 0; turn < 50; turn++) {
      if (turn % 5 === 0) await clock.yield()
      const now = clock.monoMs()
      assert.ok(now >= last)
      last = now
    }
  },
  'sleep resolves after its time': async (clock) => {
    const start = clock.monoMs()
    await clock.sleep(20)
    assert.ok(clock.monoMs() - start >= 20 - earlyMs)
    await clock.sleep(0)
    await clock.sleep(-5)
  },
  'sleep rejects at once with the reason of a signal that is aborted already': async (clock) => {
    const start = clock.monoMs()
    assert.equal(await rejection(clock.sleep(60_000, AbortSignal.abort('stop'))), 'stop')
    assert.ok(clock.monoMs() - start < 30_000)
  },
  'sleep rejects as soon as the signal aborts': async (clock) => {
    const controller = new AbortController()
    const reason = new Error('stop')
    const start = clock.monoMs()
    const sleeping = rejection(clock.sleep(60_000, controller.signal))
    clock.timer(5, () => controller.abort(reason))
    assert.equal(await sleeping, reason)
    assert.ok(clock.monoMs() - start < 30_000)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  },
  'a finished sleep leaves no listener on its signal': async (clock) => {
    const controller = new AbortController()
    await clock.sleep(1, controller.signal)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
    controller.abort()
  },
  'timer runs once, after its time': async (clock) => {
    const start = clock.monoMs()
    const ranAt: number[] = []
    const cancel = clock.timer(10, () => ranAt.push(clock.monoMs()))
    assert.equal(ranAt.length, 0)
    await clock.sleep(50)
    assert.equal(ranAt.length, 1)
    assert.ok((ranAt[0] ?? 0) - start >= 10 - earlyMs)
    cancel()
  },
  'a timer never runs inside the call that sets it': async (clock) => {
    let ran = false
    clock.timer(0, () => {
      ran = true
    })
    assert.equal(ran, false)
    await Promise.resolve()
    assert.equal(ran, false)
    await clock.sleep(20)
    assert.equal(ran, true)
  },
  'a cancelled timer does not run, and cancelling twice is fine': async (clock) => {
    let ran = false
    const cancel = clock.timer(5, () => {
      ran = true
    })
    cancel()
    cancel()
    await clock.sleep(30)
    assert.equal(ran, false)
  },
  'timers run in the order of their times': async (clock) => {
    const order: number[] = []
    for (const ms of [40, 1, 20]) clock.timer(ms, () => order.push(ms))
    await clock.sleep(80)
    assert.deepEqual(order, [1, 20, 40])
  },
  'a wait of more than 2^31 ms does not end at once': async (clock) => {
    let ran = false
    const cancel = clock.timer(2 ** 32, () => {
      ran = true
    })
    const forever = clock.timer(Number.POSITIVE_INFINITY, () => {
      ran = true
    })
    await clock.sleep(20)
    assert.equal(ran, false)
    cancel()
    forever()
  },
  'yield lets every microtask and then timers have their turn': async (clock) => {
    let depth = 0
    const chain = async (left: number): Promise<void> => {
      await undefined
      depth++
      if (left > 1) await chain(left - 1)
    }
    const chained = chain(200)
    await clock.yield()
    assert.equal(depth, 200)
    await chained
    let ran = false
    clock.timer(0, () => {
      ran = true
    })
    let turns = 0
    while (!ran && turns < 200_000) {
      await clock.yield()
      turns++
    }
    assert.ok(ran, 'a timer that was due did not run however often the code yielded')
  },
}

/** What every `Clock` keeps. The checks sleep for less than 100 ms each of that clock's time. */
export const clockContract = (setup: () => Clock): ContractCheck[] => checksWith(setup, () => {}, checks)
