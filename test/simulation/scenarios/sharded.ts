import { fileSink } from '../../../src/connectors/files/index.ts'
import { job } from '../../../src/job/index.ts'
import { type BaseConfig, defineScenario, smallestBase } from '../play.ts'
import { countKeys, countsTruth } from './counts.ts'
import { archiveTruth, drawLog, type LogConfig, playLog, shardState } from './log-play.ts'

export interface ShardedConfig extends BaseConfig, LogConfig {}

/** A log whose shards split and merge: every line archived in order, and every key counted. */
export const sharded = defineScenario<ShardedConfig>({
  name: 'sharded',
  required: ['splits', 'merges', 'zombies', 'waits for room', 'fault bitRot'],
  draw: (random, base) => ({ ...base, ...drawLog(random) }),
  smallest: { ...smallestBase, shards: 1, splitRate: 0.5, mergeRate: 0.5, pullMax: 5, rpcFailureRate: 0 },
  open: (config, stage) => {
    const outside = playLog(config, stage)
    return {
      ...outside.play,
      compose: (life) =>
        job('sim', life.options, (flow) => {
          const records = flow.from('log', outside.source(life))
          records
            .map((record) => record.line)
            .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
          countKeys(records.keyBy((record) => record.key)).to('counts', fileSink({ dir: 'out/counts', format: 'text' }))
        }),
      outputs: [archiveTruth(outside.log), countsTruth(() => outside.log.byLine.values())],
      state: shardState(outside.log),
      balance: (sum) => [
        ['read', sum('millrace_records_out_total', 'log')],
        ['archived', sum('millrace_records_send_total', 'archive')],
        ['counted', sum('millrace_records_in_total', 'count')],
        ['counts written', sum('millrace_records_send_total', 'counts')],
      ],
    }
  },
})
