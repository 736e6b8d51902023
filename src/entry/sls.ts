import { SlsClient, type SlsClientOptions } from '../connectors/sls/index.ts'
import { checkOptions, integerField, type OptionFieldsOf, optional, textField } from '../core/index.ts'
import {
  nodeClock,
  nodeCompression,
  nodeDigest,
  nodeRandom,
  type UndiciTransportOptions,
  undiciTransport,
} from '../platform/index.ts'

/** Alibaba Cloud SLS: its client. */
export {
  type CallOptions,
  type CheckpointUpdate,
  type ConsumerCheckpoint,
  type ConsumerGroupCalls,
  type ConsumerGroupInfo,
  type CursorPlace,
  type JsonLog,
  type JsonLogGroup,
  type JsonObject,
  type LogstoreCalls,
  type LogstoreInfo,
  type LogstoreInit,
  type LogstorePage,
  type ProjectCalls,
  type ProjectInfo,
  type ProjectPage,
  type PullRequest,
  type PullResult,
  type PutOptions,
  type PutResult,
  type ShardCalls,
  type ShardInfo,
  SlsClient,
  type SlsClientOptions,
  type SlsClientPorts,
  type SlsCredentials,
  type SlsCredentialsProvider,
  SlsError,
  type SlsErrorClass,
  type SlsErrorCode,
  type SlsErrorDetails,
  type SlsRetryOptions,
} from '../connectors/sls/index.ts'

/** How this machine reaches the service. Certificates are always verified. */
export interface SlsNetworkOptions {
  /** Connections to one host at a time. 1 to 10000, default 64. */
  readonly connections?: number | undefined
  /** A file with certificates in PEM to trust instead of the well-known ones. */
  readonly caFile?: string | undefined
}

const networkFields: OptionFieldsOf<SlsNetworkOptions> = {
  connections: optional(integerField(1, 10_000)),
  caFile: optional(textField('the path of a file')),
}

/** A client with connections of its own. */
export interface OpenSlsClient {
  readonly client: SlsClient
  /** Lets running calls end, and closes the connections. */
  close(): Promise<void>
}

/**
 * A client of the log service on this machine's network.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsClient = (options: SlsClientOptions, network: SlsNetworkOptions = {}): OpenSlsClient => {
  checkOptions<SlsNetworkOptions>('SLS network', networkFields, network)
  const settings: UndiciTransportOptions = { connections: network.connections, caFile: network.caFile }
  const transport = undiciTransport(settings)
  const client = new SlsClient(options, {
    transport,
    clock: nodeClock,
    random: nodeRandom,
    digest: nodeDigest,
    compression: nodeCompression,
  })
  return { client, close: () => transport.close() }
}
