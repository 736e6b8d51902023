import { jsonSerializer, type Parsable, parseInput, SourceError } from '../../src/core/index.ts'
import {
  FetchingSourceReader,
  fetchedRecords,
  openSource,
  type Source,
  type Split,
  type SplitEnumerator,
  type SplitEnumeratorContext,
  type SplitReader,
} from '../../src/source/index.ts'
import type { SeededRandom, SimProcess, World } from '../../src/testing/index.ts'

/** A record of the simulated log: its id says where it is, so that any output line can be checked against the truth. */
export interface LogRecord {
  readonly id: string
  readonly key: string
  readonly shard: number
  readonly index: number
}

interface Shard {
  readonly id: number
  readonly parents: readonly number[]
  readonly records: LogRecord[]
  open: boolean
}

/** The line a record is archived as. The last field is a check over the others. */
export const lineOf = ({ id, key }: LogRecord): string => {
  let check = 7
  for (const char of `${id}|${key}`) check = (check * 31 + char.charCodeAt(0)) % 9973
  return `${id}|${key}|${check}`
}

/** The outside: a log service whose shards split and merge. What it holds is durable and never wrong. */
export class ShardedLog {
  readonly shards: Shard[] = []
  readonly byLine = new Map<string, LogRecord>()
  splits = 0
  merges = 0

  constructor(count: number) {
    for (let index = 0; index < count; index++) this.#add([])
  }

  get size(): number {
    return this.byLine.size
  }

  append(random: SeededRandom, keys: number): void {
    const open = this.shards.filter((shard) => shard.open)
    const shard = open[random.int(open.length)]
    if (shard === undefined) return
    const index = shard.records.length
    const record = { id: `s${shard.id}.${index}`, key: `k${random.int(keys)}`, shard: shard.id, index }
    shard.records.push(record)
    this.byLine.set(lineOf(record), record)
  }

  split(random: SeededRandom): void {
    const open = this.shards.filter((shard) => shard.open)
    const parent = open[random.int(open.length)]
    if (parent === undefined) return
    parent.open = false
    for (let child = 0; child < 2 + random.int(2); child++) this.#add([parent.id])
    this.splits++
  }

  merge(random: SeededRandom): void {
    const open = this.shards.filter((shard) => shard.open)
    const a = open[random.int(open.length)]
    const b = open.find((shard) => shard !== a)
    if (a === undefined || b === undefined) return
    a.open = false
    b.open = false
    this.#add([a.id, b.id])
    this.merges++
  }

  #add(parents: readonly number[]): void {
    this.shards.push({ id: this.shards.length, parents, records: [], open: true })
  }
}

/** A record on its way through the job: a copy, like everything that comes over a wire. */
export class WireRecord implements Parsable {
  readonly line: string
  readonly key: string

  constructor(record: LogRecord) {
    this.line = lineOf(record)
    this.key = record.key
  }

  [parseInput](): unknown {
    return { line: this.line, key: this.key }
  }
}

interface ShardSplit extends Split {
  readonly shard: number
  /** Records given out. */
  readonly next: number
  readonly finished: boolean
}

interface Discovered {
  readonly assigned: readonly number[]
  readonly finished: readonly number[]
}

/** How a process calls a service outside. */
export interface ServiceOptions {
  readonly process: SimProcess
  readonly world: World
  readonly random: SeededRandom
  /** Probability that a call fails on its way there. */
  readonly failureRate: number
}

export interface LogSourceOptions extends ServiceOptions {
  readonly log: ShardedLog
  readonly pullMax: number
  readonly discoveryMs: number
}

/** A call of the service: it takes time, the process may die on the way, and it may fail. Reads are repeated. */
export const callService = async <T>(options: ServiceOptions, what: string, serve: () => T): Promise<T> => {
  const { process, world, failureRate } = options
  const kinds = ['kill', 'killAfter', 'pause', 'power'] as const
  const answer = await process.perform({ operation: 'rpc', path: what, kinds }, () => {
    const fails = world.faults.enabled && options.random.bool(failureRate)
    return fails ? undefined : { value: serve() }
  })
  if (answer === undefined) throw new SourceError('SOURCE_UNAVAILABLE', { message: `${what}: no answer` })
  return answer.value
}

/** A source of the framework over the simulated service, as a connector author would write it: parents before children. */
export const shardedLogSource = (options: LogSourceOptions): Source<WireRecord, 'exactly-once'> => ({
  kind: 'sharded-log',
  guarantee: 'exactly-once',
  boundedness: 'unbounded',
  open: (context) =>
    openSource<WireRecord, ShardSplit, Discovered>({
      splitSerializer: jsonSerializer('sim.split', 1, (_, value) => value as ShardSplit),
      enumeratorSerializer: jsonSerializer('sim.discovered', 1, (_, value) => value as Discovered),
      createEnumerator: (enumerator, restored) => new ShardEnumerator(options, enumerator, restored),
      createReader: ({ sendEventToEnumerator }) =>
        new FetchingSourceReader({
          ...context,
          splitReader: shardReader(options, (shard) => sendEventToEnumerator({ finished: shard })),
        }),
    }),
})

const shardReader = (
  options: LogSourceOptions,
  finished: (shard: number) => void,
): SplitReader<WireRecord, ShardSplit> => ({
  async fetch(split) {
    const { log, pullMax } = options
    const answer = await callService(options, `pull ${split.shard}@${split.next}`, () => {
      const shard = log.shards[split.shard]
      if (shard === undefined) throw new Error(`no shard ${split.shard}`)
      const records = shard.records.slice(split.next, split.next + pullMax)
      const atEnd = !shard.open && split.next + records.length === shard.records.length
      return { records, atEnd }
    })
    const { records, atEnd } = answer
    const after = records.map((_, index) => ({
      ...split,
      next: split.next + index + 1,
      finished: atEnd && index === records.length - 1,
    }))
    return fetchedRecords(
      records.map((record) => new WireRecord(record)),
      after,
      { ...split, finished: atEnd },
      { recordBytes: () => 40, waitMs: records.length === 0 ? 200 : 0 },
    )
  },
  isFinished: (split) => split.finished,
  onFinished: (split) => finished(split.shard),
})

class ShardEnumerator implements SplitEnumerator<ShardSplit, Discovered> {
  readonly #o: LogSourceOptions
  readonly #context: SplitEnumeratorContext<ShardSplit>
  readonly #assigned: Set<number>
  readonly #finished: Set<number>
  #known: readonly { readonly id: number; readonly parents: readonly number[] }[] = []
  #cancel = (): void => {}
  #closed = false

  constructor(
    options: LogSourceOptions,
    context: SplitEnumeratorContext<ShardSplit>,
    restored: Discovered | undefined,
  ) {
    this.#o = options
    this.#context = context
    this.#assigned = new Set(restored?.assigned)
    this.#finished = new Set(restored?.finished)
  }

  async start(): Promise<void> {
    await this.#discover()
    this.#schedule()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#context.clock.timer(this.#o.discoveryMs, () => {
      this.#discover().then(
        () => this.#schedule(),
        (error: unknown) => this.#context.fail(error instanceof Error ? error : new Error(String(error))),
      )
    })
  }

  async #discover(): Promise<void> {
    for (;;) {
      try {
        const shards = await callService(this.#o, 'list', () =>
          this.#o.log.shards.map(({ id, parents }) => ({ id, parents })),
        )
        if (this.#closed) return
        this.#known = shards
        this.#assign()
        return
      } catch (error) {
        if (this.#closed || !(error instanceof SourceError)) throw error
        await this.#context.clock.sleep(100)
      }
    }
  }

  #ready(shard: { readonly parents: readonly number[] }): boolean {
    return shard.parents.every((parent) => this.#finished.has(parent))
  }

  #assign(): void {
    for (const shard of this.#known) {
      if (this.#assigned.has(shard.id) || !this.#ready(shard)) continue
      this.#assigned.add(shard.id)
      const split = { splitId: `shard-${shard.id}`, shard: shard.id, next: 0, finished: false }
      this.#context.assignSplits(shard.id % this.#context.parallelism, [split])
    }
  }

  handleReaderEvent(_: number, event: unknown): void {
    this.#finished.add((event as { readonly finished: number }).finished)
    this.#assign()
  }

  addSplitsBack(): void {
    throw new Error('nothing is given back here')
  }

  snapshotState(): Discovered {
    return { assigned: [...this.#assigned], finished: [...this.#finished] }
  }

  unassignedSplitIds(): readonly string[] {
    return this.#known.filter(({ id }) => !this.#assigned.has(id)).map(({ id }) => `shard-${id}`)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancel()
  }
}
