import {
  type SlsDispatch,
  type SlsDispatchOptions,
  type SlsProducer,
  type SlsProducerOptions,
  type SlsSendResources,
  type SlsSink,
  type SlsSinkOptions,
  slsDispatchOf,
  slsProducerOf,
  slsSinkOf,
} from '../connectors/sls/index.ts'
import {
  type ByteSize,
  byteSizeField,
  checkedField,
  checkOptions,
  integerField,
  type Logger,
  type OptionFieldsOf,
  optional,
  parseByteSize,
} from '../core/index.ts'
import { nodeEnvironment } from '../platform/index.ts'
import { type BatchingResources, IoPool, MemoryBudget } from '../sink/index.ts'
import { networkFields, networkOf, type SlsNetworkOptions } from './sls-network.ts'

/** What all sinks and producers that are given it share. */
export interface SlsSendingLimits {
  /**
   * Bytes of what is queued and on its way. 64 KiB to 64 GiB, default 100 MiB. Beside it an eighth, at most 16 MiB, is kept
   * to be used again.
   */
  readonly memory?: ByteSize | undefined
  /** Requests on their way at the same time. 1 to 1000, default 8. */
  readonly io?: number | undefined
}

/** Where a sink or producer sends from. */
export interface SlsSendingPlace extends SlsNetworkOptions {
  /** Made by `sendingResources`. Default: those of the process, 100 MiB and 8 requests at the same time. */
  readonly resources?: BatchingResources | undefined
}

export interface SlsProducerPlace extends SlsSendingPlace {
  /** Default: says nothing. */
  readonly logger?: Logger | undefined
}

const limitFields: OptionFieldsOf<SlsSendingLimits> = {
  memory: optional(byteSizeField({ min: 64 << 10, max: 2 ** 36 })),
  io: optional(integerField(1, 1000)),
}

/**
 * Memory and I/O slots to be shared by the sinks and producers they are given to, apart from those of the process.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const sendingResources = (limits: SlsSendingLimits = {}): BatchingResources => {
  checkOptions<SlsSendingLimits>('sendingResources', limitFields, limits)
  return { memory: new MemoryBudget(parseByteSize(limits.memory ?? '100MiB')), io: new IoPool(limits.io ?? 8) }
}

const ofProcess = sendingResources()

const isResources = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'memory' in value &&
  value.memory instanceof MemoryBudget &&
  'io' in value &&
  value.io instanceof IoPool

const placeFields: OptionFieldsOf<SlsProducerPlace> = {
  ...networkFields,
  resources: optional(checkedField('what sendingResources gives', isResources)),
  logger: optional(checkedField('a logger with debug, info, warn, error and child', (value) => value !== null)),
}

const resourcesOf = (what: string, place: SlsProducerPlace): (() => SlsSendResources) => {
  checkOptions<SlsProducerPlace>(what, placeFields, place)
  const { resources = ofProcess, connections, caFile } = place
  const own = connections !== undefined || caFile !== undefined
  const network = networkOf(own ? { connections, caFile } : undefined)
  return () => ({ transport: network(), batching: resources })
}

/**
 * Sends records as logs, at least once: a checkpoint completes only over what is stored; what a failure leaves in doubt is
 * sent again.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsSink = <T>(options: SlsSinkOptions<T>, place: SlsSendingPlace = {}): SlsSink<T> =>
  slsSinkOf(options, resourcesOf('slsSink', place))

/**
 * Passes LogGroups on to several logstores, of several projects and endpoints, by their topic, without looking into them:
 * what arrives is what was sent, to the byte. At least once. A target that is slow or does not answer holds the others only
 * when its buffer is full.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsDispatch = (options: SlsDispatchOptions, place: SlsSendingPlace = {}): SlsDispatch =>
  slsDispatchOf(options, resourcesOf('slsDispatch', place))

/**
 * A producer without a job, for programs that only want to send. Nothing is sent before the first log; close it at the end.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const createProducer = (options: SlsProducerOptions, place: SlsProducerPlace = {}): SlsProducer => {
  const resources = resourcesOf('createProducer', place)
  return slsProducerOf(options, nodeEnvironment({ log: place.logger }), resources())
}
