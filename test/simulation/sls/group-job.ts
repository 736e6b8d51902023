import { fileSink } from '../../../src/connectors/files/index.ts'
import type { LogGroup, SlsDispatch } from '../../../src/connectors/sls/index.ts'
import { clientPuts, ProjectClients } from '../../../src/connectors/sls/producer/client-puts.ts'
import { resolveDispatchOptions } from '../../../src/connectors/sls/producer/dispatch-options.ts'
import { dispatchOver } from '../../../src/connectors/sls/producer/sls-dispatch.ts'
import { job } from '../../../src/job/index.ts'
import { IoPool, type MemoryBudget } from '../../../src/sink/index.ts'
import type { SimProcess } from '../../../src/testing/index.ts'
import type { Life } from '../play.ts'
import { countKeys } from '../scenarios/counts.ts'
import { DispatchTruth } from './dispatch-truth.ts'
import { putTargetOf, watchPuts } from './put-watch.ts'
import { lineInShard, lineOfGroup } from './reading.ts'
import { type RoutingConfig, routes, type TargetName, targetNames, targetShards, targetsOf } from './routing.ts'
import { jobOptions, shardSource } from './shard-source.ts'
import { connection } from './sim-log-service.ts'
import type { SlsJob, SlsJobParts } from './sls-job.ts'

/** What a process gave to its dispatch. */
interface Shown {
  readonly dispatch: SlsDispatch
  unmatched: number
  deliveries: number
}

const isTarget = (name: string | undefined): name is TargetName => name !== undefined && name in targetShards

/** LogGroups, archived and counted by topic, and passed on to three logstores. */
export const groupJob = ({ config, stage, network, service, query }: SlsJobParts, routing: RoutingConfig): SlsJob => {
  const truth = new DispatchTruth({ stage, routing, query, groupsOf: (request) => service().groupsOf(request) })
  const shown = new Map<SimProcess, Shown>()
  const dispatchOf = ({ process }: Life, memory: MemoryBudget): SlsDispatch => {
    const { unmatched, bufferBytes, batchGroups } = routing
    const settings = resolveDispatchOptions({
      targets: Object.fromEntries(targetNames.map((name) => [name, { logstore: name }])),
      routes,
      unmatched: unmatched === 'drop' ? 'drop' : { to: unmatched },
      batch: batchGroups === 0 ? undefined : { groups: batchGroups, linger: config.lingerMs },
      retry: { initial: 20, max: 500 },
    })
    // Smaller than the option allows: groups of a few bytes have to fill it.
    return dispatchOver(
      { ...settings, bufferBytes },
      {
        connection,
        connect: (environment) => {
          const transport = watchPuts(
            network.transport(process),
            (request) => isTarget(putTargetOf(request)),
            (request) => truth.doubted(putTargetOf(request) ?? '', request),
          )
          const puts = clientPuts(new ProjectClients(connection, environment, transport))
          return {
            puts: new Map(targetNames.map((name) => [name, puts])),
            resources: { memory, io: new IoPool(3) },
          }
        },
      },
    )
  }
  const lineOf = (group: LogGroup): string => {
    const id = group.tags.find(([name]) => name === '__pack_id__')?.[1] ?? ''
    return query === undefined ? lineOfGroup(group, id) : lineInShard(group, id)
  }
  return {
    targets: targetShards,
    given: (group) => truth.given(group),
    stored: (target, group) => {
      if (isTarget(target)) truth.stored(target, group)
    },
    compose: (life, theirs, { pulls, packages }) => {
      const dispatch = dispatchOf(life, packages)
      const own: Shown = { dispatch, unmatched: 0, deliveries: 0 }
      shown.set(life.process, own)
      const note = (group: LogGroup): LogGroup => {
        if (!Object.hasOwn(routes, group.topic)) own.unmatched++
        own.deliveries += targetsOf(group.topic, routing).length
        return group
      }
      return job('sim', jobOptions(life), (flow) => {
        const groups = flow
          .from('log', shardSource('groups', config, network, { life, pulls, query: theirs }))
          .map(note)
        groups
          .map(lineOf)
          .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
        countKeys(groups.keyBy(({ topic }) => topic)).to('counts', fileSink({ dir: 'out/counts', format: 'text' }))
        groups.rebalance().to('dispatch', dispatch)
      })
    },
    missing: (records) => truth.missing(records),
    balance: (sum, process) => {
      const read = sum('millrace_records_out_total', 'log')
      const own = shown.get(process)
      const counts = own?.dispatch.counts()
      const stored = Object.values(counts?.targets ?? {}).reduce((total, { logs }) => total + logs, 0)
      return [
        ['read', read],
        ['archived', sum('millrace_records_send_total', 'archive')],
        ['counted', sum('millrace_records_in_total', 'count')],
        ['passed on', sum('millrace_records_send_total', 'dispatch')],
        // These two are what was read when what was counted is what was shown.
        ['unmatched and not', read - (own?.unmatched ?? 0) + (counts?.unmatched ?? 0)],
        ['stored and not', read - (own?.deliveries ?? 0) + stored],
      ]
    },
    heal: () => truth.checkPatience(stage.world.host('sls').wallMs()),
    progress: () => `passed on ${truth.passedOn}`,
    counters: () => ({
      'in doubt': truth.inDoubt,
      'passed on': truth.passedOn,
      'unmatched in all': [...shown.values()].reduce((sum, { unmatched }) => sum + unmatched, 0),
    }),
  }
}
