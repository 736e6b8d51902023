import { readFileSync } from 'node:fs'
import { Agent, type Dispatcher } from 'undici'
import {
  asError,
  type Cancel,
  type Clock,
  errnoOf,
  type HttpRequest,
  type HttpResponse,
  OptionsError,
  type SendOptions,
  type Transport,
  TransportError,
  type TransportFailure,
} from '../core/index.ts'
import { announcedBytes, BodySlab } from './body-slab.ts'
import { nodeClock } from './node-clock.ts'

export interface UndiciTransportOptions {
  /** Connections to one origin at a time; further requests wait. @default 64 */
  readonly connections?: number | undefined
  /** Certificates in PEM to trust instead of the well-known ones. */
  readonly ca?: string | undefined
  /** A file with such certificates. */
  readonly caFile?: string | undefined
  /** For a connection, TLS included. @default 10000 */
  readonly connectTimeoutMs?: number | undefined
  /** How long an unused connection is kept, when the server does not say. @default 4000 */
  readonly idleTimeoutMs?: number | undefined
  /** For the headers of an answer. @default 65536 */
  readonly headerBytesMax?: number | undefined
  readonly clock?: Clock | undefined
}

/** What of a failure may be kept: neither bytes of an answer nor a certificate, as errors of the network carry them. */
const causeOf = (error: Error): Error => {
  const first = error instanceof AggregateError && error.errors.length > 0 ? asError(error.errors[0]) : error
  const code = errnoOf(error) ?? errnoOf(first)
  const text = first.message === '' ? first.name : first.message
  return code === undefined || text.includes(code) ? new Error(text) : new Error(`${code}: ${text}`)
}

const headersOf = (headers: NodeJS.Dict<string | string[]>): Record<string, string> => {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return flat
}

/** One request on its way, and the answer as it comes in. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<HttpResponse>
  readonly #origin: string
  readonly #options: SendOptions
  #resolve: (response: HttpResponse) => void = () => {}
  #reject: (error: TransportError) => void = () => {}
  #controller: Dispatcher.DispatchController | undefined
  #cancelTimer: Cancel
  #status = 0
  #headers: Record<string, string> = {}
  #slab: BodySlab | undefined
  #settled = false

  constructor(origin: string, options: SendOptions, clock: Clock) {
    this.#origin = origin
    this.#options = options
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#cancelTimer = clock.timer(options.deadlineMs, () => this.#onDeadline())
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Called right before the first byte is written: from here on the server may have seen the request. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) return controller.abort(new Error('given up'))
    this.#controller = controller
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: NodeJS.Dict<string | string[]>): void {
    if (status < 200 || this.#settled) return
    const bytesMax = this.#options.responseBytesMax
    const announced = announcedBytes(headers['content-length'])
    if (announced !== undefined && announced > bytesMax) return this.#tooLarge()
    this.#status = status
    this.#headers = headersOf(headers)
    this.#slab = new BodySlab(bytesMax, announced)
  }

  onResponseData(_: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (!this.#settled && this.#slab?.append(piece) === false) this.#tooLarge()
  }

  onResponseEnd(): void {
    const slab = this.#slab
    if (this.#settled) return
    if (slab === undefined || !slab.complete) return this.#fail('unanswered', 'the answer ended before it was whole')
    this.#settle()
    this.#resolve({ status: this.#status, headers: this.#headers, body: slab.bytes })
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#settled) return
    const cause = causeOf(error)
    if (this.#controller === undefined) return this.#fail('not-sent', `no connection: ${cause.message}`, cause)
    if (errnoOf(error) === 'UND_ERR_HEADERS_OVERFLOW')
      return this.#fail('too-large', 'the headers of the answer are longer than allowed', cause)
    this.#fail('unanswered', `the connection broke before the answer was whole: ${cause.message}`, cause)
  }

  readonly #onAbort = (): void => this.#fail('aborted', 'the caller gave up')

  #onDeadline(): void {
    const { deadlineMs } = this.#options
    if (this.#controller === undefined) this.#fail('not-sent', `no connection was free within ${deadlineMs} ms`)
    else this.#fail('deadline', `no whole answer within ${deadlineMs} ms`)
  }

  #tooLarge(): void {
    this.#fail('too-large', `the answer is longer than the ${this.#options.responseBytesMax} bytes allowed`)
  }

  #fail(kind: TransportFailure, what: string, cause?: Error): void {
    if (this.#settled) return
    this.#settle()
    const error = new TransportError(kind, `${this.#origin}: ${what}`, cause)
    this.#reject(error)
    this.#controller?.abort(error)
  }

  #settle(): void {
    this.#settled = true
    this.#cancelTimer()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}

/**
 * HTTP and HTTPS on undici's pool. Certificates are always verified and TLS is 1.2 or newer: there is no option against it.
 * @throws OptionsError `OPTIONS_INVALID` when NODE_TLS_REJECT_UNAUTHORIZED is 0, or the file with certificates cannot be read.
 */
export const undiciTransport = (options: UndiciTransportOptions = {}): Transport => {
  refuseUnverified()
  const { clock = nodeClock, caFile } = options
  const ca = caFile === undefined ? options.ca : readCertificates(caFile)
  const agent = new Agent({
    connections: options.connections ?? 64,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: options.headerBytesMax ?? 65_536,
    keepAliveTimeout: options.idleTimeoutMs ?? 4_000,
    // The deadline of each request takes the place of these two.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: options.connectTimeoutMs ?? 10_000,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
    },
  })
  let closing: Promise<void> | undefined
  return {
    async send(origin, request, sendOptions) {
      refuseUnverified()
      if (sendOptions.signal?.aborted) throw new TransportError('aborted', `${origin}: the caller gave up`)
      const exchange = new Exchange(origin, sendOptions, clock)
      try {
        agent.dispatch(dispatchOf(origin, request), exchange)
      } catch (error) {
        exchange.onResponseError(undefined, asError(error))
      }
      return exchange.answer
    },
    close() {
      closing ??= agent.close()
      return closing
    },
  }
}

const dispatchOf = (origin: string, request: HttpRequest): Dispatcher.DispatchOptions => ({
  origin,
  method: request.method,
  path: request.target,
  headers: request.headers,
  body: request.body.length === 0 ? null : request.body,
})

const refuseUnverified = (): void => {
  if (process.env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return
  throw new OptionsError('OPTIONS_INVALID', {
    message: 'NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of certificates for the whole process',
    fix: "unset it, and trust your own certificates with the option 'caFile'",
  })
}

const readCertificates = (path: string): string => {
  try {
    const text = readFileSync(path, 'latin1')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  } catch (error) {
    throw new OptionsError('OPTIONS_INVALID', {
      message: `'caFile' ${path} cannot be read: ${errnoOf(error) ?? asError(error).message}`,
    })
  }
  throw new OptionsError('OPTIONS_INVALID', { message: `'caFile' ${path} holds no certificate in PEM` })
}
