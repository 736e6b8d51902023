import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Observable } from 'rxjs'
import { fileSink } from '../../../src/connectors/files/index.ts'
import type { DeadLetter } from '../../../src/core/index.ts'
import { type JobOptions, job } from '../../../src/job/index.ts'
import { listState, valueState } from '../../../src/runtime/index.ts'
import type { OutputTruth } from '../oracle.ts'
import { type BaseConfig, defineScenario, type Life, type Stage, smallestBase } from '../play.ts'
import type { ShardedLog } from '../sharded-log.ts'
import { drawLog, type LogConfig, playLog } from './log-play.ts'

export interface StepsConfig extends BaseConfig, LogConfig {
  /** How often the user's functions throw for no reason. */
  readonly throwRate: number
  readonly timerMs: number
}

interface Parsed {
  readonly line: string
  readonly key: string
}

const indexOf = (line: string): number => Number(/^s\d+\.(\d+)\|/.exec(line)?.[1])
/** A record that the schema refuses. */
const isPoison = (line: string): boolean => indexOf(line) % 5 === 3

const schema: StandardSchemaV1<unknown, Parsed> = {
  '~standard': {
    version: 1,
    vendor: 'simulation',
    validate: (value) => {
      const record = value as Parsed
      return isPoison(record.line) ? { issues: [{ message: 'poison' }] } : { value: record }
    },
  },
}

const deadLetters = fileSink<DeadLetter>({
  dir: 'out/dead',
  format: {
    extension: 'txt',
    encode: ({ raw }, append) => append(`${(JSON.parse(raw) as Parsed).line}\n`),
  },
})

/** What most users do between a source and a sink, with a function that fails now and then. */
const compose = (config: StepsConfig, stage: Stage, life: Life, source: ReturnType<typeof playLog>['source']) => {
  const { world, count } = stage
  const random = world.random.fork(`user of ${life.process.name}`)
  const sometimes = (): void => {
    if (!world.faults.enabled || !random.bool(config.throwRate)) return
    count('user throws')
    throw new Error('a mistake of the user that does not last')
  }
  const { clock } = life.process.environment
  const options = { ...life.options, deadLetter: deadLetters } satisfies JobOptions
  return job('sim', options, (flow) => {
    const parsed = flow
      .from('log', source(life))
      .parse(schema, { onInvalid: 'dead-letter' })
      .map((record) => {
        sometimes()
        return record
      })
    const { even, rest } = parsed.split({ even: ({ line }: Parsed) => indexOf(line) % 2 === 0 })
    const dealt = even.rebalance().rx('same', (input: Observable<Parsed>) => input)
    const looked = rest.mapAsync('look-up', { concurrency: 3 }, async (record) => {
      await clock.sleep(1 + random.int(20))
      sometimes()
      return record
    })
    const all = dealt.union(looked)
    all
      .flatMap(({ line }) => [`${line}#a`, `${line}#b`])
      .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
    all
      .keyBy(({ key }) => key)
      .process('hold', {
        state: { held: listState<string>(), due: valueState<number>() },
        each({ line }, { state, nowMs, setTimer }) {
          state.held.add(line)
          if (state.due.get() !== undefined) return undefined
          state.due.set(nowMs + config.timerMs)
          setTimer(nowMs + config.timerMs)
          return undefined
        },
        timer(_, { state }) {
          count('timers')
          const held = [...state.held.get()]
          state.held.clear()
          state.due.clear()
          return held
        },
      })
      .to('held', fileSink({ dir: 'out/held', format: 'text' }))
  })
}

const lineTruth = (
  dir: string,
  sink: string,
  log: ShardedLog,
  suffixes: readonly string[],
  poison: boolean,
): OutputTruth => ({
  dir: `out/${dir}`,
  sink,
  known: (line) => {
    const suffix = suffixes.find((one) => line.endsWith(one)) ?? ''
    const text = line.slice(0, line.length - suffix.length)
    const wanted = log.byLine.has(text) && isPoison(text) === poison && suffixes.includes(suffix)
    return wanted ? { stream: text, index: suffixes.indexOf(suffix) } : undefined
  },
  expected: () => [...log.byLine.keys()].filter((line) => isPoison(line) === poison).length * suffixes.length,
})

/** Schema and dead letters, split and union, rebalance, RxJS, promises, timers, and user functions that throw. */
export const steps = defineScenario<StepsConfig>({
  name: 'steps',
  // Timers of processing time go with the wall clock; one that is a day away is no fault of the job.
  without: ['clockJump'],
  required: ['user throws', 'timers'],
  draw: (random, base) => ({
    ...base,
    ...drawLog(random),
    throwRate: random.pick([0, 0.01, 0.05]),
    timerMs: random.pick([10, 200, 1500]),
  }),
  smallest: {
    ...smallestBase,
    ...{ shards: 1, splitRate: 0, mergeRate: 0, pullMax: 5, rpcFailureRate: 0, throwRate: 0, timerMs: 200 },
  },
  open: (config, stage) => {
    const { log, source, play } = playLog(config, stage)
    return {
      ...play,
      compose: (life) => compose(config, stage, life, source),
      outputs: [
        lineTruth('archive', 'archive', log, ['#a', '#b'], false),
        lineTruth('held', 'held', log, [''], false),
        lineTruth('dead', 'dead-letter', log, [''], true),
      ],
      balance: (sum) => {
        const dead = sum('millrace_records_send_total', 'dead-letter')
        return [
          ['read', sum('millrace_records_out_total', 'log')],
          ['archived and dead', sum('millrace_records_send_total', 'archive') / 2 + dead],
          ['held and dead', sum('millrace_records_in_total', 'hold') + dead],
        ]
      },
    }
  },
})
