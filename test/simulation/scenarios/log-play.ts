import type { SeededRandom } from '../../../src/testing/index.ts'
import type { OutputTruth, StateTruth } from '../oracle.ts'
import type { BaseConfig, Life, Play, Stage } from '../play.ts'
import { ShardedLog, shardedLogSource } from '../sharded-log.ts'

export interface LogConfig {
  readonly shards: number
  readonly splitRate: number
  readonly mergeRate: number
  readonly pullMax: number
  readonly rpcFailureRate: number
}

export const drawLog = (random: SeededRandom): LogConfig => ({
  shards: 1 + random.int(4),
  splitRate: random.bool(0.7) ? 0.15 : 0,
  mergeRate: random.bool(0.5) ? 0.12 : 0,
  pullMax: random.pick([1, 5, 50]),
  rpcFailureRate: random.pick([0, 0.05, 0.2]),
})

/** The outside of scenarios that read a sharded log: it is written, split and merged while the job runs. */
export const playLog = (config: BaseConfig & LogConfig, stage: Stage) => {
  const { random, world } = stage
  const log = new ShardedLog(config.shards)
  const feedMs = (config.faultMs * 0.7 * 2.5) / config.records
  const feed = (): void => {
    if (log.size >= config.records) return
    for (let n = 1 + random.int(4); n > 0 && log.size < config.records; n--) log.append(random, config.keys)
    if (log.shards.length < 12 && random.bool(config.splitRate)) log.split(random)
    if (random.bool(config.mergeRate)) log.merge(random)
    world.at(random.exponential(feedMs), feed)
  }
  const source = ({ process }: Life) =>
    shardedLogSource({
      log,
      process,
      world,
      random: world.random.fork(`service of ${process.name}`),
      pullMax: config.pullMax,
      failureRate: config.rpcFailureRate,
      discoveryMs: 400,
    })
  const play = {
    written: () => log.size >= config.records,
    start: feed,
    endsByItself: false,
    counters: () => ({ splits: log.splits, merges: log.merges, records: log.size }),
  } satisfies Partial<Play>
  return { log, source, play }
}

/** Every line of the log once, in the order of its shard, parents before children. */
export const archiveTruth = (log: ShardedLog): OutputTruth => ({
  dir: 'out/archive',
  sink: 'archive',
  known: (line) => {
    const record = log.byLine.get(line)
    return record === undefined ? undefined : { stream: `shard-${record.shard}`, index: record.index }
  },
  parents: (stream) => (log.shards[Number(stream.slice(6))]?.parents ?? []).map((parent) => `shard-${parent}`),
  expected: () => log.size,
})

/** The counts in a checkpoint are those of the records before its positions. */
export const shardState = (log: ShardedLog): StateTruth => ({
  source: 'log',
  keyed: 'count',
  countsAt: (splits, enumerator) => {
    const upTo = new Map<number, number>()
    for (const split of splits as { readonly shard: number; readonly next: number }[]) {
      if (upTo.has(split.shard)) return `shard ${split.shard} is in it twice`
      upTo.set(split.shard, split.next)
    }
    const { assigned, finished } = (enumerator ?? { assigned: [], finished: [] }) as Record<string, readonly number[]>
    for (const shard of finished ?? []) {
      if (!upTo.has(shard)) upTo.set(shard, log.shards[shard]?.records.length ?? 0)
    }
    for (const shard of assigned ?? []) if (!upTo.has(shard)) return `shard ${shard} was assigned and is nowhere`
    const counts = new Map<string, number>()
    for (const [shard, next] of upTo) {
      for (const { key } of log.shards[shard]?.records.slice(0, next) ?? []) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return counts
  },
})
