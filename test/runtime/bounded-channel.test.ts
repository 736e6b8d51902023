import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf, checkpointId, endOfInput, type StreamElement } from '../../src/core/index.ts'
import { BoundedChannel } from '../../src/runtime/bounded-channel.ts'

const batch = (name: number, bytes = 10): StreamElement => batchOf([name], bytes)
const barrier = (id: number): StreamElement => ({ kind: 'barrier', id: checkpointId(id) })
const limits = (batchesMax: number, bytesMax = 1_000_000) => ({ batchesMax, bytesMax })
const isPending = async (promise: void | Promise<void>): Promise<boolean> => {
  const waiting = Symbol('waiting')
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([promise, Promise.resolve(waiting)])) === waiting
}

/** Resolves when the channel rings, also when it rang since the last time. */
const bellOf = (channel: BoundedChannel): (() => Promise<void>) => {
  let rung = false
  let wake = (): void => {}
  channel.onElement(() => {
    rung = true
    wake()
  })
  return async () => {
    if (!rung) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    rung = false
  }
}

describe('a bounded channel', () => {
  test('takes elements at once while there is room, and makes the sender wait when it is full', async () => {
    const channel = new BoundedChannel(limits(2))
    expect(channel.send(batch(1))).toBeUndefined()
    const room = channel.send(batch(2))
    expect(channel.batches).toBe(2)
    expect(await isPending(room)).toBe(true)
    channel.receive()
    expect(await isPending(room)).toBe(false)
  })

  test('is full by bytes as well', async () => {
    const channel = new BoundedChannel(limits(100, 25))
    expect(channel.send(batch(1, 24))).toBeUndefined()
    const room = channel.send(batch(2, 1_000))
    expect(channel.bytes).toBe(1_024)
    channel.receive()
    expect(await isPending(room)).toBe(true)
    channel.receive()
    expect(await isPending(room)).toBe(false)
    expect(channel.bytes).toBe(0)
  })

  test('counts control elements neither as batches nor as bytes', () => {
    const channel = new BoundedChannel(limits(1))
    for (let id = 1; id <= 50; id++) expect(channel.send(barrier(id))).toBeUndefined()
    expect(channel.send(endOfInput)).toBeUndefined()
    expect([channel.batches, channel.bytes, channel.full]).toEqual([0, 0, false])
  })

  test('makes a control element wait behind a full queue, and keeps it in its place', () => {
    const channel = new BoundedChannel(limits(1))
    void channel.send(batch(1))
    expect(channel.send(barrier(7))).toBeInstanceOf(Promise)
    expect(channel.receive()?.kind).toBe('batch')
    expect(channel.receive()?.kind).toBe('barrier')
    expect(channel.receive()).toBeUndefined()
  })

  test('rings for every element', () => {
    const channel = new BoundedChannel(limits(1))
    let rings = 0
    channel.onElement(() => rings++)
    void channel.send(batch(1))
    void channel.send(barrier(1))
    expect(rings).toBe(2)
  })

  test('lets a waiting sender go when it is released, and drops what it holds and what still comes', async () => {
    const channel = new BoundedChannel(limits(1))
    const room = channel.send(batch(1))
    expect(await isPending(room)).toBe(true)
    channel.release()
    expect(await isPending(room)).toBe(false)
    expect(channel.send(batch(2))).toBeUndefined()
    expect(channel.receive()).toBeUndefined()
    expect(channel.full).toBe(false)
  })
})

const someElements = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 100 }) },
    { weight: 1, arbitrary: fc.constant('barrier' as const) },
  ),
  { minLength: 1, maxLength: 25, size: 'max' },
)
const someLimits = fc.record({ batchesMax: fc.integer({ min: 1, max: 4 }), bytesMax: fc.integer({ min: 1, max: 150 }) })

describe('a bounded channel between two loops in any order of turns', () => {
  test('keeps its bound, keeps the order, and never leaves either of them waiting', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someElements, someLimits, async (s, drawn, bound) => {
        const channel = new BoundedChannel(bound)
        const elements = drawn.map((bytes, n) => (bytes === 'barrier' ? barrier(n) : batch(n, bytes)))
        const largest = Math.max(0, ...elements.map((element) => (element.kind === 'batch' ? element.bytes : 0)))
        const bell = bellOf(channel)
        const received: StreamElement[] = []
        const sender = async (): Promise<void> => {
          for (const element of elements) {
            await s.schedule(Promise.resolve(), 'send')
            await channel.send(element)
          }
        }
        const receiver = async (): Promise<void> => {
          while (received.length < elements.length) {
            await s.schedule(Promise.resolve(), 'receive')
            expect(channel.batches).toBeLessThanOrEqual(bound.batchesMax)
            expect(channel.bytes).toBeLessThan(bound.bytesMax + Math.max(1, largest))
            const element = channel.receive()
            if (element === undefined) await bell()
            else received.push(element)
          }
        }
        const both = Promise.all([sender(), receiver()])
        await s.waitFor(both)
        expect(received).toEqual(elements)
        expect([channel.batches, channel.bytes]).toEqual([0, 0])
      }),
      { numRuns: 200 },
    )
  })

  test('lets the sender finish whenever it is released', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someElements, fc.nat(10), async (s, drawn, received) => {
        const channel = new BoundedChannel({ batchesMax: 1, bytesMax: 50 })
        const sender = async (): Promise<void> => {
          for (const [n, bytes] of drawn.entries()) {
            await s.schedule(Promise.resolve(), 'send')
            await channel.send(bytes === 'barrier' ? barrier(n) : batch(n, bytes))
          }
        }
        const releaser = async (): Promise<void> => {
          for (let turn = 0; turn < received; turn++) {
            await s.schedule(Promise.resolve(), 'receive')
            channel.receive()
          }
          await s.schedule(Promise.resolve(), 'release')
          channel.release()
        }
        await s.waitFor(Promise.all([sender(), releaser()]))
        expect(channel.receive()).toBeUndefined()
      }),
      { numRuns: 200 },
    )
  })
})
