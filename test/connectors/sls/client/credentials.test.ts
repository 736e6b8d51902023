import { describe, expect, test } from 'vitest'
import type { SlsCredentials } from '../../../../src/connectors/sls/index.ts'
import { OptionsError, Secret } from '../../../../src/core/index.ts'
import { cryptoDigest } from '../../../../src/testing/crypto-digest.ts'
import { verifyRequest } from '../../../../src/wire/index.ts'
import { benchOf, jsonOk, refusal, secretText } from './bench.ts'

const minute = 60_000
const startMs = Date.UTC(2026, 2, 3, 4, 5, 6)

/** Credentials `k1`, `k2` and so on, each good for so long from when it was asked for. */
const providerOf = (lifetimeMs: number, nowMs: () => number) => {
  const calls = { count: 0 }
  const provider = async (): Promise<SlsCredentials> => {
    calls.count += 1
    return {
      accessKeyId: `k${calls.count}`,
      accessKeySecret: 's',
      securityToken: `t${calls.count}`,
      expiresMs: nowMs() + lifetimeMs,
    }
  }
  return { provider, calls }
}

const keysOf = (sent: readonly { readonly headers: Readonly<Record<string, string>> }[]): string[] =>
  sent.map(({ headers }) => /^LOG ([^:]+):/.exec(headers['authorization'] ?? '')?.[1] ?? '')

test('every signature is one that a server verifies, in both versions, with a token', async () => {
  for (const signature of ['v1', 'v4'] as const) {
    const { client, sent, run } = benchOf([jsonOk([])], {
      signature,
      region: 'cn-hangzhou',
      credentials: { accessKeyId: 'ak', accessKeySecret: new Secret(secretText), securityToken: 't/+=' },
    })
    await run(client.consumerGroups.heartbeat('ls1', 'cg', 'c ~*', [1]))
    const [request] = sent
    expect(request?.headers['x-acs-security-token']).toBe('t/+=')
    const verification = {
      findSecret: () => new Secret(secretText),
      wallMs: startMs,
      digest: cryptoDigest,
      skewMsMax: 15 * minute,
    }
    expect(request && verifyRequest(request, verification)).toEqual({ ok: true, accessKeyId: 'ak' })
  }
})

test('a provider is asked once for many calls, and not again while its credentials hold', async () => {
  const { provider, calls } = providerOf(60 * minute, () => startMs)
  const { client, sent, run } = benchOf([jsonOk([])], { credentials: provider })
  await run(Promise.all(Array.from({ length: 10 }, () => client.shards.list('ls1'))))
  await run(client.ofProject('other').shards.list('ls1'))
  expect(calls.count).toBe(1)
  expect(new Set(keysOf(sent))).toEqual(new Set(['k1']))
})

test('credentials are fetched ahead of their end, while the old ones are still used', async () => {
  let now = (): number => startMs
  const { provider, calls } = providerOf(60 * minute, () => now())
  const { client, sent, run, clock } = benchOf([jsonOk([])], { credentials: provider })
  now = () => clock.wallMs()
  await run(client.shards.list('ls1'))
  await clock.advance(54 * minute)
  await run(client.shards.list('ls1'))
  expect(calls.count).toBe(1)
  await clock.advance(2 * minute)
  await run(client.shards.list('ls1'))
  await run(client.shards.list('ls1'))
  expect(calls.count).toBe(2)
  expect(keysOf(sent)).toEqual(['k1', 'k1', 'k1', 'k2'])
  await clock.advance(61 * minute)
  await run(client.shards.list('ls1'))
  expect(keysOf(sent).at(-1)).toBe('k3')
})

test('a provider that fails ahead of the end harms nobody until the credentials have ended', async () => {
  let fails = false
  let asked = 0
  const { client, run, failure, clock } = benchOf([jsonOk([])], {
    retry: { attempts: 1 },
    credentials: async () => {
      asked += 1
      if (fails) throw new Error('the token service is down')
      return { accessKeyId: 'k', accessKeySecret: 's', expiresMs: startMs + 6 * minute }
    },
  })
  await run(client.shards.list('ls1'))
  fails = true
  await clock.advance(2 * minute)
  await run(client.shards.list('ls1'))
  await run(client.shards.list('ls1'))
  expect(asked).toBe(2)
  await clock.advance(5 * minute)
  const error = await failure(client.shards.list('ls1'))
  expect(error).toMatchObject({ class: 'unavailable', notSent: true, ambiguous: false })
  expect(error.message).toContain('the token service is down')
})

test('after a refusal new credentials are fetched, and the call is made again, once', async () => {
  const { provider, calls } = providerOf(60 * minute, () => startMs)
  const refused = refusal(401, 'SecurityToken.Expired')
  const good = benchOf([refused, jsonOk([])], { credentials: provider })
  await good.run(good.client.shards.list('ls1'))
  expect(keysOf(good.sent)).toEqual(['k1', 'k2'])
  const bad = benchOf([refused], { credentials: provider })
  expect((await bad.failure(bad.client.shards.list('ls1'))).class).toBe('unauthorized')
  expect(bad.sent).toHaveLength(2)
  expect(calls.count).toBe(4)
})

test('a refusal is final when there are no other credentials', async () => {
  const same = async (): Promise<SlsCredentials> => ({ accessKeyId: 'k', accessKeySecret: 's' })
  for (const credentials of [same, { accessKeyId: 'k', accessKeySecret: 's' }]) {
    const { client, sent, failure } = benchOf([refusal(401, 'SignatureNotMatch')], { credentials })
    expect((await failure(client.shards.list('ls1'))).class).toBe('unauthorized')
    expect(sent).toHaveLength(1)
  }
})

test('a provider that hangs is given up, and one that gives nonsense is named without showing it', async () => {
  const hanging = benchOf([jsonOk([])], { retry: { attempts: 1 }, credentials: () => new Promise(() => {}) })
  expect((await hanging.failure(hanging.client.shards.list('ls1'))).message).toContain('30000 ms')
  const wrong = { accessKeyId: 'a b', accessKeySecret: secretText }
  const nonsense = benchOf([jsonOk([])], { retry: { attempts: 1 }, credentials: async () => wrong })
  const { message } = await nonsense.failure(nonsense.client.shards.list('ls1'))
  expect(message).toContain("'accessKeyId' is no access key id")
  expect(message).not.toContain(secretText)
})

test('a caller that gives up does not wait for a provider', async () => {
  const reason = new Error('enough')
  const controller = new AbortController()
  const { client, clock } = benchOf([jsonOk([])], { credentials: () => new Promise(() => {}) })
  const call = client.shards.list('ls1', { signal: controller.signal })
  await clock.advance(5)
  controller.abort(reason)
  await expect(call).rejects.toBe(reason)
})

describe('a clock that is off', () => {
  const serverDate = 'Tue, 03 Mar 2026 05:05:06 GMT'
  const skewed = refusal(400, 'RequestTimeExpired', 'too far', { date: serverDate })

  test('is corrected from the date of the answer, once for all later calls', async () => {
    for (const signature of ['v1', 'v4'] as const) {
      const { client, sent, run } = benchOf([skewed, jsonOk([])], { signature, region: 'r' })
      await run(client.shards.list('ls1'))
      await run(client.shards.list('ls1'))
      const dates = sent.map(({ headers }) => headers['date'] ?? headers['x-log-date'])
      expect(dates).toEqual(
        signature === 'v1'
          ? ['Tue, 03 Mar 2026 04:05:06 GMT', serverDate, serverDate]
          : ['20260303T040506Z', '20260303T050506Z', '20260303T050506Z'],
      )
    }
  })

  test('is an error when the correction does not help, or cannot be made', async () => {
    const stubborn = benchOf([skewed])
    expect((await stubborn.failure(stubborn.client.shards.list('ls1'))).code).toBe('SLS_CLOCK_SKEWED')
    expect(stubborn.sent).toHaveLength(2)
    for (const headers of [{}, { date: 'soon' }] as Record<string, string>[]) {
      const { client, sent, failure } = benchOf([refusal(400, 'RequestTimeTooSkewed', 'x', headers)])
      expect((await failure(client.shards.list('ls1'))).class).toBe('clock-skew')
      expect(sent).toHaveLength(1)
    }
  })
})

test('credentials that are none are refused when the client is made, and not shown', () => {
  const wrong: unknown[] = [
    {},
    null,
    'ak:sk',
    { accessKeyId: '', accessKeySecret: secretText },
    { accessKeyId: 'a', accessKeySecret: '' },
    { accessKeyId: 'a\nb', accessKeySecret: secretText },
    { accessKeyId: 'a', accessKeySecret: secretText, securityToken: '' },
    { accessKeyId: 'a', accessKeySecret: secretText, expiresMs: 'soon' },
  ]
  for (const credentials of wrong) {
    const make = (): unknown => benchOf([], { credentials: credentials as SlsCredentials })
    expect(make).toThrow(OptionsError)
    expect(make).not.toThrow(new RegExp(secretText))
  }
})

test('what a server echoes of a secret is in no error, in whatever usual encoding', async () => {
  const token = 'canary/token+of="the\\test"'
  const hex = Buffer.from(token).toString('hex')
  const forms = [token, encodeURIComponent(token), JSON.stringify(token), btoa(token), hex, hex.toUpperCase()]
  for (const form of [...forms, secretText, btoa(secretText)]) {
    const credentials = { accessKeyId: 'ak', accessKeySecret: secretText, securityToken: token }
    const { client, failure } = benchOf([refusal(400, 'ParameterInvalid', `you sent <${form}>, which is odd`)], {
      credentials,
    })
    const error = await failure(client.shards.list('ls1'))
    expect(error.message).toContain('[redacted]')
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(form)
  }
})
