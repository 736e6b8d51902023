import {
  asError,
  type Clock,
  type Digest,
  type HttpRequest,
  type HttpResponse,
  isMillraceError,
  OptionsError,
  type Random,
  type Transport,
  TransportError,
  toBase64,
} from '../../../core/index.ts'
import { hexOf, percentEncode, signRequest } from '../../../wire/index.ts'
import { answerError, requestIdOf, shownText } from './answer-problem.ts'
import type { AnswerReader, Call, Called, CallOptions } from './call.ts'
import type { SlsClientSettings } from './client-options.ts'
import type { CredentialsHolder, HeldCredentials } from './credentials.ts'
import { hostHeader, originOf } from './endpoint.ts'
import { isRetriable, type RetryBudget, waitMs } from './retry-policy.ts'
import type { ServiceTime } from './service-time.ts'
import { SlsError } from './sls-error.ts'

export interface SenderParts {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly credentials: CredentialsHolder
  readonly time: ServiceTime
  readonly budget: RetryBudget
}

const noBody = new Uint8Array(0)

const queryText = (query: Call['query'] = {}): string => {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined)
  const text = pairs.map(([name, value]) => `${percentEncode(name)}=${percentEncode(String(value))}`).join('&')
  return text === '' ? '' : `?${text}`
}

/** Certificates do not mend themselves. */
const isCertificateProblem = (message: string): boolean =>
  /CERT_|_CERT|SELF_SIGNED|ERR_TLS_CERT|UNABLE_TO_VERIFY|certificate|altname/i.test(message)

/** The calls in one attempt each, signed and read; and their repetition. */
export class RequestSender {
  readonly #settings: SlsClientSettings
  readonly #parts: SenderParts

  constructor(settings: SlsClientSettings, parts: SenderParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /**
   * Makes a call, again and again by the rules of its class of error, until it succeeds or the time is up.
   * @throws SlsError; or the reason of the signal when that aborts.
   */
  async call<T>(call: Call, read: AnswerReader<T>, options: CallOptions = {}): Promise<Called<T>> {
    const { clock, random, budget } = this.#parts
    const { attemptsMax, retryInitialMs: initialMs, retryMaxMs: maxMs } = this.#settings
    const untilMs = clock.monoMs() + (options.deadlineMs ?? this.#settings.deadlineMs)
    const attempts = options.attempts ?? attemptsMax
    const mended = new Set<string>()
    let throttled = 0
    for (let attempt = 1; ; attempt++) {
      options.signal?.throwIfAborted()
      try {
        const { value, requestId } = await this.#attempt(call, read, mended, untilMs, options.signal)
        budget.succeeded()
        return { value, requestId, attempts: attempt, throttled }
      } catch (error) {
        if (!(error instanceof SlsError)) throw error
        if (error.class === 'throttled') throttled += 1
        const pauseMs = waitMs({ initialMs, maxMs }, attempt, random.float(), error)
        const again = attempt < attempts && isRetriable(error, call.repeat) && pauseMs < untilMs - clock.monoMs()
        if (!again || !budget.take()) throw error
        await clock.sleep(pauseMs, options.signal)
      }
    }
  }

  /** One try; and at once another, when new credentials or a corrected clock may help, each once in a call. */
  async #attempt<T>(
    call: Call,
    read: AnswerReader<T>,
    mended: Set<string>,
    untilMs: number,
    signal: AbortSignal | undefined,
  ): Promise<{ value: T; requestId: string | undefined }> {
    const credentials = await this.#credentials(call, this.#parts.credentials.current(), signal)
    const answer = await this.#send(call, credentials, untilMs, signal)
    if (answer.status === 200) return { value: await this.#read(call, read, answer), requestId: requestIdOf(answer) }
    const error = answerError(call, answer, (text) => redacted(text, credentials))
    const again = error.class === 'unauthorized' || error.class === 'clock-skew'
    if (!again || mended.has(error.class)) throw error
    mended.add(error.class)
    const helped =
      error.class === 'clock-skew'
        ? this.#parts.time.learn(answer.headers['date'])
        : (await this.#credentials(call, this.#parts.credentials.afterRefusal(credentials), signal)) !== undefined
    if (!helped) throw error
    return this.#attempt(call, read, mended, untilMs, signal)
  }

  async #credentials<T>(call: Call, credentials: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await orAborted(credentials, signal)
    } catch (thrown) {
      signal?.throwIfAborted()
      const message = `no credentials: ${shownText(asError(thrown).message)}`
      throw new SlsError({ class: 'unavailable', call: call.name, message, notSent: true })
    }
  }

  async #send(
    call: Call,
    credentials: HeldCredentials,
    untilMs: number,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { transport, clock } = this.#parts
    const { timeoutMs, answerBytesMax, endpoint } = this.#settings
    const project = this.#projectOf(call)
    const deadlineMs = Math.max(1, Math.min(timeoutMs, untilMs - clock.monoMs()))
    const request = this.#signed(call, credentials, project)
    try {
      return await transport.send(originOf(endpoint, project), request, {
        signal,
        deadlineMs,
        responseBytesMax: answerBytesMax,
      })
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
      if (error.kind === 'aborted' && signal?.aborted) throw signal.reason
      throw this.#networkError(call, error)
    }
  }

  #networkError(call: Call, error: TransportError): SlsError {
    const { kind, message } = error
    const common = { call: call.name, message, cause: error }
    if (kind === 'not-sent' && isCertificateProblem(message)) {
      const fix = 'check the endpoint; trust the certificates of your own authority with a caFile'
      return new SlsError({ ...common, class: 'refused', notSent: true, fix })
    }
    if (kind === 'not-sent') return new SlsError({ ...common, class: 'unreachable', notSent: true })
    const ambiguous = call.repeat === 'once'
    return new SlsError({ ...common, class: kind === 'too-large' ? 'too-large' : 'unreachable', ambiguous })
  }

  #projectOf(call: Call): string | undefined {
    const { project } = this.#settings
    if (call.withoutProject) return undefined
    if (project !== undefined) return project
    throw new OptionsError('OPTIONS_INVALID', { message: `${call.name}: the client was made without a project` })
  }

  #signed(call: Call, credentials: HeldCredentials, project: string | undefined): HttpRequest {
    const { endpoint, userAgent, signature: version, region } = this.#settings
    const body = call.body ?? noBody
    const headers = {
      host: hostHeader(endpoint, project),
      'user-agent': userAgent,
      'x-log-apiversion': '0.6.0',
      'x-log-bodyrawsize': String(body.length),
      ...call.headers,
    }
    const request = { method: call.method, target: `${call.path}${queryText(call.query)}`, headers, body }
    const { digest, time } = this.#parts
    const added = signRequest({ version, region, credentials, request, wallMs: time.wallMs(), digest })
    return { ...request, headers: { ...headers, ...added } }
  }

  async #read<T>(call: Call, read: AnswerReader<T>, answer: HttpResponse): Promise<T> {
    try {
      return await read(answer)
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.code === 'INVARIANT_BROKEN') throw thrown
      const tooLarge = isMillraceError(thrown) && thrown.code === 'WIRE_LIMIT_EXCEEDED'
      throw new SlsError({
        class: tooLarge ? 'too-large' : 'answer-invalid',
        call: call.name,
        message: shownText(asError(thrown).message),
        status: answer.status,
        requestId: requestIdOf(answer),
        ambiguous: call.repeat === 'once',
      })
    }
  }
}

/** The promise, given up when the signal aborts: a fetch of credentials is shared by all calls and goes on. */
const orAborted = <T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(asError(signal.reason))
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** What a server wrote, without what it may have echoed: as it was sent, or in one of the usual encodings. */
const redacted = (text: string, credentials: HeldCredentials): string => {
  let clean = text
  for (const secret of [credentials.accessKeySecret, credentials.securityToken]) {
    const value = secret?.reveal() ?? ''
    if (value === '') continue
    const encoded = [percentEncode(value), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]
    const bytes = new TextEncoder().encode(value)
    const base64 = toBase64(bytes)
    const hex = hexOf(bytes)
    for (const form of [value, ...encoded, base64, base64.replaceAll('=', ''), hex, hex.toUpperCase()]) {
      clean = clean.replaceAll(form, '[redacted]')
    }
  }
  return clean
}
