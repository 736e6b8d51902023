import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { arraySource, collectSink, generatorSource } from '../../src/connectors/memory/index.ts'
import type { Guarantee } from '../../src/core/index.ts'
import { type Flow, type Job, job, type Stream, type Wiring } from '../../src/job/index.ts'
import { valueState } from '../../src/runtime/index.ts'
import { checkpoint } from './totals.ts'

/** As somebody without types calls them. */
const untyped = job as (name: unknown, options?: unknown, build?: unknown) => Job
type AnyFlow = Flow<Wiring<Guarantee, boolean>>
const copying = (flow: AnyFlow): void => {
  flow.from('in', arraySource([1])).to('out', collectSink<number>())
}
const withOptions = (options: unknown) => () => untyped('test', options, copying)
const settingsOf = (options: unknown) => untyped('test', options, copying).graph.settings
/** A job whose steps after the source are composed without types. */
const composing = (build: (stream: Stream<number>, any: (stream: unknown) => never) => unknown) => () =>
  job('test', (flow) => build(flow.from('in', arraySource([1])) as Stream<number>, (stream) => stream as never))

describe('options of a job', () => {
  test('have defaults, resolved to milliseconds and bytes', () => {
    expect(settingsOf({ checkpoint: { dir: '/c' } })).toEqual({
      guarantee: 'exactly-once',
      checkpoint: {
        dir: '/c',
        intervalMs: 10_000,
        timeoutMs: 600_000,
        minPauseMs: 0,
        tolerableFailures: 3,
        retained: 3,
      },
      parallelism: 1,
      maxParallelism: 128,
      restart: {
        kind: 'exponential',
        initialMs: 1_000,
        maxMs: 60_000,
        multiplier: 1.5,
        jitter: 0.1,
        resetAfterMs: 3_600_000,
      },
      stopDeadlineMs: 30_000,
      batchRecordsMax: 512,
      batchBytesMax: 65_536,
      channelBatchesMax: 8,
      channelBytesMax: 4_194_304,
      stepWarnMs: 60_000,
      stepTimeoutMs: 600_000,
    })
  })

  test('without a directory mean no checkpoints, no promise and no restart', () => {
    expect(settingsOf({})).toMatchObject({ guarantee: 'best-effort', checkpoint: undefined, restart: { kind: 'none' } })
    expect(settingsOf({ checkpoint: { every: '1s' } })).toMatchObject({ checkpoint: undefined })
  })

  test('are taken as they are given', () => {
    const given = {
      guarantee: 'at-least-once',
      checkpoint: { dir: '/c', every: '5s', timeout: '1m', minPause: 100, tolerableFailures: 0, retained: 9 },
      parallelism: 3,
      maxParallelism: 256,
      restart: { strategy: 'rate', failures: 2, window: '1m', delay: '2s' },
      stopDeadline: '5s',
      batchRecords: 10,
      batchBytes: '1KiB',
      channelBatches: 2,
      channelBytes: 2_000,
      stepWarn: '1s',
      stepTimeout: '2s',
    }
    expect(settingsOf(given)).toEqual({
      guarantee: 'at-least-once',
      checkpoint: {
        dir: '/c',
        intervalMs: 5_000,
        timeoutMs: 60_000,
        minPauseMs: 100,
        tolerableFailures: 0,
        retained: 9,
      },
      parallelism: 3,
      maxParallelism: 256,
      restart: { kind: 'rate', failures: 2, windowMs: 60_000, delayMs: 2_000 },
      stopDeadlineMs: 5_000,
      batchRecordsMax: 10,
      batchBytesMax: 1_024,
      channelBatchesMax: 2,
      channelBytesMax: 2_000,
      stepWarnMs: 1_000,
      stepTimeoutMs: 2_000,
    })
  })

  test('cannot be changed afterwards', () => {
    const { settings } = untyped('test', { checkpoint: { dir: '/c' } }, copying).graph
    expect(Object.isFrozen(settings)).toBe(true)
    expect(Object.isFrozen(settings.checkpoint)).toBe(true)
  })

  test('are refused with every problem at once', () => {
    const wrong = {
      paralellism: 2,
      parallelism: 0,
      checkpoint: { dir: '', evry: '5s', every: '5 seconds' },
      restart: 'always',
      deadLetter: {},
      batchBytes: '64kb',
    }
    expect(withOptions(wrong)).toThrowErrorMatchingInlineSnapshot(`
      [OptionsError: OPTIONS_INVALID: job 'test': unknown option 'paralellism'; did you mean 'parallelism'?; unknown option 'checkpoint.evry'; did you mean 'checkpoint.every'?; 'checkpoint.every' must be a duration from 10 ms to 86400000 ms, such as '5s' or 5000, got "5 seconds"; 'checkpoint.dir' must be a directory path, got ""; 'parallelism' must be an integer from 1 to 1024, got 0; 'restart' must be 'none' or an object with a strategy, got "always"; 'deadLetter' must be a sink, got an object; 'batchBytes' must be a size from 1 to 1099511627776 bytes, such as '64KiB' or 65536, got "64kb"
        fix: correct the options named in the message]
    `)
  })

  test.each<[unknown, RegExp]>([
    [null, /the options must be an object, got null/],
    ['options', /the options must be an object, got "options"/],
    [[], /the options must be an object, got a list/],
    [{ guarantee: 'exactly_once' }, /'guarantee' must be one of 'exactly-once', 'at-least-once', 'best-effort'/],
    [{ checkpoint: 'dir' }, /'checkpoint' must be an object with options, got "dir"/],
    [{ checkpoint: { every: '5ms' } }, /'checkpoint.every' must be a duration from 10 ms to 86400000 ms/],
    [{ checkpoint: { retained: 1 } }, /'checkpoint.retained' must be an integer from 2 to 1000, got 1/],
    [{ parallelism: 1.5 }, /'parallelism' must be an integer from 1 to 1024, got 1.5/],
    [{ maxParallelism: 40_000 }, /'maxParallelism' must be an integer from 1 to 32768/],
    [{ stopDeadline: -1 }, /'stopDeadline' must be a duration from 1 ms/],
    [{ batchRecords: 0 }, /'batchRecords' must be an integer from 1 to 65536/],
    [{ channelBytes: '0B' }, /'channelBytes' must be a size from 1 to/],
    [{ stepTimeout: 'never' }, /'stepTimeout' must be a duration/],
    [{ deadLetter: { kind: 'x' } }, /'deadLetter' must be a sink, got an object/],
    [{ restart: true }, /'restart' must be 'none' or an object with a strategy, got true/],
    [{ restart: {} }, /'restart.strategy' is missing; it must be one of 'fixed', 'rate', 'exponential'/],
    [
      { restart: { strategy: 'often' } },
      /'restart.strategy' must be one of 'fixed', 'rate', 'exponential', got "often"/,
    ],
    [{ restart: { strategy: 'fixed' } }, /'restart.attempts' is missing/],
    [{ restart: { strategy: 'fixed', attempts: 1, window: '1s' } }, /unknown option 'restart.window'/],
    [{ restart: { strategy: 'rate' } }, /'restart.failures' is missing.*'restart.window' is missing/],
    [{ restart: { strategy: 'exponential', attempts: 3 } }, /unknown option 'restart.attempts'/],
    [
      { restart: { strategy: 'exponential', jiter: 0.1 } },
      /unknown option 'restart.jiter'; did you mean 'restart.jitter'\?/,
    ],
    [{ restart: { strategy: 'exponential', multiplier: 0.5 } }, /'restart.multiplier' must be a number from 1 to 100/],
  ])('%o are refused', (options, message) => {
    expect(withOptions(options)).toThrow(message)
    expect(withOptions(options)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }))
  })
})

describe('a job as it is composed', () => {
  test.each([undefined, '', 'a b', '-a', 'ä', 'x'.repeat(101), 5])('is not named %o', (name) => {
    expect(() => untyped(name, {}, copying)).toThrow(/cannot name a job/)
  })

  test('needs a function that composes it', () => {
    expect(() => untyped('test', {})).toThrow(/there is no function that composes the job/)
  })

  test('needs a source and a sink', () => {
    expect(() => job('test', () => {})).toThrow(/the job has no source.*the job has no sink/s)
    expect(() => job('test', (flow) => flow.from('in', arraySource([1])))).toThrow(
      /the stream of 'in' goes nowhere.*the job has no sink/s,
    )
  })

  test('needs names that are not taken, also by steps that name themselves', () => {
    const twice = () =>
      job('test', (flow) => {
        const stream = flow.from('in', arraySource([1]))
        stream.map((n) => n).to('map', collectSink<number>())
        stream.to('in', collectSink<number>())
      })
    expect(twice).toThrow(/two steps are named 'in'.*two steps are named 'map'|'map'.*'in'/s)
  })

  test.each(['', ' a', 'a/b', 'a\nb', 'x'.repeat(101)])('needs names a person can write, not %o', (name) => {
    expect(() => job('test', (flow) => flow.from(name, arraySource([1])).to('out', collectSink<number>()))).toThrow(
      /cannot name a step/,
    )
  })

  test.each([undefined, null, 5, {}])('needs names that are text, not %o', (name) => {
    expect(() =>
      job('test', (flow) => flow.from(name as never, arraySource([1])).to('out', collectSink<number>())),
    ).toThrow(/cannot name a step/)
  })

  test('does not take steps afterwards', () => {
    let kept: Stream<number> | undefined
    job('test', (flow) => {
      const stream = flow.from('in', arraySource([1]))
      stream.to('out', collectSink<number>())
      kept = stream as Stream<number>
    })
    expect(() => kept?.map((n) => n)).toThrow(/'map' is added after the job was composed/)
  })

  test('needs checkpoints for a promise', () => {
    expect(withOptions({ guarantee: 'exactly-once' })).toThrow(/a job that promises exactly-once needs checkpoints/)
  })

  test('does not promise more than its source and its sinks can give, and says who cannot', () => {
    const weak = { ...collectSink<number>(), guarantee: 'at-least-once' as const }
    const source = { ...arraySource([1]), guarantee: 'best-effort' as const }
    const promising = () =>
      untyped('test', { checkpoint: { dir: '/c' } }, (flow: AnyFlow) => flow.from('in', source).to('out', weak))
    expect(promising).toThrow(/'in' \(generator\) can give best-effort at best, but the job promises exactly-once/)
    expect(promising).toThrow(/'out' \(collect\) can give at-least-once at best/)
  })
})

describe('options of a step', () => {
  const wrongName = { name: 5 } as never
  const unknown = { nmae: 'x' } as never

  test.each<[string, () => unknown]>([
    ['map', composing((s) => s.map((n) => n, unknown))],
    ['filter', composing((s) => s.filter(() => true, unknown))],
    ['flatMap', composing((s) => s.flatMap((n) => [n], unknown))],
    ['split', composing((s) => s.split({ a: () => true }, unknown))],
    ['parse', composing((s) => s.parse(z.number(), unknown))],
  ])('%s that are unknown are refused, with the name that was meant', (verb, compose) => {
    expect(compose).toThrow(new RegExp(`${verb}: unknown option 'nmae'; did you mean 'name'\\?`))
  })

  test.each<[string, () => unknown, RegExp]>([
    ['map', composing((s) => s.map((n) => n, wrongName)), /map: 'name' must be a non-empty string, got 5/],
    [
      'mapAsync',
      composing((s) => s.mapAsync('wait', { concurency: 3 } as never, async (n) => n)),
      /mapAsync 'wait': unknown option 'concurency'; did you mean 'concurrency'\?/,
    ],
    [
      'mapAsync',
      composing((s) => s.mapAsync('wait', { concurrency: 0 }, async (n) => n)),
      /'concurrency' must be an integer from 1 to 10000, got 0/,
    ],
    [
      'parse',
      composing((s) => s.parse(z.number(), { onInvalid: 'ignore' } as never)),
      /'onInvalid' must be one of 'fail', 'skip', 'dead-letter', got "ignore"/,
    ],
    [
      'parse',
      composing((s) => s.parse(z.number(), { invalidInRowMax: 0 })),
      /'invalidInRowMax' must be an integer from 1/,
    ],
    ['rebalance', composing((s) => s.rebalance({ parallelism: 0 })), /rebalance: 'parallelism' must be an integer/],
    [
      'to',
      composing((s) => s.to('out', collectSink<number>(), { paralelism: 2 } as never)),
      /to 'out': unknown option 'paralelism'; did you mean 'parallelism'\?/,
    ],
    [
      'reduce',
      composing((s) => s.keyBy((n) => n).reduce('sum', 0, (a, b) => a + b, { parallelism: 5_000 })),
      /reduce 'sum': 'parallelism' must be an integer from 1 to 1024/,
    ],
    [
      'process',
      composing((s) =>
        s.keyBy((n) => n).process('p', { state: { n: valueState<number>() }, each: () => [] }, { name: 'x' } as never),
      ),
      /process 'p': unknown option 'name'/,
    ],
    [
      'process',
      composing((s) => s.keyBy((n) => n).process('p', { state: {}, each: () => [] })),
      /process 'p' declares no state/,
    ],
    [
      'from',
      () => job('test', (flow) => flow.from('in', arraySource([1]), { paralelism: 2 } as never)),
      /from 'in': unknown option 'paralelism'; did you mean 'parallelism'\?/,
    ],
    [
      'from',
      () => job('test', (flow) => flow.from('in', arraySource([1]), { parallelism: 0 })),
      /from 'in': 'parallelism' must be an integer from 1 to 1024, got 0/,
    ],
    [
      'generatorSource',
      () => generatorSource({ generate: 5 } as never),
      /generatorSource: 'generate' must be a function/,
    ],
    ['generatorSource', () => generatorSource({} as never), /'generate' is missing/],
    ['arraySource', () => arraySource([1], { splits: 0 }), /'splits' must be an integer from 1 to 1024/],
  ])('%s are refused when they are wrong', (_, compose, message) => {
    expect(compose).toThrow(message)
  })

  test('name the step', () => {
    const named = job('test', { checkpoint }, (flow) => {
      flow
        .from('in', arraySource([1]))
        .map((n) => n, { name: 'double' })
        .map((n) => n)
        .map((n) => n)
        .to('out', collectSink<number>())
    })
    expect(named.graph.nodes.map(({ name }) => name)).toEqual(['in', 'double', 'map', 'map-2', 'out'])
  })
})
