import type { SlsSendResources } from '../../../../src/connectors/sls/index.ts'
import { SlsClient } from '../../../../src/connectors/sls/index.ts'
import { type HttpRequest, Secret } from '../../../../src/core/index.ts'
import { IoPool, MemoryBudget } from '../../../../src/sink/index.ts'
import { type DirectFault, directTransport, memoryEnvironment } from '../../../../src/testing/index.ts'
import { type ServiceOptions, serviceWithLogstore } from '../../../logservice/service.ts'

/** How a client reaches the service of `serviceBench`. */
export const connection = {
  endpoint: 'http://sls.test',
  allowPlainHttp: true,
  project: 'proj',
  credentials: { accessKeyId: 'key', accessKeySecret: new Secret('secret') },
} as const

export interface ServiceBenchOptions extends ServiceOptions {
  readonly shards?: number
  readonly memory?: number
  readonly io?: number
}

/** The log service with the logstore `ls`, and a way to it on which things go wrong. */
export const serviceBench = async ({ shards = 1, memory = 1 << 20, io = 8, ...options }: ServiceBenchOptions = {}) => {
  const environment = memoryEnvironment()
  const { clock } = environment
  const service = await serviceWithLogstore(shards, { ...options, clock })
  const faults: { of: (request: HttpRequest, put: number, origin: string) => DirectFault | undefined } = {
    of: () => undefined,
  }
  let puts = 0
  const transport = directTransport(service.service.handle, {
    clock,
    faultOf: (request, origin) =>
      request.method === 'POST' && request.target.includes('/shards/') ? faults.of(request, ++puts, origin) : undefined,
  })
  const resources: SlsSendResources = {
    transport,
    batching: { memory: new MemoryBudget(memory), io: new IoPool(io) },
  }
  const client = new SlsClient(connection, { ...environment, transport })
  return {
    environment,
    clock,
    service,
    faults,
    resources,
    client,
    /** The groups of a shard, as they are stored. */
    async groups(logstore = 'ls', shard = 0) {
      const position = await client.shards.cursor(logstore, shard, 'begin')
      const { groups } = await client.pull({ logstore, shard, position })
      return groups
    },
    /** One field of every log that is stored, in order, from all shards. */
    async values(field: string, logstore = 'ls') {
      const values: (string | undefined)[] = []
      for (const { id } of await client.shards.list(logstore)) {
        for (const group of await this.groups(logstore, id)) for (const log of group.logs()) values.push(log.get(field))
      }
      return values
    },
  }
}
