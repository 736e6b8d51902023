/** What a heartbeat needs to know of a shard of the logstore. */
export interface GroupShard {
  readonly id: number
  /** Read-only, and the group's checkpoint is at its end or it has nothing to read. */
  readonly over: boolean
  /** Older shards whose range overlaps this one's. */
  readonly ancestors: readonly number[]
}

export interface GroupRules {
  readonly timeoutMs: number
  /** A shard waits until all its ancestors are over. */
  readonly order: boolean
}

/** `next` stands only while the shard is in transfer to that consumer. */
interface Assignment {
  owner: string
  next: string | undefined
}

interface Consumer {
  lastBeatMs: number
}

export type HeartbeatAnswer =
  | { readonly kind: 'shards'; readonly shards: readonly number[] }
  /** A consumer that was expired still lists shards that others own now. */
  | { readonly kind: 'expired' }
  /** The group has as many consumers as it may. */
  | { readonly kind: 'full' }

const byCount = (a: readonly [string, number], b: readonly [string, number]): number =>
  a[1] - b[1] || (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)

/**
 * Who of a consumer group reads which shard (SLS protocol paper, §7.3–7.4). Pure: time and shards come with each call.
 * A shard that stands in no assignment is free, waiting or over; those three follow from its checkpoints and are not kept.
 */
export class ConsumerMembers {
  readonly #consumers = new Map<string, Consumer>()
  readonly #assignments = new Map<number, Assignment>()
  readonly #consumersMax: number

  constructor(consumersMax = 1000) {
    this.#consumersMax = consumersMax
  }

  /**
   * A consumer says it is alive and which shards it still works on.
   *
   * A shard is taken from its owner only by way of a transfer, which ends when the owner lists it no more. That it does
   * not list a shard it was granted proves nothing: the first list of a consumer is empty, also after its restart.
   */
  heartbeat(
    consumer: string,
    listed: readonly number[],
    nowMs: number,
    rules: GroupRules,
    shards: readonly GroupShard[],
  ): HeartbeatAnswer {
    this.#expire(nowMs, rules)
    const known = this.#consumers.get(consumer)
    if (known === undefined) {
      const taken = listed.some((id) => {
        const owner = this.#assignments.get(id)?.owner
        return owner !== undefined && owner !== consumer
      })
      if (taken) return { kind: 'expired' }
      if (this.#consumers.size >= this.#consumersMax) return { kind: 'full' }
      this.#consumers.set(consumer, { lastBeatMs: nowMs })
    } else {
      known.lastBeatMs = nowMs
    }
    const readable = readableShards(rules, shards)
    if (known === undefined) this.#adopt(consumer, new Set(listed), readable)
    this.#handOver(consumer, new Set(listed))
    this.#release(consumer, new Set(listed), readable)
    this.#assignFree(readable)
    this.#balance(readable)
    const held = readable.filter((id) => {
      const assignment = this.#assignments.get(id)
      return assignment?.owner === consumer && assignment.next === undefined
    })
    return { kind: 'shards', shards: held }
  }

  /** True when the consumer is alive at `nowMs`. */
  isAlive(consumer: string, nowMs: number, rules: GroupRules): boolean {
    this.#expire(nowMs, rules)
    return this.#consumers.has(consumer)
  }

  /** Who may commit checkpoints of a shard: its owner, also while the shard is being taken away. */
  ownerOf(shard: number, nowMs: number, rules: GroupRules): string | undefined {
    this.#expire(nowMs, rules)
    return this.#assignments.get(shard)?.owner
  }

  #expire(nowMs: number, rules: GroupRules): void {
    for (const [name, consumer] of this.#consumers) {
      if (nowMs - consumer.lastBeatMs > rules.timeoutMs) this.#consumers.delete(name)
    }
    for (const [id, assignment] of this.#assignments) {
      if (!this.#consumers.has(assignment.owner)) this.#assignments.delete(id)
      else if (assignment.next !== undefined && !this.#consumers.has(assignment.next)) assignment.next = undefined
    }
  }

  /** After a restart of the service, consumers that go on as before keep what they work on and nobody else has. */
  #adopt(consumer: string, listed: ReadonlySet<number>, readable: readonly number[]): void {
    for (const id of readable)
      if (listed.has(id) && !this.#assignments.has(id)) this.#assignments.set(id, { owner: consumer, next: undefined })
  }

  #handOver(consumer: string, listed: ReadonlySet<number>): void {
    for (const [id, assignment] of this.#assignments) {
      if (assignment.owner !== consumer || assignment.next === undefined || listed.has(id)) continue
      assignment.owner = assignment.next
      assignment.next = undefined
    }
  }

  /**
   * Shards that are over, wait or were deleted are given to nobody, but they stay with an owner that still works on them:
   * a forced checkpoint can make them readable again.
   */
  #release(consumer: string, listed: ReadonlySet<number>, readable: readonly number[]): void {
    const kept = new Set(readable)
    for (const [id, { owner }] of this.#assignments)
      if (owner === consumer && !kept.has(id) && !listed.has(id)) this.#assignments.delete(id)
  }

  #assignFree(readable: readonly number[]): void {
    const counts = this.#counts(readable)
    for (const id of readable) {
      if (this.#assignments.has(id)) continue
      const least = [...counts].sort(byCount)[0]
      if (least === undefined) return
      this.#assignments.set(id, { owner: least[0], next: undefined })
      counts.set(least[0], least[1] + 1)
    }
  }

  #balance(readable: readonly number[]): void {
    const counts = this.#counts(readable)
    for (;;) {
      const order = [...counts].sort(byCount)
      const [least, most] = [order[0], order.at(-1)]
      if (least === undefined || most === undefined || most[1] - least[1] <= 1) return
      const assignment = this.#giveable(most[0], readable)
      if (assignment === undefined) return
      // Back to the owner, when the owner is the one that has too few.
      assignment.next = least[0] === assignment.owner ? undefined : least[0]
      counts.set(most[0], most[1] - 1)
      counts.set(least[0], least[1] + 1)
    }
  }

  /** A shard that counts for the consumer and may count for another: reserved ones first, they disturb nobody. */
  #giveable(consumer: string, readable: readonly number[]): Assignment | undefined {
    const assignments = [...readable].reverse().flatMap((id) => this.#assignments.get(id) ?? [])
    return (
      assignments.find(({ next }) => next === consumer) ??
      assignments.find(({ owner, next }) => owner === consumer && next === undefined)
    )
  }

  /** A shard in transfer counts for the one it goes to. */
  #counts(readable: readonly number[]): Map<string, number> {
    const counts = new Map([...this.#consumers.keys()].map((name) => [name, 0]))
    for (const id of readable) {
      const assignment = this.#assignments.get(id)
      if (assignment === undefined) continue
      const holder = assignment.next ?? assignment.owner
      counts.set(holder, (counts.get(holder) ?? 0) + 1)
    }
    return counts
  }
}

/** Ascending. */
const readableShards = (rules: GroupRules, shards: readonly GroupShard[]): number[] => {
  const unfinished = new Set(shards.filter(({ over }) => !over).map(({ id }) => id))
  return shards
    .filter(({ id, ancestors }) => unfinished.has(id) && !(rules.order && ancestors.some((one) => unfinished.has(one))))
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}
