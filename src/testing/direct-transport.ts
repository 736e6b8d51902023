import {
  type Clock,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type SendOptions,
  type Transport,
  TransportError,
} from '../core/index.ts'

/**
 * What goes wrong with one exchange.
 *
 * - `refused`: there is no connection. The handler sees nothing.
 * - `reset`: the connection breaks before the request is whole. The handler sees nothing, the caller cannot know.
 * - `lost-answer`: the handler did its work, and the answer does not arrive.
 * - `cut-body`: the answer ends after `bytes` bytes, with nothing to show for it, as a close-delimited one does.
 * - `latency`: the request takes `ms` to arrive.
 * - `answer`: something between answers in place of the handler.
 */
export type DirectFault =
  | { readonly kind: 'refused' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'lost-answer' }
  | { readonly kind: 'cut-body'; readonly bytes: number }
  | { readonly kind: 'latency'; readonly ms: number }
  | { readonly kind: 'answer'; readonly response: HttpResponse }

export interface DirectTransportOptions {
  /** For latency and deadlines. */
  readonly clock: Clock
  /** Asked once for every request; undefined lets it pass. */
  readonly faultOf?: ((request: HttpRequest, origin: string) => DirectFault | undefined) | undefined
  /** @default '127.0.0.1' */
  readonly peerAddress?: string | undefined
}

const failure = (kind: ConstructorParameters<typeof TransportError>[0], origin: string, what: string): TransportError =>
  new TransportError(kind, `${origin}: ${what}`)

/** A client and a handler in one process without a socket between them: bytes are copied, faults come on request. */
export const directTransport = (handler: HttpHandler, options: DirectTransportOptions): Transport => {
  const { clock, faultOf, peerAddress: address = '127.0.0.1' } = options
  let closed = false
  const exchange = async (origin: string, request: HttpRequest, bytesMax: number): Promise<HttpResponse> => {
    const fault = faultOf?.(request, origin)
    if (fault?.kind === 'refused') throw failure('not-sent', origin, 'no connection: refused')
    if (fault?.kind === 'reset') throw failure('unanswered', origin, 'the connection broke')
    if (fault?.kind === 'latency') await clock.sleep(fault.ms)
    const received = { ...request, headers: { ...request.headers }, body: request.body.slice() }
    const response = fault?.kind === 'answer' ? fault.response : await handler(received, { address })
    if (fault?.kind === 'lost-answer') throw failure('unanswered', origin, 'the connection broke')
    const body = fault?.kind === 'cut-body' ? response.body.slice(0, fault.bytes) : response.body.slice()
    if (body.length > bytesMax)
      throw failure('too-large', origin, `the answer is longer than the ${bytesMax} bytes allowed`)
    return { status: response.status, headers: { ...response.headers }, body }
  }
  return {
    async send(origin, request, { signal, deadlineMs, responseBytesMax }: SendOptions) {
      if (signal?.aborted) throw failure('aborted', origin, 'the caller gave up')
      if (closed) throw failure('not-sent', origin, 'the transport is closed')
      return new Promise((resolve, reject) => {
        const onAbort = (): void => settle(() => reject(failure('aborted', origin, 'the caller gave up')))
        const cancel = clock.timer(deadlineMs, () =>
          settle(() => reject(failure('deadline', origin, `no whole answer within ${deadlineMs} ms`))),
        )
        const settle = (how: () => void): void => {
          cancel()
          signal?.removeEventListener('abort', onAbort)
          how()
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        exchange(origin, request, responseBytesMax).then(
          (response) => settle(() => resolve(response)),
          (error: unknown) => settle(() => reject(error)),
        )
      })
    },
    async close() {
      closed = true
    },
  }
}
