import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OptionsError } from '../../../../src/core/index.ts'
import { type LogServer, logService } from '../../../../src/entry/logservice.ts'
import { type OpenSlsClient, slsClient } from '../../../../src/entry/sls.ts'
import { serveHttp } from '../../../../src/platform/index.ts'

/** The client as users get it, against the log service as users start it: real sockets, a real disk, keys. */
let server: LogServer
let open: OpenSlsClient
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-'))
  server = await logService({ directory, auth: { ak: 'sk' } })
  open = clientOf('sk')
})

afterEach(async () => {
  await open.close()
  await server.close()
  await rm(directory, { recursive: true, force: true })
})

const clientOf = (accessKeySecret: string, more: Partial<Parameters<typeof slsClient>[0]> = {}): OpenSlsClient =>
  slsClient({ endpoint: server.url, project: 'p1', credentials: { accessKeyId: 'ak', accessKeySecret }, ...more })

const text = (index: number): string => `line ${index} `.repeat(20)

test('many puts at a time are all pulled, each once, in both signatures', async () => {
  const v4 = clientOf('sk', { signature: 'v4', region: 'cn-test' })
  await open.client.projects.create()
  await open.client.logstores.create('ls1', { shardCount: 2 })
  const count = 200
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      (index % 2 === 0 ? open : v4).client.put('ls1', { logs: [{ time: 1, contents: [['m', text(index)]] }] }),
    ),
  )
  await v4.close()
  const seen: (string | undefined)[] = []
  for (const { id } of await open.client.shards.list('ls1')) {
    let position = await open.client.shards.cursor('ls1', id, 'begin')
    for (let atEnd = false; !atEnd; ) {
      const result = await open.client.pull({ logstore: 'ls1', shard: id, position, count: 37 })
      seen.push(...result.groups.map((group) => group.log(0)?.get('m')))
      position = result.nextPosition
      atEnd = result.atEnd
    }
  }
  expect(seen.sort()).toEqual(Array.from({ length: count }, (_, index) => text(index)).sort())
})

test('a wrong secret is refused, and a stopped service is unreachable', async () => {
  const stranger = clientOf('wrong')
  await expect(stranger.client.projects.create()).rejects.toMatchObject({
    class: 'unauthorized',
    errorCode: 'SignatureNotMatch',
  })
  await stranger.close()
  await server.close()
  const call = open.client.logstores.list({}, { attempts: 1 })
  await expect(call).rejects.toMatchObject({ class: 'unreachable', notSent: true, code: 'SLS_UNAVAILABLE' })
})

test('an empty accept-encoding reaches the server, so that an answer can come uncompressed', async () => {
  const seen: (string | undefined)[] = []
  const other = await serveHttp(async ({ headers }) => {
    seen.push(headers['accept-encoding'])
    return { status: 404, headers: {}, body: new Uint8Array(0) }
  })
  const elsewhere = clientOf('sk', { endpoint: other.origin })
  const pull = elsewhere.client.pull({ logstore: 'ls1', shard: 0, position: 0n, compression: 'none' })
  await expect(pull).rejects.toMatchObject({ class: 'not-found' })
  expect(seen).toEqual([''])
  await elsewhere.close()
  await other.close()
})

test('mistakes about the network are named when the client is made', () => {
  const options = { endpoint: 'a.example', credentials: { accessKeyId: 'a', accessKeySecret: 'b' } }
  expect(() => slsClient(options, { connections: 0 })).toThrow(OptionsError)
  expect(() => slsClient(options, { caFile: '/nowhere.pem' })).toThrow(/ENOENT/)
  expect(() => slsClient(options, { rejectUnauthorized: false } as never)).toThrow(/unknown option/)
})
