import { networkFaultKinds, type SeededRandom, swarmFaultRates } from '../../../src/testing/index.ts'
import { type BaseConfig, smallestBase } from '../play.ts'
import { queries } from './reading.ts'
import { drawRouting, type RoutingConfig } from './routing.ts'

/**
 * What kind of job: it reads logs, those that a query of the service lets through, or LogGroups that it passes on by
 * their topic.
 */
export type SlsKind = 'logs' | 'query' | 'groups'

export interface SlsConfig extends BaseConfig {
  /** Undefined in old plans: `logs`. */
  readonly kind?: SlsKind | undefined
  /** Number of the query, if there is one. */
  readonly query?: number | undefined
  /** Some processes are started with another query: they must refuse what the others left. */
  readonly changesQuery?: boolean | undefined
  /** How likely a group is followed by one that cannot be read. */
  readonly poisonRate?: number | undefined
  /** Those go to the dead-letter sink; else they are passed over. */
  readonly deadLetters?: boolean | undefined
  /** Of `groups`. */
  readonly routing?: RoutingConfig | undefined
  readonly shards: number
  readonly splitRate: number
  readonly mergeRate: number
  readonly depth: number
  readonly shardsMax: number
  /** The writers put again what may be there already. */
  readonly repeats: boolean
  /** They put some again much later. */
  readonly lateCopies?: boolean | undefined
  /** The source drops groups that were put twice. */
  readonly dropsCopies: boolean
  /** Tells a consumer group how far it is. */
  readonly mirrors: boolean
  readonly pullGroups: number
  readonly discoveryMs: number
  /** Wait after a pull that got all there was: with a long one much is unread when a shard is split. */
  readonly tailMs: number
  /** Bytes for pulls, and for packages, in one process. */
  readonly pullBudget: number
  readonly sendBudget: number
  readonly packageRecords: number
  readonly lingerMs: number
  readonly segmentBytes: number
  /** Data is kept for so long, and the source accepts that it is gone; 0: for ever. */
  readonly retentionMs: number
  /** Requests that the service refuses by its quotas, and those it fails before or after their effect. */
  readonly throttleRate: number
  readonly errorRate: number
}

const drawSettings = (random: SeededRandom, base: BaseConfig): SlsConfig => ({
  ...base,
  rates: { ...base.rates, ...swarmFaultRates(random, networkFaultKinds) },
  shards: 1 + random.int(4),
  splitRate: random.bool(0.7) ? 0.15 : 0,
  mergeRate: random.bool(0.5) ? 0.15 : 0,
  depth: random.pick([1, 1, 3, 8]),
  shardsMax: 6 + random.int(18),
  repeats: random.bool(0.6),
  dropsCopies: random.bool(0.4),
  mirrors: random.bool(0.7),
  pullGroups: random.pick([1, 3, 1000]),
  discoveryMs: random.pick([200, 400, 1000]),
  tailMs: random.pick([5, 50, 800]),
  pullBudget: random.pick([70_000, 1 << 20, 1 << 26]),
  sendBudget: random.pick([2_000, 1 << 16, 1 << 24]),
  packageRecords: random.pick([1, 4, 4096]),
  lingerMs: random.pick([10, 200, 3_000]),
  segmentBytes: random.pick([1024, 4096, 1 << 20]),
  retentionMs: random.pick([0, 0, 0, 0, 3_000]),
  throttleRate: random.pick([0, 0, 0.1]),
  errorRate: random.pick([0, 0, 0.03]),
  lateCopies: random.bool(0.4),
})

/** Much at once that goes out bit by bit, each put by itself: barriers fall between records of a pull. */
const halfRead = {
  ...{ batchRecords: 1, channelBatches: 1, checkpointMs: 100, pullGroups: 1000, tailMs: 800 },
  ...{ sendBudget: 300, packageRecords: 1 },
}

/** Nothing but a target that does not answer goes wrong, and no checkpoint waits for it meanwhile. */
const patient = {
  ...{ rates: {}, rotten: false, directed: false, stopRate: 0, splitRate: 0, mergeRate: 0 },
  ...{ throttleRate: 0, errorRate: 0, retentionMs: 0, lingerMs: 10, sendBudget: 1 << 24 },
  ...{ faultMs: 10_000, checkpointMs: 30_000, timeoutMs: 20_000 },
}

const drawKind = (random: SeededRandom, config: SlsConfig): SlsConfig => {
  const kind = random.pick(['logs', 'logs', 'query', 'groups'] as const)
  const poisonRate = random.pick([0, 0, 0, 0.5])
  const poison = { poisonRate, deadLetters: config.retentionMs === 0 && random.bool(0.7) }
  const pace = random.bool(0.5) ? halfRead : {}
  if (kind === 'logs') return { ...config, kind, ...poison, ...(poisonRate > 0 ? pace : {}) }
  if (kind === 'query') {
    return { ...config, kind, query: random.int(queries.length), changesQuery: random.bool(0.4), ...pace }
  }
  const routing = drawRouting(random, config.faultMs)
  const query = random.bool(0.25) ? random.int(queries.length) : undefined
  // Each is put by itself, where a put of logs brings some more.
  const records = 8 + Math.floor(config.records / 2)
  const passing = { ...config, kind, query, routing, records }
  if (routing.patient) return { ...passing, ...patient }
  // The service looks into groups for a query, and cannot into these.
  return query === undefined ? { ...passing, ...poison } : passing
}

export const drawSls = (random: SeededRandom, base: BaseConfig): SlsConfig => {
  const config = keepable(drawKind(random, drawSettings(random, base)))
  // Under a query nothing tells a copy from what it is a copy of: a log has no cursor of its own there.
  const isCopyUnknown = config.query !== undefined && !config.dropsCopies
  return isCopyUnknown ? { ...config, repeats: false, lateCopies: false } : config
}

const keepable = (config: SlsConfig): SlsConfig => {
  if (config.retentionMs === 0) return config
  // A service whose clock goes back shows again what had expired, and nobody has to read it then; and a copy of what
  // expired is no copy for the source.
  return { ...config, dropsCopies: false, rates: { ...config.rates, clockJump: 0 } }
}

export const smallestSls: SlsConfig = {
  ...smallestBase,
  ...{ shards: 1, splitRate: 0.3, mergeRate: 0.3, depth: 1, shardsMax: 6, repeats: true, dropsCopies: false },
  ...{ mirrors: true, pullGroups: 3, discoveryMs: 200, tailMs: 50, pullBudget: 1 << 20, sendBudget: 1 << 16 },
  ...{ packageRecords: 4, lingerMs: 10, segmentBytes: 1 << 20, retentionMs: 0, throttleRate: 0, errorRate: 0 },
}
