import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type HttpResponse, Secret } from '../../src/core/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { decodeCursor } from '../../src/wire/index.ts'
import { MemoryDisk } from '../logservice/memory-storage.ts'
import { jsonOf, openTestService, type TestService } from '../logservice/service.ts'
import { root } from '../tidy/source-tree.ts'
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
  const url = new URL(request.target, `http://${host}`)
  const [, , logstore, kind, group] = url.pathname.split('/').map((part) => decodeURIComponent(part))
  return {
    project: host.split('.', 1)[0] ?? '',
    logstore,
    group: kind === 'consumergroups' ? group : undefined,
    cursor: url.searchParams.get('cursor'),
  }
}

/** The service as it was before the request: its project, logstore and consumer group are there. */
const prepare = async (request: RecordedRequest): Promise<MemoryDisk> => {
  const { project, logstore, group, cursor } = placesOf(request)
  const disk = new MemoryDisk()
  // A cursor counts from the time its shard was made, in nanoseconds.
  const position = cursor === null ? undefined : decodeCursor(cursor)
  const madeAtMs = position === undefined ? request.atMs : Number(position / 1_000_000n)
  const projects = new URL(request.target, 'http://x').pathname === '/' ? [] : [project]
  const service = await openTestService({ disk, clock: new VirtualClock(madeAtMs), projects })
  const host = `${project}.sls.test`
  if (logstore !== undefined) {
    await service.json('POST', '/logstores', { host, body: { logstoreName: logstore, ttl: 7, shardCount: 4 } })
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
    expect(codeOf(response)).toBe('200')
    expect(service.errors).toEqual([])
  })

  test.each(golden)('is refused when the secret is another one: %s', async (_, request) => {
    const service = await openWithKey(await prepare(request), request.atMs, 'another-secret')
    expect(codeOf(await show(service, request))).toBe('401 SignatureNotMatch')
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
  test.each(['node', 'node-sls20201230', 'python', 'go', 'go-old'])('include a put of %s', (driver) => {
    expect(golden.filter(([name]) => name.startsWith(`${driver}-put-`))).not.toEqual([])
  })
})
