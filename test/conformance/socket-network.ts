import {
  type Environment,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type SendOptions,
  type Transport,
  TransportError,
} from '../../src/core/index.ts'
import { type HttpServer, serveHttp, undiciTransport } from '../../src/platform/index.ts'
import type { DirectFault, World } from '../../src/testing/index.ts'

/** One request, from the socket of its client to that of the server. */
interface Exchange {
  readonly world: World
  readonly handle: HttpHandler
  readonly fault: DirectFault | undefined
  readonly giveUp: AbortController
  /** Lets virtual time pass again. */
  release: () => void
}

const exchangeHeader = 'x-millrace-exchange'
/** A port that nobody listens on. */
const nowhere = 'http://127.0.0.1:1'
const realDeadlineMs = 30_000

/**
 * A server and a client with sockets between them, for handlers and jobs that live in virtual time: it stands still while
 * bytes are on their way, and only then.
 */
export class SocketNetwork {
  readonly #server: HttpServer
  readonly #client: Transport
  readonly #exchanges: Map<string, Exchange>
  #next = 1
  requests = 0

  private constructor(server: HttpServer, client: Transport, exchanges: Map<string, Exchange>) {
    this.#server = server
    this.#client = client
    this.#exchanges = exchanges
  }

  static async open(): Promise<SocketNetwork> {
    const exchanges = new Map<string, Exchange>()
    const server = await serveHttp(
      async (request, peer) => {
        const exchange = exchanges.get(request.headers[exchangeHeader] ?? '')
        if (exchange === undefined) throw new Error('a request of nobody')
        return await serve(exchange, request, peer)
      },
      { limits: { drainTimeoutMs: 50 } },
    )
    return new SocketNetwork(server, undiciTransport(), exchanges)
  }

  async close(): Promise<void> {
    await this.#server.close()
    await this.#client.close()
  }

  /** How a process of `world` reaches a handler: every request goes through a socket and back. */
  transport(
    world: World,
    handle: HttpHandler,
    { clock }: Pick<Environment, 'clock'>,
    faultOf: (request: HttpRequest) => DirectFault | undefined = () => undefined,
  ): Transport {
    return {
      send: (origin, request, options) =>
        new Promise((resolve, reject) => {
          let settled = false
          // In the process's own time, and never once it is dead.
          const settle = (how: () => void): void => {
            if (settled) return
            settled = true
            cancel()
            options.signal?.removeEventListener('abort', onAbort)
            clock.timer(0, how)
          }
          const fail = (error: unknown): void => settle(() => reject(error))
          const onAbort = (): void => fail(new TransportError('aborted', `${origin}: the caller gave up`))
          const cancel = clock.timer(options.deadlineMs, () =>
            fail(new TransportError('deadline', `${origin}: no whole answer within ${options.deadlineMs} ms`)),
          )
          options.signal?.addEventListener('abort', onAbort, { once: true })
          if (options.signal?.aborted) onAbort()
          else
            this.#exchange(world, handle, faultOf(request), request, options).then(
              (ok) => settle(() => resolve(ok)),
              fail,
            )
        }),
      close: async () => {},
    }
  }

  async #exchange(
    world: World,
    handle: HttpHandler,
    fault: DirectFault | undefined,
    request: HttpRequest,
    { responseBytesMax }: SendOptions,
  ): Promise<HttpResponse> {
    this.requests++
    const id = String(this.#next++)
    const exchange: Exchange = { world, handle, fault, giveUp: new AbortController(), release: world.hold() }
    this.#exchanges.set(id, exchange)
    const origin = fault?.kind === 'refused' ? nowhere : this.#server.origin
    const headers = { ...request.headers, [exchangeHeader]: id }
    const { signal } = exchange.giveUp
    try {
      return await this.#client.send(
        origin,
        { ...request, headers },
        { deadlineMs: realDeadlineMs, responseBytesMax, signal },
      )
    } catch (error) {
      if (!signal.aborted) throw error
      throw new TransportError('unanswered', `${origin}: the connection broke`)
    } finally {
      this.#exchanges.delete(id)
      exchange.release()
    }
  }
}

const serve = async (
  exchange: Exchange,
  request: HttpRequest,
  peer: { readonly address: string },
): Promise<HttpResponse> => {
  const { world, handle, fault, giveUp } = exchange
  if (fault?.kind === 'answer') return fault.response
  exchange.release()
  const response = await new Promise<HttpResponse>((resolve, reject) => {
    world.at(1, () => void handle(request, peer).then(resolve, reject))
  })
  exchange.release = world.hold()
  if (fault?.kind === 'lost-answer') giveUp.abort(new Error('the connection breaks'))
  return response
}
