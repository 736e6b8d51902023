import type { Fact, ShardRecord } from '../../../src/logservice/facts.ts'
import { encodeCursor } from '../../../src/wire/index.ts'
import type { OutputTruth, StateTruth } from '../oracle.ts'
import { lineOfLetter, type Reading, type ReadRecord } from './reading.ts'
import type { ServiceTruth } from './service-truth.ts'
import type { StoredLogGroup } from './stored-group.ts'

/** A record that the source has to give, and where it lies. */
export interface PlacedRecord extends ReadRecord {
  readonly shard: number
  /** Among the records of its shard. */
  readonly index: number
  readonly receivedMs: number
}

interface Shard {
  readonly id: number
  readonly stream: number
  readonly base: bigint
  readonly parents: readonly number[]
  /** The records of each group. */
  readonly groups: (readonly PlacedRecord[])[]
  readonly packs: Set<string>
  records: number
}

/** A position as a checkpoint holds it. */
export interface StoredSplit {
  readonly shard: number
  readonly cursor: string
  readonly skip: number
  readonly queryHash: string | null
}

interface Listed {
  readonly logstores: readonly { readonly shards: readonly (readonly [number, ...unknown[]])[] }[]
}

export interface ShardTruthOptions {
  /** The logstore. */
  readonly name: string
  readonly reading: Reading
  readonly violate: (what: string) => void
  /** Told of every group that the source has to look at. */
  readonly given?: ((group: StoredLogGroup) => void) | undefined
}

/** What a source of one logstore has to give, record by record, and the family of its shards as the service made them. */
export class ShardTruth {
  readonly #o: ShardTruthOptions
  readonly #byId = new Map<number, Shard>()
  readonly #byStream = new Map<number, Shard>()
  readonly #byLine = new Map<string, PlacedRecord>()
  readonly #ids = new Set<string>()
  /** Groups that cannot be read, by where they lie. */
  readonly #broken = new Map<string, { readonly shard: number; readonly index: number }>()
  copies = 0

  constructor(options: ShardTruthOptions) {
    this.#o = options
  }

  get size(): number {
    return this.#byLine.size
  }

  get broken(): number {
    return this.#broken.size
  }

  get shards(): number {
    return this.#byId.size
  }

  /** Every record, in no order. */
  records(): Iterable<PlacedRecord> {
    return this.#byLine.values()
  }

  /** Whether a log is stored, given or not. */
  has(id: string): boolean {
    return this.#ids.has(id)
  }

  changed(fact: Fact, truth: ServiceTruth): void {
    if (!('logstore' in fact) || fact.logstore !== this.#o.name) return
    if (fact.kind === 'logstore-created') for (const shard of fact.shards) this.#add(shard, [], truth)
    if (fact.kind === 'shards-replaced') for (const shard of fact.created) this.#add(shard, fact.closed, truth)
  }

  #add(record: ShardRecord, parents: readonly number[], truth: ServiceTruth): void {
    const { id, stream } = record
    if (this.#byStream.has(stream)) return
    const known = this.#byId.get(id)
    if (known !== undefined && known.stream !== stream) this.#o.violate(`S7: shard ${id} is another one now`)
    const base = BigInt(record.base)
    const shard: Shard = { id, stream, base, parents, groups: [], packs: new Set(), records: 0 }
    this.#byId.set(id, shard)
    this.#byStream.set(stream, shard)
    for (const [index, group] of truth.groups(stream).entries()) this.stored(stream, index, group)
  }

  stored(stream: number, index: number, group: StoredLogGroup): void {
    const shard = this.#byStream.get(stream)
    if (shard === undefined) return
    const { reading, given } = this.#o
    const { packId, receivedMs } = group
    const isCopy = packId !== undefined && shard.packs.has(packId)
    if (packId !== undefined) shard.packs.add(packId)
    if (isCopy) this.copies++
    for (const { fields } of group.logs) this.#ids.add(fields['id'] ?? '')
    const cursor = encodeCursor(shard.base + BigInt(index))
    if (group.broken) this.#broken.set(lineOfLetter({ shard: shard.id, cursor }), { shard: shard.id, index })
    const isDropped = isCopy && reading.dropsCopies
    if (!isDropped) given?.(group)
    const records = isDropped ? [] : reading.recordsOf(group, { shard: shard.id, cursor })
    const placed = records.map((record) => ({ ...record, shard: shard.id, index: shard.records++, receivedMs }))
    shard.groups[index] = placed
    for (const record of placed) this.#byLine.set(record.line, record)
  }

  /**
   * The archive has every record once, in the order of its shard, parents before children.
   * @param expected how many of them; default all
   */
  archive(dir: string, expected = (): number => this.size): OutputTruth {
    return {
      dir,
      sink: 'archive',
      known: (line) => {
        const record = this.#byLine.get(line)
        return record === undefined ? undefined : { stream: String(record.shard), index: record.index }
      },
      parents: (stream) => (this.#byId.get(Number(stream))?.parents ?? []).map(String),
      expected,
    }
  }

  /** Every group that cannot be read is there once, in the order of its shard. */
  deadLetters(dir: string): OutputTruth {
    return {
      dir,
      sink: 'dead-letter',
      known: (line) => {
        const place = this.#broken.get(line)
        return place === undefined ? undefined : { stream: String(place.shard), index: place.index }
      },
      expected: () => this.#broken.size,
    }
  }

  /**
   * The counts in a checkpoint are those of the records before its positions.
   * @param judged false when what lies before a position need not have been read
   * @param missing what is wrong with what should have become of these records; undefined when nothing is
   */
  state(
    judged: boolean,
    published: NonNullable<StateTruth['published']>,
    missing: (records: readonly PlacedRecord[]) => string | undefined,
  ): StateTruth {
    return {
      source: 'log',
      keyed: 'count',
      published,
      countsAt: (splits, enumerator) => {
        if (!judged) return undefined
        const records = this.#before(splits as readonly StoredSplit[], enumerator as Listed | undefined)
        if (typeof records === 'string') return records
        return missing(records) ?? countsOf(records)
      },
    }
  }

  /** The records before the positions of a checkpoint; a text when those contradict each other. */
  #before(splits: readonly StoredSplit[], enumerator: Listed | undefined): readonly PlacedRecord[] | string {
    const records: PlacedRecord[] = []
    const seen = new Set<number>()
    for (const { shard: id, cursor, skip, queryHash } of splits) {
      if (seen.has(id)) return `shard ${id} is in it twice`
      seen.add(id)
      const shard = this.#byId.get(id)
      if (shard === undefined) return `there is no shard ${id}`
      const at = cursor === 'begin' ? 0 : Number(BigInt(cursor) - shard.base)
      records.push(...shard.groups.slice(0, at).flat())
      // Under a query what is to be skipped is counted over groups.
      const rest = queryHash === null ? shard.groups[at] : shard.groups.slice(at).flat()
      if (skip > (rest?.length ?? 0))
        return `of shard ${id} ${skip} are to be skipped, and ${rest?.length ?? 0} are left`
      records.push(...(rest ?? []).slice(0, skip))
    }
    for (const [id, , , , , state] of enumerator?.logstores.flatMap(({ shards }) => shards) ?? []) {
      if (seen.has(id)) continue
      if (state === 'assigned') return `shard ${id} was assigned and is nowhere`
      if (state === 'finished') records.push(...(this.#byId.get(id)?.groups ?? []).flat())
    }
    return records
  }
}

const countsOf = (records: readonly PlacedRecord[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { key } of records) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
