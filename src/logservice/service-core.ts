import { asError, type Clock, type Compression, type Logger } from '../core/index.ts'
import type { HashRange } from '../wire/index.ts'
import { applyFact } from './apply-fact.ts'
import { ConsumerMembers } from './consumer-members.ts'
import { encodeJson, type Fact, type ShardRecord } from './facts.ts'
import type { ServiceSettings } from './service-options.ts'
import type { ConsumerGroup, Logstore, ServiceState, Shard } from './service-state.ts'
import type { LogStorage, StreamId } from './storage/log-storage.ts'
import { streamId } from './storage/log-storage.ts'
import { storageRefusal } from './storage-refusal.ts'

export interface CorePorts {
  readonly clock: Clock
  readonly compression: Compression
  readonly log: Logger
}

/** Real cursors have 19 digits; a clock that stands near 1970 must not make shorter ones. */
const cursorMin = 10n ** 18n
const foreverDays = 3650
const dayMs = 86_400_000

/** What all handlers work on: the definitions, the stored groups, and the one way to change either. */
export class ServiceCore {
  readonly state: ServiceState
  readonly storage: LogStorage
  readonly settings: ServiceSettings
  readonly ports: CorePorts
  /** Who is in a consumer group is forgotten at a restart, as when the consumers had timed out. */
  readonly #members = new WeakMap<ConsumerGroup, ConsumerMembers>()
  /** Shards and logstores that a change under way takes from the puts. */
  readonly #closing = new Set<Shard>()
  #changes: Promise<unknown> = Promise.resolve()
  #lastReceivedMs = 0
  /** Groups below this index are hidden, whatever the clock says later. */
  readonly #hiddenBefore = new WeakMap<Shard, number>()

  constructor(state: ServiceState, storage: LogStorage, settings: ServiceSettings, ports: CorePorts) {
    this.state = state
    this.storage = storage
    this.settings = settings
    this.ports = ports
    for (const project of state.projects.values())
      for (const logstore of project.logstores.values())
        for (const shard of logstore.shards.values()) {
          const last = storage.receivedMs(streamOf(shard), storage.end(streamOf(shard)) - 1)
          if (last !== undefined && last > this.#lastReceivedMs) this.#lastReceivedMs = last
        }
  }

  nowSeconds(): number {
    return Math.floor(this.ports.clock.wallMs() / 1000)
  }

  /** Receive times never go back, so that a time has one cursor. */
  receiveMs(): number {
    this.#lastReceivedMs = Math.max(this.#lastReceivedMs, this.ports.clock.wallMs())
    return this.#lastReceivedMs
  }

  members(group: ConsumerGroup): ConsumerMembers {
    let members = this.#members.get(group)
    if (members === undefined) {
      members = new ConsumerMembers(this.settings.limits.consumersPerGroup)
      this.#members.set(group, members)
    }
    return members
  }

  /**
   * Makes one change of the definitions at a time: `decide` checks it against the state as it then is, and the fact is
   * durable when it resolves. Puts into the shards of `closing` wait meanwhile and then look again.
   */
  async change(decide: () => { readonly fact: Fact; readonly closing?: readonly Shard[] } | undefined): Promise<void> {
    const turn = this.#changes.then(async () => {
      const decision = decide()
      if (decision === undefined) return
      const { fact, closing = [] } = decision
      for (const shard of closing) this.#closing.add(shard)
      try {
        // Puts that chose one of these shards have called commit before, and so are durable before.
        await this.record(fact)
      } finally {
        for (const shard of closing) this.#closing.delete(shard)
      }
    })
    this.#changes = turn.catch(() => {})
    await turn
  }

  /** A checkpoint: it conflicts with no change of shards, so it need not wait for one, and shares a write with puts. */
  async record(fact: Fact): Promise<void> {
    try {
      await this.storage.commit([{ kind: 'fact', bytes: encodeJson(fact) }])
    } catch (error) {
      throw storageRefusal(this.ports.log, error)
    }
    applyFact(this.state, fact)
  }

  isClosing(shard: Shard): boolean {
    return this.#closing.has(shard)
  }

  /** Resolves when the change under way has ended. */
  async changed(): Promise<void> {
    await this.#changes
  }

  /** Streams of deleted shards go. After a crash in between they go at the next start. */
  async dropDoomed(): Promise<void> {
    const streams = [...this.state.doomedStreams]
    if (streams.length === 0) return
    try {
      for (const stream of streams) await this.storage.drop(streamId(stream))
      await this.change(() => ({ fact: { kind: 'streams-dropped', streams } }))
    } catch (error) {
      this.ports.log.warn({ err: asError(error) }, 'the space of deleted shards could not be given back yet')
    }
  }

  /** Shards about to be made, with streams and cursors that never were. */
  newShards(logstore: { readonly nextShardId: number } | undefined, ranges: readonly HashRange[]): ShardRecord[] {
    const wallMs = this.ports.clock.wallMs()
    const nowNs = BigInt(Math.floor(wallMs)) * 1_000_000n
    const base = [nowNs, cursorMin, this.state.cursorFloor + 1n].reduce((a, b) => (a > b ? a : b))
    const firstId = logstore?.nextShardId ?? 0
    return ranges.map(({ begin, end }, index) => ({
      id: firstId + index,
      stream: this.state.nextStream + index,
      begin,
      end,
      createSeconds: Math.floor(wallMs / 1000),
      base: base.toString(),
    }))
  }

  /** Above every cursor that shards handed out: for the fact that deletes them. Puts into them must be held off. */
  cursorFloorOf(shards: Iterable<Shard>): string {
    let floor = this.state.cursorFloor
    // Groups whose commit is under way are not in `end` yet: room for more of them than can be.
    for (const shard of shards) {
      const end = this.endCursor(shard) + 1_000_000n
      if (end > floor) floor = end
    }
    return floor.toString()
  }

  beginIndex(shard: Shard, logstore: Logstore): number {
    const stream = streamOf(shard)
    const ttlMs = this.ttlMs(logstore)
    const alive =
      ttlMs === undefined
        ? this.storage.begin(stream)
        : this.storage.firstReceivedFrom(stream, this.ports.clock.wallMs() - ttlMs)
    const begin = Math.max(alive, this.#hiddenBefore.get(shard) ?? 0)
    this.#hiddenBefore.set(shard, begin)
    return begin
  }

  endIndex(shard: Shard): number {
    return this.storage.end(streamOf(shard))
  }

  beginCursor(shard: Shard, logstore: Logstore): bigint {
    return shard.base + BigInt(this.beginIndex(shard, logstore))
  }

  endCursor(shard: Shard): bigint {
    return shard.base + BigInt(this.endIndex(shard))
  }

  /** How long groups stay; undefined for ever. */
  ttlMs(logstore: Logstore): number | undefined {
    if (this.settings.retentionMs !== undefined) return this.settings.retentionMs
    const days = logstore.config['ttl']
    return typeof days !== 'number' || days >= foreverDays ? undefined : days * dayMs
  }
}

export const streamOf = (shard: Shard): StreamId => streamId(shard.stream)
