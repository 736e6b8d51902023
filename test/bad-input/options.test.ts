import { type Job, job } from 'millrace'
import { fileSink, filesSource } from 'millrace/files'
import { arraySource, collectSink } from 'millrace/memory'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/entry/run.ts'
import { expectComplaint, thrownBy } from './machine.ts'

/** A job with options no compiler would take. */
const jobWith = (options: object): Job =>
  job('numbers', options as object, (flow) => flow.from('in', arraySource([1])).to('out', collectSink()))

const numbers = jobWith({})

const places: Record<string, (options: object) => unknown> = {
  'of a job': jobWith,
  'of its checkpoints': (checkpoint) => jobWith({ checkpoint }),
  'of its restarts': (restart) => jobWith({ restart }),
  'of run': (options) => run(numbers, options),
  'of filesSource': (options) => filesSource({ paths: 'in', ...options }),
  'of fileSink': (options) => fileSink({ dir: 'out', ...options }),
}

const refusal = (options: object, place: string): Error => thrownBy(() => places[place]?.(options))

describe('options', () => {
  test.each([
    ['of a job', { paralelism: 2 }, "job 'numbers': unknown option 'paralelism'; did you mean 'parallelism'?"],
    ['of its checkpoints', { evry: '1s' }, "unknown option 'checkpoint.evry'; did you mean 'checkpoint.every'?"],
    [
      'of its restarts',
      { strategy: 'fixed', attempts: 2, dellay: '1s' },
      "unknown option 'restart.dellay'; did you mean 'restart.delay'?",
    ],
    ['of run', { restor: 'latest' }, "run: unknown option 'restor'; did you mean 'restore'?"],
    ['of filesSource', { inclde: '*.log' }, "filesSource: unknown option 'inclde'; did you mean 'include'?"],
    ['of fileSink', { partitoin: 1 }, "fileSink: unknown option 'partitoin'; did you mean 'partition'?"],
  ])('%s that nobody knows are refused with the one that was meant', (place, options, message) => {
    const error = refusal(options, place)
    expectComplaint(error, {
      code: 'OPTIONS_INVALID',
      exitCode: 2,
      message: /unknown option/,
      fix: /correct the options/,
    })
    expect(error.message).toContain(message)
  })

  test.each([
    ['of a job', { parallelism: '4' }, `'parallelism' must be an integer from 1 to 1024, got "4"`],
    ['of a job', { stopDeadline: 'soon' }, `'stopDeadline' must be a duration`],
    ['of a job', { deadLetter: {} }, `'deadLetter' must be a sink, got an object`],
    ['of a job', { restart: 'always' }, `'restart' must be 'none' or an object with a strategy, got "always"`],
    ['of its checkpoints', { dir: 7 }, `'checkpoint.dir' must be a directory path, got 7`],
    [
      'of its restarts',
      { strategy: 'fixed', attempts: true },
      `'restart.attempts' must be an integer from 0 to 1000000, got true`,
    ],
    [
      'of run',
      { restore: -1 },
      `'restore' must be 'latest', 'none', the number of a checkpoint or a directory, got -1`,
    ],
    ['of run', { signal: {} }, `'signal' must be an AbortSignal, got an object`],
    ['of run', { logger: { info() {} } }, `'logger' must be a logger with debug, info, warn, error and child`],
    ['of run', { renameState: { old: 7 } }, `'renameState' must be an object of old names to new names`],
    [
      'of filesSource',
      { paths: [] },
      `'paths' must be a path, a glob, or a list of them that is not empty, got a list`,
    ],
    ['of fileSink', { dir: null }, `'dir' must be a path, got null`],
    ['of fileSink', { partition: 'level' }, `'partition' must be a function from a record to a relative path`],
  ])('%s of a wrong type are refused with the right one: %j', (place, options, message) => {
    const error = refusal(options, place)
    expectComplaint(error, { code: 'OPTIONS_INVALID', exitCode: 2, message: /must be/, fix: /correct the options/ })
    expect(error.message).toContain(message)
  })

  test.each([
    ['of a job', { parallelism: 0 }, `'parallelism' must be an integer from 1 to 1024, got 0`],
    ['of a job', { maxParallelism: 40_000 }, `'maxParallelism' must be an integer from 1 to 32768`],
    ['of its checkpoints', { retained: 1 }, `'checkpoint.retained' must be an integer from 2 to 1000, got 1`],
    ['of its checkpoints', { every: '1ms' }, `'checkpoint.every' must be a duration from 10 ms to 86400000 ms`],
    ['of its restarts', { strategy: 'exponential', jitter: 2 }, `'restart.jitter' must be a number from 0 to 1, got 2`],
    ['of run', { watchdog: '1ms' }, `'watchdog' must be a duration from 100 ms`],
    ['of filesSource', { lineBytesMax: '2GiB' }, `'lineBytesMax' must be a size from 1 to 1073741824 bytes`],
    ['of fileSink', { openPartsMax: 5_000 }, `'openPartsMax' must be an integer from 1 to 4096, got 5000`],
  ])('%s out of range are refused with the range: %j', (place, options, message) => {
    const error = refusal(options, place)
    expectComplaint(error, { code: 'OPTIONS_INVALID', exitCode: 2, message: /must be/, fix: /correct the options/ })
    expect(error.message).toContain(message)
  })

  test.each([
    [{ strategy: 'fixed' }, `'restart.attempts' is missing`],
    [{ strategy: 'rate', failures: 3 }, `'restart.window' is missing`],
    [{ strategy: 'rate', window: '1m' }, `'restart.failures' is missing`],
    [{ strategy: 'fixed', attempts: 3, jitter: 0.5 }, `unknown option 'restart.jitter'`],
    [{ strategy: 'sometimes' }, `'restart.strategy' must be one of 'fixed', 'rate', 'exponential', got "sometimes"`],
    [{ attempts: 3 }, `'restart.strategy' is missing`],
  ])('of a restart that do not belong to its strategy, or are missing for it, are refused: %j', (restart, message) => {
    const error = refusal(restart, 'of its restarts')
    expectComplaint(error, { code: 'OPTIONS_INVALID', exitCode: 2, message: /restart/, fix: /correct the options/ })
    expect(error.message).toContain(message)
  })

  test('are refused with all problems at once, on every level', () => {
    const error = refusal(
      { paralelism: 2, batchRecords: 0, checkpoint: { retained: 1, dri: 'ck' }, restart: { strategy: 'fixed' } },
      'of a job',
    )
    for (const name of [
      "'paralelism'",
      "'batchRecords'",
      "'checkpoint.retained'",
      "'checkpoint.dri'",
      "'restart.attempts'",
    ]) {
      expect(error.message).toContain(name)
    }
    expect(refusal({ mod: 'tail', readBytes: 0, include: [] }, 'of filesSource').message).toMatch(
      /'mod'.*'include'.*'readBytes'/,
    )
    expect(refusal({ prefix: '/', roll: { sise: 1 } }, 'of fileSink').message).toMatch(
      /'roll.sise'.*'prefix'|'prefix'.*'roll.sise'/,
    )
    expect(refusal({ restore: '', wachdog: 1 }, 'of run').message).toMatch(/'wachdog'.*'restore'/)
  })

  test.each(['of a job', 'of run'])('%s that are no object are refused', (place) => {
    for (const options of [null, 7, 'fast', []]) {
      const error = refusal(options as object, place)
      expectComplaint(error, {
        code: 'OPTIONS_INVALID',
        exitCode: 2,
        message: /must be an object/,
        fix: /correct the options/,
      })
    }
  })
})

describe('a job that cannot run', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'without a name',
      () => job('', (flow) => flow.from('in', arraySource([1])).to('out', collectSink())),
      /cannot name a job/,
    ],
    ['without a source', () => job('empty', () => undefined), /the job has no source; .* the job has no sink/],
    [
      'without a sink',
      () => job('open', (flow) => flow.from('in', arraySource([1]))),
      /goes nowhere; end it with \.to/,
    ],
    [
      'with two steps of one name',
      () => job('twice', (flow) => flow.from('in', arraySource([1])).to('in', collectSink())),
      /two steps are named 'in'/,
    ],
  ])('%s is refused when it is composed', (_, compose, message) => {
    const error = thrownBy(compose)
    expect(error).toMatchObject({ code: 'JOB_GRAPH_INVALID', exitCode: 2, name: 'JobGraphError' })
    expect(error.message).toMatch(message)
  })

  test('is refused by run when it is no job at all', () => {
    for (const what of [undefined, {}, 'numbers']) {
      const error = thrownBy(() => run(what as unknown as Job))
      expectComplaint(error, {
        code: 'OPTIONS_INVALID',
        exitCode: 2,
        message: /run: .* must be a job/,
        fix: /run\(job\(/,
      })
    }
  })

  test.each<[string, (value: never) => unknown]>([
    ['a source that is none', (value) => job('odd', (flow) => flow.from('in', value).to('out', collectSink()))],
    ['a sink that is none', (value) => job('odd', (flow) => flow.from('in', arraySource([1])).to('out', value))],
    [
      'a function of map that is none',
      (value) =>
        job('odd', (flow) =>
          flow
            .from('in', arraySource([1]))
            .map(value)
            .to('out', collectSink()),
        ),
    ],
    [
      'a function of filter that is none',
      (value) =>
        job('odd', (flow) =>
          flow
            .from('in', arraySource([1]))
            .filter(value)
            .to('out', collectSink()),
        ),
    ],
    [
      'a schema that is none',
      (value) =>
        job('odd', (flow) =>
          flow
            .from('in', arraySource([1]))
            .parse(value)
            .to('out', collectSink()),
        ),
    ],
  ])('%s is refused when it is composed, not at the first record', (_, compose) => {
    for (const value of [undefined, {}, 'text']) {
      const error = thrownBy(() => compose(value as never))
      expect(error).toMatchObject({ code: 'OPTIONS_INVALID', exitCode: 2 })
      expect(error.message).toMatch(/must be/)
    }
  })
})
