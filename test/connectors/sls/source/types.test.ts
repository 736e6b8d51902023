import { expect, test } from 'vitest'
import { type Log, type LogGroup, type SlsSourceOptions, slsSourceOf } from '../../../../src/connectors/sls/index.ts'
import type { Source } from '../../../../src/source/index.ts'
import { connection } from './test-logstores.ts'

const never = (): never => {
  throw new Error('making a source connects to nothing')
}

/** Takes a source as a job does: what the steps get comes from the source. */
const from = <T>(source: Source<T, 'exactly-once'>, step: (record: T) => unknown): string =>
  `${source.kind} ${step.length}`

test('the option records decides what the steps of a job get', () => {
  const logs = slsSourceOf({ ...connection, logstore: 'access' }, never)
  const groups = slsSourceOf({ ...connection, logstore: 'access', records: 'groups' }, never)
  expect(from(logs, (log: Log) => log.get('path'))).toBe('sls 1')
  expect(from(groups, (group: LogGroup) => group.serialized)).toBe('sls 1')
  // @ts-expect-error a group has no fields
  expect(from(groups, (group) => group.get('path'))).toBe('sls 1')
  // @ts-expect-error a log has no logs
  expect(from(logs, (log) => log.logs())).toBe('sls 1')
})

test('options that do not exist, and durations without a unit that exists, do not compile', () => {
  // @ts-expect-error it is called start
  const misspelled: SlsSourceOptions = { ...connection, logstore: 'access', begin: 'latest' }
  expect(() => slsSourceOf(misspelled, never)).toThrow(/unknown option 'begin'/)
  // @ts-expect-error there is no such unit
  expect(() => slsSourceOf({ ...connection, logstore: 'access', idleWait: '5 parsecs' }, never)).toThrow(/'idleWait'/)
  // @ts-expect-error a position or an object
  expect(() => slsSourceOf({ ...connection, logstore: 'access', start: 'begin' }, never)).toThrow(/'start'/)
})

test('the option onInvalid decides whether a job needs a sink for dead letters', () => {
  const failing = slsSourceOf({ ...connection, logstore: 'access' }, never)
  const skipping = slsSourceOf({ ...connection, logstore: 'access', onInvalid: 'skip' }, never)
  const telling = slsSourceOf({ ...connection, logstore: 'access', onInvalid: 'dead-letter' }, never)
  const anything: SlsSourceOptions<'groups'> = { ...connection, logstore: 'access', records: 'groups' }
  const perhaps = slsSourceOf(anything, never)
  expect([failing, skipping, telling, perhaps].map(({ deadLetters }) => deadLetters)).toEqual([
    false,
    false,
    true,
    false,
  ])
  from(failing, (log: Log) => log)
  from(skipping, (log: Log) => log)
  // @ts-expect-error it gives dead letters
  from(telling, (log: Log) => log)
  // @ts-expect-error it may give dead letters
  from(perhaps, (group: LogGroup) => group)
  const taking: Source<Log, 'exactly-once', true> = telling
  expect(taking.kind).toBe('sls')
  // @ts-expect-error no policy
  expect(() => slsSourceOf({ ...connection, logstore: 'access', onInvalid: 'ignore' }, never)).toThrow(/'onInvalid'/)
})
