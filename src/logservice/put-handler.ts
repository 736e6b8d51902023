import type { HttpResponse } from '../core/index.ts'
import { padHashKey, rangeHas } from '../wire/index.ts'
import { emptyAnswer } from './answers.ts'
import type { Call } from './call.ts'
import { logstoreOf } from './places.ts'
import type { PutBodies, PutGroup } from './put-body.ts'
import { parameterInvalid, Refusal } from './refusal.ts'
import { type ServiceCore, streamOf } from './service-core.ts'
import type { Logstore, Shard } from './service-state.ts'
import type { ShardQuotas } from './shard-quotas.ts'
import { storageRefusal } from './storage-refusal.ts'

export type PutRoute =
  | { readonly kind: 'balanced' }
  /** A padded hash key. */
  | { readonly kind: 'key'; readonly key: string }

/** Stores log groups: one body, one group, one cursor step (SLS protocol paper, §4.5). */
export class PutHandler {
  readonly #core: ServiceCore
  readonly #bodies: PutBodies
  readonly #quotas: ShardQuotas
  readonly #turns = new WeakMap<Logstore, number>()

  constructor(core: ServiceCore, bodies: PutBodies, quotas: ShardQuotas) {
    this.#core = core
    this.#bodies = bodies
    this.#quotas = quotas
  }

  async put(call: Call, logstoreName: string, route: PutRoute, rawSizeRequired = true): Promise<HttpResponse> {
    const core = this.#core
    const { config } = logstoreOf(core.state, call, logstoreName)
    const nowSeconds = core.nowSeconds()
    const tags: (readonly [string, string])[] =
      config['appendMeta'] === true
        ? [
            ['__client_ip__', call.peerAddress],
            ['__receive_time__', String(nowSeconds)],
          ]
        : []
    const rules = { bytesMax: core.settings.putBytesMax, tags, nowSeconds }
    const groups = await this.#bodies.read(call.request, rules, rawSizeRequired)
    await this.#store(call, logstoreName, route, groups)
    return emptyAnswer()
  }

  async #store(call: Call, logstoreName: string, route: PutRoute, groups: readonly PutGroup[]): Promise<void> {
    const core = this.#core
    for (;;) {
      const logstore = logstoreOf(core.state, call, logstoreName)
      const shard = this.#choose(logstore, route)
      if (shard === undefined) {
        // A split, merge or delete has the shard: its end must not move any more. Look again when it is done.
        await core.changed()
        continue
      }
      const bytes = groups.reduce((sum, { rawBytes }) => sum + rawBytes, 0)
      this.#quotas.takeWrite(shard, bytes)
      const receivedMs = core.receiveMs()
      const stream = streamOf(shard)
      try {
        // Between the choice and this call nothing may wait, so that a change of shards comes before both or after both.
        await core.storage.commit(groups.map((group) => ({ kind: 'group', stream, receivedMs, ...group })))
      } catch (error) {
        throw storageRefusal(core.ports.log, error)
      }
      return
    }
  }

  /** Undefined when every shard that could take it is about to be split, merged or deleted. */
  #choose(logstore: Logstore, route: PutRoute): Shard | undefined {
    const fitting: Shard[] = []
    let writable = false
    for (const shard of logstore.shards.values()) {
      if (shard.status !== 'readwrite') continue
      writable = true
      if (route.kind === 'balanced' || rangeHas(shard.range, route.key)) fitting.push(shard)
    }
    if (!writable)
      throw new Refusal(400, 'LogStoreWithoutShard', `logstore ${logstore.name} has no shard that takes writes`)
    if (fitting.length === 0)
      throw parameterInvalid(`no shard that takes writes has the key ${route.kind === 'key' ? route.key : ''}`)
    const free = fitting.filter((shard) => !this.#core.isClosing(shard))
    if (route.kind === 'key') return free[0]
    const turn = this.#turns.get(logstore) ?? 0
    this.#turns.set(logstore, turn + 1)
    return free[turn % Math.max(1, free.length)]
  }
}

/** The route of `key=`. @throws Refusal when it is no hash key. */
export const keyRoute = (call: Call): PutRoute => {
  const key = padHashKey(call.query.get('key') ?? '')
  if (key === undefined) throw parameterInvalid('the parameter key must be 1 to 32 hex digits')
  return { kind: 'key', key }
}
