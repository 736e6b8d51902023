/**
 * The program of the other end: answers pulls with one list that it compressed beforehand, and takes puts whose size and
 * MD5 it checks; the first ones it decodes. It knows as many shards as it is told, all with the same content.
 */
import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { nodeCompression } from '../../src/platform/index.ts'
import { checkLogGroup, decodeCursor, decodeLogPackageList, encodeCursor } from '../../src/wire/index.ts'
import { nginxGroups } from '../codec/nginx-groups.ts'
import type { ServerPlan, ServerReport } from './bench-server.ts'

const lz4 = await nodeCompression.blockCodec('lz4')
const first = 1_000_000n
const decodedPuts = 32

let plan: ServerPlan = { shards: 1, pulls: 1, bytesPerSecond: 0, list: 'large', held: false }
let report = { puts: 0, rawBytes: 0, records: 0, recordBytes: 0, pulls: 0 }
let startMs = performance.now()

interface List {
  readonly body: Buffer
  readonly rawBytes: number
  readonly groups: bigint
}

const listOf = (groupsMax: number): List => {
  const { list, encoded } = nginxGroups(groupsMax * 256 * 1024)
  return { body: Buffer.from(lz4.compress(list)), rawBytes: list.length, groups: BigInt(encoded.length) }
}

/** What a pull gives. */
const lists = { large: listOf(12), small: listOf(1) } as const
/** Answers that wait until a plan lets them go. */
const waiting: (() => void)[] = []

const answer = (response: ServerResponse, headers: Record<string, string>, body: Uint8Array | string): void => {
  response.writeHead(200, { 'x-log-requestid': '5F0A0B', ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
const answerJson = (response: ServerResponse, value: unknown): void =>
  answer(response, { 'content-type': 'application/json' }, JSON.stringify(value))

const end = (): bigint => first + BigInt(plan.pulls) * lists[plan.list].groups

/** How far a slow stream has got. */
const written = (): bigint => {
  if (plan.bytesPerSecond === 0) return end()
  const bytes = ((performance.now() - startMs) / 1000) * plan.bytesPerSecond
  return first + BigInt(Math.floor(bytes / lists[plan.list].rawBytes / plan.shards)) * lists[plan.list].groups
}

/** Of a slow stream all that has come in, at most as much as the large list has. */
const listAt = (cursor: bigint): List => {
  if (plan.bytesPerSecond === 0) return lists[plan.list]
  const groups = Math.max(1, Math.min(12, Number(written() - cursor)))
  let list = counted.get(groups)
  if (list === undefined) {
    list = listOf(groups)
    counted.set(groups, list)
  }
  return list
}
const counted = new Map<number, List>()

const pull = (response: ServerResponse, query: URLSearchParams): void => {
  const cursor = decodeCursor(query.get('cursor') ?? '') ?? first
  const list = listAt(cursor)
  const last = cursor + list.groups > written() || cursor >= end()
  report.pulls++
  const next = last ? cursor : cursor + list.groups
  answer(
    response,
    {
      'content-type': 'application/x-protobuf',
      'x-log-compresstype': 'lz4',
      'x-log-cursor': encodeCursor(next),
      'x-log-count': last ? '0' : String(list.groups),
      'x-log-bodyrawsize': last ? '0' : String(list.rawBytes),
      'x-log-cursor-time': '1760000000',
      ...(next + list.groups > written() ? { 'x-log-end-of-cursor': '1' } : {}),
    },
    last ? '' : list.body,
  )
}

const get = (path: string, query: URLSearchParams, response: ServerResponse): void => {
  if (path.endsWith('/shards')) {
    const width = 2n ** 128n / BigInt(plan.shards)
    const key = (index: number): string => (width * BigInt(index)).toString(16).padStart(32, '0')
    const shards = Array.from({ length: plan.shards }, (_, shardID) => ({
      shardID,
      status: 'readwrite',
      inclusiveBeginKey: key(shardID),
      exclusiveEndKey: shardID === plan.shards - 1 ? 'f'.repeat(32) : key(shardID + 1),
      createTime: 1_750_000_000,
    }))
    answerJson(response, shards)
  } else if (query.get('type') === 'cursor') {
    answerJson(response, { cursor: encodeCursor(query.get('from') === 'begin' ? first : end()) })
  } else pull(response, query)
}

const check = (headers: IncomingMessage['headers'], body: Buffer): void => {
  if (headers['content-md5'] !== hash('md5', body, 'hex').toUpperCase()) throw new Error('the MD5 is wrong')
  if (headers.authorization === undefined) throw new Error('the put is not signed')
  let rawBytes = Number(headers['x-log-bodyrawsize'])
  const sample = report.puts < decodedPuts
  if (headers['x-log-mode'] === 'batch_group') {
    rawBytes = 0
    for (const { data, rawSize = 0 } of decodeLogPackageList(body)) {
      rawBytes += rawSize
      if (sample) report.records += checkLogGroup(lz4.decompress(data, rawSize)).logCount
    }
  } else if (sample) report.records += checkLogGroup(lz4.decompress(body, rawBytes)).logCount
  if (sample) report.recordBytes += rawBytes
  report.puts++
  report.rawBytes += rawBytes
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://bench')
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    if (request.method === 'GET') {
      const answerIt = (): void => get(url.pathname, url.searchParams, response)
      if (!plan.held || url.pathname.endsWith('/shards')) return answerIt()
      if (waiting.length === 0) process.send?.({ held: true })
      waiting.push(answerIt)
      return
    }
    try {
      check(request.headers, Buffer.concat(pieces))
      answer(response, {}, '')
    } catch (error) {
      response.writeHead(400).end(JSON.stringify({ errorCode: 'PostBodyInvalid', errorMessage: String(error) }))
    }
  })
})
server.keepAliveTimeout = 60_000

process.on('message', (message: { readonly plan?: ServerPlan }) => {
  const done: ServerReport = report
  if (message.plan !== undefined) {
    plan = message.plan
    report = { puts: 0, rawBytes: 0, records: 0, recordBytes: 0, pulls: 0 }
    startMs = performance.now()
    if (!plan.held) for (const answerIt of waiting.splice(0)) answerIt()
  }
  process.send?.(done)
})
process.once('disconnect', () => process.exit(0))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const address = server.address()
const facts = {
  port: typeof address === 'object' && address !== null ? address.port : 0,
  largeBytes: lists.large.rawBytes,
  smallBytes: lists.small.rawBytes,
}
process.send?.(facts)
