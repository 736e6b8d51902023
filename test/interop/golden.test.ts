import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type HttpResponse, Secret } from '../../src/core/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { decodeCursor, encodeLogGroup } from '../../src/wire/index.ts'
import { MemoryDisk } from '../logservice/memory-storage.ts'
import { jsonOf, oneLog, openTestService, type TestService } from '../logservice/service.ts'
import { root } from '../tidy/source-tree.ts'
import { drivers } from './drivers.ts'
import { millraceDriver } from './millrace/setup.ts'
import { headersOf, type RecordedRequest } from './recorder.ts'

const folder = join(root, 'test', 'golden', 'sdk')
const golden = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => [name.slice(0, -'.json'.length), readRequest(name)] as const)

function readRequest(name: string): RecordedRequest {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as RecordedRequest
}

const bodyOf = ({ body }: RecordedRequest): Uint8Array => Uint8Array.from(Buffer.from(body, 'base64'))

/** What a request takes for granted, read from itself. */
const placesOf = (request: RecordedRequest) => {
  const host = headersOf(request)['host'] ?? ''
  const { pathname, searchParams } = new URL(request.target, `http://${host}`)
  const [, , logstore, kind, last] = pathname.split('/').map((part) => decodeURIComponent(part))
  const cursor = searchParams.get('cursor')
  return {
    project: pathname === '/' ? undefined : (host.split('.', 1)[0] ?? ''),
    logstore,
    group: kind === 'consumergroups' ? last : undefined,
    shard: Number(kind === 'shards' ? last : 0),
    position: cursor === null ? undefined : decodeCursor(cursor),
    unforced: searchParams.get('forceSuccess') === 'false',
  }
}

const nsPerMs = 1_000_000n
const keyInShard = ['00', '40', '80', 'c0'] as const

/** The service as it was before the request: its project, logstore, groups and consumer group are there. */
const prepare = async (request: RecordedRequest): Promise<MemoryDisk> => {
  const { project, logstore, group, shard, position } = placesOf(request)
  const disk = new MemoryDisk()
  // A cursor counts from the time its shard was made, in nanoseconds.
  const madeAtMs = position === undefined ? request.atMs : Number(position / nsPerMs)
  const projects = project === undefined ? [] : [project]
  const service = await openTestService({ disk, clock: new VirtualClock(madeAtMs), projects })
  const host = `${project}.sls.test`
  if (logstore !== undefined) {
    await service.json('POST', '/logstores', { host, body: { logstoreName: logstore, ttl: 7, shardCount: 4 } })
  }
  for (let before = (position ?? 0n) % nsPerMs; before > 0n; before--) {
    const body = encodeLogGroup(oneLog('before'))
    const headers = { 'content-type': 'application/x-protobuf', 'x-log-bodyrawsize': String(body.length) }
    await service.json('POST', `/logstores/${logstore}/shards/route?key=${keyInShard[shard]}`, { host, headers, body })
  }
  if (group !== undefined) {
    const body = { consumerGroup: group, timeout: 60, order: false }
    await service.json('POST', `/logstores/${logstore}/consumergroups`, { host, body })
  }
  await service.service.close()
  return disk
}

const openWithKey = (disk: MemoryDisk, atMs: number, secret: string): Promise<TestService> =>
  openTestService({
    disk,
    clock: new VirtualClock(atMs),
    projects: [],
    auth: new Map([['interop-key', new Secret(secret)]]),
  })

const show = async (service: TestService, request: RecordedRequest): Promise<HttpResponse> => {
  const { method, target } = request
  return service.service.handle(
    { method, target, headers: headersOf(request), body: bodyOf(request) },
    { address: '127.0.0.1' },
  )
}

const codeOf = (response: HttpResponse): string =>
  response.status === 200 ? '200' : `${response.status} ${(jsonOf(response) as { errorCode: string }).errorCode}`

describe('a request recorded from an official SDK', () => {
  test.each(golden)('is answered, as at the time it was signed: %s', async (_, request) => {
    const service = await openWithKey(await prepare(request), request.atMs, 'interop-secret')
    const response = await show(service, request)
    // After a restart nobody is a member: then an unforced checkpoint has no owner.
    expect(codeOf(response)).toBe(placesOf(request).unforced ? '400 ConsumerNotExist' : '200')
    expect(service.errors).toEqual([])
  })

  test.each(golden)('is refused when the secret is another one: %s', async (_, request) => {
    const service = await openWithKey(await prepare(request), request.atMs, 'another-secret')
    expect(codeOf(await show(service, request))).toBe('401 SignatureNotMatch')
  })

  test.each(golden)('is refused a quarter of an hour later: %s', async (_, request) => {
    const service = await openWithKey(await prepare(request), request.atMs + 16 * 60_000, 'interop-secret')
    expect(codeOf(await show(service, request))).toBe('400 RequestTimeExpired')
  })

  test.each(golden.filter(([, { body }]) => body !== ''))(
    'is refused when one bit of its body has changed: %s',
    async (_, request) => {
      const service = await openWithKey(await prepare(request), request.atMs, 'interop-secret')
      const body = bodyOf(request)
      body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1
      const changed = { ...request, body: Buffer.from(body).toString('base64') }
      expect(codeOf(await show(service, changed))).toMatch(/^40[01] /)
    },
  )
})

describe('the golden requests', () => {
  const official = drivers.filter((driver) => driver !== millraceDriver)
  test.each(official.map(({ name }) => name))('include a put of %s', (driver) => {
    expect(golden.filter(([name]) => name.startsWith(`${driver}-put-`))).not.toEqual([])
  })
})
