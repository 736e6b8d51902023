import { expect, test } from 'vitest'
import { type ServiceErrorRow, serviceErrorOf, serviceErrors } from '../../src/wire/index.ts'

test('every code gives its class with its own status, in any case of letters and every spelling', () => {
  for (const [code, row] of Object.entries<ServiceErrorRow>(serviceErrors)) {
    for (const name of [code, code.toLowerCase(), ...(row.spellings ?? [])]) {
      expect(serviceErrorOf(row.status, name), name).toBe(row.class)
    }
  }
})

test('no name stands for two codes', () => {
  const owners = new Map<string, string>()
  for (const [code, row] of Object.entries<ServiceErrorRow>(serviceErrors)) {
    for (const name of [code, ...(row.spellings ?? [])]) {
      expect(owners.get(name.toLowerCase()) ?? code).toBe(code)
      owners.set(name.toLowerCase(), code)
    }
  }
})

test('old and new spellings mean the same', () => {
  expect(serviceErrorOf(400, 'RequestTimeTooSkewed')).toBe('clock-skew')
  expect(serviceErrorOf(400, 'RequestTimeExpired')).toBe('clock-skew')
  expect(serviceErrorOf(400, 'ConsumerNotExsit')).toBe('not-owner')
  expect(serviceErrorOf(400, 'ShardNotExsit')).toBe('not-found')
  expect(serviceErrorOf(404, 'ShardNotExist')).toBe('not-found')
  expect(serviceErrorOf(401, 'SecurityToken.Expired')).toBe('unauthorized')
  expect(serviceErrorOf(400, 'LogstoreInfoInvalid')).toBe('refused')
})

test('a quota is told from a missing right, though both answer 403', () => {
  expect(serviceErrorOf(403, 'ShardReadQuotaExceed')).toBe('throttled')
  expect(serviceErrorOf(403, 'SomeNewQuotaExceed')).toBe('throttled')
  expect(serviceErrorOf(403, 'ProjectForbidden')).toBe('forbidden')
  expect(serviceErrorOf(403, undefined)).toBe('forbidden')
})

test('without a known code the status decides', () => {
  const expected: readonly [number, string][] = [
    [301, 'refused'],
    [400, 'refused'],
    [401, 'unauthorized'],
    [404, 'not-found'],
    [408, 'unavailable'],
    [409, 'conflict'],
    [413, 'too-large'],
    [429, 'throttled'],
    [500, 'unavailable'],
    [502, 'unavailable'],
    [599, 'unavailable'],
  ]
  for (const [status, errorClass] of expected) {
    expect(serviceErrorOf(status, undefined)).toBe(errorClass)
    expect(serviceErrorOf(status, 'toString')).toBe(errorClass)
  }
})

test('a failure of the service stays one whatever code it carries', () => {
  expect(serviceErrorOf(502, 'LogStoreNotExist')).toBe('unavailable')
})
