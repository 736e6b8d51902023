import type { GroupProgress, LogstoreCalls } from './log-service.ts'
import type { ListedShard } from './shard-book.ts'
import { newShardSplit, type ShardSplit } from './shard-split.ts'
import type { EndSetting, PositionSetting, StartSetting } from './source-position.ts'

/** What is asked of the service at once. */
const callsAtOnce = 16

export interface StartRules {
  readonly start: StartSetting
  readonly end: EndSetting | null
  readonly queryHash: string | null
}

/**
 * Runs `work` for every item, a few at a time, and gives the results in order. The first failure is thrown, and the others
 * are given up. Each has a signal of its own: many listeners on one are taken for a leak.
 */
export const inTurns = async <T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> => {
  const results = new Array<R>(items.length)
  const turns = Array.from({ length: Math.min(callsAtOnce, items.length) }, () => new AbortController())
  const stop = (): void => {
    for (const turn of turns) turn.abort(signal.reason)
  }
  signal.throwIfAborted()
  signal.addEventListener('abort', stop, { once: true })
  let next = 0
  const run = async (turn: AbortController): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T, turn.signal)
    }
  }
  try {
    await Promise.all(turns.map(run))
  } catch (thrown) {
    next = items.length
    for (const turn of turns) turn.abort(thrown)
    throw thrown
  } finally {
    signal.removeEventListener('abort', stop)
  }
  return results
}

/** Begins and ends of the shards there are at the first start, each asked for once. */
export const firstSplits = async (
  logstore: string,
  shards: readonly ListedShard[],
  calls: LogstoreCalls,
  rules: StartRules,
  signal: AbortSignal,
): Promise<readonly ShardSplit[]> => {
  const { start, end, queryHash } = rules
  const progress = start.kind === 'group' ? await calls.groupProgress(start.group, signal) : undefined
  const given = givenCursors(start, progress ?? [])
  const fallback = start.kind === 'position' ? start.position : start.orElse
  return await inTurns(shards, signal, async ({ id, createTime, readOnly }, turn) => {
    const split = newShardSplit(logstore, id, createTime, { queryHash })
    const known = given.get(id)
    // A shard that takes no more data has nothing after its end.
    if (known === undefined && fallback === 'latest' && readOnly) return { ...split, state: 'finished' }
    const cursor = known ?? (await positionOf(fallback, id, calls, turn))
    return { ...split, cursor, stop: await stopOf(end, id, calls, turn) }
  })
}

const givenCursors = (start: StartSetting, progress: readonly GroupProgress[]): ReadonlyMap<number, bigint> => {
  if (start.kind === 'cursors') return start.cursors
  return new Map(progress.map(({ shard, cursor }) => [shard, cursor]))
}

/** The earliest position is found when the shard is first read: that costs no extra call now, and is the same one. */
const positionOf = async (
  position: PositionSetting,
  shard: number,
  calls: LogstoreCalls,
  signal: AbortSignal,
): Promise<ShardSplit['cursor']> => {
  if (position === 'earliest') return 'begin'
  if (position === 'latest') return await calls.cursor(shard, 'end', signal)
  return await calls.cursor(shard, { seconds: Math.floor(position.timeMs / 1000) }, signal)
}

/** An end at a time is found by the reader: it may still be to come. */
export const stopOf = async (
  end: EndSetting | null,
  shard: number,
  calls: LogstoreCalls,
  signal: AbortSignal,
): Promise<bigint | null> => {
  if (end === null || end.kind === 'time') return null
  const given = end.kind === 'cursors' ? end.cursors.get(shard) : undefined
  return given ?? (await calls.cursor(shard, 'end', signal))
}
