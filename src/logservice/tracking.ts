import type { HttpResponse } from '../core/index.ts'
import { emptyAnswer } from './answers.ts'
import type { Call } from './call.ts'
import { encodeJson } from './facts.ts'
import { logstoreOf } from './places.ts'
import type { PutHandler } from './put-handler.ts'
import { Refusal } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'

const reserved = new Set(['APIVersion', '__topic__', '__source__'])

/** Web tracking: puts without a signature, into logstores that allow them (SLS protocol paper, §4.1, §4.7). */
export class Tracking {
  readonly #core: ServiceCore
  readonly #puts: PutHandler

  constructor(core: ServiceCore, puts: PutHandler) {
    this.#core = core
    this.#puts = puts
  }

  async post(call: Call, logstoreName: string): Promise<HttpResponse> {
    this.#refuseUntracked(call, logstoreName)
    return this.#puts.put(call, logstoreName, { kind: 'balanced' }, false)
  }

  /** One log, from the parameters of the query. */
  async get(call: Call, logstoreName: string): Promise<HttpResponse> {
    this.#refuseUntracked(call, logstoreName)
    const fields = [...call.query].filter(([name]) => !reserved.has(name))
    const body = encodeJson({
      __topic__: call.query.get('__topic__'),
      __source__: call.query.get('__source__') ?? call.peerAddress,
      __logs__: [Object.fromEntries(fields)],
    })
    const headers = { 'content-type': 'application/json', 'x-log-bodyrawsize': String(body.length) }
    await this.#puts.put(
      { ...call, request: { ...call.request, headers, body } },
      logstoreName,
      { kind: 'balanced' },
      false,
    )
    return emptyAnswer()
  }

  #refuseUntracked(call: Call, logstoreName: string): void {
    const { config } = logstoreOf(this.#core.state, call, logstoreName)
    if (config['enable_tracking'] !== true)
      throw new Refusal(401, 'Unauthorized', `logstore ${logstoreName} does not allow web tracking`)
  }
}
