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

interface Load {
  readonly name: string
  /** Shards it reads. */
  readonly owned: Assignment[]
  /** Shards that others still read, and that it gets next. */
  readonly reserved: Assignment[]
}

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
    const loads = this.#loads(readable)
    for (const id of readable) {
      if (this.#assignments.has(id)) continue
      const { least } = extremes(loads)
      if (least === undefined) return
      const assignment: Assignment = { owner: least.name, next: undefined }
      this.#assignments.set(id, assignment)
      least.owned.push(assignment)
    }
  }

  #balance(readable: readonly number[]): void {
    const loads = this.#loads(readable)
    for (;;) {
      const { least, most } = extremes(loads)
      if (least === undefined || most === undefined || sizeOf(most) - sizeOf(least) <= 1) return
      // Reserved ones first: they disturb nobody.
      const assignment = most.reserved.pop() ?? most.owned.pop()
      if (assignment === undefined) return
      // Back to the owner, when the owner is the one that has too few.
      assignment.next = least.name === assignment.owner ? undefined : least.name
      if (assignment.next === undefined) least.owned.push(assignment)
      else least.reserved.push(assignment)
    }
  }

  /** What counts for each consumer, in the order of the shards. A shard in transfer counts for the one it goes to. */
  #loads(readable: readonly number[]): Map<string, Load> {
    const names = [...this.#consumers.keys()].sort()
    const loads = new Map<string, Load>(names.map((name) => [name, { name, owned: [], reserved: [] }]))
    for (const id of readable) {
      const assignment = this.#assignments.get(id)
      if (assignment === undefined) continue
      const { owner, next } = assignment
      if (next === undefined) loads.get(owner)?.owned.push(assignment)
      else loads.get(next)?.reserved.push(assignment)
    }
    return loads
  }
}

const sizeOf = ({ owned, reserved }: Load): number => owned.length + reserved.length

/** Of equals the first by name has the least, and the last the most. */
const extremes = (loads: ReadonlyMap<string, Load>): { readonly least?: Load; readonly most?: Load } => {
  let least: Load | undefined
  let most: Load | undefined
  for (const load of loads.values()) {
    if (least === undefined || sizeOf(load) < sizeOf(least)) least = load
    if (most === undefined || sizeOf(load) >= sizeOf(most)) most = load
  }
  return least === undefined || most === undefined ? {} : { least, most }
}

/** Ascending. */
const readableShards = (rules: GroupRules, shards: readonly GroupShard[]): number[] => {
  const unfinished = new Set(shards.filter(({ over }) => !over).map(({ id }) => id))
  return shards
    .filter(({ id, ancestors }) => unfinished.has(id) && !(rules.order && ancestors.some((one) => unfinished.has(one))))
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}
