import { describe, expect, it } from 'vitest'
import { type SlsSourceOptions, slsSourceOf } from '../../../../src/connectors/sls/index.ts'
import { readSourceOptions } from '../../../../src/connectors/sls/source/sls-source-options.ts'
import { OptionsError } from '../../../../src/core/index.ts'
import { connection } from './test-logstores.ts'

const never = (): never => {
  throw new Error('making a source connects to nothing')
}

const problemsOf = (options: unknown): string => {
  try {
    Reflect.apply(slsSourceOf, undefined, [options, never])
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError)
    return String(error)
  }
  throw new Error('the options were accepted')
}

const resolved = (options: Partial<SlsSourceOptions>) => readSourceOptions({ ...connection, ...options }).settings

describe('the options of slsSource', () => {
  it('have defaults, and cannot be changed later', () => {
    const settings = resolved({ logstore: 'access' })
    expect(settings).toEqual({
      logstores: [{ logstore: 'access' }],
      logstorePattern: null,
      records: 'logs',
      start: { kind: 'position', position: 'earliest' },
      end: null,
      onDataLoss: 'fail',
      ordered: true,
      discoveryMs: 60_000,
      pullGroupsMax: 1_000,
      pullBytes: 10_485_760,
      pullsPerSecondMax: 50,
      tailWaitMs: 200,
      idleWaitMs: 1_000,
      idlePullsPerSecond: 300,
      failAfterMs: undefined,
      query: null,
      eventTime: 'record',
      outOfOrdernessMs: 0,
      idleAfterMs: undefined,
      onInvalid: 'fail',
      invalidInRowMax: 1000,
      metadataFields: false,
      dropResentPackages: 0,
      consumerGroup: null,
      onMirrorFailure: 'warn',
    })
    expect(Object.isFrozen(settings)).toBe(true)
  })

  it('say whether the source is bounded', () => {
    expect(slsSourceOf({ ...connection, logstore: 'access' }, never).boundedness).toBe('unbounded')
    expect(slsSourceOf({ ...connection, logstore: 'access', end: 'now' }, never).boundedness).toBe('bounded')
  })

  it('take every start and end', () => {
    const cursor = btoa('1772510706000000001')
    expect(resolved({ logstore: 'ab', start: { time: '2026-03-03T04:05:06Z' } }).start).toEqual({
      kind: 'position',
      position: { timeMs: 1_772_510_706_000 },
    })
    expect(resolved({ logstore: 'ab', start: { time: new Date(1_772_510_706_000) } }).start).toMatchObject({
      position: { timeMs: 1_772_510_706_000 },
    })
    expect(resolved({ logstore: 'ab', consumerGroup: 'g', start: { group: true, orElse: 'latest' } }).start).toEqual({
      kind: 'group',
      group: 'g',
      orElse: 'latest',
    })
    expect(resolved({ logstore: 'ab', start: { cursors: { 3: cursor } } }).start).toEqual({
      kind: 'cursors',
      cursors: new Map([[3, 1_772_510_706_000_000_001n]]),
      orElse: 'earliest',
    })
    expect(resolved({ logstore: 'ab', end: { time: 1_772_510_706_000 } }).end).toEqual({
      kind: 'time',
      timeMs: 1_772_510_706_000,
    })
  })

  it.each([
    [{}, /exactly one of 'logstore', 'logstores' and 'logstorePattern' is needed/],
    [{ logstore: 'a', logstorePattern: 'b*' }, /'logstore' must be a logstore name/],
    [{ logstore: 'ab', logstores: ['cd'] }, /exactly one of/],
    [{ logstore: 'ab', project: undefined }, /'project' is missing/],
    [{ logstores: ['ab', 'ab'] }, /'logstores' has 'proj\/ab' twice/],
    [{ logstores: [{ logstore: 'ab', projekt: 'x' }] }, /'logstores' must be a list/],
    [{ logstore: 'ab', start: 'begin' }, /'start' must be 'earliest', 'latest' or \{ time \}/],
    [{ logstore: 'ab', start: { time: 1_772_510_706 } }, /looks like seconds: did you mean 1772510706000\?/],
    [{ logstore: 'ab', start: { time: 'yesterday' } }, /'start.time' must be a time/],
    [{ logstore: 'ab', start: { group: true } }, /'start.group' is true, so 'consumerGroup' is needed/],
    [{ logstore: 'ab', start: { group: 'g', orElse: { group: 'h' } } }, /'start.orElse' must be/],
    [{ logstore: 'ab', start: { cursors: { 0: 'MTc' } } }, undefined],
    [{ logstore: 'ab', start: { cursors: { 0: '?' } } }, /the cursor of shard 0 is not one of the service's/],
    [{ logstore: 'ab', start: { cursors: { x: 'MTc=' } } }, /'x' is not a shard id/],
    [{ logstores: ['ab', 'cd'], start: { cursors: {} } }, /'start.cursors' needs 'logstore'/],
    [{ logstore: 'ab', end: 'later' }, /'end' must be 'now', \{ time \} or \{ cursors \}/],
    [{ logstore: 'ab', onMirrorFailure: 'fail' }, /'onMirrorFailure' needs a consumerGroup/],
    [{ logstore: 'ab', consumerGroup: 'a b' }, /'consumerGroup' must be a consumer group name/],
    [{ logstore: 'ab', pullGroupsMax: 1_001 }, /'pullGroupsMax' must be an integer from 1 to 1000/],
    [{ logstore: 'ab', strat: 'latest' }, /unknown option 'strat'; did you mean 'start'\?/],
    [{ logstore: 'ab', endpoint: 'http://' }, /'endpoint' must be/],
  ])('are refused when they make no sense: %j', (options, expected) => {
    const all = { ...connection, ...options }
    if (expected === undefined) expect(readSourceOptions(all as SlsSourceOptions).settings).toBeDefined()
    else expect(problemsOf(all)).toMatch(expected)
  })

  it('are refused with all their problems at once, and never show a secret', () => {
    const text = problemsOf({ ...connection, logstore: 'A', start: 1, pullBytes: '1GiB', discovery: 5 })
    expect(text).toMatch(/'logstore'.*'start'|'start'.*'logstore'/s)
    expect(text).toMatch(/'pullBytes' must be a size/)
    expect(text).toMatch(/unknown option 'discovery'/)
    expect(
      problemsOf({ ...connection, logstore: 'ab', credentials: { accessKeyId: 'id', accessKeySecret: 12345678 } }),
    ).not.toMatch(/12345678/)
  })
})
