import { expect, test } from 'vitest'
import { SlsError, type SlsErrorClass, type SlsErrorCode } from '../../../../src/connectors/sls/index.ts'
import { errorTable, isMillraceError } from '../../../../src/core/index.ts'

const codes: Readonly<Record<SlsErrorClass, SlsErrorCode>> = {
  throttled: 'SLS_THROTTLED',
  unavailable: 'SLS_UNAVAILABLE',
  unreachable: 'SLS_UNAVAILABLE',
  unauthorized: 'SLS_UNAUTHORIZED',
  forbidden: 'SLS_FORBIDDEN',
  'clock-skew': 'SLS_CLOCK_SKEWED',
  'not-found': 'SLS_NOT_FOUND',
  'cursor-invalid': 'SLS_CURSOR_INVALID',
  'too-large': 'SLS_TOO_LARGE',
  conflict: 'SLS_CONFLICT',
  'not-owner': 'SLS_NOT_OWNER',
  refused: 'SLS_REFUSED',
  'answer-invalid': 'SLS_ANSWER_INVALID',
}

test.each(Object.entries(codes) as [SlsErrorClass, SlsErrorCode][])(
  'an error of class %s is %s of the table',
  (name, code) => {
    const { remedy, exitCode } = errorTable[code]
    const error = new SlsError({ class: name, call: 'pull of shard 3', message: 'it broke', requestId: '5B0A' })
    expect(isMillraceError(error)).toBe(true)
    expect(error).toMatchObject({ name: 'SlsError', code, remedy, exitCode, class: name, requestId: '5B0A' })
    expect(error.message).toMatch(/pull of shard 3: it broke \[request 5B0A\]/)
  },
)

test('there is a class for every code of the log service in the table', () => {
  const known = Object.entries(errorTable).flatMap(([code, row]) => (row.class === 'SlsError' ? [code] : []))
  expect([...new Set(Object.values(codes))].sort()).toEqual(known.sort())
})
