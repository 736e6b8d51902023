import type { Fact, ShardRecord } from '../../../src/logservice/facts.ts'
import { decodeCursor, encodeCursor } from '../../../src/wire/index.ts'
import type { OutputTruth, StateTruth } from '../oracle.ts'
import type { ServiceTruth, StoredLogGroup } from './service-truth.ts'

/** A log of the logstore, and where it lies. */
export interface PlacedLog {
  readonly line: string
  readonly key: string
  readonly shard: number
  /** Among the logs of its shard. */
  readonly index: number
  readonly receivedMs: number
}

interface PlacedGroup {
  readonly logs: readonly PlacedLog[]
}

interface Shard {
  readonly id: number
  readonly stream: number
  readonly base: bigint
  readonly parents: readonly number[]
  readonly groups: PlacedGroup[]
  readonly packs: Set<string>
  logs: number
}

/** The line a log is archived as: where it lies, and what it holds. */
export const lineOf = (
  place: { readonly shard: number; readonly cursor: string; readonly index: number },
  id: string,
) => `${place.shard}/${place.cursor}/${place.index}|${id}`

interface Split {
  readonly shard: number
  readonly cursor: string
  readonly skip: number
  readonly state: string
}

interface Listed {
  readonly logstores: readonly { readonly shards: readonly (readonly [number, ...unknown[]])[] }[]
}

/** What a source of one logstore has to give, log by log, and the family of its shards as the service made them. */
export class ShardTruth {
  readonly #name: string
  readonly #dropsCopies: boolean
  readonly #violate: (what: string) => void
  readonly #byId = new Map<number, Shard>()
  readonly #byStream = new Map<number, Shard>()
  readonly #byLine = new Map<string, PlacedLog>()
  readonly #ids = new Set<string>()
  copies = 0

  /** @param dropsCopies groups with a pack tag that their shard has had are not to be given */
  constructor(name: string, dropsCopies: boolean, violate: (what: string) => void) {
    this.#name = name
    this.#dropsCopies = dropsCopies
    this.#violate = violate
  }

  get size(): number {
    return this.#byLine.size
  }

  get shards(): number {
    return this.#byId.size
  }

  /** Every log, in no order. */
  logs(): Iterable<PlacedLog> {
    return this.#byLine.values()
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  changed(fact: Fact, truth: ServiceTruth): void {
    if (!('logstore' in fact) || fact.logstore !== this.#name) return
    if (fact.kind === 'logstore-created') for (const shard of fact.shards) this.#add(shard, [], truth)
    if (fact.kind === 'shards-replaced') for (const shard of fact.created) this.#add(shard, fact.closed, truth)
  }

  #add(record: ShardRecord, parents: readonly number[], truth: ServiceTruth): void {
    const { id, stream } = record
    if (this.#byStream.has(stream)) return
    const known = this.#byId.get(id)
    if (known !== undefined && known.stream !== stream) this.#violate(`S7: shard ${id} is another one now`)
    const base = BigInt(record.base)
    const shard: Shard = { id, stream, base, parents, groups: [], packs: new Set(), logs: 0 }
    this.#byId.set(id, shard)
    this.#byStream.set(stream, shard)
    for (const [index, group] of truth.groups(stream).entries()) this.stored(stream, index, group)
  }

  stored(stream: number, index: number, { packId = '', logs, receivedMs }: StoredLogGroup): void {
    const shard = this.#byStream.get(stream)
    if (shard === undefined) return
    const isCopy = shard.packs.has(packId)
    shard.packs.add(packId)
    if (isCopy) this.copies++
    const dropped = isCopy && this.#dropsCopies
    const cursor = encodeCursor(shard.base + BigInt(index))
    const placed = (dropped ? [] : logs).map(({ fields, index: number }): PlacedLog => {
      const { id = '', key = '' } = fields
      this.#ids.add(id)
      const line = lineOf({ shard: shard.id, cursor, index: number }, id)
      return { line, key, shard: shard.id, index: shard.logs++, receivedMs }
    })
    shard.groups[index] = { logs: placed }
    for (const log of placed) this.#byLine.set(log.line, log)
  }

  /**
   * The archive has every log once, in the order of its shard, parents before children.
   * @param expected how many of them; default all
   */
  archive(dir: string, expected = (): number => this.size): OutputTruth {
    return {
      dir,
      sink: 'archive',
      known: (line) => {
        const log = this.#byLine.get(line)
        return log === undefined ? undefined : { stream: String(log.shard), index: log.index }
      },
      parents: (stream) => (this.#byId.get(Number(stream))?.parents ?? []).map(String),
      expected,
    }
  }

  /**
   * The counts in a checkpoint are those of the logs before its positions.
   * @param judged false when what lies before a position need not have been read
   */
  state(judged: boolean, published: NonNullable<StateTruth['published']>): StateTruth {
    return {
      source: 'log',
      keyed: 'count',
      published,
      countsAt: (splits, enumerator) =>
        judged ? this.#countsAt(splits as readonly Split[], enumerator as Listed | undefined) : undefined,
    }
  }

  #countsAt(splits: readonly Split[], enumerator: Listed | undefined): ReadonlyMap<string, number> | string {
    const counts = new Map<string, number>()
    const count = (logs: readonly PlacedLog[]): void => {
      for (const { key } of logs) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const seen = new Set<number>()
    for (const { shard: id, cursor, skip } of splits) {
      if (seen.has(id)) return `shard ${id} is in it twice`
      seen.add(id)
      const shard = this.#byId.get(id)
      if (shard === undefined) return `there is no shard ${id}`
      const at = cursor === 'begin' ? 0 : Number(BigInt(cursor) - shard.base)
      for (const group of shard.groups.slice(0, at)) count(group.logs)
      count(shard.groups[at]?.logs.slice(0, skip) ?? [])
    }
    for (const [id, , , , , state] of enumerator?.logstores.flatMap(({ shards }) => shards) ?? []) {
      if (seen.has(id)) continue
      if (state === 'assigned') return `shard ${id} was assigned and is nowhere`
      if (state === 'finished') for (const group of this.#byId.get(id)?.groups ?? []) count(group.logs)
    }
    return counts
  }
}

/** How far a consumer group may be told, shard by shard: as far as a published checkpoint has it. */
export class MirrorTruth {
  readonly #violate: (what: string) => void
  readonly #published = new Map<string, ReadonlyMap<number, bigint>>()
  readonly #told = new Map<number, bigint>()
  /**
   * Shards that were told less than before, last of all: a request can arrive long after its sender gave it up and sent
   * another, and a process that was replaced may still send. Nobody can keep the service from taking it.
   */
  readonly #overtaken = new Set<number>()
  commits = 0

  constructor(violate: (what: string) => void) {
    this.#violate = violate
  }

  published(path: string, splits: readonly unknown[]): void {
    const positions = new Map<number, bigint>()
    for (const { shard, cursor } of splits as readonly Split[]) {
      if (cursor !== 'begin') positions.set(shard, BigInt(cursor))
    }
    this.#published.set(path, positions)
  }

  /** Only what is still on the disk counts after a power loss. */
  keep(exists: (path: string) => boolean): void {
    for (const path of this.#published.keys()) if (!exists(path)) this.#published.delete(path)
  }

  /** As far as the newest checkpoint has it. */
  positions(): ReadonlyMap<number, bigint> {
    const newest = new Map<number, bigint>()
    for (const positions of this.#published.values()) {
      for (const [shard, cursor] of positions) {
        if (cursor > (newest.get(shard) ?? -1n)) newest.set(shard, cursor)
      }
    }
    return newest
  }

  /** Whether what the group has of a shard came late. */
  overtaken(shard: number): boolean {
    return this.#overtaken.has(shard)
  }

  told(shard: number, checkpoint: string): void {
    this.commits++
    const cursor = decodeCursor(checkpoint)
    const most = this.positions().get(shard)
    if (cursor === undefined || most === undefined || cursor > most) {
      this.#violate(`M1: the group was told ${cursor} of shard ${shard}; the newest checkpoint has ${most}`)
      return
    }
    const before = this.#told.get(shard) ?? 0n
    if (cursor < before) this.#overtaken.add(shard)
    else this.#overtaken.delete(shard)
    if (cursor > before) this.#told.set(shard, cursor)
  }
}
