import { type BlockCodec, type Compression, silentLogger } from '../../../src/core/index.ts'
import { applyFact } from '../../../src/logservice/apply-fact.ts'
import { decodeJson, type Fact } from '../../../src/logservice/facts.ts'
import { recoverState } from '../../../src/logservice/recover-state.ts'
import { emptyState, type Logstore, type ServiceState } from '../../../src/logservice/service-state.ts'
import type { Entry, GroupEntry, LogStorage, Recovered } from '../../../src/logservice/storage/log-storage.ts'
import { streamId } from '../../../src/logservice/storage/log-storage.ts'
import { type StoredLogGroup, spoiled, storedGroup } from './stored-group.ts'

export interface TruthListener {
  /** A group is there for good, as number `index` of its stream. */
  stored(stream: number, index: number, group: StoredLogGroup): void
  /** The definitions have changed. */
  changed(fact: Fact): void
  /** The storage did not take a write; it may have given up for good. */
  refused(): void
}

/**
 * What the log service holds, learnt from its storage below everything that serves it: a group counts from when the
 * storage calls it durable, and every restart reads all of them again. What counts once must stay (S7).
 */
export class ServiceTruth {
  readonly #violate: (what: string) => void
  readonly #listener: TruthListener
  readonly #streams = new Map<number, StoredLogGroup[]>()
  #state: ServiceState = emptyState()
  restarts = 0

  constructor(violate: (what: string) => void, listener: TruthListener) {
    this.#violate = violate
    this.#listener = listener
  }

  /** The logstore as it is defined now. */
  logstore(project: string, name: string): Logstore | undefined {
    return this.#state.projects.get(project)?.logstores.get(name)
  }

  /** The groups of a stream in their order. */
  groups(stream: number): readonly StoredLogGroup[] {
    return this.#streams.get(stream) ?? []
  }

  /** What a service that starts has found, watched from now on. */
  async watch(recovered: Recovered, compression: Compression): Promise<Recovered> {
    const { storage } = recovered
    const lz4 = await compression.blockCodec('lz4')
    const decode = ({ block, rawBytes, receivedMs }: Omit<GroupEntry, 'kind' | 'stream'>): StoredLogGroup =>
      storedGroup(lz4.decompress(block, rawBytes), receivedMs)
    const streams = new Set([...this.#streams.keys(), ...storage.streams()])
    for (const stream of streams) {
      const id = streamId(stream)
      const end = storage.end(id)
      const known = this.#streams.get(stream)?.length ?? 0
      if (end < known) this.#violate(`S7: stream ${stream} ended at ${known} before the restart, and now at ${end}`)
      for (let from = storage.begin(id); from < end; ) {
        const groups = await storage.read(id, from, { count: 100, rawBytesMax: 1 << 20, before: end })
        for (const group of groups) this.#note(stream, group.index, decode(group))
        from = (groups.at(-1)?.index ?? end) + 1
      }
    }
    this.#state = recoverState(recovered, silentLogger)
    for (const bytes of recovered.facts) this.#listener.changed(decodeJson(bytes) as Fact)
    this.restarts++
    return { ...recovered, storage: this.#watched(storage, lz4, decode) }
  }

  /** What the disk will hold of a group. */
  #spoiled(entry: GroupEntry, lz4: BlockCodec): GroupEntry {
    const bytes = spoiled(lz4.decompress(entry.block, entry.rawBytes))
    return bytes === undefined ? entry : { ...entry, block: lz4.compress(bytes), rawBytes: bytes.length }
  }

  #watched(storage: LogStorage, lz4: BlockCodec, decode: (entry: GroupEntry) => StoredLogGroup): LogStorage {
    return {
      commit: async (given) => {
        const entries = given.map((entry) => (entry.kind === 'group' ? this.#spoiled(entry, lz4) : entry))
        await this.#told(storage.commit(entries))
        for (const entry of entries) this.#noteEntry(entry, decode)
      },
      end: (stream) => storage.end(stream),
      begin: (stream) => storage.begin(stream),
      receivedMs: (stream, index) => storage.receivedMs(stream, index),
      firstReceivedFrom: (stream, ms) => storage.firstReceivedFrom(stream, ms),
      bytes: (stream) => storage.bytes(stream),
      streams: () => storage.streams(),
      read: (stream, from, limits) => storage.read(stream, from, limits),
      trim: (stream, index) => this.#told(storage.trim(stream, index)),
      drop: (stream) => this.#told(storage.drop(stream)),
      close: () => storage.close(),
    }
  }

  async #told(write: Promise<void>): Promise<void> {
    try {
      await write
    } catch (error) {
      this.#listener.refused()
      throw error
    }
  }

  #noteEntry(entry: Entry, decode: (entry: GroupEntry) => StoredLogGroup): void {
    if (entry.kind === 'group') {
      this.#note(entry.stream, this.groups(entry.stream).length, decode(entry))
      return
    }
    const fact = decodeJson(entry.bytes) as Fact
    applyFact(this.#state, fact)
    this.#listener.changed(fact)
  }

  #note(stream: number, index: number, group: StoredLogGroup): void {
    const groups = this.#streams.get(stream) ?? []
    this.#streams.set(stream, groups)
    const known = groups[index]
    if (known !== undefined) {
      if (known.text !== group.text) this.#violate(`S7: group ${index} of stream ${stream} is another one now`)
      return
    }
    groups[index] = group
    this.#listener.stored(stream, index, group)
  }
}
