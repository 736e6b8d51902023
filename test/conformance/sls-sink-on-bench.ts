import { SlsClient, type SlsSink, type SlsSinkOptions, slsSinkOf } from '../../src/connectors/sls/index.ts'
import {
  type Environment,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  silentLogger,
  type Transport,
  TransportError,
} from '../../src/core/index.ts'
import { type LogService, openLogService, openStorage } from '../../src/logservice/index.ts'
import { type BatchingResources, IoPool, MemoryBudget } from '../../src/sink/index.ts'
import {
  type AtLeastOnceSinkSystem,
  type DirectFault,
  directTransport,
  type JobBench,
  type ProcessMain,
  type SimProcess,
  type SinkDisturbance,
} from '../../src/testing/index.ts'
import { simDirectoryLock } from '../../src/testing/simulation/sim-directory-lock.ts'

const connection = {
  endpoint: 'http://localhost',
  project: 'proj',
  credentials: { accessKeyId: 'id', accessKeySecret: 'secret' },
} as const

const answer = (status: number, errorCode: string): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'x-log-requestid': '0123456789ABCDEF01234567' },
  body: new TextEncoder().encode(JSON.stringify({ errorCode, errorMessage: 'as the test wants' })),
})

const faults: Readonly<Record<SinkDisturbance, DirectFault | undefined>> = {
  none: undefined,
  unreachable: { kind: 'refused' },
  'answers-lost': { kind: 'lost-answer' },
  overloaded: { kind: 'answer', response: answer(403, 'ShardWriteQuotaExceed') },
  'refused-for-good': { kind: 'answer', response: answer(403, 'ProjectForbidden') },
}

/** How sinks reach the handler of the service, with what goes wrong on the way. */
export type ConnectSinkOnBench = (
  handle: HttpHandler,
  environment: Environment,
  faultOf: (request: HttpRequest) => DirectFault | undefined,
) => Transport

const direct: ConnectSinkOnBench = (handle, { clock }, faultOf) => directTransport(handle, { clock, faultOf })

const isPut = ({ method, target }: HttpRequest): boolean => method === 'POST' && target.includes('/shards/')

/** The log service as a process of a machine of its own, with the logstore `ls`, and sinks that write to it. */
export class SlsSinkOnBench implements AtLeastOnceSinkSystem {
  readonly #bench: JobBench
  readonly #connect: ConnectSinkOnBench
  readonly #ready: Promise<void>
  #letGo: () => void = () => {}
  #handle: LogService['handle'] | undefined
  #services = 0
  #how: SinkDisturbance = 'none'
  #puts = 0
  #readers = 0
  inDoubt = 0
  /** Bytes of the memory budget of each process. */
  memory = 1 << 16
  usedMost = 0
  readonly resources: BatchingResources[] = []
  readonly sinks: SlsSink<string>[] = []

  constructor(bench: JobBench, shardCount = 2, connect = direct) {
    this.#bench = bench
    this.#connect = connect
    this.#ready = new Promise((resolve) => {
      this.#letGo = resolve
    })
    this.#serve(shardCount)
  }

  /** Starts the service; when its process is killed, another one follows. */
  #serve(shardCount: number): void {
    const machine = this.#bench.world.host('sls')
    const main: ProcessMain = async (environment, process) => {
      const service = await openLogService(
        { auth: 'off', projects: ['proj'], sweepIntervalMs: 3_600_000 },
        {
          ...environment,
          openStorage: (snapshot) => {
            const lock = simDirectoryLock(machine.disk, process)
            return openStorage({
              ...environment,
              log: silentLogger,
              directory: 'data',
              lock,
              snapshot,
              reserveBytes: 0,
            })
          },
        },
      )
      this.#handle = service.handle
      const { logstores } = this.#client(environment)
      if ((await logstores.list()).total === 0) await logstores.create('ls', { shardCount })
      this.#letGo()
      await new Promise(() => {})
    }
    const onEnd = (): void => {
      this.#handle = undefined
      this.#bench.world.at(20, () => this.#serve(shardCount))
    }
    machine.spawn(`sls-${++this.#services}`, main, { onEnd })
  }

  get stored(): number {
    return this.sinks.reduce((sum, sink) => sum + sink.counts().logs, 0)
  }

  sink(environment: Environment, lingerMs: number, options: Partial<SlsSinkOptions<string>> = {}): SlsSink<string> {
    const batching = { memory: new MemoryBudget(this.memory), io: new IoPool(4) }
    this.resources.push(batching)
    const sink = slsSinkOf<string>(
      {
        ...connection,
        logstore: 'ls',
        log: (record) => ({ contents: { record } }),
        package: { linger: lingerMs, records: 8 },
        ...options,
      },
      () => ({ transport: this.#transport(environment, true), batching }),
    )
    this.sinks.push(sink)
    return sink
  }

  disturb(how: SinkDisturbance): void {
    this.#how = how
  }

  /** @param only one shard. Default: all */
  async read(only?: number): Promise<string[]> {
    const records: string[] = []
    const reader: SimProcess = this.#bench.world.host('sls').spawn(`reader-${++this.#readers}`, async (environment) => {
      const client = this.#client(environment)
      for (const { id: shard } of await client.shards.list('ls')) {
        if (only !== undefined && shard !== only) continue
        let position = await client.shards.cursor('ls', shard, 'begin')
        const end = await client.shards.cursor('ls', shard, 'end')
        while (position < end) {
          const pulled = await client.pull({ logstore: 'ls', shard, position })
          for (const group of pulled.groups) for (const log of group.logs()) records.push(log.get('record') ?? '')
          position = pulled.nextPosition
        }
      }
    })
    await this.#bench.until('the reader ends', () => reader.end !== undefined)
    if (reader.end?.kind === 'threw') throw reader.end.error
    return records
  }

  #client(environment: Environment): SlsClient {
    return new SlsClient(connection, { ...environment, transport: this.#transport(environment, false) })
  }

  #transport(environment: Environment, disturbed: boolean) {
    const { clock } = environment
    const transport = this.#connect(
      async (request, peer) => this.#handle?.(request, peer) ?? answer(503, 'ServerBusy'),
      environment,
      (request) => {
        if (this.#handle === undefined) return { kind: 'refused' }
        return disturbed && isPut(request) ? this.#fault() : undefined
      },
    )
    return {
      // Takes a millisecond both ways, which a process that was killed does not live to see the end of.
      send: async (...[origin, request, options]: Parameters<typeof transport.send>) => {
        await clock.sleep(1, options.signal)
        if (disturbed) await this.#ready
        for (const { memory } of this.resources) this.usedMost = Math.max(this.usedMost, memory.used)
        try {
          return await transport.send(origin, request, options)
        } catch (error) {
          if (error instanceof TransportError && error.kind !== 'not-sent') this.inDoubt++
          throw error
        } finally {
          await clock.sleep(1)
        }
      },
      close: () => transport.close(),
    }
  }

  #fault(): DirectFault | undefined {
    const forGood = this.#how === 'refused-for-good'
    return forGood || ++this.#puts % 3 === 0 ? faults[this.#how] : undefined
  }
}
