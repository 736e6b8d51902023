import { fileSink } from '../../../src/connectors/files/index.ts'
import { type Log, slsSinkOf } from '../../../src/connectors/sls/index.ts'
import { job } from '../../../src/job/index.ts'
import { IoPool, type MemoryBudget } from '../../../src/sink/index.ts'
import type { Life } from '../play.ts'
import { countKeys } from '../scenarios/counts.ts'
import { Copies } from './copies.ts'
import { putTargetOf, watchPuts } from './put-watch.ts'
import { lineInShard, lineOf } from './reading.ts'
import { jobOptions, shardSource } from './shard-source.ts'
import { connection } from './sim-log-service.ts'
import type { SlsJob, SlsJobParts } from './sls-job.ts'

const target = 'copy'

/** Logs, archived, counted by key, and written to another logstore. */
export const lineJob = ({ config, stage, network, service, query }: SlsJobParts): SlsJob => {
  const copies = new Copies(stage, (request) =>
    service()
      .groupsOf(request)
      .flatMap((group) => [...group.logs()].map((log) => log.get('line') ?? '')),
  )
  const recordOf = (log: Log): { readonly line: string; readonly key: string } => {
    const id = log.get('id') ?? ''
    return { line: query === undefined ? lineOf(log, id) : lineInShard(log, id), key: log.get('key') ?? '' }
  }
  const sink = ({ process }: Life, memory: MemoryBudget) =>
    slsSinkOf<string>(
      {
        ...connection,
        logstore: target,
        log: (line) => ({ contents: { line } }),
        package: { records: config.packageRecords, linger: config.lingerMs },
        retry: { initial: 20, max: 500 },
      },
      () => ({
        transport: watchPuts(
          network.transport(process),
          (request) => putTargetOf(request) === target,
          (request) => copies.doubted(request),
        ),
        batching: { memory, io: new IoPool(3) },
      }),
    )
  return {
    targets: { [target]: 2 },
    stored: (_, group) => copies.stored(group),
    compose: (life, theirs, { pulls, packages }) =>
      job('sim', jobOptions(life), (flow) => {
        const records = flow
          .from('log', shardSource('logs', config, network, { life, pulls, query: theirs }))
          .map(recordOf)
        records
          .map(({ line }) => line)
          .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
        countKeys(records.keyBy(({ key }) => key)).to('counts', fileSink({ dir: 'out/counts', format: 'text' }))
        records
          .map(({ line }) => line)
          .rebalance()
          .to(target, sink(life, packages))
      }),
    missing: (records) => {
      const late = records.find(({ line }) => !copies.has(line))
      return late === undefined ? undefined : `${late.line} is not in ${target}`
    },
    balance: (sum) => [
      ['read', sum('millrace_records_out_total', 'log')],
      ['archived', sum('millrace_records_send_total', 'archive')],
      ['counted', sum('millrace_records_in_total', 'count')],
      ['sent', sum('millrace_records_send_total', target)],
    ],
    progress: () => `copy ${copies.lines}`,
    counters: () => ({ 'in doubt': copies.inDoubt }),
  }
}
