import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { type HttpHandler, type HttpRequest, type HttpResponse, ListenError } from '../../src/core/index.ts'
import { type HttpServer, type HttpServerOptions, serveHttp, undiciTransport } from '../../src/platform/index.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

const textAnswer = (text: string): HttpResponse => ({ status: 200, headers: {}, body: new TextEncoder().encode(text) })

const seen: { requests: HttpRequest[]; peers: string[] } = { requests: [], peers: [] }
const recording: HttpHandler = async (request, peer) => {
  seen.requests.push(request)
  seen.peers.push(peer.address)
  return textAnswer(`got ${request.body.length}`)
}

const serve = async (options: HttpServerOptions = {}, handler: HttpHandler = recording): Promise<HttpServer> => {
  seen.requests.length = 0
  seen.peers.length = 0
  const server = await serveHttp(handler, options)
  opened.push(() => server.close())
  return server
}

/** Sends raw bytes and gives everything that comes back until the server closes, or says what is waited for. */
const talk = (to: number | string, bytes: string, until?: RegExp, then?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to)
    let text = ''
    let waiting = then
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      if (waiting !== undefined && text.includes('100 Continue')) {
        socket.write(waiting)
        waiting = undefined
      } else if (until?.test(text)) {
        socket.destroy()
        resolve(text)
      }
    })
    socket.on('close', () => resolve(text))
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
    socket.write(bytes)
  })

const post = (head: string, body = ''): string => `POST /a HTTP/1.1\r\nhost: p.sls.test\r\n${head}\r\n${body}`

test('a request in absolute form reaches the handler as it stands', async () => {
  const { port } = await serve()
  const text = await talk(port, 'GET http://p.sls.test:80/logstores?x=1 HTTP/1.1\r\nHost: p.sls.test\r\n\r\n', /got 0/)
  expect(text).toMatch(/^HTTP\/1.1 200 /)
  expect(seen.requests[0]).toMatchObject({
    target: 'http://p.sls.test:80/logstores?x=1',
    headers: { host: 'p.sls.test' },
  })
})

test('a host of any kind, or none, is for the handler to judge', async () => {
  const { port } = await serve()
  const hosts = ['a b', '[::1', 'x:y:z', '%00', 'a'.repeat(5_000), '', '[::ffff:1.2.3.4]:99999', '-._~!$', 'é']
  for (const host of hosts) {
    expect(await talk(port, `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`, /got 0/)).toMatch(/^HTTP\/1.1 200 /)
  }
  expect(await talk(port, 'GET / HTTP/1.1\r\n\r\n', /got 0/)).toMatch(/^HTTP\/1.1 200 /)
  expect(seen.requests).toHaveLength(hosts.length + 1)
})

test('what is no HTTP is refused, and the next request is served', async () => {
  const { port } = await serve()
  const wrong = [
    'nonsense\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
    'GET / HTTP/9.9\r\n\r\n',
    post('content-length: 3\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
    post('content-length: 3\r\ncontent-length: 4\r\n', 'abcd'),
    post('content-length: -1\r\n'),
    post('transfer-encoding: chunked\r\n', 'zz\r\n'),
  ]
  for (const bytes of wrong) expect(await talk(port, bytes)).toMatch(/^HTTP\/1.1 400 /)
  expect(seen.requests).toHaveLength(0)
  expect(await talk(port, post('content-length: 3\r\n', 'abc'), /got 3/)).toMatch(/^HTTP\/1.1 200 /)
})

test('headers over the limit are refused', async () => {
  const { port } = await serve({ limits: { headerBytesMax: 4_096 } })
  expect(await talk(port, post(`x: ${'a'.repeat(5_000)}\r\n`))).toMatch(/^HTTP\/1.1 431 /)
})

test('a body over the limit is refused by its length, or while it comes in', async () => {
  const onTooLarge = (): HttpResponse => ({ status: 400, headers: { 'x-log-requestid': 'A' }, body: new Uint8Array(0) })
  const { port } = await serve({ limits: { bodyBytesMax: 10 }, onTooLarge })
  expect(await talk(port, post('content-length: 10\r\n', '0123456789'), /got 10/)).toMatch(/^HTTP\/1.1 200 /)
  for (const head of ['content-length: 11\r\n', 'content-length: 99999999999\r\n']) {
    expect(await talk(port, post(head, '0'), /\r\n\r\n/)).toMatch(/^HTTP\/1.1 400 [\s\S]*x-log-requestid: A\r\n/)
  }
  const chunked = post('transfer-encoding: chunked\r\n', '8\r\n01234567\r\n8\r\n01234567\r\n')
  expect(await talk(port, chunked, /\r\n\r\n/)).toMatch(/^HTTP\/1.1 400 /)
  expect(seen.requests).toHaveLength(1)
})

test('a client that sends on without looking still gets the refusal', async () => {
  const { origin } = await serve({ limits: { bodyBytesMax: 1_000_000 } })
  const transport = undiciTransport()
  opened.unshift(() => transport.close())
  const request = { method: 'POST', target: '/', headers: { host: 'a' }, body: new Uint8Array(8_000_000) }
  for (let index = 0; index < 5; index++) {
    const answer = await transport.send(origin, request, { deadlineMs: 30_000, responseBytesMax: 1_000 })
    expect(answer.status).toBe(413)
  }
})

test('many connections that say nothing, or only half a request, do not keep others from being served', async () => {
  const { port } = await serve()
  const halves = ['', 'POST /a HT', 'POST /a HTTP/1.1\r\nhost: a\r\n', post('content-length: 9\r\n', 'ab')]
  const sockets = Array.from({ length: 200 }, (_, index) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(halves[index % halves.length] ?? ''))
    socket.on('error', () => {})
    return socket
  })
  for (let index = 0; index < 20; index++) {
    expect(await talk(port, post('content-length: 1\r\n', 'a'), /got 1/)).toMatch(/^HTTP\/1.1 200 /)
  }
  for (const socket of sockets) socket.destroy()
})

test('whatever bytes come, the next request is served', async () => {
  const { port } = await serve()
  const piece = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'host: a\r\n',
      'content-length: 5\r\n',
      '\r\n',
      'transfer-encoding: chunked\r\n',
      '0\r\n\r\n',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(pieces.join('')))
        socket.on('error', () => {})
        socket.on('close', () => resolve())
        socket.resume()
      })
      expect(await talk(port, post('content-length: 1\r\n', 'a'), /got 1/)).toMatch(/^HTTP\/1.1 200 /)
    }),
    { numRuns: 60 },
  )
})

test('bodies that are too much together are refused for now', async () => {
  const { port } = await serve({ limits: { bodiesBytesMax: 10 } })
  expect(await talk(port, post('content-length: 11\r\n', '01234567890'))).toMatch(/^HTTP\/1.1 503 /)
  expect(await talk(port, post('content-length: 10\r\n', '0123456789'), /got 10/)).toMatch(/^HTTP\/1.1 200 /)
})

test('a client that asks first is told to go on, or refused before it sends the body', async () => {
  const { port } = await serve({ limits: { bodyBytesMax: 10 } })
  const going = await talk(port, post('expect: 100-continue\r\ncontent-length: 3\r\n'), /got 3/, 'abc')
  expect(going).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /)
  const refused = await talk(port, post('expect: 100-continue\r\ncontent-length: 30\r\n'), /\r\n\r\n/)
  expect(refused).toMatch(/^HTTP\/1.1 413 /)
})

test('connections stay open for at least 75 seconds, and say so', async () => {
  const { port } = await serve()
  const text = await talk(port, post('content-length: 0\r\n'), /got 0/)
  expect(Number(/keep-alive: timeout=(\d+)/i.exec(text)?.[1])).toBeGreaterThanOrEqual(75)
})

test('several requests on one connection are answered in order', async () => {
  const { port } = await serve()
  const one = post('content-length: 1\r\n', 'a')
  const text = await talk(port, `${one}${post('content-length: 2\r\n', 'ab')}${one}`, /got 1[\s\S]*got 2[\s\S]*got 1/)
  expect(text.match(/HTTP\/1.1 200 /g)).toHaveLength(3)
})

test('a handler that fails, and an answer that HTTP cannot carry, do not end the process', async () => {
  const { port } = await serve({}, async ({ target }) => {
    if (target === '/throw') throw new Error('defect')
    return { status: 200, headers: { 'x-bad': 'a\r\nb: c' }, body: new Uint8Array(0) }
  })
  expect(await talk(port, 'GET /throw HTTP/1.1\r\nhost: a\r\n\r\n', /\r\n\r\n/)).toMatch(/^HTTP\/1.1 503 /)
  expect(await talk(port, 'GET /bad HTTP/1.1\r\nhost: a\r\n\r\n', /\r\n\r\n/)).not.toMatch(/b: c/)
})

test('a request cut short never reaches the handler', async () => {
  const { port } = await serve()
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(post('content-length: 9\r\n', 'abc')))
    socket.resume()
    socket.on('close', () => resolve())
  })
  expect(await talk(port, post('content-length: 1\r\n', 'a'), /got 1/)).toMatch(/^HTTP\/1.1 200 /)
  expect(seen.requests).toHaveLength(1)
})

test('close finishes what is on its way and takes no more', async () => {
  let finish = (): void => {}
  const working = new Promise<void>((resolve) => {
    finish = resolve
  })
  let started = (): void => {}
  const arrived = new Promise<void>((resolve) => {
    started = resolve
  })
  const server = await serve({}, async () => {
    started()
    await working
    return textAnswer('done')
  })
  const answer = talk(server.port, post('content-length: 0\r\n'))
  await arrived
  const closed = server.close()
  await expect(talk(server.port, post('content-length: 0\r\n'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  finish()
  expect(await answer).toMatch(/connection: close[\s\S]*done/i)
  await closed
  await server.close()
})

test('a unix socket and IPv6 are addresses too', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-'))
  opened.push(() => rm(directory, { recursive: true }))
  const socketPath = join(directory, 's')
  const server = await serve({ socketPath })
  expect(server.origin).toBe(`unix:${socketPath}`)
  expect(await talk(socketPath, post('content-length: 1\r\n', 'a'), /got 1/)).toMatch(/^HTTP\/1.1 200 /)
  expect(seen.peers).toEqual(['unix'])
  const sixth = await serve({ host: '::1' })
  expect(sixth.origin).toBe(`http://[::1]:${sixth.port}`)
})

test('an address that is taken is an error that names it', async () => {
  const { port } = await serve()
  const second = serveHttp(recording, { port })
  await expect(second).rejects.toBeInstanceOf(ListenError)
  await expect(second).rejects.toThrow(`127.0.0.1:${port}: EADDRINUSE`)
})
