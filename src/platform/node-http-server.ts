import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { asError, errnoOf, type HttpHandler, type HttpResponse, ListenError } from '../core/index.ts'
import { announcedBytes, BodySlab } from './body-slab.ts'

/** What one listener takes before it refuses. */
export interface HttpServerLimits {
  /** Body of a request. @default 67108864 */
  readonly bodyBytesMax?: number | undefined
  /** Bodies of all requests on their way together; more are refused with 503. @default 536870912 */
  readonly bodiesBytesMax?: number | undefined
  /** Headers of a request. @default 32768 */
  readonly headerBytesMax?: number | undefined
  /** Open connections; more are closed at once. @default 4096 */
  readonly connectionsMax?: number | undefined
  /** For the headers of a request to arrive. @default 20000 */
  readonly headersTimeoutMs?: number | undefined
  /** For a whole request to arrive. @default 120000 */
  readonly requestTimeoutMs?: number | undefined
  /** How long an unused connection stays open; clients that keep theirs for 55 s must not race it. @default 90000 */
  readonly idleTimeoutMs?: number | undefined
  /** How long `close` waits for requests on their way. @default 10000 */
  readonly drainTimeoutMs?: number | undefined
}

export interface HttpServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string | undefined
  /** 0 takes any free one. @default 0 */
  readonly port?: number | undefined
  /** Path of a unix socket, in place of host and port. */
  readonly socketPath?: string | undefined
  readonly limits?: HttpServerLimits | undefined
  /** The answer to a body over the limit. @default status 413 without a body */
  readonly onTooLarge?: (() => HttpResponse) | undefined
  /** The answer when the handler fails, or too much is on its way. @default status 503 without a body */
  readonly onFailure?: (() => HttpResponse) | undefined
}

export interface HttpServer {
  /** The port it listens on; 0 for a unix socket. */
  readonly port: number
  /** Such as `http://127.0.0.1:8080` or `http://[::1]:8080`; `unix:` and the path for a unix socket. */
  readonly origin: string
  /** Takes no more requests, finishes those on their way, and frees the port. May be called twice. */
  close(): Promise<void>
}

/** How long a refused body is read on. */
const lingerMs = 3_000

const emptyAnswer = (status: number) => (): HttpResponse => ({ status, headers: {}, body: new Uint8Array(0) })

const headersOf = (message: IncomingMessage): Record<string, string> => {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) flat[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return flat
}

/** One listener with its limits. */
class NodeHttpServer implements HttpServer {
  readonly #server: Server
  readonly #handler: HttpHandler
  readonly #bodyBytesMax: number
  readonly #bodiesBytesMax: number
  readonly #drainTimeoutMs: number
  readonly #onTooLarge: () => HttpResponse
  readonly #onFailure: () => HttpResponse
  #bodiesBytes = 0
  #closing: Promise<void> | undefined
  #origin = ''
  #port = 0

  constructor(handler: HttpHandler, options: HttpServerOptions) {
    const { limits = {} } = options
    this.#handler = handler
    this.#bodyBytesMax = limits.bodyBytesMax ?? 64 * 1024 * 1024
    this.#bodiesBytesMax = limits.bodiesBytesMax ?? 512 * 1024 * 1024
    this.#drainTimeoutMs = limits.drainTimeoutMs ?? 10_000
    this.#onTooLarge = options.onTooLarge ?? emptyAnswer(413)
    this.#onFailure = options.onFailure ?? emptyAnswer(503)
    const settings = {
      maxHeaderSize: limits.headerBytesMax ?? 32_768,
      headersTimeout: limits.headersTimeoutMs ?? 20_000,
      requestTimeout: limits.requestTimeoutMs ?? 120_000,
      keepAliveTimeout: limits.idleTimeoutMs ?? 90_000,
      connectionsCheckingInterval: 2_000,
      noDelay: true,
      // The handler answers what lacks a host: an absolute-form target has one.
      requireHostHeader: false,
      insecureHTTPParser: false,
    }
    this.#server = createServer(settings, (request, response) => this.#onRequest(request, response))
    this.#server.maxConnections = limits.connectionsMax ?? 4096
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if ((announcedBytes(request.headers['content-length']) ?? 0) <= this.#bodyBytesMax) response.writeContinue()
      this.#onRequest(request, response)
    })
  }

  get origin(): string {
    return this.#origin
  }

  get port(): number {
    return this.#port
  }

  listen(options: HttpServerOptions): Promise<void> {
    const { host = '127.0.0.1', port = 0, socketPath } = options
    const server = this.#server
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        const where = socketPath ?? `${host}:${port}`
        const message = `cannot listen on ${where}: ${errnoOf(error) ?? asError(error).message}`
        reject(new ListenError('LISTEN_FAILED', { message, cause: error }))
      })
      const onListening = (): void => {
        server.removeAllListeners('error')
        // An error of the listener later on (no file descriptors left) refuses a connection; it must not end the process.
        server.on('error', () => {})
        const address = server.address()
        if (typeof address === 'object' && address !== null) this.#port = address.port
        this.#origin =
          socketPath === undefined
            ? `http://${host.includes(':') ? `[${host}]` : host}:${this.#port}`
            : `unix:${socketPath}`
        resolve()
      }
      if (socketPath === undefined) server.listen({ host, port }, onListening)
      else server.listen({ path: socketPath }, onListening)
    })
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), this.#drainTimeoutMs)
      this.#server.close(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    return this.#closing
  }

  #onRequest(message: IncomingMessage, response: ServerResponse): void {
    // A client that goes away is no event: its answer has nobody to go to.
    message.on('error', () => {})
    response.on('error', () => {})
    const announced = announcedBytes(message.headers['content-length'])
    if (announced !== undefined && announced > this.#bodyBytesMax)
      return this.#refuse(message, response, this.#onTooLarge)
    const slab = new BodySlab(this.#bodyBytesMax, announced)
    let receivedBytes = 0
    let refused = false
    response.once('close', () => {
      this.#bodiesBytes -= receivedBytes
    })
    message.on('data', (piece: Uint8Array) => {
      if (refused) return
      this.#bodiesBytes += piece.length
      receivedBytes += piece.length
      const busy = this.#bodiesBytes > this.#bodiesBytesMax
      if (!busy && slab.append(piece)) return
      refused = true
      this.#refuse(message, response, busy ? this.#onFailure : this.#onTooLarge)
    })
    message.on('end', () => {
      if (!refused && slab.complete) this.#answer(message, response, slab.bytes)
    })
  }

  #answer(message: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
    const { method = 'GET', url = '/', socket } = message
    const request = { method, target: url, headers: headersOf(message), body }
    this.#handler(request, { address: socket.remoteAddress ?? 'unix' }).then(
      (answer) => this.#write(response, answer),
      () => this.#write(response, this.#onFailure()),
    )
  }

  #write(response: ServerResponse, answer: HttpResponse): void {
    if (response.destroyed || response.headersSent) return
    try {
      // Without this, a client would send its next request into a closing connection.
      if (this.#closing !== undefined) response.setHeader('connection', 'close')
      response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
      response.end(answer.body)
    } catch {
      response.socket?.destroy()
    }
  }

  /**
   * Answers at once. What is left of the body is thrown away for a while, up to as much as a body may have: a connection
   * closed under a client that still sends would take the answer with it.
   */
  #refuse(message: IncomingMessage, response: ServerResponse, answer: () => HttpResponse): void {
    const { status, headers, body } = answer()
    if (response.destroyed || response.headersSent) return
    response.writeHead(status, { ...headers, 'content-length': body.length, connection: 'close' })
    if (body.length > 0) response.write(body)
    else response.flushHeaders()
    const timer = setTimeout(() => close(), lingerMs)
    const close = (): void => {
      clearTimeout(timer)
      response.end()
    }
    let discardedBytes = 0
    message.on('data', (piece: Uint8Array) => {
      discardedBytes += piece.length
      if (discardedBytes > this.#bodyBytesMax) close()
    })
    message.once('end', close)
    message.once('close', close)
  }
}

/**
 * Serves a handler over HTTP/1.1 on a port of its own. Whatever bytes come in, the process lives on: what is no HTTP, too
 * long, or too slow is refused.
 * @throws ListenError `LISTEN_FAILED` when the address is taken, or not to be had.
 */
export const serveHttp = async (handler: HttpHandler, options: HttpServerOptions = {}): Promise<HttpServer> => {
  const server = new NodeHttpServer(handler, options)
  await server.listen(options)
  return server
}
