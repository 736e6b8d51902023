import { fileSink } from '../../../src/connectors/files/index.ts'
import { job } from '../../../src/job/index.ts'
import { openSink, type Sink } from '../../../src/sink/index.ts'
import { type BaseConfig, defineScenario, type Life, type Stage, smallestBase } from '../play.ts'
import { callService, type WireRecord } from '../sharded-log.ts'
import { archiveTruth, drawLog, type LogConfig, playLog } from './log-play.ts'

export interface ForwardedConfig extends BaseConfig, LogConfig {
  /** How often the target takes a batch and its answer gets lost. */
  readonly lostAnswerRate: number
}

/** A service that takes lines and forgets nothing, watched for S9. */
class Target {
  readonly #stage: Stage
  readonly #copies = new Map<string, number>()
  readonly #ambiguous = new Map<string, number>()

  constructor(stage: Stage) {
    this.#stage = stage
  }

  get lines(): number {
    return this.#copies.size
  }

  /** S9: no more copies than attempts of the job, and than sends of which nobody knows how they ended. */
  take(lines: readonly string[]): void {
    for (const line of lines) {
      const copies = (this.#copies.get(line) ?? 0) + 1
      this.#copies.set(line, copies)
      const bound = this.#stage.starts() + (this.#ambiguous.get(line) ?? 0)
      if (copies > bound) this.#stage.world.violate(`S9: ${copies} copies of ${line}; ${bound} are explained`)
    }
  }

  /** Whoever sent these cannot know whether they were taken. */
  doubt(lines: readonly string[]): void {
    this.#stage.count('lost answers')
    for (const line of lines) this.#ambiguous.set(line, (this.#ambiguous.get(line) ?? 0) + 1)
  }
}

/** An at-least-once sink as a connector author would write it: what was written is sent, and sent again, until answered. */
const targetSink = (
  target: Target,
  config: ForwardedConfig,
  stage: Stage,
  life: Life,
): Sink<WireRecord, 'at-least-once'> => ({
  kind: 'target',
  guarantee: 'at-least-once',
  guaranteeReason: 'an answer can get lost',
  open: ({ clock }) =>
    openSink({
      createWriter: async () => {
        const { world } = stage
        const random = world.random.fork(`target of ${life.process.name}`)
        let held: string[] = []
        const send = async (): Promise<void> => {
          const lines = held
          held = []
          while (lines.length > 0) {
            try {
              const service = { process: life.process, world, random, failureRate: config.rpcFailureRate }
              const answered = await callService(service, `put ${lines.length}`, () => {
                target.take(lines)
                return !world.faults.enabled || !random.bool(config.lostAnswerRate)
              })
              if (answered) return
              target.doubt(lines)
            } catch {
              // Refused before it had an effect.
            }
            await clock.sleep(50)
          }
        }
        return {
          write: async ({ records }) => {
            held.push(...records.map(({ line }) => line))
            if (held.length >= 5) await send()
          },
          flush: send,
          close: async () => {},
        }
      },
    }),
})

/** A sharded log forwarded to a service that may take things twice. */
export const forwarded = defineScenario<ForwardedConfig>({
  name: 'forwarded',
  required: ['lost answers', 'splits'],
  draw: (random, base) => ({ ...base, ...drawLog(random), lostAnswerRate: random.pick([0, 0.1, 0.4]) }),
  smallest: {
    ...smallestBase,
    ...{ shards: 1, splitRate: 0, mergeRate: 0, pullMax: 5, rpcFailureRate: 0, lostAnswerRate: 0 },
  },
  open: (config, stage) => {
    const { log, source, play } = playLog(config, stage)
    const target = new Target(stage)
    return {
      ...play,
      compose: (life) =>
        job('sim', { ...life.options, guarantee: 'at-least-once', checkpoint: life.checkpoint }, (flow) => {
          const records = flow.from('log', source(life))
          records.rebalance().to('target', targetSink(target, config, stage, life))
          records.map(({ line }) => line).to('archive', fileSink({ dir: 'out/archive', format: 'text' }))
        }),
      outputs: [archiveTruth(log)],
      complete: () => target.lines === log.size,
      progress: () => `target ${target.lines}/${log.size}`,
      balance: (sum) => [
        ['read', sum('millrace_records_out_total', 'log')],
        ['sent', sum('millrace_records_send_total', 'target')],
      ],
    }
  },
})
