import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HttpRequest, Secret } from '../../src/core/index.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { percentEncode, type Verdict, verifyRequest } from '../../src/wire/index.ts'
import { signRequest } from '../../src/wire/signature.ts'
import { stringToSignV1 } from '../../src/wire/signature-v1.ts'
import { type SignatureVector, signatureVectors, signedV1 } from './signature-vectors.ts'

const quarterMs = 15 * 60_000

const sign = (vector: SignatureVector, version: 'v1' | 'v4'): HttpRequest => {
  const { accessKeyId, secret: accessKeySecret, securityToken, request, region, wallMs } = vector
  const credentials = { accessKeyId, accessKeySecret, securityToken }
  const added = signRequest({ version, region, credentials, request, wallMs, digest: cryptoDigest })
  return { ...request, headers: { ...request.headers, ...added } }
}

const verify = (request: HttpRequest, secret: Secret, wallMs: number): Verdict =>
  verifyRequest(request, {
    findSecret: (id) => (id === 'unknown' ? undefined : secret),
    wallMs,
    digest: cryptoDigest,
    skewMsMax: quarterMs,
  })

const codeOf = (verdict: Verdict): string => (verdict.ok ? 'ok' : verdict.code)

describe.each(signatureVectors)('vector $name', (vector) => {
  test('is signed as the official clients sign it, in each version it has', () => {
    if (vector.v1 !== undefined) {
      expect(sign(vector, 'v1').headers['authorization']).toBe(`LOG ${vector.accessKeyId}:${vector.v1}`)
    }
    if (vector.v4 !== undefined) {
      const scope = `${new Date(vector.wallMs).toISOString().slice(0, 10).replaceAll('-', '')}/${vector.region}`
      expect(sign(vector, 'v4').headers['authorization']).toBe(
        `SLS4-HMAC-SHA256 Credential=${vector.accessKeyId}/${scope}/sls/aliyun_v4_request,Signature=${vector.v4}`,
      )
    }
  })

  test('is accepted by the verifier in both versions', () => {
    for (const version of ['v1', 'v4'] as const) {
      const verdict = verify(sign(vector, version), vector.secret, vector.wallMs)
      expect(verdict).toEqual({ ok: true, accessKeyId: vector.accessKeyId })
    }
  })
})

test('the body of vector B has the published hashes', () => {
  const vector = signatureVectors[1] as SignatureVector
  expect(vector.request.body).toHaveLength(104)
  expect(sign(vector, 'v1').headers['content-md5']).toBe('615361A3D6F7DE420CC54EE35998954F')
  expect(sign(vector, 'v4').headers['x-log-content-sha256']).toBe(
    '82c1739d7e2007488f856b2f55cc1257919902e1d2f79fa55bb91606a2403bd2',
  )
  expect(sign(signatureVectors[3] as SignatureVector, 'v1').headers['content-md5']).toBe(
    'CCFCD347D0BF65DC77AFE01A3306A96B',
  )
})

test('published requests of version 1 are accepted, under the names LOG and SLS', () => {
  for (const { request, secret, wallMs } of signedV1) {
    expect(verify(request, secret, wallMs)).toEqual({ ok: true, accessKeyId: 'ak' })
  }
})

test('a published string with a hash of a body that is not printed gives the published signature', () => {
  const headers = {
    'content-md5': '1DD45FA4A70A9300CC9FE7305AF2C494',
    'content-type': 'application/x-protobuf',
    'x-log-apiversion': '0.6.0',
    'x-log-signaturemethod': 'hmac-sha1',
    'x-log-bodyrawsize': '50',
    'x-log-compresstype': 'lz4',
  }
  const request = { method: 'POST', target: '/logstores/test-logstore', headers, body: new Uint8Array(0) }
  const text = stringToSignV1(request, [], 'Mon, 09 Nov 2015 06:03:03 GMT')
  const signature = createHmac('sha1', '4fdO2fTDDnZPU/L7CHNdemB2Nsk=').update(text).digest('base64')
  expect(signature).toBe('XWLGYHGg2F2hcfxWxMLiNkGki6g=')
})

test('percent encoding gives the published text', () => {
  expect(percentEncode('123abc!@#$%^&*()-=_+ ~|\\/')).toBe('123abc%21%40%23%24%25%5E%26%2A%28%29-%3D_%2B%20~%7C%5C%2F')
})

test('a date line may come from x-log-date, which itself is not signed in version 1', () => {
  const vector = signatureVectors[0] as SignatureVector
  const signed = sign(vector, 'v1')
  const { date = '', ...rest } = signed.headers
  const moved = { ...signed, headers: { ...rest, 'x-log-date': date } }
  expect(codeOf(verify(moved, vector.secret, vector.wallMs))).toBe('ok')
  const both = { ...signed, headers: { ...signed.headers, 'x-log-date': date } }
  expect(codeOf(verify(both, vector.secret, vector.wallMs))).toBe('ok')
})

test('version 1 may be signed with SHA-256, when the request says so', () => {
  const vector = signatureVectors[3] as SignatureVector
  const { authorization: _, ...headers } = sign(vector, 'v1').headers
  const request = { ...vector.request, headers: { ...headers, 'x-log-signaturemethod': 'hmac-sha256' } }
  const query = [['consumer', 'c 1'] as const, ['type', 'heartbeat'] as const]
  const text = stringToSignV1(request, query, headers['date'] ?? '')
  const signature = createHmac('sha256', vector.secret.reveal()).update(text).digest('base64')
  const signed = { ...request, headers: { ...request.headers, authorization: `LOG ak:${signature}` } }
  expect(codeOf(verify(signed, vector.secret, vector.wallMs))).toBe('ok')
})

test('an absolute-form target, an empty query and raw equals signs do not change the verdict', () => {
  const vector = signatureVectors[0] as SignatureVector
  for (const version of ['v1', 'v4'] as const) {
    const signed = sign(vector, version)
    const absolute = { ...signed, target: `http://demo-project.cn-hangzhou.log.aliyuncs.com:80${signed.target}` }
    const raw = { ...signed, target: signed.target.replaceAll('%3D', '=') }
    for (const request of [absolute, raw]) expect(codeOf(verify(request, vector.secret, vector.wallMs))).toBe('ok')
    const bare = sign({ ...vector, request: { ...vector.request, target: '/' } }, version)
    expect(codeOf(verify({ ...bare, target: '/?' }, vector.secret, vector.wallMs))).toBe('ok')
  }
})

test('an object may be put with the hash of an empty body in version 4', () => {
  const vector = signatureVectors[0] as SignatureVector
  const put = { ...vector, request: { ...vector.request, method: 'PUT', target: '/logstores/ls/objects/o1' } }
  const body = new TextEncoder().encode('content')
  expect(codeOf(verify({ ...sign(put, 'v4'), body }, vector.secret, vector.wallMs))).toBe('ok')
  const other = { ...put, request: { ...put.request, target: '/logstores/ls/index' } }
  expect(codeOf(verify({ ...sign(other, 'v4'), body }, vector.secret, vector.wallMs))).toBe('SignatureNotMatch')
})

describe.each(['v1', 'v4'] as const)('of version %s', (version) => {
  const vector = signatureVectors[3] as SignatureVector
  const signed = sign(vector, version)
  const verdictOf = (change: Partial<HttpRequest>): string =>
    codeOf(verify({ ...signed, ...change }, vector.secret, vector.wallMs))
  const withHeader = (name: string, value: string): Partial<HttpRequest> => ({
    headers: { ...signed.headers, [name]: value },
  })
  const without = (name: string): Partial<HttpRequest> => ({
    headers: Object.fromEntries(Object.entries(signed.headers).filter(([key]) => key !== name)),
  })

  test('every changed part of a request is noticed', () => {
    expect(verdictOf({})).toBe('ok')
    expect(verdictOf({ method: 'PUT' })).toBe('SignatureNotMatch')
    expect(verdictOf({ target: signed.target.replace('cg1', 'cg2') })).toBe('SignatureNotMatch')
    expect(verdictOf({ target: `${signed.target}&x=1` })).toBe('SignatureNotMatch')
    expect(verdictOf({ body: new TextEncoder().encode('[0,2]') })).toBe('SignatureNotMatch')
    expect(verdictOf(withHeader('x-log-bodyrawsize', '6'))).toBe('SignatureNotMatch')
    expect(verdictOf(withHeader('x-acs-security-token', 'stolen'))).toBe('SignatureNotMatch')
    expect(verdictOf(withHeader('content-type', 'text/plain'))).toBe('SignatureNotMatch')
  })

  test('a changed bit of the signature, a wrong secret and an unknown key are refused', () => {
    const authorization = signed.headers['authorization'] ?? ''
    const swapped = authorization.replace(/.(?==?$)/, (last) => (last === '0' || last === 'A' ? 'b' : '0'))
    expect(verdictOf(withHeader('authorization', swapped))).not.toBe('ok')
    expect(codeOf(verify(signed, new Secret('wrong'), vector.wallMs))).toBe('SignatureNotMatch')
    const unknown = {
      ...signed,
      headers: { ...signed.headers, authorization: authorization.replace('testAccessKeyId', 'unknown') },
    }
    expect(verify(unknown, vector.secret, vector.wallMs)).toMatchObject({
      code: 'Unauthorized',
      message: 'AccessKeyId not found: unknown',
    })
  })

  test('the clock may be off by fifteen minutes and no more', () => {
    for (const offMs of [-quarterMs, 0, quarterMs]) {
      expect(codeOf(verify(signed, vector.secret, vector.wallMs + offMs))).toBe('ok')
    }
    for (const offMs of [-quarterMs - 1, quarterMs + 1]) {
      expect(codeOf(verify(signed, vector.secret, vector.wallMs + offMs))).toBe('RequestTimeExpired')
    }
  })

  test('missing and malformed pieces have codes of their own', () => {
    const dateName = version === 'v1' ? 'date' : 'x-log-date'
    expect(verdictOf(without('authorization'))).toBe('Unauthorized')
    expect(verdictOf(without(dateName))).toBe('MissingDate')
    for (const date of ['yesterday', '', 'Mon, 99 Foo 2026 00:00:00 GMT', '20269999T999999Z']) {
      expect(verdictOf(withHeader(dateName, date))).toBe('InvalidRequestTime')
    }
    expect(verdictOf(withHeader('authorization', 'LOG nothing'))).toBe('MissAccessKeyId')
    expect(verdictOf(withHeader('authorization', 'SLS4-HMAC-SHA256 nothing'))).toBe('MissAccessKeyId')
    expect(verdictOf({ target: '/logstores?x=%E4%B8' })).toBe('ParameterInvalid')
  })
})

test('the method of version 1 must be named, and one of two', () => {
  const vector = signatureVectors[0] as SignatureVector
  const signed = sign(vector, 'v1')
  const { 'x-log-signaturemethod': _, ...headers } = signed.headers
  expect(codeOf(verify({ ...signed, headers }, vector.secret, vector.wallMs))).toBe('MissingSignatureMethod')
  for (const method of ['hmac-md5', 'toString', '']) {
    const request = { ...signed, headers: { ...headers, 'x-log-signaturemethod': method } }
    expect(codeOf(verify(request, vector.secret, vector.wallMs))).toBe('InvalidSignatureMethod')
  }
})

test('whatever is signed is accepted, and refused with another secret', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9 _.~-]{1,12}$/)
  const query = fc.dictionary(name, fc.string({ unit: 'grapheme', maxLength: 20 }), { maxKeys: 6 })
  const arbitrary = fc.record({ query, body: fc.uint8Array({ maxLength: 40 }), version: fc.constantFrom('v1', 'v4') })
  fc.assert(
    fc.property(arbitrary, ({ query: pairs, body, version }) => {
      const text = Object.entries(pairs).map(([key, value]) => `${percentEncode(key)}=${percentEncode(value)}`)
      const target = `/logstores/a${text.length === 0 ? '' : `?${text.join('&')}`}`
      const vector = { ...(signatureVectors[0] as SignatureVector) }
      const signed = sign({ ...vector, request: { ...vector.request, target, body } }, version === 'v1' ? 'v1' : 'v4')
      expect(codeOf(verify(signed, vector.secret, vector.wallMs))).toBe('ok')
      expect(codeOf(verify(signed, new Secret('other'), vector.wallMs))).toBe('SignatureNotMatch')
    }),
  )
})

test('no refusal names a secret or a right signature', () => {
  const vector = signatureVectors[2] as SignatureVector
  for (const version of ['v1', 'v4'] as const) {
    const signed = sign(vector, version)
    const verdict = verify({ ...signed, method: 'POST' }, vector.secret, vector.wallMs)
    const text = JSON.stringify(verdict)
    for (const secret of [vector.secret.reveal(), 'STS.token', vector.v1 ?? '', vector.v4 ?? '']) {
      expect(text).not.toContain(secret)
    }
  }
})

test('whatever a request holds, the verifier gives a verdict', () => {
  const header = fc.constantFrom('authorization', 'date', 'x-log-date', 'x-log-signaturemethod', 'content-md5', 'host')
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(
      'LOG testAccessKeyId:YtQt7DPIP49EXjkZhEcONAz6Mpo=',
      'hmac-sha1',
      '20260303T040506Z',
      'LOG :',
      'SLS4-HMAC-SHA256 ',
    ),
  )
  const arbitrary = fc.record({
    method: fc.constantFrom('GET', 'POST', ''),
    target: fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true })),
    headers: fc.dictionary(header, value),
    version: fc.constantFrom('v1', 'v4'),
  })
  const vector = signatureVectors[0] as SignatureVector
  fc.assert(
    fc.property(arbitrary, ({ method, target, headers, version }) => {
      const request = { method, target, headers, body: new Uint8Array(0) }
      expect(verify(request, vector.secret, vector.wallMs).ok).toBe(false)
      const signed = sign(vector, version === 'v1' ? 'v1' : 'v4')
      const mixed = { ...signed, target, headers: { ...signed.headers, ...headers } }
      expect(typeof verify(mixed, vector.secret, vector.wallMs).ok).toBe('boolean')
    }),
  )
})
