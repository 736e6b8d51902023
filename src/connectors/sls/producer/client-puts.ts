import type { Environment, Transport } from '../../../core/index.ts'
import type { SendResult } from '../../../sink/index.ts'
import type { SlsClientOptions } from '../client/client-options.ts'
import { SlsClient } from '../client/sls-client.ts'
import type { GroupPuts, LogPuts } from './log-puts.ts'
import { putResultOf } from './put-result.ts'

/** Clients of other projects that are kept. */
const clientsMax = 1024

/** Clients of all projects of one account, by name. */
export class ProjectClients {
  readonly #client: SlsClient
  readonly #others = new Map<string, SlsClient>()

  constructor(options: SlsClientOptions, environment: Environment, transport: Transport) {
    const { clock, random, digest, compression } = environment
    this.#client = new SlsClient(options, { transport, clock, random, digest, compression })
  }

  of(project: string): SlsClient {
    if (project === this.#client.project) return this.#client
    const known = this.#others.get(project)
    if (known !== undefined) return known
    if (this.#others.size >= clientsMax) this.#others.clear()
    const client = this.#client.ofProject(project)
    this.#others.set(project, client)
    return client
  }
}

/** Puts by a client, one try each: the batching writer decides what follows. */
export const clientPuts = (clients: ProjectClients): LogPuts & GroupPuts => ({
  put: ({ project, logstore, hashKey }, group, signal) =>
    resultOf(signal, () => clients.of(project).put(logstore, group, { hashKey, signal, attempts: 1 })),
  putBatch: ({ project, logstore, hashKey }, groups, signal) =>
    resultOf(signal, () => clients.of(project).putBatch(logstore, groups, { hashKey, signal, attempts: 1 })),
})

const resultOf = async (signal: AbortSignal, call: () => Promise<unknown>): Promise<SendResult> => {
  try {
    await call()
    return { kind: 'accepted' }
  } catch (error) {
    if (signal.aborted) throw error
    return putResultOf(error)
  }
}
