import type { Clock, Compression, Digest, Random, Transport } from '../../../core/index.ts'
import type { LogGroupInit } from '../../../wire/index.ts'
import type { CallOptions } from './call.ts'
import { type SlsClientOptions, type SlsClientSettings, slsClientSettings } from './client-options.ts'
import { ConsumerGroupCalls } from './consumer-groups.ts'
import { CredentialsHolder } from './credentials.ts'
import { LogstoreCalls } from './logstores.ts'
import { ProjectCalls } from './projects.ts'
import { type PullRequest, type PullResult, pull } from './pull.ts'
import { type JsonLogGroup, type PutOptions, type PutParts, type PutResult, put, putBatch, putJson } from './put.ts'
import { RequestSender, type SenderParts } from './request-sender.ts'
import { RetryBudget } from './retry-policy.ts'
import { ServiceTime } from './service-time.ts'
import { ShardCalls } from './shards.ts'

/** What a client needs of the outside. */
export interface SlsClientPorts {
  /** Stays open when the client is done with: it may serve others. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly compression: Compression
}

/** What clients of one account have in common. */
type SharedParts = Pick<SenderParts, 'credentials' | 'time' | 'budget'>

/**
 * The log service, as one project of it is seen by a consumer, a producer or an operator. Every call takes a signal and a
 * deadline, tries again what may pass, and rejects with an `SlsError`; when the signal aborts, with its reason.
 */
export class SlsClient {
  readonly projects: ProjectCalls
  readonly logstores: LogstoreCalls
  readonly shards: ShardCalls
  readonly consumerGroups: ConsumerGroupCalls
  readonly #options: SlsClientOptions
  readonly #settings: SlsClientSettings
  readonly #ports: SlsClientPorts
  readonly #shared: SharedParts
  readonly #sender: RequestSender

  /**
   * @param shared of another client; `ofProject` passes it
   * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
   */
  constructor(options: SlsClientOptions, ports: SlsClientPorts, shared?: SharedParts) {
    const settings = slsClientSettings(options)
    const { transport, clock, random, digest } = ports
    this.#options = options
    this.#settings = settings
    this.#ports = ports
    this.#shared = shared ?? {
      credentials: new CredentialsHolder(settings.credentials, clock),
      time: new ServiceTime(clock),
      budget: new RetryBudget(),
    }
    this.#sender = new RequestSender(settings, { transport, clock, random, digest, ...this.#shared })
    this.projects = new ProjectCalls(this.#sender, settings.project)
    this.logstores = new LogstoreCalls(this.#sender)
    this.shards = new ShardCalls(this.#sender)
    this.consumerGroups = new ConsumerGroupCalls(this.#sender)
  }

  /** The project of the calls; undefined when the client was made without one. */
  get project(): string | undefined {
    return this.#settings.project
  }

  /** A client of another project with the same credentials, fetched once for both. @param endpoint default: the same */
  ofProject(project: string, endpoint: string = this.#options.endpoint): SlsClient {
    const sameService = endpoint === this.#options.endpoint
    const shared = sameService
      ? this.#shared
      : {
          credentials: this.#shared.credentials,
          time: new ServiceTime(this.#ports.clock),
          budget: new RetryBudget(),
        }
    return new SlsClient({ ...this.#options, project, endpoint }, this.#ports, shared)
  }

  /** Groups of a shard from a position on; nothing of an answer is given out before all of it is verified. */
  pull(request: PullRequest, options?: CallOptions): Promise<PullResult> {
    return pull(this.#sender, this.#ports.compression, this.#settings.answerBytesMax, request, options)
  }

  /**
   * Stores one LogGroup: encoded bytes, or what is to be encoded. It takes one position of one shard.
   * @throws SlsError with `ambiguous: true` when it is not known whether the group was stored.
   */
  put(logstore: string, group: Uint8Array | LogGroupInit, options?: PutOptions): Promise<PutResult> {
    return put(this.#putParts, logstore, group, options)
  }

  /** Stores several LogGroups of one shard with one request. Each takes a position of its own. */
  putBatch(
    logstore: string,
    groups: readonly (Uint8Array | LogGroupInit)[],
    options?: PutOptions & { readonly compression?: 'lz4' | 'zstd' | undefined },
  ): Promise<PutResult> {
    return putBatch(this.#putParts, logstore, groups, options)
  }

  /** Stores one LogGroup as JSON. */
  putJson(logstore: string, group: JsonLogGroup, options?: PutOptions): Promise<PutResult> {
    return putJson(this.#putParts, logstore, group, options)
  }

  get #putParts(): PutParts {
    return { sender: this.#sender, compression: this.#ports.compression, bytesMax: this.#settings.putBytesMax }
  }
}
