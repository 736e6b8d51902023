import {
  asError,
  type Clock,
  type Digest,
  type HttpRequest,
  type HttpResponse,
  type Logger,
  type Random,
} from '../core/index.ts'
import { serviceErrors, verifyRequest } from '../wire/index.ts'
import { refusalAnswer } from './answers.ts'
import { type Call, parseCall } from './call.ts'
import { answerFaultCall, isFaultCall } from './fault-route.ts'
import type { FaultRule, FaultRules } from './fault-rules.ts'
import { Refusal } from './refusal.ts'
import { type FoundRoute, findRoute, type Handlers } from './routes.ts'
import type { ServiceSettings } from './service-options.ts'
import { mergeShards, splitShard } from './shard-handlers.ts'

export interface DoorPorts {
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly log: Logger
}

/** Where every request comes in and every answer goes out: there is one for each, whatever is sent. */
export class ServiceDoor {
  readonly #handlers: Handlers
  readonly #settings: ServiceSettings
  readonly #faults: FaultRules
  readonly #ports: DoorPorts
  #closed = false

  constructor(handlers: Handlers, settings: ServiceSettings, faults: FaultRules, ports: DoorPorts) {
    this.#handlers = handlers
    this.#settings = settings
    this.#faults = faults
    this.#ports = ports
  }

  /** From now on every answer is 503. */
  close(): void {
    this.#closed = true
  }

  async handle(request: HttpRequest, peer: { readonly address: string }): Promise<HttpResponse> {
    const requestId = this.#requestId()
    let response: HttpResponse
    try {
      response = await this.#answer(request, requestId, peer.address)
    } catch (thrown) {
      response = refusalAnswer(thrown instanceof Refusal ? thrown : this.#unexpected(thrown, requestId))
    }
    return this.#signed(response, requestId)
  }

  /** An answer to a request that did not get as far as `handle`. */
  refuse(refusal: Refusal): HttpResponse {
    return this.#signed(refusalAnswer(refusal), this.#requestId())
  }

  #signed(response: HttpResponse, requestId: string): HttpResponse {
    const time = String(Math.floor(this.#ports.clock.wallMs() / 1000))
    const headers = { server: 'millrace', ...response.headers, 'x-log-requestid': requestId, 'x-log-time': time }
    return { ...response, headers }
  }

  /** 24 upper-case hex digits (SLS protocol paper, §9.1). */
  #requestId(): string {
    const part = (): string => this.#ports.random.u32().toString(16).padStart(8, '0')
    return (part() + part() + part()).toUpperCase()
  }

  #unexpected(thrown: unknown, requestId: string): Refusal {
    this.#ports.log.error({ err: asError(thrown), requestId }, 'a request failed for a reason that nobody foresaw')
    return new Refusal(500, 'InternalServerError', `the request failed; the log of the service says why: ${requestId}`)
  }

  async #answer(request: HttpRequest, requestId: string, peerAddress: string): Promise<HttpResponse> {
    if (this.#closed) throw new Refusal(503, 'ServerBusy', 'the service is being stopped')
    const call = parseCall(request, requestId, peerAddress, this.#settings.endpoints)
    if (request.headers['origin'] !== undefined && !isTracking(call)) throw pageRefusal()
    if (this.#settings.faultRoute && isFaultCall(call)) {
      this.#verify(request)
      this.#refuseLongControl(call)
      return answerFaultCall(this.#faults, call)
    }
    const route = findRoute(call)
    if (!route.unsigned) this.#verify(request)
    if (!route.put) this.#refuseLongControl(call)
    return this.#serve(call, route)
  }

  #verify(request: HttpRequest): void {
    const { auth, skewMsMax } = this.#settings
    if (auth === 'off') return
    const { digest, clock } = this.#ports
    const verdict = verifyRequest(request, {
      findSecret: (accessKeyId) => auth.get(accessKeyId),
      wallMs: clock.wallMs(),
      digest,
      skewMsMax,
    })
    if (!verdict.ok) throw new Refusal(serviceErrors[verdict.code].status, verdict.code, verdict.message)
  }

  #refuseLongControl(call: Call): void {
    const most = this.#settings.limits.controlBytes
    if (call.request.body.length > most)
      throw new Refusal(400, 'PostBodyTooLarge', `the body is longer than ${most} bytes`)
  }

  async #serve(call: Call, route: FoundRoute): Promise<HttpResponse> {
    const { project } = call
    const { name, logstore, shard } = route
    const place = { route: name, method: call.request.method, project, logstore, shard }
    const struck = this.#faults.strike(place, () => this.#ports.random.float())
    for (const rule of struck) await this.#strikeBefore(rule, call, route)
    let response = await route.run(this.#handlers)
    for (const rule of struck) response = strikeAfter(rule, response)
    return response
  }

  async #strikeBefore(rule: FaultRule, call: Call, route: FoundRoute): Promise<void> {
    if (rule.effect === 'latency') await this.#ports.clock.sleep(rule.ms ?? 1000)
    if (rule.effect === 'error') throw faultRefusal(rule)
    if (rule.effect === 'expire-cursor' && route.name === 'pull')
      throw new Refusal(400, 'InvalidCursor', 'the cursor was made to expire')
    if (rule.effect === 'split' || rule.effect === 'merge') await this.#reshard(rule.effect, call, route)
  }

  async #reshard(effect: 'split' | 'merge', call: Call, { logstore, shard }: FoundRoute): Promise<void> {
    if (logstore === undefined || shard === undefined) return
    const change = effect === 'split' ? splitShard : mergeShards
    try {
      await change(this.#handlers.core, { ...call, query: new Map() }, logstore, shard)
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      this.#ports.log.info({ logstore, shard, effect, why: thrown.message }, 'a fault could not be made')
    }
  }
}

const isTracking = (call: Call): boolean => call.segments.length === 3 && call.segments[2] === 'track'

/** Any page that is open in a browser on this machine can send to a loopback port; no SDK sends an origin. */
const pageRefusal = (): Refusal => new Refusal(403, 'ProjectForbidden', 'pages in a browser may use web tracking only')

const faultRefusal = ({ status = 503, errorCode = 'ServerBusy' }: FaultRule): Refusal =>
  new Refusal(status, errorCode, 'this fault was asked for')

const strikeAfter = (rule: FaultRule, response: HttpResponse): HttpResponse => {
  if (rule.effect === 'error-after') throw faultRefusal(rule)
  if (rule.effect !== 'cut-body') return response
  const body = response.body.subarray(0, rule.bytes ?? Math.floor(response.body.length / 2))
  const { 'content-length': _, ...headers } = response.headers
  return { ...response, headers, body }
}
