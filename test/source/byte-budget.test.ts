import { describe, expect, it } from 'vitest'
import { ByteBudget } from '../../src/source/index.ts'

/** Whether a promise has settled by now. */
const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false
  promise.then(
    () => {
      done = true
    },
    () => {
      done = true
    },
  )
  for (let turn = 0; turn < 5; turn++) await undefined
  return done
}

describe('a byte budget', () => {
  it('grants what is free and makes the next one wait', async () => {
    const budget = new ByteBudget(100)
    const first = await budget.acquire(() => 60)
    const second = budget.acquire(() => 60)
    expect(await settled(second)).toBe(false)
    expect(budget.waiting).toBe(1)
    first.release()
    expect((await second).bytes).toBe(60)
    expect(budget.used).toBe(60)
  })

  it('serves in order: a small request does not overtake a large one', async () => {
    const budget = new ByteBudget(100)
    const first = await budget.acquire(() => 60)
    const large = budget.acquire(() => 90)
    const small = budget.acquire(() => 10)
    expect(await settled(small)).toBe(false)
    first.release()
    await large
    expect(await settled(small)).toBe(true)
  })

  it('asks again how much is wanted when the turn comes', async () => {
    const budget = new ByteBudget(100)
    const first = await budget.acquire(() => 60)
    let wanted = 50
    const second = budget.acquire(() => wanted)
    wanted = 70
    first.release()
    expect((await second).bytes).toBe(70)
    expect(budget.used).toBe(70)
  })

  it('gives all of it to a request for more, when nobody else holds anything', async () => {
    const budget = new ByteBudget(100)
    const first = await budget.acquire(() => 1)
    const huge = budget.acquire(() => 1_000_000)
    expect(await settled(huge)).toBe(false)
    first.release()
    expect((await huge).bytes).toBe(100)
  })

  it('corrects an estimate, and lets nobody in while it is overdrawn', async () => {
    const budget = new ByteBudget(100)
    const lease = await budget.acquire(() => 10)
    lease.resize(300)
    expect(budget.used).toBe(300)
    const next = budget.acquire(() => 1)
    expect(await settled(next)).toBe(false)
    lease.resize(99)
    expect(await settled(next)).toBe(true)
  })

  it('forgets who stopped waiting, and serves those behind', async () => {
    const budget = new ByteBudget(100)
    const first = await budget.acquire(() => 60)
    const controller = new AbortController()
    const large = budget.acquire(() => 90, controller.signal)
    const small = budget.acquire(() => 40)
    controller.abort(new Error('closed'))
    await expect(large).rejects.toThrow('closed')
    await small
    expect(budget.used).toBe(100)
    first.release()
    first.release()
    expect(budget.used).toBe(40)
    await expect(budget.acquire(() => 1, controller.signal)).rejects.toThrow('closed')
  })

  it('tells when somebody has to wait', async () => {
    const budget = new ByteBudget(100)
    let pressure = 0
    const cancel = budget.onPressure(() => pressure++)
    const first = await budget.acquire(() => 100)
    expect(pressure).toBe(0)
    const second = budget.acquire(() => 1)
    expect(pressure).toBe(1)
    first.release()
    await second
    cancel()
    void budget.acquire(() => 100)
    expect(pressure).toBe(1)
  })
})
