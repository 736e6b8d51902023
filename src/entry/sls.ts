import {
  SlsClient,
  type SlsClientOptions,
  type SlsDeadLetters,
  type SlsInvalidPolicy,
  type SlsRecord,
  type SlsSource,
  type SlsSourceOptions,
  slsSourceOf,
} from '../connectors/sls/index.ts'
import {
  nodeClock,
  nodeCompression,
  nodeDigest,
  nodeRandom,
  type UndiciTransportOptions,
  undiciTransport,
} from '../platform/index.ts'
import { ByteBudget } from '../source/index.ts'
import { checkNetwork, networkOf, type SlsNetworkOptions } from './sls-network.ts'

/** Alibaba Cloud SLS: its client, its logstores as a source and as a sink, dispatch by topic, and a producer. */
export {
  buckets,
  type CallOptions,
  type CheckpointUpdate,
  type ConsumerCheckpoint,
  type ConsumerGroupCalls,
  type ConsumerGroupInfo,
  type CursorPlace,
  hashKey,
  type JsonLog,
  type JsonLogGroup,
  type JsonObject,
  Log,
  LogGroup,
  type LogstoreCalls,
  type LogstoreInfo,
  type LogstoreInit,
  type LogstorePage,
  md5Of,
  type OutgoingLog,
  type ProjectCalls,
  type ProjectInfo,
  type ProjectPage,
  type PullRequest,
  type PullResult,
  type PutOptions,
  type PutResult,
  type RoutableGroup,
  type ShardCalls,
  type ShardInfo,
  SlsClient,
  type SlsClientOptions,
  type SlsClientPorts,
  type SlsCredentials,
  type SlsCredentialsProvider,
  type SlsDeadLetterOptions,
  type SlsDeadLetters,
  type SlsDispatch,
  type SlsDispatchBatchOptions,
  type SlsDispatchCounts,
  type SlsDispatchOptions,
  type SlsDispatchRouting,
  type SlsDispatchTarget,
  type SlsEnd,
  SlsError,
  type SlsErrorClass,
  type SlsErrorCode,
  type SlsErrorDetails,
  type SlsInvalidPolicy,
  type SlsLogstore,
  type SlsPackageOptions,
  type SlsPosition,
  type SlsProducer,
  type SlsProducerOptions,
  type SlsProducerSendOptions,
  type SlsReadCounts,
  type SlsReadOptions,
  type SlsReceipt,
  type SlsRecord,
  type SlsRetryOptions,
  type SlsRoute,
  type SlsSendConnection,
  type SlsSendCounts,
  type SlsSendOptions,
  type SlsSendRetryOptions,
  type SlsShardProgress,
  type SlsSink,
  type SlsSinkOptions,
  type SlsSource,
  type SlsSourceOptions,
  type SlsStart,
  type SlsWriteOptions,
  type TargetNames,
} from '../connectors/sls/index.ts'

export { fromEnv, type SlsEnvironment, type SlsEnvironmentConnection } from './sls-from-env.ts'
export type { SlsNetworkOptions } from './sls-network.ts'
export {
  createProducer,
  type SlsProducerPlace,
  type SlsSendingLimits,
  type SlsSendingPlace,
  sendingResources,
  slsDispatch,
  slsSink,
} from './sls-sending.ts'

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
  checkNetwork(network)
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

/**
 * What the sources of a process have pulled and not given out yet, in bytes at most. With twice as much, answers wait until
 * V8 takes them for old, and a record of many shards costs half as much again (benchmark shard-cost).
 */
const readAheadBytes = 32 * 1024 * 1024
const readAhead = new ByteBudget(readAheadBytes)

/**
 * The logs of one or several logstores, each exactly once, as long as the service keeps them: new shards are found as
 * logstores split and merge, and every shard is read on from where a checkpoint has it.
 *
 * All sources of a process share their connections, unless `network` asks for some of its own, and 32 MiB of memory for
 * what is read ahead.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsSource = <
  const Records extends 'logs' | 'groups' = 'logs',
  const OnInvalid extends SlsInvalidPolicy = 'fail' | 'skip',
>(
  options: SlsSourceOptions<Records, OnInvalid>,
  network?: SlsNetworkOptions,
): SlsSource<SlsRecord<Records>, SlsDeadLetters<OnInvalid>> => {
  const transport = networkOf(network)
  return slsSourceOf(options, () => ({ transport: transport(), budget: readAhead }))
}
