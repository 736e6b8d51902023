import { describe, expect, it } from 'vitest'
import { MetricRegistry } from '../../src/core/index.ts'
import { ByteBudget, type EventTimeOptions, type Fetched, SplitWatermarks } from '../../src/source/index.ts'
import { CountingService, type CountingSplit, counting, drain, readerOf, recordBytes } from './counting-splits.ts'

/** The event time of a record is its number in seconds, and the last two of an answer are the wrong way round. */
class TimedService extends CountingService {
  override async fetch(split: CountingSplit, signal: AbortSignal): Promise<Fetched<string, CountingSplit>> {
    const fetched = await super.fetch(split, signal)
    const timestamps = fetched.records
      .slice(0, fetched.records.length)
      .map((record) => Number(record.split(':')[1]) * 1_000)
    return { ...fetched, timestamps: [...timestamps.slice(0, -2), ...timestamps.slice(-2).reverse()] }
  }
}

const open = (
  eventTime: Partial<EventTimeOptions> = {},
  options: Parameters<typeof readerOf>[1] = {},
  service = new TimedService(),
) => {
  const registry = new MetricRegistry({ job: 'test' })
  const watermarks = new SplitWatermarks({ outOfOrdernessMs: 0, idleAfterMs: undefined, ...eventTime })
  const metrics = registry.step({ step: 'in', subtask: 0 })
  const { reader, clock } = readerOf(service, { watermarks, metrics, ...options })
  const told = () => [registry.sum('millrace_watermark_ms'), registry.sum('millrace_splits_idle')]
  return { service, watermarks, reader, clock, told }
}

describe('a fetching reader that follows event time', () => {
  it('tells the watermark of the records given out, not of those fetched ahead', async () => {
    const { service, reader, clock, told } = open({ outOfOrdernessMs: 500 }, { batchRecordsMax: 2 })
    service.available.set('a', 40).set('b', 4)
    reader.addSplits([counting('a'), counting('b')])
    expect(told()).toEqual([undefined, 0])
    reader.start()
    await clock.yield()
    expect(told()).toEqual([undefined, 0])
    reader.poll()
    expect(told()).toEqual([undefined, 0])
    reader.poll()
    expect(told()).toEqual([499, 0])
    reader.poll()
    expect(told()).toEqual([499, 0])
    reader.poll()
    expect(told()).toEqual([2_499, 0])
    await drain(reader, clock)
    expect(told()).toEqual([2_499, 0])
    await reader.close()
  })

  it('lets the watermark go on without a split that has nothing, until it has something', async () => {
    const { service, reader, clock, told } = open({ idleAfterMs: 1_000 })
    service.available.set('a', 4)
    reader.addSplits([counting('a'), counting('b')])
    reader.start()
    await clock.advance(900)
    await drain(reader, clock)
    expect(told()).toEqual([undefined, 0])
    await clock.advance(200)
    expect(told()).toEqual([2_999, 1])
    service.available.set('b', 1)
    await clock.advance(200)
    expect(await drain(reader, clock)).toEqual(['b:0'])
    expect(told()).toEqual([2_999, 0])
    await reader.close()
  })

  it('does not take a split for idle while it is paused', async () => {
    const { service, reader, clock, told } = open({ idleAfterMs: 1_000 })
    service.available.set('a', 4)
    reader.addSplits([counting('a'), counting('b')])
    reader.start()
    await drain(reader, clock)
    await clock.advance(600)
    reader.pauseOrResumeSplits(['a', 'b'], [])
    await clock.advance(60_000)
    expect(told()).toEqual([undefined, 0])
    reader.pauseOrResumeSplits([], ['a', 'b'])
    await clock.advance(399)
    expect(told()).toEqual([undefined, 0])
    await clock.advance(2)
    // Idle all of them: the watermark stands where it is.
    expect(told()).toEqual([undefined, 2])
    await reader.close()
  })

  it('does not take a split for idle whose records wait, for a poll or for memory', async () => {
    const budget = new ByteBudget(4 * recordBytes)
    const { service, reader, clock, told } = open({ idleAfterMs: 1_000 }, { budget })
    service.available.set('a', 4).set('b', 4)
    reader.addSplits([counting('a'), counting('b')])
    reader.start()
    await clock.advance(60_000)
    expect(service.fetches).toEqual(['a:0'])
    expect(told()).toEqual([undefined, 0])
    expect(await drain(reader, clock)).toHaveLength(8)
    expect(told()).toEqual([2_999, 0])
    await clock.advance(1_200)
    expect(told()).toEqual([2_999, 2])
    await reader.close()
  })

  it('does not take a split for idle that is not read yet', async () => {
    const { service, reader, clock, told } = open({ idleAfterMs: 1_000 }, { activeSplitsMax: 1 })
    service.available.set('a', 4)
    reader.addSplits([counting('a'), counting('b', 4)])
    reader.start()
    await drain(reader, clock)
    await clock.advance(60_000)
    expect(told()).toEqual([undefined, 1])
    await reader.close()
  })

  it('knows the last watermark of a split when it ends', async () => {
    const service = new TimedService()
    const { watermarks, reader, clock, told } = open({}, {}, service)
    const final: (number | undefined)[] = []
    service.onFinished = ({ splitId }) => final.push(watermarks.of(splitId, clock.monoMs())?.watermarkMs)
    reader.addSplits([counting('a', 6), counting('b', 3), counting('done', 5, 5)])
    reader.notifyNoMoreSplits()
    reader.start()
    await drain(reader, clock)
    expect(final).toEqual([undefined, 1_999, 4_999])
    expect(told()).toEqual([4_999, 0])
    expect(watermarks.of('a', 0)).toBeUndefined()
  })

  it('tells nothing of records without event times, and nothing at all unless it is asked to', async () => {
    const untimed = open({ idleAfterMs: 1_000 }, {}, new CountingService())
    untimed.service.available.set('a', 4)
    untimed.reader.addSplits([counting('a')])
    untimed.reader.start()
    await untimed.clock.advance(900)
    await drain(untimed.reader, untimed.clock)
    await untimed.clock.advance(900)
    expect(untimed.told()).toEqual([undefined, 0])
    await untimed.reader.close()
    const { reader, told } = open({}, { watermarks: undefined })
    reader.addSplits([counting('a')])
    expect(told()).toEqual([undefined, undefined])
  })
})
