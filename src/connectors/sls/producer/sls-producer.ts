import type { Environment } from '../../../core/index.ts'
import { clientPuts, ProjectClients } from './client-puts.ts'
import { clientOptionsOf, type SlsSendConnection, splitOptions } from './connection-options.ts'
import { LogProducer, type SlsProducer } from './log-producer.ts'
import { producerOptionFields, resolveProducerOptions, type SlsProducerSendOptions } from './producer-options.ts'
import type { SlsSendResources } from './sls-sink.ts'

/** Options of `createProducer`: how to reach the service, and what to send. */
export interface SlsProducerOptions extends SlsSendConnection, SlsProducerSendOptions {}

/**
 * A producer without a job.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsProducerOf = (
  options: SlsProducerOptions,
  environment: Environment,
  { transport, batching }: SlsSendResources,
): SlsProducer => {
  const { connection, rest, problems } = splitOptions<SlsProducerSendOptions>(options, producerOptionFields)
  const settings = resolveProducerOptions(rest, problems)
  const clientOptions = clientOptionsOf(connection, Math.max(settings.recordBytesMax, settings.limits.bytes))
  const { clock, random, digest, log } = environment
  return new LogProducer({
    settings,
    project: connection.project,
    endpoint: connection.endpoint,
    puts: clientPuts(new ProjectClients(clientOptions, environment, transport)),
    resources: batching,
    clock,
    random,
    digest,
    log,
  })
}
