import { type HttpResponse, type Logger, silentLogger } from '../../src/core/index.ts'
import { type LogService, type LogServiceOptions, openLogService } from '../../src/logservice/index.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { SeededRandom, VirtualClock } from '../../src/testing/index.ts'
import { syncCompression } from '../../src/testing/sync-compression.ts'
import { encodeLogGroup, type LogGroupInit, type ServiceErrorCode, serviceErrors } from '../../src/wire/index.ts'
import { MemoryDisk, openMemoryStorage } from './memory-storage.ts'

export interface Sent {
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string | object
  readonly peer?: string
}

const encoder = new TextEncoder()

const bytesOf = (body: Sent['body']): Uint8Array => {
  if (body === undefined) return new Uint8Array(0)
  if (body instanceof Uint8Array) return body
  return encoder.encode(typeof body === 'string' ? body : JSON.stringify(body))
}

export const jsonOf = (response: HttpResponse): unknown => JSON.parse(new TextDecoder().decode(response.body))

/** A service in memory, with what tests ask of it. */
export class TestService {
  readonly clock: VirtualClock
  readonly disk: MemoryDisk
  readonly service: LogService
  /** What it logged as errors. */
  readonly errors: readonly string[]

  constructor(service: LogService, clock: VirtualClock, disk: MemoryDisk, errors: readonly string[]) {
    this.errors = errors
    this.service = service
    this.clock = clock
    this.disk = disk
  }

  /** @param target path and query, or an absolute form */
  async send(method: string, target: string, { host, headers, body, peer }: Sent = {}): Promise<HttpResponse> {
    const request = { method, target, headers: { host: host ?? 'proj.sls.test', ...headers }, body: bytesOf(body) }
    return this.service.handle(request, { address: peer ?? '127.0.0.1' })
  }

  /** The JSON of an answer that must be 200. */
  async json(method: string, target: string, sent: Sent = {}): Promise<unknown> {
    const response = await this.send(method, target, sent)
    if (response.status !== 200) throw new Error(`${method} ${target}: ${new TextDecoder().decode(response.body)}`)
    return response.body.length === 0 ? undefined : jsonOf(response)
  }

  /** The error code of an answer that must be an error. */
  async refused(method: string, target: string, sent: Sent = {}): Promise<string> {
    const response = await this.send(method, target, sent)
    const { errorCode, errorMessage } = jsonOf(response) as { errorCode: string; errorMessage: string }
    if (errorMessage === '') throw new Error('an error has an empty message')
    const { status } = serviceErrors[errorCode as ServiceErrorCode]
    if (response.status !== status) throw new Error(`${errorCode} has the status ${response.status}, not ${status}`)
    return `${response.status} ${errorCode}`
  }

  async put(target: string, init: LogGroupInit = oneLog('x')): Promise<HttpResponse> {
    const group = encodeLogGroup(init)
    return this.send('POST', target, {
      headers: { 'content-type': 'application/x-protobuf', 'x-log-bodyrawsize': String(group.length) },
      body: group,
    })
  }

  async cursor(logstore: string, shard: number, from: string | number): Promise<string> {
    const target = `/logstores/${logstore}/shards/${shard}?type=cursor&from=${from}`
    return ((await this.json('GET', target)) as { cursor: string }).cursor
  }

  async pull(logstore: string, shard: number, cursor: string, more = '', accept = 'lz4'): Promise<HttpResponse> {
    const query = `type=log&cursor=${encodeURIComponent(cursor)}${more}`
    return this.send('GET', `/logstores/${logstore}/shards/${shard}?${query}`, {
      headers: { 'accept-encoding': accept, accept: 'application/x-protobuf' },
    })
  }
}

export const oneLog = (message: string): LogGroupInit => ({ logs: [{ time: 1, contents: [['message', message]] }] })

export interface ServiceOptions extends Partial<LogServiceOptions> {
  readonly disk?: MemoryDisk
  readonly clock?: VirtualClock
}

/** What the service logs as an error: tests that expect none look here. */
const errorLogger = (errors: string[]): Logger => ({
  ...silentLogger,
  error({ err }, message) {
    errors.push(`${message}: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`)
  },
})

export const openTestService = async ({ disk, clock, ...options }: ServiceOptions = {}): Promise<TestService> => {
  const ownClock = clock ?? new VirtualClock()
  const ownDisk = disk ?? new MemoryDisk()
  const errors: string[] = []
  const service = await openLogService(
    { auth: 'off', projects: ['proj'], ...options },
    {
      clock: ownClock,
      random: new SeededRandom(1),
      digest: cryptoDigest,
      compression: syncCompression,
      log: errorLogger(errors),
      openStorage: async () => openMemoryStorage(ownDisk),
    },
  )
  return new TestService(service, ownClock, ownDisk, errors)
}

/** A service with the logstore `ls` of so many shards. */
export const serviceWithLogstore = async (shardCount = 1, options: ServiceOptions = {}): Promise<TestService> => {
  const service = await openTestService(options)
  await service.json('POST', '/logstores', { body: { logstoreName: 'ls', ttl: 7, shardCount } })
  return service
}
