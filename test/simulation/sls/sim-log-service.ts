import { SlsClient } from '../../../src/connectors/sls/index.ts'
import { type BlockCodec, type HttpRequest, isMillraceError, silentLogger } from '../../../src/core/index.ts'
import { type FaultRule, type LogServiceOptions, openLogService, openStorage } from '../../../src/logservice/index.ts'
import {
  directTransport,
  type ProcessEnd,
  type ProcessMain,
  type SimNetwork,
  type SimProcess,
  type World,
} from '../../../src/testing/index.ts'
import { simDirectoryLock } from '../../../src/testing/simulation/sim-directory-lock.ts'
import { decodeLogPackageList, type LogGroupView, viewLogGroup } from '../../../src/wire/index.ts'
import type { Stage } from '../play.ts'
import type { ServiceTruth } from './service-truth.ts'

export const connection = {
  endpoint: 'http://localhost',
  project: 'proj',
  credentials: { accessKeyId: 'id', accessKeySecret: 'secret' },
  timeout: '2s',
} as const

/** A fault of the service, and when; default always. */
export interface TimedRule extends FaultRule {
  readonly fromMs?: number | undefined
  readonly untilMs?: number | undefined
}

export interface SimLogServiceOptions {
  readonly service: Omit<LogServiceOptions, 'auth' | 'projects'>
  /** Faults of the service itself, for as long as things go wrong. */
  readonly rules: readonly TimedRule[]
  readonly segmentBytes: number
  /** Logstores with their numbers of shards. */
  readonly logstores: Readonly<Record<string, number>>
}

/** What may end a service process beside a crash: its disk. It is started again, as an operator would. */
const diskCodes = new Set(['STORAGE_FAILED', 'LOG_STORE_UNAVAILABLE', 'LOG_STORE_FAILED', 'SLS_UNAVAILABLE'])

/** The real log service on a machine of its own, started again whenever it is down. */
export class SimLogService {
  readonly #stage: Stage
  readonly #network: SimNetwork
  readonly #truth: ServiceTruth
  readonly #options: SimLogServiceOptions
  #starts = 0
  #process: SimProcess | undefined
  /** Answers, as long as it lives. */
  #listening: SimProcess | undefined
  /** Somebody has noticed that it cannot write, and will end it soon. */
  #ailing: SimProcess | undefined
  #lz4: BlockCodec | undefined

  constructor(stage: Stage, network: SimNetwork, truth: ServiceTruth, options: SimLogServiceOptions) {
    this.#stage = stage
    this.#network = network
    this.#truth = truth
    this.#options = options
  }

  start(): void {
    const { world } = this.#stage
    this.#process = world.host('sls').spawn(`sls-${++this.#starts}`, this.#main, {
      onEnd: (end, process) => this.#onEnd(end, process),
    })
  }

  /** It answers, and nobody is about to end it. */
  get well(): boolean {
    return this.#listening?.alive === true && this.#listening !== this.#ailing
  }

  /** The storage did not take a write. */
  giveUp(): void {
    const process = this.#process
    if (process === undefined || process === this.#ailing) return
    this.#ailing = process
    this.#stage.world.at(300, () => process.kill())
  }

  /** The LogGroups of a put. */
  groupsOf({ headers, body }: HttpRequest): readonly LogGroupView[] {
    const decoded = (data: Uint8Array, rawBytes: number): LogGroupView =>
      viewLogGroup(this.#lz4?.decompress(data, rawBytes) ?? data)
    if (headers['x-log-mode'] !== 'batch_group') return [decoded(body, Number(headers['x-log-bodyrawsize']))]
    return decodeLogPackageList(body).map(({ data, rawSize = 0 }) => decoded(data, rawSize))
  }

  readonly #main: ProcessMain = async (environment, process) => {
    const { service: given, rules, segmentBytes, logstores } = this.#options
    const { disk } = this.#stage.world.host('sls')
    this.#lz4 ??= await environment.compression.blockCodec('lz4')
    const service = await openLogService(
      { ...given, auth: 'off', projects: ['proj'] },
      {
        ...environment,
        openStorage: async (snapshot) => {
          const lock = simDirectoryLock(disk, process)
          const place = { directory: 'data', lock, snapshot, segmentBytes, reserveBytes: 0, log: silentLogger }
          return await this.#truth.watch(await openStorage({ ...environment, ...place }), environment.compression)
        },
      },
    )
    const transport = directTransport(service.handle, { clock: environment.clock })
    const client = new SlsClient(connection, { ...environment, transport })
    const there = await client.logstores.list()
    for (const [name, shardCount] of Object.entries(logstores)) {
      if (!there.logstores.includes(name)) await client.logstores.create(name, { shardCount })
    }
    const struck = new TimedRules(this.#stage.world, rules, (rule) => service.addFault(rule))
    struck.adjust()
    this.#network.listen('http://localhost', process, async (request, peer) => {
      struck.adjust()
      return await service.handle(request, peer)
    })
    this.#listening = process
    await new Promise(() => {})
  }

  #onEnd(end: ProcessEnd, process: SimProcess): void {
    const { world, count, random } = this.#stage
    count('service ends')
    this.#network.ended(process, end)
    if (end.kind === 'threw') {
      const code = isMillraceError(end.error) ? end.error.code : end.error.name
      count(`service exit ${code}`)
      if (!diskCodes.has(code)) world.violate(`the log service died: ${end.error.stack ?? end.error.message}`)
    }
    world.at(50 + random.exponential(300), () => this.start())
  }
}

/** The faults of one process of the service: each is there while its time is, and none when all is well again. */
class TimedRules {
  readonly #world: World
  readonly #rules: readonly TimedRule[]
  readonly #add: (rule: FaultRule) => () => void
  readonly #removers = new Map<TimedRule, () => void>()

  constructor(world: World, rules: readonly TimedRule[], add: (rule: FaultRule) => () => void) {
    this.#world = world
    this.#rules = rules
    this.#add = add
  }

  adjust(): void {
    const { nowMs, faults } = this.#world
    for (const one of this.#rules) {
      const { fromMs = 0, untilMs = Number.POSITIVE_INFINITY, ...rule } = one
      const isDue = faults.enabled && nowMs >= fromMs && nowMs < untilMs
      const remove = this.#removers.get(one)
      if (isDue && remove === undefined) this.#removers.set(one, this.#add(rule))
      if (isDue || remove === undefined) continue
      this.#removers.delete(one)
      remove()
    }
  }
}
