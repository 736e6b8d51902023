import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/testing/index.ts'

describe('a virtual clock', () => {
  test('stands still until it is told', async () => {
    const clock = new VirtualClock(1_000)
    let woke = false
    void clock.sleep(10).then(() => {
      woke = true
    })
    for (let turn = 0; turn < 5; turn++) await clock.yield()
    expect([woke, clock.monoMs(), clock.wallMs()]).toEqual([false, 0, 1_000])
    await clock.advance(9)
    expect(woke).toBe(false)
    await clock.advance(1)
    expect([woke, clock.monoMs(), clock.wallMs()]).toEqual([true, 10, 1_010])
  })

  test('runs timers in order on the way, also those set on the way, each at its own time', async () => {
    const clock = new VirtualClock()
    const seen: [string, number][] = []
    clock.timer(20, () => seen.push(['b', clock.monoMs()]))
    clock.timer(10, () => {
      seen.push(['a', clock.monoMs()])
      clock.timer(5, () => seen.push(['c', clock.monoMs()]))
    })
    const loop = async (): Promise<void> => {
      for (let n = 0; n < 3; n++) {
        await clock.sleep(8)
        seen.push([`loop${n}`, clock.monoMs()])
      }
    }
    const looping = loop()
    await clock.advance(100)
    await looping
    expect(seen).toEqual([
      ['loop0', 8],
      ['a', 10],
      ['c', 15],
      ['loop1', 16],
      ['b', 20],
      ['loop2', 24],
    ])
    expect(clock.pendingTimers).toBe(0)
  })

  test('advances until a promise settles, and gives its result or its failure', async () => {
    const clock = new VirtualClock()
    const slow = async (): Promise<string> => {
      await clock.sleep(60_000)
      await clock.yield()
      return 'done'
    }
    expect(await clock.advanceUntil(slow())).toBe('done')
    expect(clock.monoMs()).toBe(60_000)
    const failing = clock.sleep(5).then(() => Promise.reject(new Error('no')))
    await expect(clock.advanceUntil(failing)).rejects.toThrow('no')
  })

  test('says so when a promise waits for no timer, or too long', async () => {
    const clock = new VirtualClock()
    await expect(clock.advanceUntil(new Promise(() => {}))).rejects.toThrow('not a timer')
    await expect(clock.advanceUntil(clock.sleep(1_000), 500)).rejects.toThrow('within 500 ms')
    expect(clock.pendingTimers).toBe(1)
  })
})
