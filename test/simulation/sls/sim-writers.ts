import { SlsClient } from '../../../src/connectors/sls/index.ts'
import { isMillraceError } from '../../../src/core/index.ts'
import type { ProcessEnd, ProcessMain, SeededRandom, SimNetwork } from '../../../src/testing/index.ts'
import type { LogInit } from '../../../src/wire/index.ts'
import type { Stage } from '../play.ts'
import { classes, topics } from './reading.ts'
import { connection } from './sim-log-service.ts'
import { type Poison, topicOf } from './stored-group.ts'

export interface WritersConfig {
  readonly keys: number
  /** Mean time between two puts. */
  readonly feedMs: number
  /** How likely shards change after a put. */
  readonly splitRate: number
  readonly mergeRate: number
  /** How many splits follow one another, each of a shard that the last one made. */
  readonly depth: number
  readonly shardsMax: number
  /** Puts of which nobody knows how they ended are made again. */
  readonly repeats: boolean
  /** Some are made again much later, whatever became of them. */
  readonly lateCopies?: boolean | undefined
  /** The groups have topics, and the logs a field that tells them apart. */
  readonly classified: boolean
  /** How likely a group is followed by one whose bytes will be broken. */
  readonly poisonRate?: number | undefined
  readonly poisons: readonly Poison[]
}

export interface WritersOptions {
  readonly config: WritersConfig
  /** Whether enough is stored. */
  readonly enough: () => boolean
  /** The service confirmed these. */
  readonly confirmed: (ids: readonly string[]) => void
}

const logstore = 'access'
const poisonsMax = 3

/** A process that writes logs and changes shards, started again when it dies; it remembers nothing. */
export class SimWriters {
  readonly #stage: Stage
  readonly #network: SimNetwork
  readonly #o: WritersOptions
  #starts = 0
  #next = 0
  #packs = 0
  #poisons = 0
  /** The latest puts. */
  #earlier: (() => Promise<unknown>)[] = []
  done = false

  constructor(stage: Stage, network: SimNetwork, options: WritersOptions) {
    this.#stage = stage
    this.#network = network
    this.#o = options
  }

  start(): void {
    const name = `writer-${++this.#starts}`
    this.#stage.world.host('writer').spawn(name, this.#main, { onEnd: (end) => this.#onEnd(end) })
  }

  #onEnd(end: ProcessEnd): void {
    if (end.kind === 'threw') throw end.error
    if (end.kind === 'returned') this.done = true
    else this.#stage.world.at(100, () => this.start())
  }

  readonly #main: ProcessMain = async (environment, process) => {
    const { config, enough } = this.#o
    const random = this.#stage.world.random.fork(`work of ${process.name}`)
    const retry = { attempts: 3, initial: 20, max: 200 }
    const client = new SlsClient(
      { ...connection, timeout: '1s', deadline: '3s', retry },
      { ...environment, transport: this.#network.transport(process) },
    )
    this.#earlier = []
    while (!enough()) {
      await environment.clock.sleep(random.exponential(config.feedMs))
      await tolerant(() => this.#put(client, random))
      if (config.lateCopies && random.bool(0.2)) await tolerant(async () => void (await random.pick(this.#earlier)()))
      if (random.bool(config.splitRate)) await this.#storm(client, random)
      if (random.bool(config.mergeRate)) await tolerant(() => this.#merge(client, random))
    }
  }

  async #put(client: SlsClient, random: SeededRandom): Promise<void> {
    const { config, confirmed } = this.#o
    const ids: string[] = []
    const logs: LogInit[] = []
    for (let count = 1 + random.int(6); count > 0; count--) {
      const id = `r${this.#next++}`
      ids.push(id)
      const time = 1_700_000_000 + random.int(1000)
      const contents = { id, key: `k${random.int(config.keys)}` }
      logs.push({ time, contents: config.classified ? { ...contents, class: random.pick(classes) } : contents })
    }
    const tags = [['__pack_id__', `P-${++this.#packs}`] as const]
    const group = config.classified ? { topic: random.pick(topics), tags, logs } : { tags, logs }
    const hashKey = random.bool(0.7) ? someKey(random) : undefined
    this.#earlier = [...this.#earlier.slice(-5), () => client.put(logstore, group, { hashKey })]
    await client.put(logstore, group, { hashKey, repeatAmbiguous: config.repeats })
    confirmed(ids)
    const { poisonRate = 0 } = config
    if (poisonRate === 0 || this.#poisons >= poisonsMax || !random.bool(poisonRate)) return
    this.#poisons++
    await client.put(logstore, { topic: topicOf(random.pick(config.poisons)), logs: [] }, { hashKey })
  }

  /** Splits, each of a shard of the last one: some into two at a key, some into up to six. */
  async #storm(client: SlsClient, random: SeededRandom): Promise<void> {
    const { depth, shardsMax } = this.#o.config
    let family: readonly number[] | undefined
    for (let level = 0; level < depth; level++) {
      // A shard that still has much to read when it is split.
      const burst = random.bool(0.5) ? 1 + random.int(4) : 0
      await Promise.all(Array.from({ length: burst }, () => tolerant(() => this.#put(client, random))))
      await tolerant(async () => {
        const shards = await client.shards.list(logstore)
        if (shards.length >= shardsMax) return
        const open = shards.filter(({ id, status }) => status === 'readwrite' && (family?.includes(id) ?? true))
        if (open.length === 0) return
        const made = await client.shards.split(logstore, random.pick(open).id, { count: 2 + random.int(5) })
        family = made.slice(1).map(({ id }) => id)
        this.#stage.count('splits')
      })
      if (random.bool(0.5)) await tolerant(() => this.#put(client, random))
    }
  }

  async #merge(client: SlsClient, random: SeededRandom): Promise<void> {
    const open = (await client.shards.list(logstore)).filter(({ status }) => status === 'readwrite')
    if (open.length === 0) return
    await client.shards.merge(logstore, random.pick(open).id)
    this.#stage.count('merges')
  }
}

const someKey = (random: SeededRandom): string =>
  Array.from({ length: 4 }, () => random.u32().toString(16).padStart(8, '0')).join('')

/** What fails is not done, or done and not known: the next turn comes all the same. */
const tolerant = async (work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    if (!isMillraceError(error)) throw error
  }
}
