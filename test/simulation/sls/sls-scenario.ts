import { isMillraceError } from '../../../src/core/index.ts'
import { MemoryBudget } from '../../../src/sink/index.ts'
import { ByteBudget } from '../../../src/source/index.ts'
import { SimNetwork, type SimProcess } from '../../../src/testing/index.ts'
import { encodeCursor } from '../../../src/wire/index.ts'
import { defineScenario } from '../play.ts'
import { countsTruth } from '../scenarios/counts.ts'
import { groupJob } from './group-job.ts'
import { lineJob } from './line-job.ts'
import { MirrorTruth } from './mirror-truth.ts'
import { queries, readingOf, type SimQuery } from './reading.ts'
import type { Spell } from './routing.ts'
import { ServiceTruth } from './service-truth.ts'
import { type PlacedRecord, ShardTruth, type StoredSplit } from './shard-truth.ts'
import { SimLogService, type TimedRule } from './sim-log-service.ts'
import { SimWriters } from './sim-writers.ts'
import { drawSls, type SlsConfig, smallestSls } from './sls-config.ts'
import type { Budgets, SlsJobParts } from './sls-job.ts'
import type { Poison } from './stored-group.ts'

/** What ails a target for a while. The client waits two seconds for an answer. */
const spellRules = ({ target: logstore, how, fromMs, untilMs }: Spell): readonly TimedRule[] => {
  const place = { route: 'put', logstore, fromMs, untilMs }
  if (how === 'slow') return [{ ...place, effect: 'latency', ms: 700, probability: 0.8 }]
  if (how === 'silent') return [{ ...place, effect: 'latency', ms: 8_000 }]
  return [{ ...place, effect: 'error', status: 503, errorCode: 'ServerBusy', probability: 0.95 }]
}

const rulesOf = ({ throttleRate, errorRate, routing }: SlsConfig): readonly TimedRule[] => [
  { effect: 'error', route: 'pull', status: 403, errorCode: 'ShardReadQuotaExceed', probability: throttleRate },
  { effect: 'error', route: 'put', status: 403, errorCode: 'ShardWriteQuotaExceed', probability: throttleRate },
  { effect: 'error', status: 503, errorCode: 'ServerBusy', probability: errorRate },
  { effect: 'error-after', status: 500, errorCode: 'InternalServerError', probability: errorRate },
  ...(routing?.spell === undefined ? [] : spellRules(routing.spell)),
]

/** The real source, sinks and log service: shards split and merge, all of them crash, and the network loses what it likes. */
export const sls = defineScenario<SlsConfig>({
  name: 'sls',
  required: [
    ...['splits', 'merges', 'service ends', 'in doubt', 'group commits', 'copies put', 'broken groups', 'dead letters'],
    ...['other queries', 'exit CHECKPOINT_MISMATCH', 'passed on', 'unmatched in all', 'not held up'],
  ],
  draw: drawSls,
  smallest: smallestSls,
  open: (config, stage) => {
    const { world } = stage
    const violate = (what: string): void => world.violate(what)
    const network = new SimNetwork(world)
    const query = config.query === undefined ? undefined : queries[config.query]
    const parts: SlsJobParts = { config, stage, network, query, service: () => service }
    const job = config.routing === undefined ? lineJob(parts) : groupJob(parts, config.routing)
    const reading = readingOf(config.routing === undefined ? 'logs' : 'groups', query, config.dropsCopies)
    const shards = new ShardTruth({ name: 'access', reading, violate, given: job.given })
    const mirror = new MirrorTruth(violate)
    const targets = new Map<number, string>()
    const truth: ServiceTruth = new ServiceTruth(violate, {
      stored: (stream, index, group) => {
        const target = targets.get(stream)
        if (target === undefined) shards.stored(stream, index, group)
        else job.stored(target, group)
      },
      changed: (fact) => {
        shards.changed(fact, truth)
        if (fact.kind === 'checkpoint-committed') mirror.told(fact.shard, fact.checkpoint)
        if (fact.kind !== 'logstore-created' || job.targets[fact.logstore] === undefined) return
        for (const { stream } of fact.shards) targets.set(stream, fact.logstore)
      },
      refused: () => service.giveUp(),
    })
    const service = new SimLogService(stage, network, truth, {
      service: config.retentionMs === 0 ? {} : { retentionMs: config.retentionMs, sweepIntervalMs: 1_000 },
      rules: rulesOf(config),
      segmentBytes: config.segmentBytes,
      logstores: { access: config.shards, ...job.targets },
    })
    const perPut = config.routing === undefined ? 2.5 : 1
    const classified = (config.kind ?? 'logs') !== 'logs'
    // What makes whole answers unreadable takes many tries, and checkpoints meanwhile cost most of the time of a seed.
    const poisons: readonly Poison[] = config.checkpointMs < 1000 ? ['log'] : ['log', 'group']
    const writers = new SimWriters(stage, network, {
      config: { ...config, classified, poisons, feedMs: (config.faultMs * 0.7 * perPut) / config.records },
      enough: () => shards.size >= config.records,
      confirmed: (ids) => {
        const lost = ids.find((id) => !shards.has(id))
        if (lost !== undefined) violate(`S7: ${lost} was confirmed, and is not stored`)
      },
    })
    /** What has to come out: of data that expires, what did, and what has not expired yet. */
    const owed = (): readonly PlacedRecord[] => {
      const records = [...shards.records()]
      if (config.retentionMs === 0) return records
      const sinceMs = world.host('sls').wallMs() - config.retentionMs
      return records.filter(({ line, receivedMs }) => receivedMs > sinceMs || stage.sees('out/archive', line))
    }
    const budgets: Budgets[] = []
    const { disk } = world.host()
    disk.observe(({ operation }) => {
      if (operation !== 'powerLoss') return
      mirror.keep((path) =>
        [path, path.replace(/\/g(\d+)\//, '/g$1.sealed/')].some((one) => disk.bytes(one) !== undefined),
      )
    })
    const turns = world.random.fork('queries')
    /** Checkpoints that hold positions. */
    const begun = new Set<string>()
    /** What a process restores that starts now has positions. */
    const hasBegun = (): boolean => {
      const paths = disk.files('ck').map(({ path }) => path.replace('.sealed/', '/'))
      // Generations and ids have as many digits as they ever need: the newest is the last by its name.
      const newest = paths
        .filter((path) => /\/ck-\d+$/.test(path))
        .sort()
        .at(-1)
      return newest !== undefined && begun.has(newest)
    }
    /** Processes that were started with another query over the state of this one. */
    const strangers = new Set<SimProcess>()
    const queryOf = (process: SimProcess): SimQuery | undefined => {
      const isSame = query === undefined || !config.changesQuery || !world.faults.enabled
      if (isSame || !turns.bool(0.5) || !hasBegun()) return query
      strangers.add(process)
      stage.count('other queries')
      return queries[(queries.indexOf(query) + 1) % queries.length]
    }
    const verdict = (): string | undefined => {
      // What an attempt that was left behind in a stalled operation still has comes back when that ends.
      const leftBehind = world.faults.injected.some(([, kind]) => kind === 'stall')
      for (const { process, pulls, packages } of budgets) {
        if (process.end?.kind !== 'returned' || leftBehind) continue
        if (pulls.used !== 0) return `S14: ${process.name} ended with ${pulls.used} bytes of its pulls taken`
        if (packages.used !== 0) return `S14: ${process.name} ended with ${packages.used} bytes of packages taken`
      }
      if (!config.mirrors) return undefined
      const told = truth.logstore('proj', 'access')?.groups.get('watchers')?.checkpoints
      for (const [shard, position] of mirror.positions()) {
        const last = told?.get(shard)?.checkpoint
        if (last !== encodeCursor(position) && !mirror.overtaken(shard)) {
          return `M2: shard ${shard} ended at ${encodeCursor(position)}, and the group was told ${last}`
        }
      }
      return undefined
    }
    return {
      written: () => writers.done && network.underWay === 0 && service.well,
      start: () => {
        service.start()
        writers.start()
      },
      endsByItself: false,
      // A call that failed before the healing may be waiting for its next try, five seconds at the most, and then fail once more.
      slackMs: 12_000,
      compose: (life) => {
        const pulls = new ByteBudget(config.pullBudget)
        const packages = new MemoryBudget(config.sendBudget)
        const own = { process: life.process, pulls, packages }
        budgets.push(own)
        return job.compose(life, queryOf(life.process), own)
      },
      mayEndWith: (error, process) =>
        strangers.has(process) && isMillraceError(error) && error.code === 'CHECKPOINT_MISMATCH',
      outputs: [
        shards.archive('out/archive', () => owed().length),
        // How often each key came is known of what came out.
        config.retentionMs === 0
          ? countsTruth(() => shards.records())
          : { ...countsTruth(() => shards.records()), expected: () => owed().length },
        ...(config.deadLetters ? [shards.deadLetters('out/dead')] : []),
      ],
      state: shards.state(
        config.retentionMs === 0,
        (path, splits) => {
          mirror.published(path, splits)
          if (splits.length > 0) begun.add(path)
          if ((splits as readonly StoredSplit[]).some(({ skip }) => skip > 0)) stage.count('positions within')
        },
        (records) => job.missing(records),
      ),
      complete: () => job.missing(owed()) === undefined,
      progress: () => `${job.progress()} of ${shards.size}`,
      balance: job.balance,
      verdict,
      heal: job.heal,
      counters: () => ({
        records: shards.size,
        expired: shards.size - owed().length,
        shards: shards.shards,
        'copies put': shards.copies,
        'broken groups': shards.broken,
        'dead letters': config.deadLetters ? shards.broken : 0,
        'group commits': mirror.commits,
        'service starts': truth.restarts,
        ...job.counters(),
      }),
    }
  },
})
