import { type Log, SlsClient, type SlsSourceOptions, slsSourceOf } from '../../../../src/connectors/sls/index.ts'
import type { HttpRequest } from '../../../../src/core/index.ts'
import { type Environment, silentLogger } from '../../../../src/core/index.ts'
import {
  type LogService,
  type LogServiceOptions,
  openLogService,
  openStorage,
} from '../../../../src/logservice/index.ts'
import { ByteBudget } from '../../../../src/source/index.ts'
import { type DirectFault, directTransport } from '../../../../src/testing/direct-transport.ts'
import { type MemoryEnvironment, memoryEnvironment } from '../../../../src/testing/index.ts'
import { simDirectoryLock } from '../../../../src/testing/simulation/sim-directory-lock.ts'

export const connection = {
  endpoint: 'http://localhost',
  project: 'proj',
  credentials: { accessKeyId: 'id', accessKeySecret: 'secret' },
} as const

/** A request of a source, in short: `GET /logstores/access/shards`. */
export interface SeenCall {
  readonly what: string
  readonly atMs: number
  readonly query: URLSearchParams
}

/** The embedded log service over a simulated disk, in virtual time, and a client to act on it. */
export class TestLogstores {
  readonly environment: MemoryEnvironment
  readonly service: LogService
  readonly client: SlsClient
  /** Requests of sources, in order. */
  readonly calls: SeenCall[] = []
  /** Asked for every request of a source. */
  fault: (call: SeenCall) => DirectFault | undefined = () => undefined
  #sequence = 0

  constructor(environment: MemoryEnvironment, service: LogService) {
    this.environment = environment
    this.service = service
    this.client = new SlsClient(connection, {
      ...environment,
      transport: this.#transport(environment, () => undefined),
    })
  }

  static async open(options: Partial<LogServiceOptions> = {}): Promise<TestLogstores> {
    const environment = memoryEnvironment()
    const { fs, clock, random, digest, compression, disk } = environment
    const ports = { fs, clock, random, digest, log: silentLogger }
    const lock = simDirectoryLock(disk, { name: 'service', alive: true })
    const service = await openLogService(
      { auth: 'off', projects: ['proj'], ...options },
      {
        clock,
        random,
        digest,
        compression,
        openStorage: (snapshot) => openStorage({ directory: 'sls', ...ports, lock, snapshot, reserveBytes: 0 }),
      },
    )
    return new TestLogstores(environment, service)
  }

  #transport(environment: Environment, faultOf: (request: HttpRequest) => DirectFault | undefined) {
    return directTransport(this.service.handle, { clock: environment.clock, faultOf })
  }

  /** A source that finds new shards and data within milliseconds. */
  source<const Records extends 'logs' | 'groups' = 'logs'>(options: Partial<SlsSourceOptions<Records>> = {}) {
    const quick = { discoveryInterval: 100, tailWait: 5, idleWait: 20, pullsPerSecondMax: 1000 } as const
    const all = { ...connection, ...quick, ...options } as SlsSourceOptions<Records>
    return slsSourceOf(all, (environment) => ({
      transport: this.#transport(environment, (request) => this.#seen(request)),
      budget: new ByteBudget(64 * 1024 * 1024),
    }))
  }

  #seen({ method, target }: HttpRequest): DirectFault | undefined {
    const [path = '', query = ''] = target.split('?')
    const call = { what: `${method} ${path}`, atMs: this.environment.clock.monoMs(), query: new URLSearchParams(query) }
    this.calls.push(call)
    return this.fault(call)
  }

  async create(logstore = 'access', shardCount = 1): Promise<void> {
    await this.client.logstores.create(logstore, { shardCount, ttlDays: 7 })
  }

  /** One LogGroup with a log for each message, where a hash key leads. */
  async put(
    messages: readonly string[],
    hashKey = '0',
    options: { readonly logstore?: string; readonly tags?: readonly (readonly [string, string])[] } = {},
  ): Promise<void> {
    const logs = messages.map((message) => ({ time: 1_700_000_000 + this.#sequence++, contents: { message } }))
    const group = { logs, topic: 'topic', source: '10.0.0.1', tags: options.tags ?? [] }
    await this.client.put(options.logstore ?? 'access', group, { hashKey: hashKey.padEnd(32, '0') })
  }
}

export const messages = (name: string, count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${from + index}`)

export const texts = (logs: readonly unknown[]): string[] => logs.map((log) => (log as Log).get('message') ?? '')

export const sorted = (logs: readonly unknown[]): string[] => texts(logs).sort()
