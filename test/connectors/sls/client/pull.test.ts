import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PullRequest } from '../../../../src/connectors/sls/index.ts'
import type { HttpResponse } from '../../../../src/core/index.ts'
import { OptionsError } from '../../../../src/core/index.ts'
import { syncCompression } from '../../../../src/testing/sync-compression.ts'
import { encodeCursor, encodeLogGroup, logGroupList } from '../../../../src/wire/index.ts'
import { type Bench, benchOf, bytesOf, refusal, requestId } from './bench.ts'

const start = 1772510706000000000n
const request: PullRequest = { logstore: 'ls1', shard: 0, position: start }

const groups = ['one', 'two'].map((message) =>
  encodeLogGroup({ topic: 't', logs: [{ time: 1, contents: [['message', message.repeat(50)]] }] }),
)
const list = logGroupList(groups)
const lz4 = await syncCompression.blockCodec('lz4')
const zstd = await syncCompression.blockCodec('zstd')

const answer = (change: Readonly<Record<string, string | undefined>> = {}, body = lz4.compress(list)): HttpResponse => {
  const headers = {
    'content-type': 'application/x-protobuf',
    'x-log-requestid': requestId,
    'x-log-cursor': encodeCursor(start + 2n),
    'x-log-count': '2',
    'x-log-bodyrawsize': String(list.length),
    'x-log-compresstype': 'lz4',
    'x-log-read-last-cursor': String(start + 1n),
    'x-log-cursor-time': '1772510707',
    'x-log-end-of-cursor': '1',
    ...change,
  }
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { status: 200, headers: Object.fromEntries(given), body }
}

const once = (reply: HttpResponse, options = {}): Bench => benchOf([reply], { retry: { attempts: 1 }, ...options })

test('the request is the documented one', async () => {
  const { client, sent, run } = benchOf([answer()])
  await run(client.pull(request))
  await run(client.pull({ ...request, count: 10, endPosition: start + 9n, compression: 'none' }))
  await run(client.pull({ ...request, query: '* | where a > 1', compression: 'zstd' }))
  const cursor = encodeURIComponent(encodeCursor(start))
  expect(sent.map(({ target }) => target)).toEqual([
    `/logstores/ls1/shards/0?type=logs&cursor=${cursor}&count=1000`,
    `/logstores/ls1/shards/0?type=logs&cursor=${cursor}&count=10&end_cursor=${encodeURIComponent(encodeCursor(start + 9n))}`,
    `/logstores/ls1/shards/0?type=logs&cursor=${cursor}&count=1000&query=%2A%20%7C%20where%20a%20%3E%201&pullMode=scan_on_stream`,
  ])
  expect(sent.map(({ headers }) => headers['accept-encoding'])).toEqual(['lz4', '', 'zstd'])
  for (const { headers } of sent) {
    expect(headers).toMatchObject({ accept: 'application/x-protobuf', 'x-log-bodyrawsize': '0' })
  }
})

test('groups come as the bytes they were put as, with what the headers say', async () => {
  const { client, run } = benchOf([answer()])
  const result = await run(client.pull(request))
  expect(result.groups.map((group) => [...group.bytes])).toEqual(groups.map((group) => [...group]))
  expect(result).toMatchObject({
    nextPosition: start + 2n,
    rawBytes: list.length,
    lastPosition: start + 1n,
    receivedSeconds: 1772510707,
    atEnd: true,
    scannedGroups: undefined,
    throttled: 0,
    requestId,
  })
})

test('zstd and uncompressed answers are read too', async () => {
  for (const reply of [
    answer({ 'x-log-compresstype': 'zstd' }, zstd.compress(list)),
    answer({ 'x-log-compresstype': undefined }, list),
  ]) {
    const { client, run } = benchOf([reply])
    expect((await run(client.pull(request))).groups).toHaveLength(2)
  }
})

test('an empty answer keeps the position, whatever its codec made of nothing', async () => {
  const nothing = {
    'x-log-count': '0',
    'x-log-bodyrawsize': '0',
    'x-log-cursor': encodeCursor(start),
    'x-log-read-last-cursor': undefined,
    'x-log-cursor-time': '0',
  }
  for (const body of [new Uint8Array(0), lz4.compress(new Uint8Array(0))]) {
    const { client, run } = benchOf([answer(nothing, body)])
    const result = await run(client.pull(request))
    expect(result).toMatchObject({
      nextPosition: start,
      rawBytes: 0,
      lastPosition: undefined,
      receivedSeconds: undefined,
      atEnd: true,
    })
    expect(result.groups).toEqual([])
  }
})

test('an empty next cursor of an empty answer keeps the position too', async () => {
  const nothing = { 'x-log-count': '0', 'x-log-bodyrawsize': '0', 'x-log-cursor': '' }
  const { client, run } = benchOf([answer(nothing, new Uint8Array(0))])
  expect((await run(client.pull(request))).nextPosition).toBe(start)
})

test('under a query the position goes on further than the groups', async () => {
  const reply = answer({
    'x-log-cursor': encodeCursor(start + 900n),
    'x-log-rawdatasize': '9000',
    'x-log-rawdatacount': '900',
  })
  const { client, run } = benchOf([reply])
  const result = await run(client.pull({ ...request, query: 'a: b' }))
  expect(result).toMatchObject({ nextPosition: start + 900n, scannedBytes: 9_000, scannedGroups: 900 })
})

test('tries that a quota refused are counted', async () => {
  const { client, run } = benchOf([refusal(403, 'ShardReadQuotaExceed'), refusal(403, 'ReadQuotaExceed'), answer()])
  expect((await run(client.pull(request))).throttled).toBe(2)
})

describe('an answer is refused whole', () => {
  const huge = String(2 ** 31)
  const wrong: readonly [string, HttpResponse][] = [
    ['without a next cursor', answer({ 'x-log-cursor': undefined })],
    ['with an empty next cursor', answer({ 'x-log-cursor': '' })],
    ['with a next cursor that is none', answer({ 'x-log-cursor': 'begin' })],
    ['with a next cursor before its groups', answer({ 'x-log-cursor': encodeCursor(start + 1n) })],
    ['with a next cursor that goes back', answer({ 'x-log-cursor': encodeCursor(0n) })],
    ['without a count', answer({ 'x-log-count': undefined })],
    ['with a count that is no number', answer({ 'x-log-count': '2.0' })],
    ['with a negative count', answer({ 'x-log-count': '-2' })],
    ['with too high a count', answer({ 'x-log-count': '3' })],
    ['with too low a count', answer({ 'x-log-count': '1' })],
    ['with a count of none and a body', answer({ 'x-log-count': '0' })],
    ['without a size', answer({ 'x-log-bodyrawsize': undefined })],
    ['with a size of garbage', answer({ 'x-log-bodyrawsize': '0x10' })],
    ['with too small a size', answer({ 'x-log-bodyrawsize': String(list.length - 1) })],
    ['with too large a size', answer({ 'x-log-bodyrawsize': String(list.length + 1) })],
    ['with a size of nothing and groups', answer({ 'x-log-bodyrawsize': '0' })],
    ['with an unknown compression', answer({ 'x-log-compresstype': 'snappy' })],
    ['with the wrong compression', answer({ 'x-log-compresstype': 'zstd' })],
    ['with the last cursor in garbage', answer({ 'x-log-read-last-cursor': 'MA==' })],
    ['with a time of garbage', answer({ 'x-log-cursor-time': 'soon' })],
    ['with a page of HTML', { status: 200, headers: {}, body: bytesOf('<html></html>') }],
  ]
  test.each(wrong)('%s', async (_, reply) => {
    const { client, failure } = once(reply)
    expect((await failure(client.pull(request))).class).toBe('answer-invalid')
  })

  test('when it announces more than allowed, before memory is taken', async () => {
    const { client, failure } = once(answer({ 'x-log-bodyrawsize': huge }), { answerBytesMax: '1MiB' })
    expect(await failure(client.pull(request))).toMatchObject({ class: 'too-large', code: 'SLS_TOO_LARGE' })
  })

  test('when it is longer than allowed on the way', async () => {
    const long = answer({ 'x-log-compresstype': undefined }, new Uint8Array(5_000))
    const { client, sent, failure } = benchOf([long], { answerBytesMax: '4KiB' })
    expect((await failure(client.pull(request))).class).toBe('too-large')
    expect(sent).toHaveLength(1)
  })

  test('wherever it was cut, in any encoding, though the transport saw nothing', async () => {
    const bodies: readonly [string | undefined, Uint8Array][] = [
      ['lz4', lz4.compress(list)],
      ['zstd', zstd.compress(list)],
      [undefined, list],
    ]
    for (const [codec, body] of bodies) {
      for (let length = 0; length < body.length; length++) {
        const { client, failure } = once(answer({ 'x-log-compresstype': codec }, body.slice(0, length)))
        expect((await failure(client.pull(request))).class).toBe('answer-invalid')
      }
    }
  })

  test('or read as it was sent: changed bytes give an error or as many groups as announced', async () => {
    const body = lz4.compress(list)
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = body.slice()
        changed[at] = (changed[at] ?? 0) ^ change
        const { client, run } = once(answer({}, changed))
        const result = await run(client.pull(request)).catch((error: unknown) => error)
        if (result instanceof Error) expect(result).toMatchObject({ class: 'answer-invalid' })
        else expect(result).toMatchObject({ rawBytes: list.length, groups: { length: 2 } })
      }),
    )
  })
})

test('a cut answer is fetched again, and nothing of the first is used', async () => {
  const { client, sent, run } = benchOf([{ kind: 'cut-body', bytes: 20 }, answer()])
  expect((await run(client.pull(request))).groups).toHaveLength(2)
  expect(sent).toHaveLength(2)
})

test('a count that the service does not take is refused before anything is sent', async () => {
  const { client, sent } = benchOf([answer()])
  for (const count of [0, 1_001, 1.5, Number.NaN]) {
    await expect(client.pull({ ...request, count })).rejects.toBeInstanceOf(OptionsError)
  }
  expect(sent).toHaveLength(0)
})
