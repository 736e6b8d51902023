import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { goldenOf, headersOf, type RecordedRequest, startRecorder } from './recorder.ts'

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-recorder-'))
  undo.push(() => rmSync(path, { recursive: true }))
  return path
}

/** A server that answers with what it was asked. */
const startEcho = async (): Promise<number> => {
  const server = http.createServer(async (incoming, outgoing) => {
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    outgoing.writeHead(418, [
      'X-Log-Requestid',
      'ABC',
      'X-Target',
      incoming.url ?? '',
      'X-Host',
      incoming.headers.host ?? '',
    ])
    outgoing.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  undo.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

describe('startRecorder', () => {
  test('passes an absolute-form target, Host and bytes on, gives the answer back, and notes both sides', async () => {
    const seen: [RecordedRequest, number][] = []
    const recorder = await startRecorder(await startEcho(), (request, status) => seen.push([request, status]))
    undo.push(() => recorder.close())
    const target = 'http://p.sls.test:80/logstores/a?x=%2F+'
    const body = Buffer.from([0, 255, 10, 13])
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const headers = ['X-Log-BodyRawSize', '4', 'Host', 'p.sls.test', 'Content-Length', '4']
      const request = http.request(
        { host: '127.0.0.1', port: recorder.port, method: 'POST', path: target, headers, setHost: false, agent: false },
        resolve,
      )
      request.once('error', reject)
      request.end(body)
    })
    const parts: Buffer[] = []
    for await (const part of answer) parts.push(part as Buffer)
    expect(Buffer.concat(parts)).toEqual(body)
    expect(answer.statusCode).toBe(418)
    expect(answer.headers).toMatchObject({ 'x-log-requestid': 'ABC', 'x-target': target, 'x-host': 'p.sls.test' })
    const [[request, status] = []] = seen
    expect(status).toBe(418)
    expect(request).toMatchObject({ method: 'POST', target, body: body.toString('base64') })
    expect(request?.headers.slice(0, 2)).toEqual(['X-Log-BodyRawSize: 4', 'Host: p.sls.test'])
  })
})

const request = (method: string, target: string, headers: readonly string[] = []): RecordedRequest => ({
  atMs: 1,
  method,
  target,
  headers: ['Authorization: LOG a:b', ...headers],
  body: '',
})

describe('goldenOf', () => {
  test.each([
    ['put-direct-lz4', request('POST', '/logstores/a', ['X-Log-Compresstype: lz4'])],
    ['put-lb-identity', request('POST', '/logstores/a/shards/lb?', ['x-log-bodyrawsize: 3'])],
    [
      'put-route-zstd',
      request('POST', 'http://p.sls.test/logstores/a/shards/route?key=1', ['x-log-compresstype: zstd']),
    ],
    [
      'put-lb-batch-lz4',
      request('POST', '/logstores/a/shards/lb', ['x-log-mode: batch_group', 'x-log-compresstype: lz4']),
    ],
    ['put-lb-json-identity', request('POST', '/logstores/a/shards/lb', ['Content-Type: application/json'])],
    ['put-lb-identity-sts', request('POST', '/logstores/a/shards/lb', ['x-acs-security-token: t'])],
    ['pull-lz4', request('GET', '/logstores/a/shards/0?count=1&type=logs', ['Accept-Encoding: lz4'])],
    ['pull-identity', request('GET', '/logstores/a/shards/0?type=log&count=1', ['Accept-Encoding: '])],
    ['create-project', request('POST', '/?')],
    ['create-project', request('POST', 'http://p.sls.test:80/')],
    ['create-logstore', request('POST', '/logstores')],
    ['heartbeat', request('POST', '/logstores/a/consumergroups/g?type=heartbeat&consumer=c')],
    ['checkpoint-get', request('GET', '/logstores/a/consumergroups/g')],
    ['cursor', request('GET', '/logstores/a/shards/0?from=end&type=cursor')],
    ['split', request('POST', '/logstores/a/shards/0?action=split')],
  ])('names a file %s', (name, recorded) => {
    const directory = folder()
    goldenOf(directory, { name: 'x' })(recorded, 200)
    expect(readdirSync(directory)).toEqual([`x-${name}.json`])
  })

  test('keeps the first accepted request of a kind, of the wanted user agent', () => {
    const directory = folder()
    const keep = goldenOf(directory, { name: 'x', userAgent: 'sdk/' })
    const from = (agent: string): RecordedRequest => request('POST', '/logstores', [`User-Agent: ${agent}`])
    keep(from('sdk/refused'), 400)
    keep(from('other/1'), 200)
    keep(from('sdk/1'), 200)
    keep(from('sdk/2'), 200)
    const written = JSON.parse(readFileSync(join(directory, 'x-create-logstore.json'), 'utf8')) as RecordedRequest
    expect(headersOf(written)['user-agent']).toBe('sdk/1')
  })
})
