import { type Environment, invariant } from '../../../core/index.ts'
import { type BatchingResources, MemoryBudget, openSink, type Sink } from '../../../sink/index.ts'
import { clientPuts, ProjectClients } from './client-puts.ts'
import { clientOptionsOf, type SlsSendConnection, splitOptions } from './connection-options.ts'
import {
  dispatchOptionFields,
  type RoutableGroup,
  resolveDispatchOptions,
  type SlsDispatchRouting,
  type SlsDispatchSettings,
  type SlsDispatchTarget,
} from './dispatch-options.ts'
import { DispatchWriter, type OpenTarget } from './dispatch-writer.ts'
import type { GroupPuts } from './log-puts.ts'
import { noCounts, type SendCounter, type SlsSendCounts } from './send-counts.ts'
import type { ConnectSink } from './sls-sink.ts'

/** Options of `slsDispatch`: how to reach the service, and what goes where. */
export interface SlsDispatchOptions extends SlsSendConnection, SlsDispatchRouting {}

/** What a dispatch did so far in this process. `logs` of a target counts LogGroups. */
export interface SlsDispatchCounts {
  readonly targets: Readonly<Record<string, SlsSendCounts>>
  /** LogGroups that no route was for. */
  readonly unmatched: number
}

export interface SlsDispatch extends Sink<RoutableGroup, 'at-least-once'> {
  counts(): SlsDispatchCounts
}

/** A LogGroup as the service takes it: 10 MB, and some room for a service of one's own that takes more. */
const groupBytesMax = 50 << 20

/**
 * Passes LogGroups on to several logstores, of several projects and endpoints, by their topic, without looking into them:
 * what arrives is what was sent, to the byte. At least once. A target that is slow or does not answer holds the others only
 * when its buffer is full.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsDispatchOf = (options: SlsDispatchOptions, connect: ConnectSink): SlsDispatch => {
  const { connection, rest, problems } = splitOptions<SlsDispatchRouting>(options, dispatchOptionFields)
  const settings = resolveDispatchOptions(rest, problems)
  const clientOptions = [...settings.targets].map(
    ([name, target]) => [name, clientOptionsOf(connectionOf(connection, target), groupBytesMax)] as const,
  )
  return dispatchOver(settings, {
    connection,
    connect: (environment) => {
      const { transport, batching } = connect(environment)
      const clients = clientOptions.map(
        ([name, one]) => [name, clientPuts(new ProjectClients(one, environment, transport))] as const,
      )
      return { puts: new Map(clients), resources: batching }
    },
  })
}

const connectionOf = (connection: SlsSendConnection, target: SlsDispatchTarget): SlsSendConnection => ({
  ...connection,
  ...(target.project === undefined ? {} : { project: target.project }),
  ...(target.endpoint === undefined ? {} : { endpoint: target.endpoint }),
  ...(target.credentials === undefined ? {} : { credentials: target.credentials }),
})

export interface DispatchOverParts {
  readonly connection: Pick<SlsSendConnection, 'project' | 'endpoint'>
  readonly connect: (environment: Environment) => {
    readonly puts: ReadonlyMap<string, GroupPuts>
    readonly resources: BatchingResources
  }
}

/** The sink over settings that are read already. */
export const dispatchOver = (settings: SlsDispatchSettings, parts: DispatchOverParts): SlsDispatch => {
  const counters = new Map<string, SendCounter>([...settings.targets.keys()].map((name) => [name, noCounts()]))
  const counter = { unmatched: 0 }
  return {
    kind: 'sls-dispatch',
    guarantee: 'at-least-once',
    guaranteeReason:
      'a checkpoint waits until everything is stored; what a failure leaves in doubt is sent again, and may be there twice',
    counts: () => ({
      targets: Object.fromEntries([...counters].map(([name, counts]) => [name, { ...counts }])),
      unmatched: counter.unmatched,
    }),
    open: (context) => {
      const targets = openTargets(settings, parts, counters, context)
      const { job, step, metrics, clock, random } = context
      metrics.observe('millrace_send_memory_bytes', () =>
        targets.reduce((total, { resources }) => total + resources.memory.used, 0),
      )
      metrics.observe('millrace_send_requests', () => targets[0]?.resources.io.running)
      return openSink<RoutableGroup, never, never>({
        async createWriter(writer) {
          const log = context.log.child({ step, subtask: writer.subtask })
          return new DispatchWriter({ settings, targets, counter, clock, random, log, job, step, writer })
        },
      })
    },
  }
}

const openTargets = (
  { targets, bufferBytes }: SlsDispatchSettings,
  { connection, connect }: DispatchOverParts,
  counters: ReadonlyMap<string, SendCounter>,
  environment: Environment,
): OpenTarget[] => {
  const { puts, resources } = connect(environment)
  return [...targets].map(
    ([name, { logstore, hashKey, project = connection.project, endpoint = connection.endpoint }]) => {
      const own = puts.get(name)
      invariant(own !== undefined, 'every target has a client')
      return {
        name,
        place: { project, logstore, hashKey: hashKey?.toLowerCase() },
        destination: { key: name, lane: `${endpoint} ${project}/${logstore}`, overheadBytes: 0 },
        puts: own,
        resources: { memory: new MemoryBudget(bufferBytes, resources.memory), io: resources.io },
        counter: counters.get(name) ?? noCounts(),
      }
    },
  )
}
