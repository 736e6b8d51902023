import type { Environment, Transport } from '../../../core/index.ts'
import { type BatchingResources, openSink, type Sink } from '../../../sink/index.ts'
import { clientPuts, ProjectClients } from './client-puts.ts'
import { clientOptionsOf, type SlsSendConnection, splitOptions } from './connection-options.ts'
import type { LogPuts } from './log-puts.ts'
import { packPrefix } from './pack-tag.ts'
import { noCounts, type SlsSendCounts } from './send-counts.ts'
import { SlsSinkWriter } from './sls-sink-writer.ts'
import { resolveWriteOptions, type SlsWriteOptions, type SlsWriteSettings, writeOptionFields } from './write-options.ts'

/** Options of `slsSink`: how to reach the service, and what to send. */
export interface SlsSinkOptions<T> extends SlsSendConnection, SlsWriteOptions<T> {}

/** A sink that tells what it has done. */
export interface SlsSink<in T> extends Sink<T, 'at-least-once'> {
  /** Counts of this process, since the sink was made. */
  counts(): SlsSendCounts
}

/** What a sink or producer gets of the process it runs in. */
export interface SlsSendResources {
  readonly transport: Transport
  /** Memory and I/O slots, shared by all sinks and producers of the process. */
  readonly batching: BatchingResources
}

/** Called when a job opens the sink. */
export type ConnectSink = (environment: Environment) => SlsSendResources

/**
 * Sends records as logs, at least once: a checkpoint completes only over what is stored; what a failure leaves in doubt is
 * sent again.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsSinkOf = <T>(options: SlsSinkOptions<T>, connect: ConnectSink): SlsSink<T> => {
  const { connection, rest, problems } = splitOptions<SlsWriteOptions<T>>(options, writeOptionFields(options))
  const settings = resolveWriteOptions(rest, problems)
  const clientOptions = clientOptionsOf(connection, Math.max(settings.recordBytesMax, settings.limits.bytes))
  return sinkOver(settings, {
    project: connection.project,
    endpoint: connection.endpoint,
    connect: (environment) => {
      const { transport, batching } = connect(environment)
      return { puts: clientPuts(new ProjectClients(clientOptions, environment, transport)), resources: batching }
    },
  })
}

export interface SinkOverParts {
  readonly project: string
  readonly endpoint: string
  readonly connect: (environment: Environment) => { readonly puts: LogPuts; readonly resources: BatchingResources }
}

/** The sink over settings that are read already. */
export const sinkOver = <T>(settings: SlsWriteSettings<T>, parts: SinkOverParts): SlsSink<T> => {
  const counter = noCounts()
  return {
    kind: 'sls',
    guarantee: 'at-least-once',
    guaranteeReason:
      'a checkpoint waits until everything is stored; what a failure leaves in doubt is sent again, and may be there twice',
    counts: () => ({ ...counter }),
    open: (context) => {
      const { puts, resources } = parts.connect(context)
      const { job, step, generation, metrics, clock, random, digest } = context
      metrics.observe('millrace_send_memory_bytes', () => resources.memory.used)
      metrics.observe('millrace_send_requests', () => resources.io.running)
      return openSink<T, never, never>({
        async createWriter(writer) {
          const names = [job, step, writer.subtask, generation, random.id()]
          return new SlsSinkWriter({
            settings,
            project: parts.project,
            endpoint: parts.endpoint,
            puts,
            resources,
            packPrefix: settings.packTag ? packPrefix(digest, names) : undefined,
            counter,
            clock,
            random,
            digest,
            log: context.log.child({ step, subtask: writer.subtask }),
            job,
            step,
            writer,
          })
        },
      })
    },
  }
}
