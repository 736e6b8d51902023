import { describe, expect, test } from 'vitest'
import { MemoryBudget } from '../../../src/sink/index.ts'

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false
  const settle = (): void => {
    done = true
  }
  promise.then(settle, settle)
  for (let turn = 0; turn < 5; turn++) await undefined
  return done
}

describe('a memory budget', () => {
  test('is never exceeded, not even by a request that is smaller than what is taken', async () => {
    const budget = new MemoryBudget(100)
    expect(budget.tryTake(60)).toBe(true)
    expect(budget.tryTake(60)).toBe(false)
    const waiting = budget.take(60)
    expect(await settled(waiting)).toBe(false)
    expect(budget.used).toBe(60)
    budget.give(60)
    await waiting
    expect(budget.used).toBe(60)
  })

  test('serves in order: nobody overtakes one who waits', async () => {
    const budget = new MemoryBudget(100)
    await budget.take(60)
    const large = budget.take(90)
    const small = budget.take(10)
    expect(budget.tryTake(1)).toBe(false)
    expect(await settled(small)).toBe(false)
    budget.give(60)
    await large
    expect(await settled(small)).toBe(true)
    expect(budget.used).toBe(100)
  })

  test('refuses more than its capacity at once, instead of waiting for ever', async () => {
    const budget = new MemoryBudget(100)
    await expect(budget.take(101)).rejects.toMatchObject({ code: 'RECORD_UNSENDABLE', remedy: 'stop' })
    expect(budget.waiting).toBe(0)
    await budget.take(100)
    expect(budget.used).toBe(100)
  })

  test('forgets who stopped waiting, and serves those behind', async () => {
    const budget = new MemoryBudget(100)
    await budget.take(60)
    const controller = new AbortController()
    const large = budget.take(90, controller.signal)
    const small = budget.take(40)
    controller.abort(new Error('closed'))
    await expect(large).rejects.toThrow('closed')
    await small
    expect(budget.used).toBe(100)
    await expect(budget.take(1, controller.signal)).rejects.toThrow('closed')
  })

  test('tells when somebody has to wait, and again when bytes came back and he still waits', async () => {
    const budget = new MemoryBudget(100)
    let pressure = 0
    const cancel = budget.onPressure(() => pressure++)
    await budget.take(50)
    await budget.take(50)
    expect(pressure).toBe(0)
    const waiting = budget.take(80)
    expect(pressure).toBe(1)
    budget.give(50)
    expect(pressure).toBe(2)
    cancel()
    budget.give(50)
    await waiting
    expect(pressure).toBe(2)
  })

  test('gets back only what was taken', () => {
    const budget = new MemoryBudget(100)
    budget.tryTake(10)
    expect(() => budget.give(11)).toThrow('INVARIANT_BROKEN')
  })
})

describe('a part of a memory budget', () => {
  test('takes from both, and waits for the one that has too little', async () => {
    const whole = new MemoryBudget(100)
    const part = new MemoryBudget(60, whole)
    const other = new MemoryBudget(60, whole)
    expect(part.tryTake(50)).toBe(true)
    expect(part.tryTake(20)).toBe(false)
    expect(other.tryTake(50)).toBe(true)
    expect([whole.used, part.used, other.used]).toEqual([100, 50, 50])
    const waiting = other.take(10)
    expect(await settled(waiting)).toBe(false)
    part.give(50)
    await waiting
    expect([whole.used, part.used, other.used]).toEqual([60, 0, 60])
    const full = other.take(10)
    expect(await settled(full)).toBe(false)
    expect(whole.waiting).toBe(0)
    other.give(60)
    await full
    other.give(10)
    expect([whole.used, part.used, other.used]).toEqual([0, 0, 0])
  })

  test('gives back what it took when the wait for the whole is given up', async () => {
    const whole = new MemoryBudget(100)
    whole.tryTake(100)
    const part = new MemoryBudget(60, whole)
    const caller = new AbortController()
    const waiting = part.take(10, caller.signal)
    expect(await settled(waiting)).toBe(false)
    expect(part.used).toBe(10)
    caller.abort(new Error('gave up'))
    await expect(waiting).rejects.toThrow('gave up')
    expect([part.used, whole.used, whole.waiting]).toEqual([0, 100, 0])
  })

  test('hears when somebody waits for the whole', async () => {
    const whole = new MemoryBudget(100)
    whole.tryTake(100)
    const part = new MemoryBudget(60, whole)
    let pressure = 0
    const cancel = part.onPressure(() => pressure++)
    const waiting = whole.take(1)
    expect(pressure).toBe(1)
    cancel()
    whole.give(100)
    await waiting
    expect(pressure).toBe(1)
  })
})
