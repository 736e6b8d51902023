import { expect, test } from 'vitest'
import { OptionsError } from '../../../../src/core/index.ts'
import { syncCompression } from '../../../../src/testing/sync-compression.ts'
import { decodeLogPackageList, encodeLogGroup } from '../../../../src/wire/index.ts'
import { benchOf, bytesOf, emptyOk, refusal, requestId } from './bench.ts'

const init = { topic: 't', logs: [{ time: 1, contents: [['message', 'hello '.repeat(20)] as const] }] }
const group = encodeLogGroup(init)

// Loading a codec takes real turns, which virtual time does not wait for.
const [lz4, zstd, deflate] = await Promise.all(
  (['lz4', 'zstd', 'deflate'] as const).map((name) => syncCompression.blockCodec(name)),
)
const decoded = (codec: typeof lz4, bytes: Uint8Array = bytesOf('')): Uint8Array | undefined => {
  const plain = codec?.decompress(bytes, group.length)
  return plain && new Uint8Array(plain)
}

test('a group goes to any shard, compressed with lz4, with its size before', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  const result = await run(client.put('ls1', group))
  const [request] = sent
  expect(`${request?.method} ${request?.target}`).toBe('POST /logstores/ls1/shards/lb')
  expect(request?.headers).toMatchObject({
    'content-type': 'application/x-protobuf',
    'x-log-bodyrawsize': String(group.length),
    'x-log-compresstype': 'lz4',
    'content-md5': expect.stringMatching(/^[0-9A-F]{32}$/),
  })
  const body = request?.body ?? bytesOf('')
  expect(decoded(lz4, body)).toEqual(group)
  expect(result).toEqual({ requestId, attempts: 1, throttled: 0, rawBytes: group.length, bodyBytes: body.length })
})

test('a group to be encoded gives the same bytes', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  await run(client.put('ls1', group))
  await run(client.put('ls1', init))
  expect(sent[1]?.body).toEqual(sent[0]?.body)
})

test('a hash key and a processor are sent as they are given', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  await run(client.put('ls1', group, { hashKey: '8C', processor: 'p 1' }))
  expect(sent[0]?.target).toBe('/logstores/ls1/shards/route?key=8C&processor=p%201')
  for (const hashKey of ['', 'xyz', '0'.repeat(33)]) {
    await expect(client.put('ls1', group, { hashKey })).rejects.toBeInstanceOf(OptionsError)
  }
  expect(sent).toHaveLength(1)
})

test('zstd, deflate and no compression are named as the service names them', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  for (const compression of ['zstd', 'deflate', 'none'] as const) await run(client.put('ls1', group, { compression }))
  expect(sent.map(({ headers }) => headers['x-log-compresstype'])).toEqual(['zstd', 'deflate', undefined])
  expect(sent[2]?.body).toEqual(group)
  expect(decoded(deflate, sent[1]?.body)).toEqual(group)
})

test('a batch holds each group as a package of its own', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  const result = await run(client.putBatch('ls1', [group, init], { hashKey: '1', compression: 'zstd' }))
  const [request] = sent
  expect(request?.target).toBe('/logstores/ls1/shards/route?key=1')
  expect(request?.headers).toMatchObject({
    'x-log-mode': 'batch_group',
    'x-log-compresstype': 'zstd',
    'x-log-bodyrawsize': String(request?.body.length),
  })
  const packages = decodeLogPackageList(request?.body ?? bytesOf(''))
  expect(packages).toHaveLength(2)
  for (const { data, rawSize, compression } of packages) {
    expect({ rawSize, compression }).toEqual({ rawSize: group.length, compression: 'zstd' })
    expect(decoded(zstd, data)).toEqual(group)
  }
  expect(result.rawBytes).toBe(2 * group.length)
})

test('the JSON form has the documented members, which no field of a log can replace', async () => {
  const { client, sent, run } = benchOf([emptyOk])
  const contents = { message: '你好', __time__: 'forged', __proto__: 'x' }
  const logs = [{ time: 7, timeNs: 5, contents }]
  await run(client.putJson('ls1', { topic: 't', source: 's', tags: { host: 'h' }, logs }, { compression: 'none' }))
  const [request] = sent
  expect(request?.headers).toMatchObject({ 'content-type': 'application/json' })
  expect(request?.headers['x-log-bodyrawsize']).toBe(String(request?.body.length))
  expect(JSON.parse(new TextDecoder().decode(request?.body))).toEqual({
    __topic__: 't',
    __source__: 's',
    __tags__: { host: 'h' },
    __logs__: [{ message: '你好', __time__: 7, __time_ns_part__: 5 }],
  })
})

test('a group over the limit is refused before anything is sent', async () => {
  const { client, sent, failure } = benchOf([emptyOk], { putBytesMax: '1KiB' })
  const large = encodeLogGroup({ logs: [{ time: 1, contents: [['message', 'x'.repeat(2_000)]] }] })
  const many = Array.from({ length: 9 }, () => group)
  for (const call of [() => client.put('ls1', large), () => client.putBatch('ls1', many)]) {
    expect(await failure(call())).toMatchObject({ class: 'too-large', notSent: true, ambiguous: false })
  }
  expect(sent).toHaveLength(0)
})

test('an outcome that is not known is told, and repeated only if asked', async () => {
  for (const reply of [{ kind: 'lost-answer' } as const, refusal(500, 'InternalServerError')]) {
    const once = benchOf([reply, emptyOk])
    expect(await once.failure(once.client.put('ls1', group))).toMatchObject({ ambiguous: true })
    expect(once.sent).toHaveLength(1)
    const again = benchOf([reply, emptyOk])
    expect(await again.run(again.client.put('ls1', group, { repeatAmbiguous: true }))).toMatchObject({ attempts: 2 })
    expect(again.sent[1]?.body).toEqual(again.sent[0]?.body)
  }
})

test('what a quota or the network kept out is sent again', async () => {
  const { client, run } = benchOf([refusal(403, 'WriteQuotaExceed'), { kind: 'refused' }, emptyOk])
  expect(await run(client.put('ls1', group))).toMatchObject({ attempts: 3, throttled: 1 })
})

test('a page of something between is no confirmation', async () => {
  const { client, failure } = benchOf([{ status: 200, headers: {}, body: bytesOf('<html>') }])
  expect(await failure(client.put('ls1', group))).toMatchObject({ class: 'answer-invalid', ambiguous: true })
})
