import { fileSink } from '../../../src/connectors/files/index.ts'
import { job } from '../../../src/job/index.ts'
import { type BaseConfig, defineScenario, smallestBase } from '../play.ts'
import { countKeys, countsTruth } from './counts.ts'
import { archiveTruth, drawLog, type LogConfig, playLog, shardState } from './log-play.ts'

export interface DiskFullConfig extends BaseConfig, LogConfig {
  /** Mean time until the disk fills up, and until somebody frees it. */
  readonly fullAfterMs: number
  readonly freeAfterMs: number
  /** Room that is left when it fills up. */
  readonly roomBytes: number
  readonly bufferBytes: number
}

const plenty = 2 ** 40

/** A disk that fills up and is freed: the job holds, drops nothing, and goes on by itself. */
export const diskFull = defineScenario<DiskFullConfig>({
  name: 'disk-full',
  required: ['disk filled', 'waits for room'],
  draw: (random, base) => ({
    ...base,
    ...drawLog(random),
    checkpointMs: random.pick([300, 1000]),
    fullAfterMs: random.pick([300, 1000]),
    freeAfterMs: random.pick([300, 1500]),
    roomBytes: random.pick([0, 300, 2000]),
    bufferBytes: random.pick([16, 262_144]),
  }),
  smallest: {
    ...smallestBase,
    ...{ shards: 1, splitRate: 0, mergeRate: 0, pullMax: 5, rpcFailureRate: 0 },
    ...{ fullAfterMs: 200, freeAfterMs: 300, roomBytes: 300, bufferBytes: 16 },
  },
  open: (config, stage) => {
    const { world, random, count } = stage
    const { disk } = world.host()
    const outside = playLog(config, stage)
    const fill = (): void => {
      if (!world.faults.enabled) return
      count('disk filled')
      disk.capacityBytes = disk.usedBytes + random.int(config.roomBytes + 1)
      world.at(random.exponential(config.freeAfterMs), free)
    }
    const free = (): void => {
      disk.capacityBytes = plenty
      world.at(random.exponential(config.fullAfterMs), fill)
    }
    const { bufferBytes: buffer, rollBytes: size } = config
    return {
      ...outside.play,
      start: () => {
        outside.play.start()
        free()
      },
      heal: () => {
        disk.capacityBytes = plenty
      },
      compose: (life) =>
        job('sim', life.options, (flow) => {
          const records = flow.from('log', outside.source(life))
          records
            .map((record) => record.line)
            .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size }, buffer }))
          countKeys(records.keyBy((record) => record.key)).to(
            'counts',
            fileSink({ dir: 'out/counts', format: 'text', buffer }),
          )
        }),
      outputs: [archiveTruth(outside.log), countsTruth(() => outside.log.byLine.values())],
      state: shardState(outside.log),
    }
  },
})
