import { fileSink } from '../../../src/connectors/files/index.ts'
import { type Log, slsSinkOf, slsSourceOf } from '../../../src/connectors/sls/index.ts'
import type { HttpRequest } from '../../../src/core/index.ts'
import { job } from '../../../src/job/index.ts'
import type { FaultRule } from '../../../src/logservice/index.ts'
import { IoPool, MemoryBudget } from '../../../src/sink/index.ts'
import { ByteBudget } from '../../../src/source/index.ts'
import {
  networkFaultKinds,
  type SeededRandom,
  SimNetwork,
  type SimProcess,
  swarmFaultRates,
} from '../../../src/testing/index.ts'
import { encodeCursor } from '../../../src/wire/index.ts'
import { type BaseConfig, defineScenario, type Life, smallestBase } from '../play.ts'
import { countKeys, countsTruth } from '../scenarios/counts.ts'
import { Copies } from './copies.ts'
import { ServiceTruth } from './service-truth.ts'
import { lineOf, MirrorTruth, type PlacedLog, ShardTruth } from './shard-truth.ts'
import { connection, SimLogService } from './sim-log-service.ts'
import { SimWriters } from './sim-writers.ts'

export interface SlsConfig extends BaseConfig {
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

/** What a process of the job holds, to be given back in the end. */
interface Budgets {
  readonly process: SimProcess
  readonly pulls: ByteBudget
  readonly packages: MemoryBudget
}

const isPut = ({ method, target }: HttpRequest): boolean =>
  method === 'POST' && target.startsWith('/logstores/copy/shards/')

const rulesOf = ({ throttleRate, errorRate }: SlsConfig): readonly FaultRule[] => [
  { effect: 'error', route: 'pull', status: 403, errorCode: 'ShardReadQuotaExceed', probability: throttleRate },
  { effect: 'error', route: 'put', status: 403, errorCode: 'ShardWriteQuotaExceed', probability: throttleRate },
  { effect: 'error', status: 503, errorCode: 'ServerBusy', probability: errorRate },
  { effect: 'error-after', status: 500, errorCode: 'InternalServerError', probability: errorRate },
]

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

/** The real source, sink and log service: shards split and merge, all of them crash, and the network loses what it likes. */
export const sls = defineScenario<SlsConfig>({
  name: 'sls',
  required: ['splits', 'merges', 'service ends', 'in doubt', 'group commits', 'copies put'],
  draw: (random, base) => {
    const config = drawSettings(random, base)
    if (config.retentionMs === 0) return config
    // A service whose clock goes back shows again what had expired, and nobody has to read it then; and a copy of what
    // expired is no copy for the source.
    return { ...config, dropsCopies: false, rates: { ...config.rates, clockJump: 0 } }
  },
  smallest: {
    ...smallestBase,
    ...{ shards: 1, splitRate: 0.3, mergeRate: 0.3, depth: 1, shardsMax: 6, repeats: true, dropsCopies: false },
    ...{ mirrors: true, pullGroups: 3, discoveryMs: 200, tailMs: 50, pullBudget: 1 << 20, sendBudget: 1 << 16 },
    ...{ packageRecords: 4, lingerMs: 10, segmentBytes: 1 << 20, retentionMs: 0, throttleRate: 0, errorRate: 0 },
  },
  open: (config, stage) => {
    const { world } = stage
    const violate = (what: string): void => world.violate(what)
    const network = new SimNetwork(world)
    const shards = new ShardTruth('access', config.dropsCopies, violate)
    const mirror = new MirrorTruth(violate)
    const targets = new Set<number>()
    const truth: ServiceTruth = new ServiceTruth(violate, {
      stored: (stream, index, group) => {
        if (targets.has(stream)) copies.stored(group)
        else shards.stored(stream, index, group)
      },
      changed: (fact) => {
        shards.changed(fact, truth)
        if (fact.kind === 'checkpoint-committed') mirror.told(fact.shard, fact.checkpoint)
        if (fact.kind !== 'logstore-created' || fact.logstore !== 'copy') return
        for (const { stream } of fact.shards) targets.add(stream)
      },
      refused: () => service.giveUp(),
    })
    const copies = new Copies(stage, (request) => service.linesOf(request))
    const service = new SimLogService(stage, network, truth, {
      service: config.retentionMs === 0 ? {} : { retentionMs: config.retentionMs, sweepIntervalMs: 1_000 },
      rules: rulesOf(config),
      segmentBytes: config.segmentBytes,
      logstores: { access: config.shards, copy: 2 },
    })
    const writers = new SimWriters(stage, network, {
      config: { ...config, feedMs: (config.faultMs * 0.7 * 2.5) / config.records },
      enough: () => shards.size >= config.records,
      confirmed: (ids) => {
        const lost = ids.find((id) => !shards.has(id))
        if (lost !== undefined) violate(`S7: ${lost} was confirmed, and is not stored`)
      },
    })
    /** What has to come out: of data that expires, what did, and what has not expired yet. */
    const owed = (): readonly PlacedLog[] => {
      const logs = [...shards.logs()]
      if (config.retentionMs === 0) return logs
      const sinceMs = world.host('sls').wallMs() - config.retentionMs
      return logs.filter(({ line, receivedMs }) => receivedMs > sinceMs || stage.sees('out/archive', line))
    }
    const budgets: Budgets[] = []
    const { disk } = world.host()
    disk.observe(({ operation }) => {
      if (operation !== 'powerLoss') return
      mirror.keep((path) =>
        [path, path.replace(/\/g(\d+)\//, '/g$1.sealed/')].some((one) => disk.bytes(one) !== undefined),
      )
    })
    const source = (life: Life, pulls: ByteBudget) =>
      slsSourceOf(
        {
          ...connection,
          logstore: 'access',
          retry: { attempts: 3, initial: 20, max: 500 },
          discoveryInterval: config.discoveryMs,
          tailWait: config.tailMs,
          idleWait: Math.max(400, config.tailMs),
          pullGroupsMax: config.pullGroups,
          pullBytes: 1 << 16,
          dropResentPackages: config.dropsCopies ? 1000 : 0,
          onDataLoss: config.retentionMs === 0 ? 'fail' : 'earliest',
          consumerGroup: config.mirrors ? 'watchers' : undefined,
        },
        () => ({ transport: network.transport(life.process), budget: pulls }),
      )
    const sink = (life: Life, packages: MemoryBudget) =>
      slsSinkOf<string>(
        {
          ...connection,
          logstore: 'copy',
          log: (line) => ({ contents: { line } }),
          package: { records: config.packageRecords, linger: config.lingerMs },
          retry: { initial: 20, max: 500 },
        },
        () => ({
          transport: copies.watch(network.transport(life.process), isPut),
          batching: { memory: packages, io: new IoPool(3) },
        }),
      )
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
        budgets.push({ process: life.process, pulls, packages })
        return job('sim', { ...life.options, guarantee: 'at-least-once', checkpoint: life.checkpoint }, (flow) => {
          const records = flow.from('log', source(life, pulls)).map(recordOf)
          records
            .map(({ line }) => line)
            .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
          countKeys(records.keyBy(({ key }) => key)).to('counts', fileSink({ dir: 'out/counts', format: 'text' }))
          records
            .map(({ line }) => line)
            .rebalance()
            .to('copy', sink(life, packages))
        })
      },
      outputs: [
        shards.archive('out/archive', () => owed().length),
        // How often each key came is known of what came out.
        config.retentionMs === 0
          ? countsTruth(() => shards.logs())
          : { ...countsTruth(() => shards.logs()), expected: () => owed().length },
      ],
      state: shards.state(config.retentionMs === 0, (path, splits) => mirror.published(path, splits)),
      complete: () => owed().every(({ line }) => copies.has(line)),
      progress: () => `copy ${copies.lines}/${shards.size}`,
      balance: (sum) => [
        ['read', sum('millrace_records_out_total', 'log')],
        ['archived', sum('millrace_records_send_total', 'archive')],
        ['counted', sum('millrace_records_in_total', 'count')],
        ['sent', sum('millrace_records_send_total', 'copy')],
      ],
      verdict,
      counters: () => ({
        records: shards.size,
        expired: shards.size - owed().length,
        shards: shards.shards,
        'in doubt': copies.inDoubt,
        'copies put': shards.copies,
        'group commits': mirror.commits,
        'service starts': truth.restarts,
      }),
    }
  },
})

const recordOf = (log: Log): { readonly line: string; readonly key: string } => ({
  line: lineOf(log, log.get('id') ?? ''),
  key: log.get('key') ?? '',
})
