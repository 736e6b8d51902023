import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DeadLetter, SourceError } from '../../src/core/index.ts'
import { ByteBudget } from '../../src/source/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import {
  CountingService,
  type CountingSplit,
  counting,
  drain,
  readerOf,
  recordBytes,
  throttled,
} from './counting-splits.ts'

const numbers = (splitId: string, end: number, from = 0): string[] =>
  Array.from({ length: end - from }, (_, index) => `${splitId}:${from + index}`)

const only = (records: readonly string[], splitId: string): string[] =>
  records.filter((record) => record.startsWith(`${splitId}:`))

const tenSplits = (): CountingSplit[] => Array.from({ length: 10 }, (_, index) => counting(`s${index}`, 10))

describe('reading splits', () => {
  it('gives every record of every split once, in order within its split, and then ends', async () => {
    const { reader, clock } = readerOf(new CountingService())
    reader.addSplits(tenSplits())
    reader.notifyNoMoreSplits()
    reader.start()
    const taken = await drain(reader, clock)
    expect(taken).toHaveLength(100)
    for (const { splitId } of tenSplits()) expect(only(taken, splitId)).toEqual(numbers(splitId, 10))
    expect(reader.poll()).toEqual({ kind: 'end' })
    await reader.available()
    await reader.close()
  })

  it('takes splits while it reads', async () => {
    const { reader, clock } = readerOf(new CountingService())
    reader.start()
    reader.addSplits([counting('a', 3)])
    expect(await drain(reader, clock)).toEqual(numbers('a', 3))
    reader.addSplits([counting('b', 3)])
    expect(await drain(reader, clock)).toEqual(numbers('b', 3))
  })

  it('fetches nothing before it is started', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service)
    reader.addSplits(tenSplits())
    expect(await drain(reader, clock)).toEqual([])
    expect(service.fetches).toEqual([])
  })

  it('has nothing for a poll without splits, and ends without splits when none will follow', async () => {
    const { reader } = readerOf(new CountingService())
    reader.start()
    expect(reader.poll()).toEqual({ kind: 'nothing' })
    reader.notifyNoMoreSplits()
    expect(reader.poll()).toEqual({ kind: 'end' })
  })

  it('becomes available when data comes', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a')])
    reader.start()
    await drain(reader, clock)
    let available = false
    const waiting = reader.available().then(() => {
      available = true
    })
    await clock.advance(1_000)
    expect(available).toBe(false)
    service.available.set('a', 2)
    await clock.advance(100)
    await waiting
    expect(await drain(reader, clock)).toEqual(['a:0', 'a:1'])
  })

  it('refuses a split it has already', () => {
    const { reader } = readerOf(new CountingService())
    reader.addSplits([counting('a')])
    expect(() => reader.addSplits([counting('a', 1)])).toThrow(/split 'a' is in this reader once/)
  })
})

describe('batches', () => {
  it('are of one fetch, and end at the limits of records and bytes', async () => {
    const service = new CountingService()
    service.fetchRecords = 5
    const { reader, clock } = readerOf(service, { batchRecordsMax: 3, batchBytesMax: 2 * recordBytes })
    reader.addSplits([counting('a', 7)])
    reader.notifyNoMoreSplits()
    reader.start()
    const sizes: number[] = []
    for (;;) {
      await clock.yield()
      const result = reader.poll()
      if (result.kind === 'end') break
      if (result.kind === 'records') sizes.push(result.batch.records.length)
    }
    expect(sizes).toEqual([2, 2, 1, 2])
  })

  it('have at least one record, however small the limits', async () => {
    const { reader, clock } = readerOf(new CountingService(), { batchRecordsMax: 1, batchBytesMax: 1 })
    reader.addSplits([counting('a', 3)])
    reader.start()
    await clock.yield()
    for (const record of ['a:0', 'a:1', 'a:2']) {
      const result = reader.poll()
      expect(result.kind === 'records' ? result.batch.records : []).toEqual([record])
    }
  })

  it('know where each record came from', async () => {
    const { reader, clock } = readerOf(new CountingService(), { batchRecordsMax: 2 })
    reader.addSplits([counting('a', 4)])
    reader.start()
    await clock.yield()
    reader.poll()
    const result = reader.poll()
    expect(result.kind === 'records' && result.batch.origins?.at(1)).toEqual({ split: 'a', position: '3' })
  })

  it('come from the splits in turn', async () => {
    const { reader, clock } = readerOf(new CountingService(), { batchRecordsMax: 2 })
    reader.addSplits([counting('a', 8), counting('b', 8), counting('c', 8)])
    reader.start()
    await clock.yield()
    const order: string[] = []
    for (let count = 0; count < 6; count++) {
      const result = reader.poll()
      if (result.kind === 'records') order.push(result.batch.records[0]?.slice(0, 1) ?? '')
    }
    expect(order.join('')).toBe('abcabc')
  })
})

describe('positions', () => {
  it('are after the last record given out, not after what was fetched', async () => {
    const { reader, clock } = readerOf(new CountingService(), { batchRecordsMax: 1 })
    reader.addSplits([counting('a', 10)])
    reader.start()
    await clock.yield()
    expect(reader.snapshotState(1)).toEqual([counting('a', 10, 0)])
    reader.poll()
    expect(reader.snapshotState(2)).toEqual([counting('a', 10, 1)])
    reader.poll()
    await clock.yield()
    expect(reader.snapshotState(3)).toEqual([counting('a', 10, 2)])
  })

  it('move with answers that have no record', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service)
    const answer = service.fetch.bind(service)
    // Empty answers that skip ten positions, also behind one with records.
    service.fetch = async (split, signal) => {
      const fetched = await answer(split, signal)
      return split.next >= 4 && split.next < 24
        ? { ...fetched, records: [], bytes: 0, waitMs: 0, splitAfter: () => ({ ...split, next: split.next + 10 }) }
        : fetched
    }
    reader.addSplits([counting('a', 26)])
    reader.notifyNoMoreSplits()
    reader.start()
    expect(await drain(reader, clock)).toEqual([...numbers('a', 4), 'a:24', 'a:25'])
    expect(reader.poll()).toEqual({ kind: 'end' })
  })

  it('restore to exactly the records that were not given out, wherever a snapshot falls', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(4), { maxLength: 40 }),
        async (sizes, fetchRecords, batchRecordsMax, restarts) => {
          const splits = sizes.map((size, index) => counting(`s${index}`, size))
          let owned: readonly CountingSplit[] = splits
          const taken: string[] = []
          const run = async (polls: number): Promise<boolean> => {
            const service = new CountingService()
            service.fetchRecords = fetchRecords
            const { reader, clock } = readerOf(service, { batchRecordsMax, budget: new ByteBudget(100) })
            reader.addSplits(owned)
            reader.notifyNoMoreSplits()
            reader.start()
            let ended = false
            for (let poll = 0; poll < polls && !ended; poll++) {
              await clock.yield()
              const result = reader.poll()
              ended = result.kind === 'end'
              if (result.kind === 'records') taken.push(...result.batch.records)
            }
            owned = reader.snapshotState(1)
            await reader.close()
            return ended
          }
          for (const polls of restarts) await run(polls)
          while (!(await run(1_000)));
          for (const [index, size] of sizes.entries()) {
            expect(only(taken, `s${index}`)).toEqual(numbers(`s${index}`, size))
          }
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('dead letters', () => {
  const letter = (name: string) => ({
    letter: (): DeadLetter => ({ step: 'in', reason: 'broken', raw: name, encoding: 'utf8' }),
  })
  /** Every number that divides by three comes as a dead letter. */
  const poisoned = (fetchRecords: number) => {
    const service = new CountingService()
    service.fetchRecords = fetchRecords
    const answer = service.fetch.bind(service)
    service.fetch = async (split, signal) => {
      const fetched = await answer(split, signal)
      const items = fetched.records
        .slice(0, fetched.records.length)
        .map((record, index) => ({ record, bad: (split.next + index) % 3 === 0 }))
      const records = items.flatMap(({ record, bad }) => (bad ? [] : [record]))
      const goodBefore = (index: number): number => items.slice(0, index).filter(({ bad }) => !bad).length
      const deadLetters = items.flatMap(({ record, bad }, index) =>
        bad ? [{ before: goodBefore(index), ...letter(record) }] : [],
      )
      // The first item that lies behind so many records, with a letter before the record of that number not passed.
      const itemsOf = (count: number): number =>
        count === records.length ? items.length : items.findIndex((_, index) => goodBefore(index) === count)
      return { ...fetched, records, deadLetters, splitAfter: (count) => fetched.splitAfter(itemsOf(count)) }
    }
    return service
  }

  it('come once each, with the record behind them, wherever a snapshot falls', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(20),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(4), { maxLength: 20 }),
        async (size, fetchRecords, batchRecordsMax, restarts) => {
          let owned: readonly CountingSplit[] = [counting('a', size)]
          const taken: string[] = []
          const run = async (polls: number): Promise<boolean> => {
            const { reader, clock } = readerOf(poisoned(fetchRecords), { batchRecordsMax })
            reader.addSplits(owned)
            reader.notifyNoMoreSplits()
            reader.start()
            let ended = false
            for (let poll = 0; poll < polls && !ended; poll++) {
              await clock.yield()
              const result = reader.poll()
              ended = result.kind === 'end'
              if (result.kind !== 'records') continue
              const { records, deadLetters = [] } = result.batch
              expect(records.length + deadLetters.length).toBeGreaterThan(0)
              taken.push(...deadLetters.map((make) => make().raw), ...records)
            }
            owned = reader.snapshotState(1)
            await reader.close()
            return ended
          }
          for (const polls of restarts) await run(polls)
          while (!(await run(1_000)));
          const inOrder = taken.sort((a, b) => Number(a.slice(2)) - Number(b.slice(2)))
          expect(inOrder).toEqual(numbers('a', size))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('come from an answer without records too, whose memory is held until they are made', async () => {
    const service = poisoned(1)
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a', 1)])
    reader.notifyNoMoreSplits()
    reader.start()
    await clock.yield()
    const result = reader.poll()
    expect(result).toMatchObject({ kind: 'records', batch: { records: [], bytes: 0 } })
    expect(result.kind === 'records' && result.batch.deadLetters?.map((make) => make().raw)).toEqual(['a:0'])
    expect(service.released).toBe(0)
    expect(reader.poll()).toEqual({ kind: 'end' })
    expect(service.released).toBe(1)
  })
})

describe('finished splits', () => {
  it('stay in the snapshot until a checkpoint that has them completed', async () => {
    const { reader, clock } = readerOf(new CountingService())
    reader.addSplits([counting('a', 2), counting('b')])
    reader.start()
    await drain(reader, clock)
    expect(reader.unfinishedSplitIds()).toEqual(['b'])
    const ids = (id: number): string[] => reader.snapshotState(id).map((split) => split.splitId)
    reader.notifyCheckpointComplete(1)
    expect(ids(2)).toEqual(['a', 'b'])
    expect(ids(3)).toEqual(['a', 'b'])
    reader.notifyCheckpointComplete(1)
    expect(ids(4)).toEqual(['a', 'b'])
    reader.notifyCheckpointComplete(2)
    expect(ids(5)).toEqual(['b'])
  })

  it('are told when their last record is given out, and again when they come from a checkpoint', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service, { batchRecordsMax: 1 })
    reader.addSplits([counting('a', 2), counting('done', 5, 5)])
    expect(service.finished).toEqual(['done'])
    reader.start()
    await clock.yield()
    reader.poll()
    expect(service.finished).toEqual(['done'])
    reader.poll()
    expect(service.finished).toEqual(['done', 'a'])
    expect(reader.snapshotState(1).map((split) => split.splitId)).toEqual(['done', 'a'])
  })

  it('make room for the next one when only some are read at a time', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service, { activeSplitsMax: 2 })
    reader.addSplits(tenSplits())
    reader.notifyNoMoreSplits()
    reader.start()
    await clock.yield()
    expect(new Set(service.fetches.map((fetch) => fetch.split(':')[0]))).toEqual(new Set(['s0', 's1']))
    expect(await drain(reader, clock)).toHaveLength(100)
    expect(service.inFlightMax).toBe(2)
  })
})

describe('fetching ahead', () => {
  it('is one fetch per split beside the one being given out', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service, { batchRecordsMax: 1 })
    reader.addSplits([counting('a', 100)])
    reader.start()
    await clock.advance(10_000)
    expect(service.fetches).toEqual(['a:0'])
    reader.poll()
    await clock.advance(10_000)
    expect(service.fetches).toEqual(['a:0', 'a:4'])
    reader.poll()
    reader.poll()
    await clock.advance(10_000)
    expect(service.fetches).toEqual(['a:0', 'a:4'])
  })

  it('stays within the budget, which is free again when all is read', async () => {
    const service = new CountingService()
    const budget = new ByteBudget(100)
    const { reader, clock } = readerOf(service, { budget, batchRecordsMax: 3 })
    reader.addSplits(tenSplits())
    reader.notifyNoMoreSplits()
    reader.start()
    let most = 0
    for (;;) {
      await clock.yield()
      most = Math.max(most, budget.used)
      if (reader.poll().kind === 'end') break
    }
    expect(most).toBeGreaterThan(50)
    expect(most).toBeLessThanOrEqual(100)
    expect(budget.used).toBe(0)
  })

  it('holds the memory of a batch until the next one is asked for', async () => {
    const service = new CountingService()
    const budget = new ByteBudget(1_000)
    const { reader, clock } = readerOf(service, { budget })
    reader.addSplits([counting('a', 4)])
    reader.start()
    await clock.yield()
    reader.poll()
    expect(budget.used).toBe(4 * recordBytes)
    expect(service.released).toBe(0)
    reader.poll()
    expect(budget.used).toBe(0)
    expect(service.released).toBe(1)
  })

  it('waits as long as an answer says before it asks the split again', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a')])
    reader.start()
    await clock.advance(1_000)
    expect(service.fetches.length).toBe(11)
    await reader.close()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('splits with nothing new', () => {
  it('are asked in groups when they wait for long, none earlier than its wait and none a tenth later', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service)
    const answer = service.fetch.bind(service)
    const asked = new Map<string, number[]>()
    const waitOf = ({ splitId }: CountingSplit): number => 4_000 + 37 * Number(splitId.slice(1))
    service.fetch = async (split, signal) => {
      asked.set(split.splitId, [...(asked.get(split.splitId) ?? []), clock.monoMs()])
      return { ...(await answer(split, signal)), waitMs: waitOf(split) }
    }
    const splits = Array.from({ length: 60 }, (_, index) => counting(`s${index}`))
    reader.addSplits(splits)
    reader.start()
    await clock.advance(7_000)
    await reader.close()
    const moments = splits.map((split) => {
      const [first = 0, second = 0] = asked.get(split.splitId) ?? []
      expect(second - first).toBeGreaterThanOrEqual(waitOf(split))
      expect(second - first).toBeLessThanOrEqual(waitOf(split) * 1.1)
      return second
    })
    expect(new Set(moments).size).toBeLessThanOrEqual(10)
  })
})

describe('a split that is worth a fetch now', () => {
  const hurrying = (waitMs: number) => {
    const service = new CountingService()
    service.waitMs = waitMs
    Object.assign(service, {
      handleSourceEvent: (event: unknown, hurry: (splitId: string) => void) => hurry(String(event)),
    })
    return { service, ...readerOf(service) }
  }

  it('does not wait any longer, and others do', async () => {
    const { service, reader, clock } = hurrying(60_000)
    reader.addSplits([counting('a'), counting('b')])
    reader.start()
    await clock.advance(1_000)
    service.available.set('a', 1)
    reader.handleSourceEvent('a')
    reader.handleSourceEvent('unknown')
    expect(await drain(reader, clock)).toEqual(['a:0'])
    expect(service.fetches).toEqual(['a:0', 'b:0', 'a:0', 'a:1'])
    expect(clock.pendingTimers).toBe(2)
    await reader.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('is fetched once more after the fetch under way, which may have missed the news', async () => {
    const { service, reader, clock } = hurrying(60_000)
    service.holding.add('a')
    reader.addSplits([counting('a')])
    reader.start()
    await clock.yield()
    reader.handleSourceEvent('a')
    service.release('a')
    await clock.advance(1_000)
    expect(service.fetches).toEqual(['a:0', 'a:0'])
    await reader.close()
  })

  it('waits for its back-off all the same after a failure, and while it is paused', async () => {
    const { service, reader, clock } = hurrying(60_000)
    service.failures.set('a', [throttled()])
    reader.addSplits([counting('a')])
    reader.start()
    await clock.yield()
    reader.handleSourceEvent('a')
    await clock.yield()
    expect(service.fetches).toEqual(['a:0'])
    await clock.advance(1_000)
    expect(service.fetches).toEqual(['a:0', 'a:0'])
    reader.pauseOrResumeSplits(['a'], [])
    reader.handleSourceEvent('a')
    await clock.advance(1_000)
    expect(service.fetches).toEqual(['a:0', 'a:0'])
    reader.pauseOrResumeSplits([], ['a'])
    await clock.yield()
    expect(service.fetches).toEqual(['a:0', 'a:0', 'a:0'])
    await reader.close()
  })
})

describe('failures', () => {
  it('that may pass are tried again with back-off, and hold up no other split', async () => {
    const service = new CountingService()
    service.failures.set('a', [throttled(), throttled(), throttled()])
    const backoff = { initialMs: 100, maxMs: 1_000, multiplier: 2, jitter: 0 }
    const { reader, clock } = readerOf(service, { backoff })
    reader.addSplits([counting('a', 4), counting('b', 8)])
    reader.start()
    expect(await drain(reader, clock)).toEqual(numbers('b', 8))
    expect(reader.waitingFor()).toMatch(
      /split a is degraded after 1 failure \(SOURCE_UNAVAILABLE\), next try in 100 ms/,
    )
    await clock.advance(100)
    await clock.advance(199)
    expect(service.fetches.filter((fetch) => fetch === 'a:0')).toHaveLength(2)
    await clock.advance(1)
    expect(service.fetches.filter((fetch) => fetch === 'a:0')).toHaveLength(3)
    await clock.advance(400)
    expect(await drain(reader, clock)).toEqual(numbers('a', 4))
    expect(reader.waitingFor()).not.toMatch(/degraded/)
  })

  it('are retried for ever by default', async () => {
    const service = new CountingService()
    service.failures.set('a', Array.from({ length: 200 }, throttled))
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a', 1)])
    reader.start()
    await clock.advance(3_600_000)
    expect(await drain(reader, clock)).toEqual(['a:0'])
  })

  it('surface from poll when they last longer than allowed', async () => {
    const service = new CountingService()
    service.failures.set('a', Array.from({ length: 200 }, throttled))
    const { reader, clock } = readerOf(service, { retryMaxMs: 60_000 })
    reader.addSplits([counting('a', 1)])
    reader.start()
    await clock.advance(50_000)
    expect(reader.poll()).toEqual({ kind: 'nothing' })
    await clock.advance(30_000)
    await reader.available()
    expect(() => reader.poll()).toThrow(/too many requests/)
  })

  it('that cannot pass surface from poll, again and again', async () => {
    const service = new CountingService()
    service.failures.set('a', [new SourceError('SOURCE_REFUSED', { message: 'no such shard' })])
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a', 1), counting('b', 1)])
    reader.start()
    await clock.yield()
    await reader.available()
    expect(() => reader.poll()).toThrow(/no such shard/)
    expect(() => reader.poll()).toThrow(/no such shard/)
    expect(reader.waitingFor()).toMatch(/failed: SOURCE_REFUSED/)
    await reader.close()
  })

  it('may say themselves how long to wait', async () => {
    const service = new CountingService()
    service.failures.set('a', [throttled()])
    Object.assign(service, { retryWaitMs: () => 5_000 })
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a', 1)])
    reader.start()
    await clock.advance(4_999)
    expect(service.fetches).toHaveLength(1)
    await clock.advance(1)
    expect(service.fetches).toHaveLength(2)
  })
})

describe('paused splits', () => {
  it('neither fetch nor give out, and go on where they were', async () => {
    const service = new CountingService()
    const { reader, clock } = readerOf(service, { batchRecordsMax: 1 })
    reader.addSplits([counting('a', 20), counting('b', 4)])
    reader.start()
    await clock.yield()
    reader.poll()
    reader.pauseOrResumeSplits(['a', 'unknown'], [])
    const before = service.fetches.filter((fetch) => fetch.startsWith('a')).length
    expect(await drain(reader, clock)).toEqual(numbers('b', 4))
    await clock.advance(60_000)
    expect(service.fetches.filter((fetch) => fetch.startsWith('a'))).toHaveLength(before)
    expect(reader.snapshotState(1)).toContainEqual(counting('a', 20, 1))
    expect(reader.waitingFor()).toMatch(/resume of paused splits \(a\)/)
    reader.pauseOrResumeSplits([], ['a', 'unknown'])
    expect(await drain(reader, clock)).toEqual(numbers('a', 20, 1))
  })

  it('drop the answer that is under way, and wait for it before they ask again', async () => {
    const service = new CountingService()
    service.holding.add('a')
    const { reader, clock } = readerOf(service)
    reader.addSplits([counting('a', 4)])
    reader.start()
    await clock.yield()
    reader.pauseOrResumeSplits(['a'], [])
    service.holding.delete('a')
    reader.pauseOrResumeSplits([], ['a'])
    expect(await drain(reader, clock)).toEqual(numbers('a', 4))
    expect(service.fetches).toEqual(['a:0', 'a:0'])
  })

  it('give up what they hold as soon as another split waits for the budget, and fetch it again', async () => {
    const service = new CountingService()
    const budget = new ByteBudget(4 * recordBytes)
    const { reader, clock } = readerOf(service, { budget })
    reader.addSplits([counting('a', 4)])
    reader.start()
    await clock.yield()
    reader.pauseOrResumeSplits(['a'], [])
    await clock.yield()
    expect(budget.used).toBe(4 * recordBytes)
    reader.addSplits([counting('b', 4)])
    expect(await drain(reader, clock)).toEqual(numbers('b', 4))
    reader.pauseOrResumeSplits([], ['a'])
    expect(await drain(reader, clock)).toEqual(numbers('a', 4))
    expect(service.finished).toEqual(['b', 'a'])
  })

  it('give up what they hold when another split needs the budget', async () => {
    const service = new CountingService()
    const budget = new ByteBudget(4 * recordBytes)
    const { reader, clock } = readerOf(service, { budget, batchRecordsMax: 1 })
    reader.addSplits([counting('a', 6)])
    reader.start()
    await clock.yield()
    expect(reader.poll()).toMatchObject({ kind: 'records', batch: { records: ['a:0'] } })
    reader.addSplits([counting('b', 4)])
    reader.pauseOrResumeSplits(['a'], [])
    expect(await drain(reader, clock)).toEqual(numbers('b', 4))
    reader.pauseOrResumeSplits([], ['a'])
    expect(await drain(reader, clock)).toEqual(numbers('a', 6, 1))
    expect(budget.used).toBe(0)
  })
})

describe('closing', () => {
  it.each([
    ['a fetch', (service: CountingService) => service.holding.add('a')],
    ['a wait for new data', (service: CountingService) => service.available.set('a', 0)],
    ['back-off', (service: CountingService) => service.failures.set('a', [throttled()])],
  ])('during %s ends at once and leaves nothing behind', async (_, arrange) => {
    const service = new CountingService()
    arrange(service)
    const budget = new ByteBudget(1_000)
    const { reader, clock } = readerOf(service, { budget })
    reader.addSplits([counting('a'), counting('b', 100)])
    reader.start()
    await clock.yield()
    const available = reader.available()
    await reader.close()
    await reader.close()
    await available
    expect(clock.pendingTimers).toBe(0)
    expect(budget.used).toBe(0)
    expect(service.inFlight.size).toBe(0)
    expect(service.closed).toBe(2)
    expect(reader.poll()).toEqual({ kind: 'nothing' })
  })

  it('during a wait for the budget ends at once', async () => {
    const service = new CountingService()
    const budget = new ByteBudget(10)
    const lease = await budget.acquire(() => 10)
    const { reader, clock } = readerOf(service, { budget })
    reader.addSplits([counting('a', 3)])
    reader.start()
    await clock.yield()
    expect(reader.waitingFor()).toMatch(/free bytes in the budget \(a\)/)
    await reader.close()
    expect(budget.waiting).toBe(0)
    lease.release()
    expect(service.fetches).toEqual([])
  })

  it('works before the start', async () => {
    const { reader } = readerOf(new CountingService(), { clock: new VirtualClock() })
    reader.addSplits([counting('a', 3)])
    await reader.close()
    expect(reader.waitingFor()).toMatch(/closed/)
  })
})

describe('pausing and resuming at random', () => {
  it('loses and repeats nothing', async () => {
    const action = fc.record({
      kind: fc.constantFrom('poll', 'pause', 'resume', 'wait', 'fail'),
      split: fc.nat(3),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), async (actions, size) => {
        const service = new CountingService()
        const budget = new ByteBudget(60)
        const { reader, clock } = readerOf(service, { budget, batchRecordsMax: size })
        const splits = [counting('s0', 20), counting('s1', 20), counting('s2', 20), counting('s3', 20)]
        reader.addSplits(splits)
        reader.notifyNoMoreSplits()
        reader.start()
        const taken: string[] = []
        for (const { kind, split } of actions) {
          const id = `s${split}`
          if (kind === 'pause') reader.pauseOrResumeSplits([id], [])
          else if (kind === 'resume') reader.pauseOrResumeSplits([], [id])
          else if (kind === 'wait') await clock.yield()
          else if (kind === 'fail') service.failures.set(id, [throttled()])
          else {
            const result = reader.poll()
            if (result.kind === 'records') taken.push(...result.batch.records)
          }
        }
        reader.pauseOrResumeSplits(
          [],
          splits.map((split) => split.splitId),
        )
        for (let turn = 0; turn < 1_000 && reader.unfinishedSplitIds().length > 0; turn++) {
          taken.push(...(await drain(reader, clock)))
          await clock.advance(1_000)
        }
        for (const { splitId } of splits) expect(only(taken, splitId)).toEqual(numbers(splitId, 20))
        await reader.close()
        expect(budget.used).toBe(0)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})
