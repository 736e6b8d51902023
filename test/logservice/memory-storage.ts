import type {
  Entry,
  GroupEntry,
  LogStorage,
  ReadLimits,
  Recovered,
  StoredGroup,
  StreamId,
} from '../../src/logservice/storage/log-storage.ts'

interface Stream {
  begin: number
  end: number
  readonly groups: Map<number, GroupEntry>
}

/** What survives: streams, snapshot and facts. */
export class MemoryDisk {
  readonly streams = new Map<StreamId, Stream>()
  readonly facts: Uint8Array[] = []
  snapshot: Uint8Array | undefined
  /** Set to keep every write waiting until it resolves. */
  held: Promise<void> | undefined
  /** Set to make the next write fail with it. */
  failure: Error | undefined
}

const emptyStream = (): Stream => ({ begin: 0, end: 0, groups: new Map() })

/** The storage as an object in memory: everything is durable as soon as it is asked for, in order. */
export class MemoryStorage implements LogStorage {
  readonly #disk: MemoryDisk
  #tail: Promise<void> = Promise.resolve()

  constructor(disk: MemoryDisk) {
    this.#disk = disk
  }

  async commit(entries: readonly Entry[]): Promise<void> {
    const turn = this.#tail.then(async () => {
      await this.#disk.held
      const { failure } = this.#disk
      this.#disk.failure = undefined
      if (failure !== undefined) throw failure
      for (const entry of entries) this.#add(entry)
    })
    this.#tail = turn.catch(() => {})
    await turn
  }

  #add(entry: Entry): void {
    if (entry.kind === 'fact') {
      this.#disk.facts.push(entry.bytes)
      return
    }
    const stream = this.#disk.streams.get(entry.stream) ?? emptyStream()
    this.#disk.streams.set(entry.stream, stream)
    stream.groups.set(stream.end++, entry)
  }

  #stream(id: StreamId): Stream {
    return this.#disk.streams.get(id) ?? emptyStream()
  }

  end(stream: StreamId): number {
    return this.#stream(stream).end
  }

  begin(stream: StreamId): number {
    return this.#stream(stream).begin
  }

  receivedMs(stream: StreamId, index: number): number | undefined {
    return this.#stream(stream).groups.get(index)?.receivedMs
  }

  firstReceivedFrom(stream: StreamId, ms: number): number {
    const { begin, end, groups } = this.#stream(stream)
    for (let index = begin; index < end; index++) if ((groups.get(index)?.receivedMs ?? 0) >= ms) return index
    return end
  }

  bytes(stream: StreamId): number {
    return [...this.#stream(stream).groups.values()].reduce((sum, { rawBytes }) => sum + rawBytes, 0)
  }

  streams(): Iterable<StreamId> {
    return this.#disk.streams.keys()
  }

  async read(stream: StreamId, from: number, limits: ReadLimits): Promise<readonly StoredGroup[]> {
    const { begin, end, groups } = this.#stream(stream)
    const found: StoredGroup[] = []
    let bytes = 0
    for (let index = Math.max(from, begin); index < Math.min(end, limits.before); index++) {
      const group = groups.get(index)
      // A hole, as a salvage leaves it: passed over in front, and the end of a run behind.
      if (group === undefined && found.length === 0) continue
      if (group === undefined || found.length >= limits.count) break
      bytes += group.rawBytes
      if (found.length > 0 && bytes > limits.rawBytesMax) break
      found.push({ index, receivedMs: group.receivedMs, rawBytes: group.rawBytes, block: group.block })
    }
    return found
  }

  async trim(id: StreamId, index: number): Promise<void> {
    const stream = this.#stream(id)
    for (; stream.begin < Math.min(index, stream.end); stream.begin++) stream.groups.delete(stream.begin)
  }

  async drop(stream: StreamId): Promise<void> {
    this.#disk.streams.delete(stream)
  }

  async close(): Promise<void> {
    await this.#tail
  }
}

export const openMemoryStorage = (disk: MemoryDisk): Recovered => ({
  storage: new MemoryStorage(disk),
  snapshot: disk.snapshot,
  facts: [...disk.facts],
})
