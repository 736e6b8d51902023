import { type Digest, type HttpResponse, silentLogger } from '../../src/core/index.ts'
import { type LogService, type LogServiceOptions, openLogService } from '../../src/logservice/index.ts'
import { openStorage } from '../../src/logservice/storage/index.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { type IoGateway, SeededRandom, SimDisk, simFileSystem, VirtualClock } from '../../src/testing/index.ts'
import { simDirectoryLock } from '../../src/testing/simulation/sim-directory-lock.ts'
import { syncCompression } from '../../src/testing/sync-compression.ts'
import { encodeLogGroup } from '../../src/wire/index.ts'
import { jsonOf } from './service.ts'

const directory = 'data'
const never = new Promise<never>(() => {})

/** One life of the process: when it ends, nothing of it reaches the disk any more, and nothing answers. */
class Life {
  alive = true
  readonly name: string
  readonly gateway: IoGateway

  constructor(name: string) {
    this.name = name
    this.gateway = {
      perform: async (_site, effect) => {
        await undefined
        if (!this.alive) return never
        const result = effect(undefined)
        await undefined
        return this.alive ? result : never
      },
      opened() {},
      closed() {},
    }
  }
}

/** A log service on a machine that may lose power at any moment. */
export class ServiceMachine {
  readonly clock = new VirtualClock()
  readonly disk = new SimDisk({ wallMs: () => this.clock.wallMs() })
  readonly random: SeededRandom
  readonly #options: Partial<LogServiceOptions>
  readonly #digest: Digest = cryptoDigest
  #life = new Life('none')
  #lives = 0
  #service: LogService | undefined

  constructor(seed: number, options: Partial<LogServiceOptions>) {
    this.random = new SeededRandom(seed)
    this.#options = options
  }

  async start(): Promise<void> {
    const life = new Life(`p${this.#lives++}`)
    this.#life = life
    const [clock, digest] = [this.clock, this.#digest]
    const random = this.random.fork(life.name)
    this.#service = await openLogService(
      { auth: 'off', projects: ['proj'], ...this.#options },
      {
        clock,
        random,
        digest,
        compression: syncCompression,
        openStorage: (snapshot) =>
          openStorage({
            directory,
            fs: simFileSystem(this.disk, life.gateway),
            clock,
            random,
            digest,
            log: silentLogger,
            lock: simDirectoryLock(this.disk, life),
            snapshot,
            segmentBytes: 2048,
            reserveBytes: 0,
            cacheBytes: 1000,
          }),
      },
    )
  }

  async restart(): Promise<void> {
    await this.#service?.close()
    this.#life.alive = false
    await this.start()
  }

  /** What was not synced may be there, torn, or gone. */
  async losePower(): Promise<void> {
    this.#life.alive = false
    this.disk.powerLoss(this.random)
    await this.start()
  }

  async sweep(): Promise<void> {
    await this.#service?.sweep()
  }

  async send(method: string, target: string, body?: unknown): Promise<HttpResponse> {
    const service = this.#service
    if (service === undefined) throw new Error('the service was not started')
    const bytes = body === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(body))
    const headers = { host: 'proj.sls.test' }
    return service.handle({ method, target, headers, body: bytes }, { address: '127.0.0.1' })
  }

  /** The JSON of an answer that must be 200. */
  async json(method: string, target: string, body?: unknown): Promise<unknown> {
    const response = await this.send(method, target, body)
    if (response.status !== 200) throw new Error(`${method} ${target}: ${new TextDecoder().decode(response.body)}`)
    return response.body.length === 0 ? undefined : jsonOf(response)
  }

  async put(key: string, message: string): Promise<HttpResponse> {
    const body = encodeLogGroup({ logs: [{ time: 1, contents: [['message', message]] }] })
    const headers = { host: 'proj.sls.test', 'x-log-bodyrawsize': String(body.length) }
    const target = `/logstores/ls/shards/route?key=${key}`
    return this.#service?.handle({ method: 'POST', target, headers, body }, { address: '127.0.0.1' }) ?? never
  }

  async pull(shard: number, cursor: string, count: number): Promise<HttpResponse> {
    const target = `/logstores/ls/shards/${shard}?type=log&count=${count}&cursor=${encodeURIComponent(cursor)}`
    const headers = { host: 'proj.sls.test', 'accept-encoding': 'lz4' }
    return (
      this.#service?.handle({ method: 'GET', target, headers, body: new Uint8Array(0) }, { address: '::1' }) ?? never
    )
  }
}
