import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type SlsClient, SlsError, type SlsErrorClass } from '../../../../src/connectors/sls/index.ts'
import { type ServiceErrorRow, serviceErrors } from '../../../../src/wire/index.ts'
import { benchOf, bytesOf, emptyOk, jsonOk, refusal, requestId, secretText, tokenText } from './bench.ts'

const list = (client: SlsClient): Promise<unknown> => client.shards.list('ls1')
const split = (client: SlsClient): Promise<unknown> => client.shards.split('ls1', 0)

describe('an error of the service', () => {
  test.each(Object.entries<ServiceErrorRow>(serviceErrors))(
    '%s keeps its class, code, status and request',
    async (code, row) => {
      const { client, failure } = benchOf([refusal(row.status, code)], { retry: { attempts: 1 } })
      const error = await failure(list(client))
      expect(error).toMatchObject({
        class: row.class,
        errorCode: code,
        status: row.status,
        requestId,
        ambiguous: false,
      })
      for (const part of [code, requestId, 'some reason', 'list of the shards of logstore ls1']) {
        expect(error.message).toContain(part)
      }
    },
  )

  test('of each class has a row of the table', async () => {
    const expected: readonly [number, string, SlsErrorClass, string, string][] = [
      [403, 'ShardReadQuotaExceed', 'throttled', 'SLS_THROTTLED', 'retry'],
      [500, 'InternalServerError', 'unavailable', 'SLS_UNAVAILABLE', 'retry'],
      [401, 'Unauthorized', 'unauthorized', 'SLS_UNAUTHORIZED', 'stop'],
      [403, 'ProjectForbidden', 'forbidden', 'SLS_FORBIDDEN', 'stop'],
      [400, 'RequestTimeTooSkewed', 'clock-skew', 'SLS_CLOCK_SKEWED', 'stop'],
      [404, 'LogStoreNotExist', 'not-found', 'SLS_NOT_FOUND', 'stop'],
      [400, 'InvalidCursor', 'cursor-invalid', 'SLS_CURSOR_INVALID', 'stop'],
      [400, 'PostBodyTooLarge', 'too-large', 'SLS_TOO_LARGE', 'stop'],
      [400, 'ConsumerGroupAlreadyExist', 'conflict', 'SLS_CONFLICT', 'stop'],
      [400, 'ConsumerNotExsit', 'not-owner', 'SLS_NOT_OWNER', 'restart'],
      [400, 'ParameterInvalid', 'refused', 'SLS_REFUSED', 'stop'],
    ]
    for (const [status, name, errorClass, code, remedy] of expected) {
      const { client, failure } = benchOf([refusal(status, name)], { retry: { attempts: 1 } })
      expect(await failure(list(client))).toMatchObject({ class: errorClass, code, remedy, name: 'SlsError' })
    }
  })

  test('that something between wrote is told by its status alone', async () => {
    for (const body of ['<html>Bad gateway</html>', '', '{"errorCode":7}', '[]', '{"errorCode":"a b"}', '\xff\xfe']) {
      const { client, failure } = benchOf([{ status: 404, headers: {}, body: bytesOf(body) }])
      expect(await failure(list(client))).toMatchObject({ class: 'not-found', status: 404, errorCode: undefined })
    }
  })

  test('that ends early is no verdict, whatever its status: a quota can be meant as well as a missing right', async () => {
    const whole = refusal(403, 'ShardReadQuotaExceed')
    for (const length of [0, 1, 20, whole.body.length - 1]) {
      const cut = { ...whole, body: whole.body.subarray(0, length) }
      const { client, failure } = benchOf([cut], { retry: { attempts: 1 } })
      expect(await failure(list(client))).toMatchObject({ class: 'answer-invalid', status: 403, remedy: 'retry' })
      const changing = benchOf([cut])
      expect(await changing.failure(split(changing.client))).toMatchObject({ ambiguous: true })
    }
  })

  test('a redirect is not followed, and neither 201 nor 204 is a success', async () => {
    const redirect = { status: 302, headers: { location: 'http://169.254.169.254/' }, body: bytesOf('') }
    const { client, sent, failure } = benchOf([redirect])
    expect((await failure(list(client))).class).toBe('refused')
    expect(sent).toHaveLength(1)
    for (const status of [201, 204, 206]) {
      const other = benchOf([{ ...emptyOk, status }], { retry: { attempts: 1 } })
      expect(await other.failure(other.client.logstores.delete('ls1'))).toMatchObject({
        class: 'answer-invalid',
        ambiguous: true,
      })
    }
  })

  test('a text of control characters and without end is cut and cleaned', async () => {
    const { client, failure } = benchOf([refusal(400, 'ParameterInvalid', `a\r\n\x1b[31mb\u202e${'x'.repeat(9_000)}`)])
    const { message } = await failure(list(client))
    expect(message.length).toBeLessThan(1_000)
    expect(message.replaceAll('\n', '')).toMatch(/^[\x20-\x7e…]*$/)
  })

  test('an empty answer without a request id is not taken for a success', async () => {
    const portal = { status: 200, headers: { 'content-type': 'text/html' }, body: bytesOf('<html>log in</html>') }
    const { client, failure } = benchOf([portal], { retry: { attempts: 1 } })
    expect(await failure(client.logstores.delete('ls1'))).toMatchObject({ class: 'answer-invalid', ambiguous: true })
  })
})

describe('what may pass', () => {
  const passing = [
    ['a throttled call', refusal(403, 'ReadQuotaExceed')],
    ['a failed service', refusal(500, 'InternalServerError')],
    ['a busy service', refusal(503, 'ServerBusy')],
    ['a refused connection', { kind: 'refused' }],
    ['a broken connection', { kind: 'reset' }],
    ['a lost answer', { kind: 'lost-answer' }],
    ['an answer that is no JSON', { ...emptyOk, body: bytesOf('<html>') }],
  ] as const
  test.each(passing)('%s is tried again until it succeeds', async (_, reply) => {
    const { client, sent, run } = benchOf([reply, reply, jsonOk([])])
    expect(await run(list(client))).toEqual([])
    expect(sent).toHaveLength(3)
  })

  test('is given up after the tries of the options, each signed with its own time', async () => {
    const { client, sent, failure, clock } = benchOf([refusal(503, 'ServerBusy')], {
      retry: { attempts: 4, initial: '5s' },
    })
    expect((await failure(list(client))).class).toBe('unavailable')
    expect(sent).toHaveLength(4)
    expect(clock.monoMs()).toBeGreaterThan(0)
    expect(clock.monoMs()).toBeLessThanOrEqual(5_000 * 3)
    expect(new Set(sent.map(({ headers }) => headers['date'])).size).toBeGreaterThan(1)
    expect(clock.pendingTimers).toBe(0)
  })

  test('is not tried again when the caller asks for one try', async () => {
    const { client, sent, failure } = benchOf([refusal(403, 'ReadQuotaExceed')])
    await failure(client.shards.list('ls1', { attempts: 1 }))
    expect(sent).toHaveLength(1)
  })

  test('waits as long as the service asks for', async () => {
    const { client, clock, run } = benchOf([refusal(429, 'TooMany', 'x', { 'retry-after': '7' }), jsonOk([])])
    await run(list(client))
    expect(clock.monoMs()).toBeGreaterThanOrEqual(7_000)
  })

  test('is given up when the deadline leaves no time for another try', async () => {
    const { client, clock, sent, failure } = benchOf([refusal(429, 'TooMany', 'x', { 'retry-after': '7' })])
    await failure(client.shards.list('ls1', { deadlineMs: 6_000 }))
    expect(sent).toHaveLength(1)
    expect(clock.monoMs()).toBe(0)
  })

  test('is refused sooner once nearly everything fails, so that a sick service is spared', async () => {
    const { client, sent, failure } = benchOf([refusal(503, 'ServerBusy')], {
      retry: { attempts: 5, initial: 1, max: 1 },
    })
    for (let index = 0; index < 60; index++) await failure(list(client))
    expect(sent.length).toBeLessThan(60 + 101)
  })
})

describe('what must be done only once', () => {
  test('is not repeated when it may have been done, and says so', async () => {
    const replies = [refusal(500, 'InternalServerError'), { kind: 'reset' }, { kind: 'lost-answer' }] as const
    for (const reply of replies) {
      const { client, sent, failure } = benchOf([reply])
      const error = await failure(split(client))
      expect(error).toMatchObject({ ambiguous: true, remedy: 'retry' })
      expect(error.message).toContain('whether it was done is not known')
      expect(sent).toHaveLength(1)
    }
  })

  test('is repeated when it was certainly not done', async () => {
    for (const reply of [{ kind: 'refused' } as const, refusal(403, 'WriteQuotaExceed')]) {
      const { client, sent, run } = benchOf([reply, jsonOk([])])
      await run(split(client))
      expect(sent).toHaveLength(2)
    }
  })

  test('is not in doubt when the service refused it', async () => {
    const { client, failure } = benchOf([refusal(400, 'ParameterInvalid')])
    expect((await failure(split(client))).ambiguous).toBe(false)
  })

  test('is in doubt when no answer came before the deadline', async () => {
    const { client, failure, clock } = benchOf(() => new Promise(() => {}), { timeout: '2s' })
    expect(await failure(split(client))).toMatchObject({ class: 'unreachable', ambiguous: true })
    expect(clock.monoMs()).toBe(2_000)
  })
})

describe('giving up', () => {
  test('rejects with the reason of the signal, before, during and between tries', async () => {
    const reason = new Error('enough')
    const never = benchOf([jsonOk([])])
    await expect(never.client.shards.list('ls1', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(never.sent).toHaveLength(0)

    const during = new AbortController()
    const hanging = benchOf(() => new Promise(() => {}))
    const hung = hanging.client.shards.list('ls1', { signal: during.signal })
    await hanging.clock.advance(10)
    during.abort(reason)
    await expect(hung).rejects.toBe(reason)
    expect(hanging.clock.pendingTimers).toBe(0)

    const between = new AbortController()
    const busy = benchOf([refusal(429, 'TooMany', 'x', { 'retry-after': '9' })])
    const waiting = busy.client.shards.list('ls1', { signal: between.signal })
    await busy.clock.advance(1_000)
    between.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(busy.sent).toHaveLength(1)
    expect(busy.clock.pendingTimers).toBe(0)
  })
})

test('no error shows a secret, a token or a signature, even one that the server echoes', async () => {
  const echo = `your secret ${secretText} and token ${tokenText} are wrong`
  const replies = [
    refusal(401, 'SignatureNotMatch', echo),
    refusal(400, 'ParameterInvalid', echo),
    // Where a long text is cut, half of a secret may be left.
    refusal(400, 'ParameterInvalid', `${'x'.repeat(490)}${tokenText}`),
    { status: 200, headers: { 'x-echo': secretText }, body: bytesOf(echo) },
    { kind: 'reset' },
    { kind: 'refused' },
    { ...emptyOk, status: 302, headers: { location: `https://x/${tokenText}` } },
  ] as const
  for (const reply of replies) {
    const { client, sent, failure } = benchOf([reply], {
      retry: { attempts: 1 },
      credentials: { accessKeyId: 'ak', accessKeySecret: secretText, securityToken: tokenText },
    })
    const error = await failure(split(client))
    expect(error).toBeInstanceOf(SlsError)
    const signature = sent[0]?.headers['authorization']?.slice('LOG ak:'.length) ?? 'none'
    const shown = [
      inspect(error, { depth: 9, showHidden: true }),
      JSON.stringify(error),
      error.stack,
      String(error.cause),
    ]
    for (const secret of ['canary', signature]) expect(shown.join('\n')).not.toContain(secret)
  }
})
