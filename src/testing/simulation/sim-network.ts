import {
  type Cancel,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type SendOptions,
  type Transport,
  TransportError,
  type TransportFailure,
} from '../../core/index.ts'
import type { Fault, FaultKind } from './faults.ts'
import type { Kernel, ProcessEnd } from './kernel.ts'
import type { SimProcess } from './sim-process.ts'

/** What can go wrong with an exchange, beside what can go wrong with the process that begins it. */
export const networkFaultKinds: readonly FaultKind[] = ['refused', 'requestLost', 'answerLost', 'answerCut', 'slow']

const sendKinds: readonly FaultKind[] = ['kill', 'killAfter', 'power', 'powerAfter', 'pause', ...networkFaultKinds]

interface Listener {
  readonly process: SimProcess
  readonly handler: HttpHandler
}

/** One request on its way, and how its caller learns of the end. */
interface Exchange {
  readonly request: HttpRequest
  readonly fault: Fault | undefined
  answer(response: HttpResponse): void
  fail(kind: TransportFailure, why: string): void
}

/**
 * The network between the processes of a world. A request that has left arrives although its sender has died; what it does
 * then happens, whether or not the answer comes back.
 */
export class SimNetwork {
  readonly #world: Kernel
  readonly #delayMs: number
  readonly #listeners = new Map<string, Listener>()
  /** What each server has not answered yet. */
  readonly #open = new Map<SimProcess, Set<Exchange>>()
  #underWay = 0

  /** @param delayMs the mean time a request takes one way. Default 2 */
  constructor(world: Kernel, delayMs = 2) {
    this.#world = world
    this.#delayMs = delayMs
  }

  /** Requests that have left and may still have an effect. */
  get underWay(): number {
    return this.#underWay
  }

  /** Who answers an origin from now on, for as long as the process lives. */
  listen(origin: string, process: SimProcess, handler: HttpHandler): void {
    this.#listeners.set(origin, { process, handler })
  }

  /** For the end of a server: a machine that is still on tells its callers that the connection is gone. */
  ended(process: SimProcess, end: ProcessEnd): void {
    const open = this.#open.get(process) ?? []
    this.#open.delete(process)
    for (const exchange of open) {
      this.#underWay--
      if (end.kind !== 'killed' || end.by !== 'power') exchange.fail('unanswered', 'the connection broke')
    }
  }

  /** How a process sends. */
  transport(process: SimProcess): Transport {
    const random = this.#world.random.fork(`network of ${process.name}`)
    const delay = (): number => random.exponential(this.#delayMs)
    let closed = false
    return {
      send: (origin, request, options) =>
        closed
          ? Promise.reject(new TransportError('not-sent', `${origin}: the transport is closed`))
          : this.#send(process, delay, origin, request, options),
      close: async () => {
        closed = true
      },
    }
  }

  #send(
    process: SimProcess,
    delay: () => number,
    origin: string,
    request: HttpRequest,
    { signal, deadlineMs, responseBytesMax }: SendOptions,
  ): Promise<HttpResponse> {
    const failure = (kind: TransportFailure, why: string): TransportError =>
      new TransportError(kind, `${origin}: ${why}`)
    if (signal?.aborted) return Promise.reject(failure('aborted', 'the caller gave up'))
    return new Promise((resolve, reject) => {
      let cancelDeadline: Cancel = () => {}
      const onAbort = (): void => settle(() => reject(failure('aborted', 'the caller gave up')))
      const settle = (how: () => void): void => {
        cancelDeadline()
        signal?.removeEventListener('abort', onAbort)
        how()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      cancelDeadline = process.environment.clock.timer(deadlineMs, () =>
        settle(() => reject(failure('deadline', `no whole answer within ${deadlineMs} ms`))),
      )
      const site = { operation: 'send', path: `${request.method} ${request.target}`, kinds: sendKinds }
      const left = process.perform(site, (fault) => {
        const exchange: Exchange = {
          request: { ...request, headers: { ...request.headers }, body: request.body.slice() },
          fault,
          answer: (response) =>
            process.after(delay(), () => {
              if (response.body.length <= responseBytesMax) settle(() => resolve(response))
              else settle(() => reject(failure('too-large', 'the answer is longer than allowed')))
            }),
          fail: (kind, why) => process.after(delay(), () => settle(() => reject(failure(kind, why)))),
        }
        this.#depart(origin, exchange, delay())
      })
      left.catch(reject)
    })
  }

  #depart(origin: string, exchange: Exchange, delayMs: number): void {
    const { fault } = exchange
    if (fault?.kind === 'refused') {
      exchange.fail('not-sent', 'no connection: refused')
      return
    }
    if (fault?.kind === 'requestLost') {
      // Nobody says so, every other time: the caller waits for its deadline.
      if (fault.random.bool(0.5)) exchange.fail('unanswered', 'the connection broke')
      return
    }
    this.#underWay++
    const lateMs = fault?.kind === 'slow' ? 500 + fault.random.exponential(3_000) : 0
    this.#world.schedule(delayMs + lateMs, () => this.#arrive(origin, exchange), undefined)
  }

  #arrive(origin: string, exchange: Exchange): void {
    const listener = this.#listeners.get(origin)
    if (listener === undefined || !listener.process.alive) {
      this.#underWay--
      exchange.fail('not-sent', 'no connection: refused')
      return
    }
    const { process, handler } = listener
    const open = this.#open.get(process) ?? new Set()
    this.#open.set(process, open)
    open.add(exchange)
    process.after(0, () => {
      void handler(exchange.request, { address: '127.0.0.1' }).then((response) => {
        if (!open.delete(exchange) || !process.alive) return
        this.#underWay--
        this.#answer(exchange, response, process)
      })
    })
  }

  #answer(exchange: Exchange, response: HttpResponse, process: SimProcess): void {
    const { fault, request } = exchange
    this.#world.note(`${process.name} answers ${response.status} to ${request.method} ${request.target}`)
    if (fault?.kind === 'answerLost') {
      if (fault.random.bool(0.5)) exchange.fail('unanswered', 'the connection broke')
      return
    }
    const { status, body } = response
    const headers = { date: new Date(process.environment.clock.wallMs()).toUTCString(), ...response.headers }
    if (fault?.kind === 'answerCut') {
      const { 'content-length': _, ...others } = headers as Readonly<Record<string, string>>
      exchange.answer({ status, headers: others, body: body.slice(0, fault.random.int(body.length + 1)) })
    } else {
      exchange.answer({ status, headers, body: body.slice() })
    }
  }
}
