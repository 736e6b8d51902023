import { describe, expect, test } from 'vitest'
import type { BlockCodecName, HttpResponse } from '../../src/core/index.ts'
import { cryptoDigest } from '../../src/testing/crypto-digest.ts'
import { syncCompression } from '../../src/testing/sync-compression.ts'
import {
  decodeCursor,
  encodeCursor,
  encodeLogGroup,
  encodeLogPackageList,
  type LogGroupInit,
  type LogGroupView,
  viewLogGroupList,
} from '../../src/wire/index.ts'
import { oneLog, openTestService, serviceWithLogstore, type TestService } from './service.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

/** The log group of the SLS protocol paper, §3.6. */
const golden = {
  group: hex(
    '0a2908f2bb99cd06120d0a056c6576656c1204696e666f120d0a036d73671206e4bda0e5a5bd2515cd5b07' +
      '0a3508f3bb99cd06120d0a056c6576656c12047761726e121e0a036d7367121768656c6c6f2068656c6c6f2068656c6c6f2068656c6c6f' +
      '1a07746f7069632d3122093132372e302e302e31320a0a04686f737412026831',
  ),
  lz4: hex(
    'fb200a2908f2bb99cd06120d0a056c6576656c1204696e666f120d0a036d73671206e4bda0e5a5bd2515cd5b070a3508f32b00627761726e12' +
      '1e2b007d1768656c6c6f200600f0111a07746f7069632d3122093132372e302e302e31320a0a04686f737412026831',
  ),
  listSha256: 'f80141ac72336baa0a9dc920831c6cfd26b9e78bcc85bec9ac683a6d50f9f99c',
}

const compress = async (name: BlockCodecName | undefined, raw: Uint8Array): Promise<Uint8Array> =>
  name === undefined ? raw : (await syncCompression.blockCodec(name)).compress(raw)

const rawBodyOf = async ({ headers, body }: HttpResponse): Promise<Uint8Array> => {
  const name = headers['x-log-compresstype'] as BlockCodecName | undefined
  if (name === undefined || body.length === 0) return body
  return (await syncCompression.blockCodec(name)).decompress(body, Number(headers['x-log-bodyrawsize']))
}

const groupsOf = async (response: HttpResponse): Promise<readonly LogGroupView[]> =>
  viewLogGroupList(await rawBodyOf(response))

const messagesOf = async (response: HttpResponse): Promise<unknown[]> =>
  (await groupsOf(response)).flatMap((group) => [...group.logs()].map((log) => log.get('message')))

const positionOf = (cursor: string): bigint => decodeCursor(cursor) ?? -1n

const putHeaders = (rawSize: number, name: string | undefined, type = 'application/x-protobuf') => ({
  'content-type': type,
  'x-log-bodyrawsize': String(rawSize),
  ...(name === undefined ? {} : { 'x-log-compresstype': name }),
})

const pullAll = async (service: TestService, shard = 0, accept = 'lz4'): Promise<HttpResponse> =>
  service.pull('ls', shard, await service.cursor('ls', shard, 'begin'), '', accept)

describe('puts', () => {
  const routes = ['/logstores/ls', '/logstores/ls/shards/lb', '/logstores/ls/shards/route?key=8']
  const codecs = ['lz4', 'zstd', 'deflate', undefined] as const
  const combinations = routes.flatMap((route) => codecs.map((codec) => [route, codec] as const))

  test.each(combinations)('to %s with %s are stored as they came', async (route, codec) => {
    const service = await serviceWithLogstore()
    const answer = await service.send('POST', route, {
      headers: putHeaders(golden.group.length, codec),
      body: await compress(codec, golden.group),
    })
    expect(answer).toMatchObject({ status: 200, body: new Uint8Array(0) })
    expect(answer.headers).not.toHaveProperty('content-type')
    const [group] = await groupsOf(await pullAll(service))
    expect(new Uint8Array(group?.bytes ?? [])).toEqual(golden.group)
  })

  test.each(combinations)('in JSON to %s with %s become one group', async (route, codec) => {
    const service = await serviceWithLogstore()
    const body = {
      __topic__: 't',
      __source__: 's',
      __tags__: { host: 'h1' },
      __logs__: [{ __time__: 7, __time_ns_part__: 9, message: 'a', n: 1 }, { message: 'b' }],
    }
    const raw = new TextEncoder().encode(JSON.stringify(body))
    const answer = await service.send('POST', route, {
      headers: putHeaders(raw.length, codec, 'application/json'),
      body: await compress(codec, raw),
    })
    expect(answer.status).toBe(200)
    const [group, ...rest] = await groupsOf(await pullAll(service))
    expect(rest).toEqual([])
    expect(group).toMatchObject({ topic: 't', source: 's', tags: [['host', 'h1']], logCount: 2 })
    expect(group?.log(0)).toMatchObject({ time: 7, timeNs: 9 })
    expect({ ...group?.log(0)?.toObject() }).toEqual({ message: 'a', n: '1' })
    expect(group?.log(1)?.time).toBe(Math.floor(service.clock.wallMs() / 1000))
  })

  test('as a batch become one group for each package', async () => {
    const service = await serviceWithLogstore()
    const groups = ['a', 'b', 'c'].map((message) => encodeLogGroup(oneLog(message)))
    const names = ['lz4', 'zstd', 'none'] as const
    const packages = await Promise.all(
      groups.map(async (group, index) => {
        const compression = names[index] ?? 'none'
        const data = await compress(compression === 'none' ? undefined : compression, group)
        return { data, rawSize: group.length, compression }
      }),
    )
    const body = encodeLogPackageList(packages)
    const headers = { ...putHeaders(body.length, 'lz4'), 'x-log-mode': 'batch_group' }
    const answer = await service.send('POST', '/logstores/ls/shards/lb', { headers, body })
    expect(answer.status).toBe(200)
    expect(await messagesOf(await pullAll(service))).toEqual(['a', 'b', 'c'])
  })

  test('go by key to the shard that has it, short keys by prefix, and the last key to the last shard', async () => {
    const service = await serviceWithLogstore(4)
    const put = (key: string) => service.put(`/logstores/ls/shards/route?key=${key}`, oneLog(key))
    for (const key of ['5F', '8C', 'a', 'f'.repeat(32), '0']) expect((await put(key)).status).toBe(200)
    const messages = await Promise.all([0, 1, 2, 3].map(async (shard) => messagesOf(await pullAll(service, shard))))
    expect(messages).toEqual([['0'], ['5F'], ['8C', 'a'], ['f'.repeat(32)]])
  })

  test('without a key are spread over all shards', async () => {
    const service = await serviceWithLogstore(3)
    for (let n = 0; n < 6; n++) await service.put('/logstores/ls/shards/lb', oneLog(`m${n}`))
    const counts = await Promise.all(
      [0, 1, 2].map(async (shard) => (await pullAll(service, shard)).headers['x-log-count']),
    )
    expect(counts).toEqual(['2', '2', '2'])
  })

  test('of web tracking need no signature, but a logstore that allows them', async () => {
    const open = await serviceWithLogstore()
    const disk = open.disk
    const service = await openTestService({ auth: new Map(), disk })
    const headers = { 'content-type': 'application/json;charset=UTF-8' }
    const track = { body: { __logs__: [{ message: 'clicked' }] }, headers }
    expect(await service.refused('POST', '/logstores/none/track', track)).toBe('404 LogStoreNotExist')
    expect(await service.refused('POST', '/logstores/ls/track', track)).toBe('401 Unauthorized')
    await open.json('PUT', '/logstores/ls', { body: { enable_tracking: true, ttl: 7 } })
    const tracking = await openTestService({ auth: new Map(), disk })
    await tracking.json('POST', '/logstores/ls/track', track)
    await tracking.json('GET', '/logstores/ls/track?APIVersion=0.6.0&message=seen')
    expect(await messagesOf(await pullAll(open))).toEqual(['clicked', 'seen'])
  })

  test('get the tags of appendMeta when the logstore asks for them', async () => {
    const service = await serviceWithLogstore()
    await service.json('PUT', '/logstores/ls', { body: { ttl: 7, appendMeta: true } })
    await service.put('/logstores/ls')
    const [group] = await groupsOf(await pullAll(service))
    expect(group?.tags).toEqual([
      ['__client_ip__', '127.0.0.1'],
      ['__receive_time__', String(Math.floor(service.clock.wallMs() / 1000))],
    ])
  })

  test.each([
    ['no size', {}, golden.group, '400 MissingBodyRawSize'],
    ['a size that is no number', { 'x-log-bodyrawsize': '1e3' }, golden.group, '400 InvalidBodyRawSize'],
    ['another size', putHeaders(129, undefined), golden.group, '400 PostBodyUncompressError'],
    ['another size inside', putHeaders(131, 'lz4'), golden.lz4, '400 PostBodyUncompressError'],
    ['a codec nobody knows', putHeaders(130, 'snappy'), golden.group, '400 InvalidCompressType'],
    ['what is no log group', putHeaders(3, undefined), hex('0a0501'), '400 PostBodyInvalid'],
    ['a type nobody knows', putHeaders(130, undefined, 'text/html'), golden.group, '415 InvalidContentType'],
    ['JSON that is none', putHeaders(1, undefined, 'application/json'), '{', '400 PostBodyInvalid'],
    ['JSON without logs', putHeaders(2, undefined, 'application/json'), '{}', '400 PostBodyInvalid'],
    ['more than is taken', putHeaders(2000, undefined), new Uint8Array(2000), '400 PostBodyTooLarge'],
    ['more than is taken, unpacked', putHeaders(2000, 'lz4'), golden.lz4, '400 PostBodyTooLarge'],
  ])('with %s are refused', async (_, headers, body, refusal) => {
    const service = await serviceWithLogstore(1, { putBytesMax: 1000 })
    expect(await service.refused('POST', '/logstores/ls/shards/lb', { headers, body })).toBe(refusal)
    expect((await pullAll(service)).headers['x-log-count']).toBe('0')
  })

  test.each([
    ['/logstores/none/shards/lb', '404 LogStoreNotExist'],
    ['/logstores/ls/shards/route?key=xyz', '400 ParameterInvalid'],
    ['/logstores/ls/shards/route', '400 ParameterInvalid'],
    [`/logstores/ls/shards/route?key=${'0'.repeat(33)}`, '400 ParameterInvalid'],
  ])('to %s are refused with %s', async (target, refusal) => {
    const service = await serviceWithLogstore()
    const answer = await service.put(target)
    expect(
      `${answer.status} ${(JSON.parse(new TextDecoder().decode(answer.body)) as { errorCode: string }).errorCode}`,
    ).toBe(refusal)
  })

  test('are answered 500 when the storage fails, and nothing is visible', async () => {
    const service = await serviceWithLogstore()
    service.disk.failure = new Error('the disk is gone')
    expect((await service.put('/logstores/ls')).status).toBe(500)
    expect((await pullAll(service)).headers['x-log-count']).toBe('0')
  })
})

describe('pulls', () => {
  test('give n puts as n groups at dense cursors', async () => {
    const service = await serviceWithLogstore()
    for (let n = 0; n < 5; n++) await service.put('/logstores/ls/shards/lb', oneLog(`m${n}`))
    const [begin, end] = [await service.cursor('ls', 0, 'begin'), await service.cursor('ls', 0, 'end')]
    expect(positionOf(begin).toString()).toHaveLength(19)
    expect(positionOf(end) - positionOf(begin)).toBe(5n)
    const seen: unknown[] = []
    for (let cursor = begin; cursor !== end; ) {
      const pulled = await service.pull('ls', 0, cursor, '&count=2')
      seen.push(...(await messagesOf(pulled)))
      const last = pulled.headers['x-log-read-last-cursor']
      expect(pulled.headers['x-log-cursor']).toBe(encodeCursor(BigInt(last ?? 0) + 1n))
      cursor = pulled.headers['x-log-cursor'] ?? end
    }
    expect(seen).toEqual(['m0', 'm1', 'm2', 'm3', 'm4'])
  })

  test('carry the headers every client needs', async () => {
    const service = await serviceWithLogstore()
    await service.send('POST', '/logstores/ls', { headers: putHeaders(130, 'lz4'), body: golden.lz4 })
    const begin = await service.cursor('ls', 0, 'begin')
    const pulled = await service.pull('ls', 0, begin)
    expect(pulled.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-length': String(pulled.body.length),
      'x-log-cursor': await service.cursor('ls', 0, 'end'),
      'x-log-count': '1',
      'x-log-bodyrawsize': '133',
      'x-log-compresstype': 'lz4',
      'x-log-read-last-cursor': positionOf(begin).toString(),
      'x-log-cursor-time': String(Math.floor(service.clock.wallMs() / 1000)),
      'x-log-end-of-cursor': '1',
      'x-log-requestid': expect.stringMatching(/^[0-9A-F]{24}$/),
    })
  })

  test.each(['lz4', 'zstd', '', 'gzip, deflate'])('with accept-encoding "%s" give the golden body', async (accept) => {
    const service = await serviceWithLogstore()
    await service.send('POST', '/logstores/ls', { headers: putHeaders(130, 'lz4'), body: golden.lz4 })
    const pulled = await pullAll(service, 0, accept)
    expect(pulled.headers['x-log-compresstype']).toBe(['lz4', 'zstd'].includes(accept) ? accept : undefined)
    expect(pulled.headers).not.toHaveProperty('content-encoding')
    const hash = cryptoDigest.sha256()
    hash.update(await rawBodyOf(pulled))
    expect(hash.hex()).toBe(golden.listSha256)
  })

  test.each(['lz4', 'zstd', ''])(
    'of nothing, with "%s", stay where they are and say they are at the end',
    async (accept) => {
      const service = await serviceWithLogstore()
      const end = await service.cursor('ls', 0, 'end')
      const { status, headers, body } = await service.pull('ls', 0, end, '', accept)
      expect({ status, body }).toEqual({ status: 200, body: new Uint8Array(0) })
      expect(headers).toMatchObject({
        'x-log-cursor': end,
        'x-log-count': '0',
        'x-log-bodyrawsize': '0',
        'x-log-end-of-cursor': '1',
      })
      expect(headers['x-log-compresstype']).toBe(accept === '' ? undefined : accept)
      expect(headers).not.toHaveProperty('x-log-read-last-cursor')
      expect(headers).not.toHaveProperty('x-log-cursor-time')
    },
  )

  test('of a block that decodes and yet breaks the rules of its format give a legal one', async () => {
    const service = await serviceWithLogstore()
    const group = encodeLogGroup(oneLog('a'.repeat(40)))
    const text = group.length - 40
    // Literals up to the first letter, a match for all the others, and no last literals.
    const [length, letter] = [text + 1 - 15, 'a'.charCodeAt(0)]
    const body = new Uint8Array([0xff, length, ...group.subarray(0, text), letter, 1, 0, 39 - 4 - 15, 0])
    const lz4 = await syncCompression.blockCodec('lz4')
    expect([...lz4.decompress(body, group.length)]).toEqual([...group])
    const sent = { headers: putHeaders(group.length, 'lz4'), body }
    await service.json('POST', '/logstores/ls', sent)
    await service.put('/logstores/ls', oneLog('b'))
    const pulled = await pullAll(service)
    expect(await messagesOf(pulled)).toEqual(['a'.repeat(40), 'b'])
  })

  test('pass over groups that a salvage could not save, and reach the end', async () => {
    const service = await serviceWithLogstore()
    for (const message of ['a', 'b', 'c', 'd', 'e', 'f']) await service.put('/logstores/ls', oneLog(message))
    for (const { groups } of service.disk.streams.values()) for (const lost of [1, 2, 5]) groups.delete(lost)
    const end = await service.cursor('ls', 0, 'end')
    const seen: unknown[] = []
    let pulls = 0
    for (let cursor = await service.cursor('ls', 0, 'begin'); cursor !== end && pulls < 9; pulls++) {
      const pulled = await service.pull('ls', 0, cursor)
      seen.push(...(await messagesOf(pulled)))
      cursor = pulled.headers['x-log-cursor'] ?? end
    }
    expect([seen, pulls]).toEqual([['a', 'd', 'e'], 3])
  })

  test('stop before the end cursor, and never say then that they are at the end', async () => {
    const service = await serviceWithLogstore()
    for (const message of ['a', 'b', 'c']) await service.put('/logstores/ls', oneLog(message))
    const begin = await service.cursor('ls', 0, 'begin')
    const bound = encodeCursor(positionOf(begin) + 2n)
    const pulled = await service.pull('ls', 0, begin, `&end_cursor=${encodeURIComponent(bound)}`)
    expect(await messagesOf(pulled)).toEqual(['a', 'b'])
    expect(pulled.headers['x-log-cursor']).toBe(bound)
    expect(pulled.headers).not.toHaveProperty('x-log-end-of-cursor')
    const beyond = await service.pull('ls', 0, bound, `&end_cursor=${encodeURIComponent(begin)}`)
    expect(beyond.headers).toMatchObject({ 'x-log-cursor': bound, 'x-log-count': '0' })
  })

  test('give at least one group, and no more bytes than allowed otherwise', async () => {
    const service = await serviceWithLogstore(1, { pullBytesMax: 100 })
    for (const size of [300, 40, 40, 300]) await service.put('/logstores/ls', oneLog('x'.repeat(size)))
    const sizes: unknown[] = []
    const end = await service.cursor('ls', 0, 'end')
    for (let cursor = await service.cursor('ls', 0, 'begin'); cursor !== end; ) {
      const pulled = await service.pull('ls', 0, cursor)
      sizes.push(pulled.headers['x-log-count'])
      cursor = pulled.headers['x-log-cursor'] ?? end
    }
    expect(sizes).toEqual(['1', '1', '1', '1'])
  })

  test.each([
    ['type=log', '400 ParameterInvalid'],
    ['type=log&cursor=abc', '400 ParameterInvalid'],
    ['type=logs&cursor=MA%3D%3D', '400 InvalidCursor'],
    ['type=log&cursor=OTIyMzM3MjAzNjg1NDc3NTgwNw%3D%3D', '400 InvalidCursor'],
    ['type=log&cursor=END&count=0', '400 ParameterInvalid'],
    ['type=log&cursor=END&count=-1', '400 ParameterInvalid'],
    ['type=log&cursor=END&end_cursor=x', '400 ParameterInvalid'],
    ['type=log&cursor=END&query=a|b', '400 ParameterInvalid'],
    ['type=nonsense', '405 InvalidMethod'],
  ])('with %s are refused', async (query, refusal) => {
    const service = await serviceWithLogstore()
    const end = encodeURIComponent(await service.cursor('ls', 0, 'end'))
    expect(await service.refused('GET', `/logstores/ls/shards/0?${query.replace('END', end)}`)).toBe(refusal)
  })

  test('of shards and logstores that do not exist are refused', async () => {
    const service = await serviceWithLogstore()
    expect(await service.refused('GET', '/logstores/ls/shards/7?type=log&cursor=MA%3D%3D')).toBe('400 ShardNotExist')
    expect(await service.refused('GET', '/logstores/no/shards/0?type=log&cursor=MA%3D%3D')).toBe('404 LogStoreNotExist')
    expect(await service.refused('GET', '/logstores/ls/shards/x?type=cursor&from=end')).toBe('400 ParameterInvalid')
    const stranger = { host: 'other.sls.test' }
    expect(await service.refused('GET', '/logstores/ls/shards', stranger)).toBe('404 ProjectNotExist')
  })

  test('with a query keep the logs that match, and the cursor passes the others', async () => {
    const service = await serviceWithLogstore()
    const logs = (...levels: string[]): LogGroupInit => ({
      topic: 'web',
      tags: [['host', 'h1']],
      logs: levels.map((level, n) => ({ time: n, contents: { level, path: `/p${n}` } })),
    })
    await service.put('/logstores/ls', logs('info', 'error', 'info'))
    await service.put('/logstores/ls', logs('info'))
    await service.put('/logstores/ls', logs('error'))
    const begin = await service.cursor('ls', 0, 'begin')
    const query = encodeURIComponent('level: error and __topic__: web and not __tag__:host: h2')
    const pulled = await service.pull('ls', 0, begin, `&query=${query}&pullMode=scan_on_stream`)
    expect(pulled.headers).toMatchObject({
      'x-log-count': '2',
      'x-log-cursor': await service.cursor('ls', 0, 'end'),
      'x-log-rawdatacount': '3',
      'x-log-rawdatalines': '5',
      'x-log-resultlines': '2',
    })
    const groups = await groupsOf(pulled)
    expect(groups.map((group) => [group.topic, group.tags, group.logCount, group.log(0)?.get('path')])).toEqual([
      ['web', [['host', 'h1']], 1, '/p1'],
      ['web', [['host', 'h1']], 1, '/p0'],
    ])
    const nothing = await service.pull('ls', 0, begin, `&query=${encodeURIComponent('level: none')}`)
    expect(nothing.headers).toMatchObject({ 'x-log-count': '0', 'x-log-bodyrawsize': '0', 'x-log-rawdatacount': '3' })
    expect(nothing.headers['x-log-cursor']).toBe(await service.cursor('ls', 0, 'end'))
    expect(nothing.body).toHaveLength(0)
  })
})
