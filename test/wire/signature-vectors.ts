import type { HttpRequest } from '../../src/core/index.ts'
import { Secret } from '../../src/core/index.ts'

/** The worked vectors of the SLS protocol paper, section 2.6: what is sent, and what the official signers make of it. */
export interface SignatureVector {
  readonly name: string
  readonly request: HttpRequest
  readonly secret: Secret
  readonly accessKeyId: string
  readonly securityToken?: Secret
  readonly region: string
  readonly wallMs: number
  /** Base64 of the v1 signature. */
  readonly v1?: string
  /** Hex of the v4 signature. */
  readonly v4?: string
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))

/** The LZ4 block of section 3.6: 104 bytes. */
const lz4Block = fromHex(
  'fb200a2908f2bb99cd06120d0a056c6576656c1204696e666f120d0a036d73671206e4bda0e5a5bd2515cd5b070a3508f32b00627761726e12' +
    '1e2b007d1768656c6c6f200600f0111a07746f7069632d3122093132372e302e302e31320a0a04686f737412026831',
)

const common = {
  secret: new Secret('testAccessKeySecret'),
  accessKeyId: 'testAccessKeyId',
  region: 'cn-hangzhou',
  wallMs: Date.UTC(2026, 2, 3, 4, 5, 6),
}

const headers = (more: Readonly<Record<string, string>>): Record<string, string> => ({
  host: 'demo-project.cn-hangzhou.log.aliyuncs.com',
  'x-log-apiversion': '0.6.0',
  ...more,
})

const published = {
  secret: new Secret('zxasdasdasw2'),
  accessKeyId: 'mockAccessKeyID',
  region: 'cn-hangzhou',
  wallMs: Date.UTC(2022, 7, 8, 3, 23, 30),
}
const publishedTarget = '/logstores?%20abc=efg&%20agc%20=&=efg&A-bc=eFg'
const publishedHeaders = { 'x-log-test': 'het123', 'x-acs-ppp': 'dds' }

export const signatureVectors: readonly SignatureVector[] = [
  {
    ...common,
    name: 'A, a pull',
    request: {
      method: 'GET',
      target: '/logstores/app-log/shards/0?type=log&cursor=MTcyOTA3MDYxODQyODA0NDY1NQ%3D%3D&count=1000',
      headers: headers({ 'x-log-bodyrawsize': '0' }),
      body: new Uint8Array(0),
    },
    v1: 'YtQt7DPIP49EXjkZhEcONAz6Mpo=',
    v4: '6d2e3af7d9f016d4f48eca8e6052f87720a6fc09926a359c61b65454fe426f80',
  },
  {
    ...common,
    name: 'B, a put',
    request: {
      method: 'POST',
      target: '/logstores/app-log/shards/lb',
      headers: headers({
        'x-log-bodyrawsize': '130',
        'x-log-compresstype': 'lz4',
        'content-type': 'application/x-protobuf',
      }),
      body: lz4Block,
    },
    v1: 'tZll+D6UmN5WmoP8O481u7EhjU0=',
    v4: '048454ce57a3c7d4b007c6700b553fd58d7b362218a9da840c95437655022b7f',
  },
  {
    ...common,
    name: 'C, temporary credentials and an awkward query',
    securityToken: new Secret('STS.token/+=abc'),
    request: {
      method: 'GET',
      target:
        "/logstores/app-log?type=histogram&from=1772510000&to=1772513600&topic=&query=a+b%2Bc%26d%3D%E4%B8%AD~%2A'()",
      headers: headers({ 'x-log-bodyrawsize': '0' }),
      body: new Uint8Array(0),
    },
    v1: 'FYBE6bGobxoj1exyqo2vyVrsVu8=',
    v4: '2cec339a5487bf91080d4cdb0aa2f70f97935513058e0c83cf28739445f72aac',
  },
  {
    ...common,
    name: 'D, a heartbeat in JSON',
    request: {
      method: 'POST',
      target: '/logstores/app-log/consumergroups/cg1?type=heartbeat&consumer=c%201',
      headers: headers({ 'x-log-bodyrawsize': '5', 'content-type': 'application/json' }),
      body: utf8('[0,1]'),
    },
    v1: 'veIYmiOjpTI8RZ0kfYb1Qgw/mHM=',
    v4: '78312831877b187cafd8ff5828855ef94b6c8b65c4e4b4abff5fced86c99ca4c',
  },
  {
    ...published,
    name: 'published 1, no host and no parameters',
    region: 'cn-shanghai',
    request: { method: 'POST', target: '/logstores', headers: {}, body: utf8('adasd= -asd zcas') },
    v4: '8a10a5e723cb2e75964816de660b2c16a58af8bc0261f7f0722d832468c76ce8',
  },
  {
    ...published,
    name: 'published 2, odd parameter names',
    request: { method: 'POST', target: publishedTarget, headers: publishedHeaders, body: utf8('adasd= -asd zcas') },
    v4: 'a98f5632e93836e63839cd836a54055f480020a9364ca944e2d34f2eb9bf1bed',
  },
  {
    ...published,
    name: 'published 3, the same without a body',
    request: { method: 'POST', target: publishedTarget, headers: publishedHeaders, body: new Uint8Array(0) },
    v4: '5a66d8f8051983e0e9d08e0f960ef9252ef971eead5bb5c7acec8617a2eb2701',
  },
  {
    ...published,
    name: 'published 4, the same with GET',
    request: { method: 'GET', target: publishedTarget, headers: publishedHeaders, body: new Uint8Array(0) },
    v4: 'd92741852500791d662a8d469ff61627c0559ecd86c3f59b7bf6772b6c62666a',
  },
]

/** Requests of published v1 tests, complete with their signatures: only a verifier can take them, their dates are odd. */
export const signedV1: readonly { readonly request: HttpRequest; readonly secret: Secret; readonly wallMs: number }[] =
  [
    {
      secret: new Secret('mockAccessKeySecret'),
      wallMs: Date.UTC(2010, 0, 3, 8, 33, 47),
      request: {
        method: 'GET',
        target: '/logstores',
        headers: {
          'x-log-apiversion': '0.6.0',
          'x-log-signaturemethod': 'hmac-sha1',
          'x-log-bodyrawsize': '0',
          date: 'Mon, 3 Jan 2010 08:33:47 GMT',
          authorization: 'LOG ak:Rwm6cTKzoti4HWoe+GKcb6Kv07E=',
        },
        body: new Uint8Array(0),
      },
    },
    {
      secret: new Secret('4fdO2fTDDnZPU/L7CHNdemB2Nsk='),
      wallMs: Date.UTC(2015, 10, 9, 6, 11, 16),
      request: {
        method: 'GET',
        target: '/logstores?logstoreName=&offset=0&size=1000',
        headers: {
          'x-log-apiversion': '0.6.0',
          'x-log-signaturemethod': 'hmac-sha1',
          date: 'Mon, 09 Nov 2015 06:11:16 GMT',
          authorization: 'SLS ak:jEYOTCJs2e88o+y5F4/S5IsnBJQ=',
        },
        body: new Uint8Array(0),
      },
    },
  ]
