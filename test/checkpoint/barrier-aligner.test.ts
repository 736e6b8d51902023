import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AlignerDecision, BarrierAligner } from '../../src/checkpoint/barrier-aligner.ts'
import { type CheckpointId, checkpointId } from '../../src/core/index.ts'

const id = checkpointId
const none = { kind: 'none' }

describe('a barrier aligner', () => {
  test('blocks only the channel on which the first barrier came', () => {
    const aligner = new BarrierAligner(3)
    expect(aligner.onBarrier(1, id(1))).toEqual({ kind: 'block', id: 1 })
    expect([0, 1, 2].map((channel) => aligner.isBlocked(channel))).toEqual([false, true, false])
    expect(aligner.aligning).toBe(1)
  })

  test('snapshots and unblocks everything when the barrier is in on all channels', () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, id(1))
    expect(aligner.onBarrier(1, id(1))).toEqual({ kind: 'aligned', id: 1 })
    expect([0, 1].map((channel) => aligner.isBlocked(channel))).toEqual([false, false])
    expect(aligner.aligning).toBeUndefined()
  })

  test('never blocks a single channel, whatever comes on it', () => {
    const aligner = new BarrierAligner(1)
    expect(aligner.onBarrier(0, id(1))).toEqual({ kind: 'aligned', id: 1 })
    expect(aligner.onCancelled(0, id(2))).toEqual({ kind: 'aborted', id: 2 })
    expect(aligner.onBarrier(0, id(4))).toEqual({ kind: 'aligned', id: 4 })
    expect(aligner.isBlocked(0)).toBe(false)
  })

  test('gives up n when the barrier of n+1 comes, and aligns n+1 with that channel alone blocked', () => {
    const aligner = new BarrierAligner(3)
    aligner.onBarrier(0, id(1))
    aligner.onBarrier(1, id(1))
    expect(aligner.onBarrier(2, id(2))).toEqual({ kind: 'aborted', id: 1, next: 2 })
    expect([0, 1, 2].map((channel) => aligner.isBlocked(channel))).toEqual([false, false, true])
    expect(aligner.onBarrier(0, id(2))).toEqual({ kind: 'block', id: 2 })
    expect(aligner.onBarrier(1, id(2))).toEqual({ kind: 'aligned', id: 2 })
  })

  test('gives up n and unblocks when n is cancelled', () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, id(1))
    expect(aligner.onCancelled(1, id(1))).toEqual({ kind: 'aborted', id: 1 })
    expect(aligner.isBlocked(0)).toBe(false)
  })

  test('forwards a cancellation that comes before any barrier, once', () => {
    const aligner = new BarrierAligner(2)
    expect(aligner.onCancelled(0, id(1))).toEqual({ kind: 'aborted', id: 1 })
    expect(aligner.onCancelled(1, id(1))).toEqual(none)
  })

  test('gives up n as well when a newer one is cancelled', () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, id(1))
    expect(aligner.onCancelled(1, id(2))).toEqual({ kind: 'aborted', id: 2 })
    expect(aligner.isBlocked(0)).toBe(false)
    expect(aligner.onBarrier(1, id(1))).toEqual(none)
  })

  test('ignores the barrier of a cancelled or older checkpoint and does not block', () => {
    const aligner = new BarrierAligner(2)
    aligner.onCancelled(0, id(2))
    expect(aligner.onBarrier(1, id(2))).toEqual(none)
    expect(aligner.onBarrier(1, id(1))).toEqual(none)
    expect(aligner.isBlocked(1)).toBe(false)
  })

  test('ignores barrier and cancellation of an older checkpoint while it aligns a newer one', () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, id(5))
    expect(aligner.onBarrier(1, id(4))).toEqual(none)
    expect(aligner.onCancelled(1, id(4))).toEqual(none)
    expect(aligner.aligning).toBe(5)
    expect(aligner.isBlocked(1)).toBe(false)
  })

  test('waits for the barrier of a channel that has ended like for any other', () => {
    // There is nothing to tell the aligner: an ended channel stays open for barriers.
    const aligner = new BarrierAligner(2)
    expect(aligner.onBarrier(0, id(1))).toEqual({ kind: 'block', id: 1 })
    expect(aligner.aligning).toBe(1)
  })

  test('refuses a channel that is not its own', () => {
    expect(() => new BarrierAligner(2).onBarrier(2, id(1))).toThrow(/channel 2/)
  })

  test('does what a naive model does, for any interleaving', () => {
    const event = fc.record({
      channel: fc.nat(3),
      id: fc.integer({ min: 1, max: 6 }),
      kind: fc.constantFrom('barrier' as const, 'cancelled' as const),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(event, { maxLength: 40 }), (channels, events) => {
        const aligner = new BarrierAligner(channels)
        const model = new NaiveModel(channels)
        for (const one of events) {
          const channel = one.channel % channels
          if (model.blocked().has(channel)) continue
          const decision =
            one.kind === 'barrier' ? aligner.onBarrier(channel, id(one.id)) : aligner.onCancelled(channel, id(one.id))
          expect(decision).toEqual(model.decide(channel, one.kind, id(one.id)))
          for (let at = 0; at < channels; at++) expect(aligner.isBlocked(at)).toBe(model.blocked().has(at))
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('snapshots each checkpoint at most once, in growing order, and never behind a cancellation', () => {
    const event = fc.record({ channel: fc.nat(2), id: fc.integer({ min: 1, max: 8 }), cancel: fc.boolean() })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const aligner = new BarrierAligner(3)
        let last = 0
        for (const one of events) {
          if (aligner.isBlocked(one.channel)) continue
          const decision = one.cancel
            ? aligner.onCancelled(one.channel, id(one.id))
            : aligner.onBarrier(one.channel, id(one.id))
          if (decision.kind !== 'aligned' && decision.kind !== 'aborted') continue
          expect(decision.id).toBeGreaterThan(last)
          last = decision.id
        }
      }),
    )
  })
})

/** Remembers everything that ever came, and works the answer out from it each time. */
class NaiveModel {
  readonly #channels: number
  readonly #seen: { channel: number; id: CheckpointId }[] = []
  #over = 0

  constructor(channels: number) {
    this.#channels = channels
  }

  blocked(): Set<number> {
    const current = this.#current()
    return new Set(this.#seen.filter((one) => one.id === current).map((one) => one.channel))
  }

  decide(channel: number, kind: 'barrier' | 'cancelled', checkpoint: CheckpointId): AlignerDecision {
    const before = this.#current()
    if (checkpoint <= this.#over || (before !== undefined && checkpoint < before)) return { kind: 'none' }
    if (kind === 'cancelled') {
      this.#over = checkpoint
      return { kind: 'aborted', id: checkpoint }
    }
    this.#seen.push({ channel, id: checkpoint })
    if (before !== undefined && before < checkpoint) {
      this.#over = before
      return { kind: 'aborted', id: before, next: checkpoint }
    }
    if (this.blocked().size < this.#channels) return { kind: 'block', id: checkpoint }
    this.#over = checkpoint
    return { kind: 'aligned', id: checkpoint }
  }

  #current(): CheckpointId | undefined {
    const open = this.#seen.filter((one) => one.id > this.#over).map((one) => one.id)
    return open.length === 0 ? undefined : id(Math.max(...open))
  }
}
