import { type Log, SlsClient, type SlsSourceOptions, slsSourceOf } from '../../src/connectors/sls/index.ts'
import { type Environment, silentLogger, type Transport } from '../../src/core/index.ts'
import { type LogService, openLogService, openStorage } from '../../src/logservice/index.ts'
import { ByteBudget, type Source } from '../../src/source/index.ts'
import { directTransport, type JobBench, type SourceSystem } from '../../src/testing/index.ts'
import { simDirectoryLock } from '../../src/testing/simulation/sim-directory-lock.ts'

const connection = {
  endpoint: 'http://localhost',
  project: 'proj',
  credentials: { accessKeyId: 'id', accessKeySecret: 'secret' },
} as const

const quick = {
  discoveryInterval: 50,
  tailWait: 5,
  idleWait: 20,
  pullsPerSecondMax: 1000,
  idlePullsPerSecond: 10_000,
} as const

/** How clients reach the handler of the service. */
export type ConnectOnBench = (handle: LogService['handle'], environment: Environment) => Transport

const direct: ConnectOnBench = (handle, { clock }) =>
  directTransport(handle, { clock, faultOf: () => ({ kind: 'latency', ms: 1 }) })

/** A log service as a process of its own machine, and what is done to it from outside. */
export class SlsOnBench {
  readonly client: Promise<SlsClient>
  #handle: LogService['handle'] | undefined
  /** What was asked for from outside, in order; sources see the service only when it is done. */
  #done: Promise<unknown>
  readonly #connect: ConnectOnBench

  constructor(bench: JobBench, connect = direct) {
    this.#connect = connect
    const machine = bench.world.host('sls')
    this.client = new Promise((resolve) => {
      machine.spawn('sls', async (environment, process) => {
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
        resolve(new SlsClient(connection, { ...environment, transport: this.#transport(environment) }))
        await new Promise(() => {})
      })
    })
    this.#done = this.client
  }

  /** Something that is done to the service before any source sees it again. */
  act(work: (client: SlsClient) => Promise<unknown>): void {
    const before = this.#done
    this.#done = this.client.then(async (client) => {
      await before
      await work(client)
    })
  }

  /** A source; each of its requests takes a millisecond or more. */
  source(options: Partial<SlsSourceOptions>): Source<Log, 'exactly-once'> {
    const all = { ...connection, ...quick, ...options } as SlsSourceOptions<'logs', 'fail' | 'skip'>
    return slsSourceOf(all, (environment) => ({
      transport: this.#gated(environment),
      budget: new ByteBudget(64 * 1024 * 1024),
    }))
  }

  #transport(environment: Environment): Transport {
    const handle: LogService['handle'] = async (request, peer) => {
      if (this.#handle === undefined) throw new Error('the service is not open')
      return await this.#handle(request, peer)
    }
    return this.#connect(handle, environment)
  }

  #gated(environment: Environment): Transport {
    const transport = this.#transport(environment)
    return {
      send: async (origin, request, options) => {
        const { signal } = options
        let given = (): void => {}
        const aborted = new Promise<void>((resolve) => {
          given = resolve
        })
        signal?.addEventListener('abort', given, { once: true })
        await Promise.race([this.#done, aborted])
        signal?.removeEventListener('abort', given)
        return await transport.send(origin, request, options)
      },
      close: () => transport.close(),
    }
  }
}

const hex = (key: bigint): string => key.toString(16).padStart(32, '0')
const logGroup = (records: readonly string[]) => ({
  logs: records.map((record, index) => ({ time: 1_700_000_000 + index, contents: { record } })),
})

export const recordText = (record: unknown): string => (record as Log).get('record') ?? ''

/** Every split of a test is a hash key with a shard of its own; each further one is made by splitting the last shard. */
export const splitsAsShards = (bench: JobBench, connect = direct): SourceSystem => {
  const sls = new SlsOnBench(bench, connect)
  const keys: bigint[] = []
  sls.act((client) => client.logstores.create('access', { shardCount: 1 }))
  return {
    addSplit: () => {
      const last = keys.at(-1)
      const key = last === undefined ? 0n : last + ((1n << 128n) - last) / 2n
      keys.push(key)
      if (last !== undefined) {
        sls.act(async (client) => {
          const open = (await client.shards.list('access')).filter(({ status }) => status === 'readwrite')
          await client.shards.split('access', Math.max(...open.map(({ id }) => id)), { key: hex(key) })
        })
      }
      return `k${keys.length - 1}`
    },
    write: (split, records) => {
      const hashKey = hex(keys[Number(split.slice(1))] ?? 0n)
      sls.act(async (client) => {
        // Several groups, some of several logs.
        for (let from = 0; from < records.length; from += 7) {
          await client.put('access', logGroup(records.slice(from, from + 7)), { hashKey })
        }
      })
    },
    source: (mode, start) =>
      sls.source({ logstore: 'access', start, pullGroupsMax: 3, end: mode === 'bounded' ? 'now' : undefined }),
    textOf: recordText,
  }
}

/** Every split of a test is a logstore of one shard, found by a pattern. */
export const splitsAsLogstores = (bench: JobBench, connect = direct): SourceSystem => {
  const sls = new SlsOnBench(bench, connect)
  let count = 0
  return {
    addSplit: () => {
      const logstore = `split-${String.fromCharCode(97 + count++)}`
      sls.act((client) => client.logstores.create(logstore, { shardCount: 1 }))
      return logstore
    },
    write: (split, records) => {
      sls.act(async (client) => {
        for (let from = 0; from < records.length; from += 7) {
          await client.put(split, logGroup(records.slice(from, from + 7)))
        }
      })
    },
    source: (mode, start) =>
      sls.source({ logstorePattern: 'split-*', start, pullGroupsMax: 3, end: mode === 'bounded' ? 'now' : undefined }),
    textOf: recordText,
  }
}
