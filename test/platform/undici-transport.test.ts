import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { OptionsError, type SendOptions, type Transport, TransportError } from '../../src/core/index.ts'
import { type UndiciTransportOptions, undiciTransport } from '../../src/platform/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { type Identity, identity } from './certificates.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

const transportOf = (options: UndiciTransportOptions = {}): Transport => {
  const transport = undiciTransport(options)
  opened.unshift(() => transport.close())
  return transport
}

const listening = async (server: Server | TlsServer): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

/** A server that answers every request with these bytes, and then does with the socket what it is told. */
const rawServer = async (reply: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => reply(socket))
  })
  opened.push(async () => {
    for (const socket of sockets) socket.destroy()
  })
  return `http://127.0.0.1:${await listening(server)}`
}

/** A reply that tells when the request has come. */
const arrival = (then: (socket: Socket) => void) => {
  let tell = (): void => {}
  const arrived = new Promise<void>((resolve) => {
    tell = resolve
  })
  const reply = (socket: Socket): void => {
    then(socket)
    tell()
  }
  return { arrived, reply }
}

const limits: SendOptions = { deadlineMs: 20_000, responseBytesMax: 1_000 }

const get = (transport: Transport, origin: string, options: Partial<SendOptions> = {}, host = 'p.sls.test') =>
  transport.send(
    origin,
    { method: 'GET', target: '/', headers: { host }, body: new Uint8Array(0) },
    { ...limits, ...options },
  )

const failureOf = async (answer: Promise<unknown>): Promise<TransportError> => {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(TransportError)
  return error as TransportError
}

describe('hostile answers', () => {
  const replies: readonly [name: string, reply: (socket: Socket) => void, kind: string][] = [
    ['a body shorter than announced', (s) => s.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'), 'unanswered'],
    ['a chunk cut short', (s) => s.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc'), 'unanswered'],
    ['no last chunk', (s) => s.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'), 'unanswered'],
    ['a connection closed without a word', (s) => s.end(), 'unanswered'],
    ['a connection reset', (s) => s.resetAndDestroy(), 'unanswered'],
    ['headers cut short', (s) => s.end('HTTP/1.1 200 OK\r\ncontent-le'), 'unanswered'],
    ['what is no HTTP', (s) => s.end('SSH-2.0-OpenSSH_9.6\r\n'), 'unanswered'],
    ['a length that is no number', (s) => s.end('HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nabc'), 'unanswered'],
    ['more announced than allowed', (s) => s.write('HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n'), 'too-large'],
    ['headers without end', (s) => s.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}`), 'too-large'],
    [
      'more chunks than allowed',
      (s) => s.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n${'a'.repeat(1001)}\r\n`),
      'too-large',
    ],
    [
      'a close-delimited body longer than allowed',
      (s) => s.write(`HTTP/1.1 200 OK\r\n\r\n${'a'.repeat(1001)}`),
      'too-large',
    ],
  ]
  test.each(replies)('%s is an error of its kind', async (_, reply, kind) => {
    const error = await failureOf(get(transportOf(), await rawServer(reply)))
    expect(error.kind).toBe(kind)
  })

  test('a body that drips in is given up at the deadline', async () => {
    const clock = new VirtualClock()
    const { arrived, reply } = arrival((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na'))
    const failure = failureOf(get(transportOf({ clock }), await rawServer(reply)))
    await arrived
    await clock.advance(limits.deadlineMs)
    expect((await failure).kind).toBe('deadline')
  })

  test('a close-delimited body that ends early cannot be told from a whole one, and is handed on', async () => {
    const origin = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nabc'))
    expect((await get(transportOf(), origin)).body).toHaveLength(3)
  })

  test('an interim answer is passed over', async () => {
    const origin = await rawServer((socket) =>
      socket.end('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    )
    expect(await get(transportOf(), origin)).toMatchObject({ status: 200 })
  })

  test('an error keeps no bytes of the answer', async () => {
    const origin = await rawServer((socket) => socket.end('canary-of-an-echoed-secret\r\n\r\n'))
    const error = await failureOf(get(transportOf(), origin))
    const shown = JSON.stringify([error, error.cause, error.message, Object.entries(error.cause ?? {})])
    expect(shown).not.toContain('canary')
  })
})

test('a request that waits for a connection until its deadline was not sent', async () => {
  const clock = new VirtualClock()
  const { arrived, reply } = arrival(() => {})
  const origin = await rawServer(reply)
  const transport = transportOf({ connections: 1, clock })
  const first = failureOf(get(transport, origin))
  await arrived
  const second = failureOf(get(transport, origin, { deadlineMs: 60 }))
  await clock.advance(60)
  expect((await second).kind).toBe('not-sent')
  await clock.advance(limits.deadlineMs)
  expect((await first).kind).toBe('deadline')
})

test('a header that HTTP cannot carry is refused before anything is sent', async () => {
  const origin = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
  const request = { method: 'GET', target: '/', headers: { host: 'a', 'x-a': 'b\r\nx-b: c' }, body: new Uint8Array(0) }
  expect((await failureOf(transportOf().send(origin, request, limits))).kind).toBe('not-sent')
})

describe('over TLS', () => {
  const authority = identity('Test authority', { authority: true })
  const tlsOrigin = async (server: Identity): Promise<string> => {
    const port = await listening(
      createTlsServer({ key: server.key, cert: server.cert }, (_, response) => response.end('ok')),
    )
    return `https://127.0.0.1:${port}`
  }

  test('a server with a certificate of the trusted authority answers', async () => {
    const origin = await tlsOrigin(identity('good', { issuer: authority, host: 'p.sls.test' }))
    expect((await get(transportOf({ ca: authority.cert }), origin)).status).toBe(200)
  })

  test('the authority may be named as a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-'))
    opened.push(() => rm(directory, { recursive: true }))
    const caFile = join(directory, 'ca.pem')
    await writeFile(caFile, authority.cert)
    const origin = await tlsOrigin(identity('good', { issuer: authority, host: 'p.sls.test' }))
    expect((await get(transportOf({ caFile }), origin)).status).toBe(200)
    await writeFile(caFile, 'nothing')
    expect(() => undiciTransport({ caFile })).toThrow(OptionsError)
    expect(() => undiciTransport({ caFile: join(directory, 'none.pem') })).toThrow(/ENOENT/)
  })

  const other = identity('Other authority', { authority: true })
  const refused: readonly [string, () => Identity, RegExp][] = [
    [
      'an expired certificate',
      () => identity('old', { issuer: authority, host: 'p.sls.test', notAfter: new Date(Date.now() - 86_400_000) }),
      /CERT_HAS_EXPIRED|expired/i,
    ],
    ['a self-signed certificate', () => identity('self', { host: 'p.sls.test' }), /SELF_SIGNED/],
    [
      'a certificate for another host',
      () => identity('wrong', { issuer: authority, host: 'q.sls.test' }),
      /ERR_TLS_CERT_ALTNAME_INVALID|altname/i,
    ],
    [
      'a certificate of another authority',
      () => identity('foreign', { issuer: other, host: 'p.sls.test' }),
      /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|SELF_SIGNED/,
    ],
  ]
  test.each(refused)('%s is refused, and nothing was sent', async (_, server, reason) => {
    const error = await failureOf(get(transportOf({ ca: authority.cert }), await tlsOrigin(server())))
    expect(error.kind).toBe('not-sent')
    expect(error.message).toMatch(reason)
  })

  test('without the authority its certificates are refused', async () => {
    const origin = await tlsOrigin(identity('good', { issuer: authority, host: 'p.sls.test' }))
    expect((await failureOf(get(transportOf(), origin))).kind).toBe('not-sent')
  })

  test('a process that turned verification off gets no transport', () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      expect(() => undiciTransport()).toThrow(OptionsError)
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
  })
})
