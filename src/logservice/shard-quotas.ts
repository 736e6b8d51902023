import type { Clock } from '../core/index.ts'
import { Quota } from './quota.ts'
import { Refusal } from './refusal.ts'
import type { ShardQuota } from './service-options.ts'
import type { Shard } from './service-state.ts'

type Kind = keyof ShardQuota

/** What each shard takes and gives per second; over it the answer is 403, as the real service throttles. */
export class ShardQuotas {
  readonly #rules: ShardQuota
  readonly #clock: Clock
  readonly #shards = new WeakMap<Shard, Partial<Record<Kind, Quota>>>()

  constructor(rules: ShardQuota, clock: Clock) {
    this.#rules = rules
    this.#clock = clock
  }

  /** @throws Refusal when the shard has taken enough this second. */
  takeWrite(shard: Shard, bytes: number): void {
    if (!this.#take(shard, 'writesPerSecond', 1) || !this.#take(shard, 'writeBytesPerSecond', bytes))
      throw new Refusal(403, 'ShardWriteQuotaExceed', `shard ${shard.id} takes no more writes this second`)
  }

  /** @throws Refusal when the shard has given enough this second. */
  takeRead(shard: Shard): void {
    if (!this.#take(shard, 'readsPerSecond', 1) || !this.#take(shard, 'readBytesPerSecond', 0))
      throw new Refusal(403, 'ShardReadQuotaExceed', `shard ${shard.id} serves no more reads this second`)
  }

  /** Counts what a pull gave: how much it is shows only afterwards. */
  countRead(shard: Shard, bytes: number): void {
    this.#take(shard, 'readBytesPerSecond', bytes)
  }

  #take(shard: Shard, kind: Kind, amount: number): boolean {
    const perSecond = this.#rules[kind]
    if (perSecond === undefined) return true
    let quotas = this.#shards.get(shard)
    if (quotas === undefined) {
      quotas = {}
      this.#shards.set(shard, quotas)
    }
    const nowMs = this.#clock.monoMs()
    quotas[kind] ??= new Quota(perSecond, nowMs)
    return quotas[kind].take(amount, nowMs)
  }
}
