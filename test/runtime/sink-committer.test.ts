import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkpointId, jsonSerializer } from '../../src/core/index.ts'
import { SinkCommitter } from '../../src/runtime/sink-committer.ts'
import type { StoredBytes } from '../../src/runtime/source-coordinator.ts'
import type { CommitRequest, Committer } from '../../src/sink/index.ts'
import { SeededRandom, VirtualClock } from '../../src/testing/index.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf, type LogLine, rememberingLogger } from './operator-bench.ts'

const id = checkpointId
const serializer = jsonSerializer<string>('test.receipt', 1, (_, value) => value as string)

type Answer = (request: CommitRequest<string>) => void

/** An outside that remembers what was made visible, and how often it was asked. */
class Outside implements Committer<string> {
  readonly visible: string[] = []
  /** One entry per call: what was asked for in it, with the failed attempts before. */
  readonly calls: string[][] = []
  answer: Answer = () => {}
  before: () => Promise<void> | void = () => {}
  orphansAborted = 0
  closed = 0

  async commit(requests: readonly CommitRequest<string>[]): Promise<void> {
    this.calls.push(requests.map(({ committable, retries }) => `${committable}${retries > 0 ? ` #${retries}` : ''}`))
    await this.before()
    for (const request of requests) {
      let refused = false
      this.answer({
        ...request,
        signalAlreadyCommitted: () => {
          refused = true
          request.signalAlreadyCommitted()
        },
        retryLater: (cause) => {
          refused = true
          request.retryLater(cause)
        },
        signalFailed: (cause) => {
          refused = true
          request.signalFailed(cause)
        },
      })
      if (!refused) this.visible.push(request.committable)
    }
  }

  async abortOrphans(): Promise<void> {
    this.orphansAborted++
  }

  async close(): Promise<void> {
    this.closed++
  }
}

const open = (outside = new Outside()) => {
  const clock = new VirtualClock()
  const controller = new AbortController()
  const lines: LogLine[] = []
  const committer = new SinkCommitter({
    uid: 'archive',
    committer: outside,
    serializer,
    clock,
    random: new SeededRandom(1),
    log: rememberingLogger(lines),
    signal: controller.signal,
  })
  return { outside, clock, controller, committer, lines }
}

/** What a checkpoint holds of the sink, as the next attempt reads it. */
const stored = async (committer: SinkCommitter, at: number): Promise<StoredBytes[]> => {
  const writer = new MemoryWriter(at)
  await committer.persist(id(at), writer)
  return writer.parts.map(({ header, bytes }) => ({ name: header.serializer, version: header.version, bytes }))
}

describe('a sink committer', () => {
  test('commits what a checkpoint names when it completes, and nothing that came later', async () => {
    const { committer, outside } = open()
    committer.collect(id(1), ['a', 'b'])
    committer.collect(id(2), ['c'])
    await committer.commitUpTo(id(1))
    expect(outside.visible).toEqual(['a', 'b'])
    expect(outside.calls).toEqual([['a', 'b']])
  })

  test('makes up for a completion it never heard of, oldest first', async () => {
    const { committer, outside } = open()
    committer.collect(id(1), ['a'])
    committer.collect(id(2), ['b', 'c'])
    committer.collect(id(3), ['d'])
    await committer.commitUpTo(id(3))
    expect(outside.calls).toEqual([['a'], ['b', 'c'], ['d']])
  })

  test('takes the id for a high-water mark: a late or repeated completion is nothing new', async () => {
    const { committer, outside } = open()
    committer.collect(id(1), ['a'])
    committer.collect(id(2), ['b'])
    await committer.commitUpTo(id(2))
    await committer.commitUpTo(id(1))
    await committer.commitUpTo(id(2))
    expect(outside.visible).toEqual(['a', 'b'])
    expect(outside.calls).toHaveLength(2)
  })

  test('sends out with the next checkpoint what belonged to one that was given up', async () => {
    const { committer, outside } = open()
    committer.collect(id(1), ['a'])
    // Checkpoint 1 is given up: nobody says so to the committer.
    committer.collect(id(2), ['b'])
    const next = open()
    next.committer.restore(await stored(committer, 2))
    await committer.commitUpTo(id(2))
    await next.committer.commitUpTo(id(2))
    expect(outside.visible).toEqual(['a', 'b'])
    expect(next.outside.visible).toEqual(['a', 'b'])
  })

  test('keeps a receipt in every checkpoint until its commit has returned', async () => {
    const { committer, outside } = open()
    let letGo = (): void => {}
    outside.before = () =>
      new Promise((resolve) => {
        letGo = resolve
      })
    committer.collect(id(1), ['a'])
    const committing = committer.commitUpTo(id(1))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await stored(committer, 2)).toHaveLength(1)
    letGo()
    await committing
    expect(await stored(committer, 2)).toEqual([])
  })

  test('leaves out of a checkpoint what was staged for a later one', async () => {
    const { committer } = open()
    committer.collect(id(1), ['a'])
    committer.collect(id(2), ['b'])
    const next = open()
    next.committer.restore(await stored(committer, 1))
    await next.committer.commitUpTo(id(9))
    expect(next.outside.visible).toEqual(['a'])
  })

  test('commits again after a restore, and takes it well when the outside has it already', async () => {
    const { committer, outside } = open()
    committer.collect(id(1), ['a', 'b'])
    const receipts = await stored(committer, 1)
    await committer.commitUpTo(id(1))
    const next = open()
    next.outside.answer = (request) => {
      if (outside.visible.includes(request.committable)) request.signalAlreadyCommitted()
    }
    next.committer.restore(receipts)
    await next.committer.commitUpTo(id(1))
    expect(next.outside.calls).toEqual([['a', 'b']])
    expect(next.outside.visible).toEqual([])
    expect(await stored(next.committer, 5)).toEqual([])
  })

  test('keeps the number of the checkpoint with a receipt across restores', async () => {
    const { committer } = open()
    committer.collect(id(1), ['a'])
    committer.collect(id(7), ['b'])
    const next = open()
    next.committer.restore(await stored(committer, 7))
    await next.committer.commitUpTo(id(3))
    expect(next.outside.visible).toEqual(['a'])
    await next.committer.commitUpTo(id(7))
    expect(next.outside.visible).toEqual(['a', 'b'])
  })

  test('asks again with back-off for those that were put off, with the number of attempts, until they are done', async () => {
    const { committer, outside, clock, lines } = open()
    let refusals = 3
    outside.answer = (request) => {
      if (request.committable === 'b' && refusals-- > 0) request.retryLater(new Error('busy'))
    }
    committer.collect(id(1), ['a', 'b'])
    committer.collect(id(2), ['c'])
    const committing = committer.commitUpTo(id(2))
    await clock.advance(0)
    expect(outside.calls).toEqual([['a', 'b']])
    await clock.advance(49)
    expect(outside.calls).toHaveLength(1)
    await clock.advance(51)
    expect(outside.calls).toHaveLength(2)
    await clock.advanceUntil(committing)
    expect(outside.calls).toEqual([['a', 'b'], ['b #1'], ['b #2'], ['b #3'], ['c']])
    expect(outside.visible).toEqual(['a', 'b', 'c'])
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { step: 'archive', checkpointId: 1, reason: 'busy' } })
  })

  test('waits ever longer between attempts, up to ten seconds', async () => {
    const { committer, outside, clock } = open()
    const asked: number[] = []
    outside.answer = (request) => {
      asked.push(clock.monoMs())
      if (asked.length < 12) request.retryLater(new Error('busy'))
    }
    committer.collect(id(1), ['a'])
    await clock.advanceUntil(committer.commitUpTo(id(1)))
    const waits = asked.slice(1).map((at, index) => at - (asked[index] ?? 0))
    for (const [index, wait] of waits.entries()) {
      const whole = Math.min(10_000, 100 * 2 ** index)
      expect(wait).toBeGreaterThanOrEqual(whole / 2 - 1e-6)
      expect(wait).toBeLessThanOrEqual(whole + 1e-6)
    }
  })

  test('begins with a short wait again for the receipts of the next checkpoint', async () => {
    const { committer, outside, clock } = open()
    const asked: number[] = []
    outside.answer = (request) => {
      asked.push(clock.monoMs())
      if (asked.length < 7 || request.retries === 0) request.retryLater(new Error('busy'))
    }
    committer.collect(id(1), ['a'])
    committer.collect(id(2), ['b'])
    await clock.advanceUntil(committer.commitUpTo(id(2)))
    expect(outside.visible).toEqual(['a', 'b'])
    expect((asked.at(-1) ?? 0) - (asked.at(-2) ?? 0)).toBeLessThanOrEqual(100)
  })

  test('stops asking when the attempt ends, and keeps the receipt', async () => {
    const { committer, outside, clock, controller } = open()
    outside.answer = (request) => request.retryLater(new Error('busy'))
    committer.collect(id(1), ['a'])
    const committing = failureOf(() => committer.commitUpTo(id(1)))
    await clock.advance(0)
    const reason = new Error('the attempt ends')
    controller.abort(reason)
    expect(await committing).toBe(reason)
    expect(await stored(committer, 1)).toHaveLength(1)
    expect(clock.pendingTimers).toBe(0)
  })

  test('calls it data loss when a receipt can never be honoured, and says which', async () => {
    const { committer, outside } = open()
    outside.answer = (request) => {
      if (request.committable === 'b') request.signalFailed(new Error('the part is gone'))
    }
    committer.collect(id(4), ['a', 'b'])
    const error = await failureOf(() => committer.commitUpTo(id(4)))
    expect(error).toMatchObject({
      code: 'DATA_LOSS',
      remedy: 'stop',
      exitCode: 5,
      place: { step: 'archive', checkpointId: 4 },
      cause: { message: 'the part is gone' },
    })
    expect(outside.visible).toEqual(['a'])
    expect(await stored(committer, 4)).toHaveLength(1)
  })

  test('takes data loss for worse than a receipt that is put off in the same call', async () => {
    const { committer, outside } = open()
    outside.answer = (request) => {
      if (request.committable === 'a') request.retryLater(new Error('busy'))
      else request.signalFailed(new Error('gone'))
    }
    committer.collect(id(1), ['a', 'b'])
    expect(await failureOf(() => committer.commitUpTo(id(1)))).toMatchObject({ code: 'DATA_LOSS' })
  })

  test('keeps every receipt of a call that rejects, and can be asked again', async () => {
    const { committer, outside } = open()
    outside.before = () => Promise.reject(new Error('connection reset'))
    committer.collect(id(1), ['a', 'b'])
    expect(await failureOf(() => committer.commitUpTo(id(1)))).toMatchObject({ message: 'connection reset' })
    outside.before = () => {}
    await committer.commitUpTo(id(2))
    expect(outside.calls).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    expect(outside.visible).toEqual(['a', 'b'])
  })

  test('has one call under way at a time', async () => {
    const { committer, outside } = open()
    let open1 = 0
    let most = 0
    outside.before = async () => {
      most = Math.max(most, ++open1)
      await new Promise((resolve) => setImmediate(resolve))
      open1--
    }
    committer.collect(id(1), ['a'])
    const first = committer.commitUpTo(id(1))
    committer.collect(id(2), ['b'])
    await Promise.all([first, committer.commitUpTo(id(2)), committer.commitUpTo(id(2))])
    expect(most).toBe(1)
    expect(outside.visible).toEqual(['a', 'b'])
  })

  test('closes the outside after the commit that is under way', async () => {
    const { committer, outside } = open()
    const order: string[] = []
    outside.before = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      order.push(`committed, closed ${outside.closed}`)
    }
    committer.collect(id(1), ['a'])
    void committer.commitUpTo(id(1))
    await committer.close()
    expect(order).toEqual(['committed, closed 0'])
    expect(outside.closed).toBe(1)
  })

  test('leaves orphans to the outside', async () => {
    const { committer, outside } = open()
    await committer.abortOrphans()
    expect(outside.orphansAborted).toBe(1)
  })

  test('refuses receipts of another kind or of a newer version', async () => {
    const { committer } = open()
    committer.collect(id(1), ['a'])
    const receipts = await stored(committer, 1)
    const restoring = (change: Partial<StoredBytes>) => () =>
      open().committer.restore(receipts.map((part) => ({ ...part, ...change })))
    expect(restoring({ name: 'other' })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_MISMATCH' }))
    expect(restoring({ version: 2 })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_NEWER' }))
  })
})

/** What happens between the barriers of checkpoints: completion heard or not, and a crash with a restore. */
const someHistory = fc.array(
  fc.record({
    receipts: fc.nat(3),
    fate: fc.constantFrom('completed', 'completed, not heard of', 'given up', 'crash', 'crash half way'),
    failures: fc.nat(2),
  }),
  { maxLength: 12, size: 'max' },
)

describe('the receipts of a sink', () => {
  test('are each made visible once, checkpoint after checkpoint, whatever is lost, given up, put off or crashes', async () => {
    await fc.assert(
      fc.asyncProperty(someHistory, async (history) => {
        const visible: string[] = []
        const begin = () => {
          const attempt = open()
          attempt.outside.answer = (request) => {
            if (refusals > 0) {
              refusals--
              request.retryLater(new Error('busy'))
            } else if (visible.includes(request.committable)) request.signalAlreadyCommitted()
            else visible.push(request.committable)
          }
          return attempt
        }
        let refusals = 0
        let attempt = begin()
        const staged: string[] = []
        for (const [index, { receipts, fate, failures }] of history.entries()) {
          const at = id(index + 1)
          const mine = Array.from({ length: receipts }, (_, n) => `${index}.${n}`)
          staged.push(...mine)
          attempt.committer.collect(at, mine)
          if (fate === 'given up') continue
          const published = await stored(attempt.committer, at)
          if (fate === 'completed, not heard of') continue
          refusals = failures
          if (fate === 'crash half way') {
            const answer = attempt.outside.answer
            let left = 1
            attempt.outside.answer = (request) => {
              if (left-- === 0) throw new Error('killed')
              answer(request)
            }
            await attempt.clock.advanceUntil(
              attempt.committer.commitUpTo(at).catch(() => {}),
              100,
            )
          }
          if (fate !== 'completed') {
            attempt = begin()
            attempt.committer.restore(published)
          }
          await attempt.clock.advanceUntil(attempt.committer.commitUpTo(at))
          refusals = 0
        }
        await attempt.clock.advanceUntil(attempt.committer.commitUpTo(id(1_000)))
        expect([...visible].sort()).toEqual([...staged].sort())
        const checkpoints = visible.map((receipt) => Number(receipt.split('.')[0]))
        expect(checkpoints).toEqual([...checkpoints].sort((a, b) => a - b))
      }),
      { numRuns: 100 },
    )
  })
})
