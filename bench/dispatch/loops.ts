import { createProducer, type SlsClient, slsClient } from '../../src/entry/sls.ts'
import { LogDecoder, LogGroupBuilder, type PlainFields } from '../../src/wire/index.ts'

/** Loops written by hand over our codec and our client: what a job is measured against. */

const position = 1_000_000n
const packageBytes = 1 << 20

export const connectionTo = (port: number) =>
  ({
    endpoint: `http://127.0.0.1:${port}`,
    project: 'bench',
    credentials: { accessKeyId: 'bench-key', accessKeySecret: 'bench-secret' },
  }) as const

export const clientOf = (port: number): SlsClient => slsClient(connectionTo(port)).client

const pull = (client: SlsClient) => client.pull({ logstore: 'source', shard: 0, position })

/** LogGroups by topic, as they are. */
export const passGroups = async (client: SlsClient): Promise<void> => {
  const { groups } = await pull(client)
  await Promise.all(groups.map((group) => client.put(group.topic, group.bytes)))
}

/** Gathers logs by topic and puts about a megabyte at a time. */
class Packages {
  readonly #client: SlsClient
  readonly #builders = new Map<string, LogGroupBuilder>()
  readonly #puts: Promise<unknown>[] = []

  constructor(client: SlsClient) {
    this.#client = client
  }

  of(topic: string): LogGroupBuilder {
    let builder = this.#builders.get(topic)
    if (builder === undefined) {
      builder = new LogGroupBuilder({ topic, source: '127.0.0.1' })
      this.#builders.set(topic, builder)
    }
    return builder
  }

  sendFull(topic: string, builder: LogGroupBuilder): void {
    if (builder.size >= packageBytes) this.#puts.push(this.#client.put(topic, builder.finish()))
  }

  async sendAll(): Promise<void> {
    for (const [topic, builder] of this.#builders) {
      if (builder.logCount > 0) this.#puts.push(this.#client.put(topic, builder.finish()))
    }
    await Promise.all(this.#puts.splice(0))
  }
}

export type Loop = () => Promise<void>

/** One field read of each log, two appended; the others are copied as they are. */
export const appendLoop = (client: SlsClient): Loop => {
  const packages = new Packages(client)
  const added: [string, string][] = [
    ['env', 'prod'],
    ['slow', '0'],
  ]
  return async () => {
    const { groups } = await pull(client)
    for (const group of groups) {
      const { topic } = group
      const builder = packages.of(topic)
      for (const log of group.logs()) {
        ;(added[1] as [string, string])[1] = log.get('status') === '502' ? '1' : '0'
        builder.addView(log, added)
      }
      packages.sendFull(topic, builder)
    }
    await packages.sendAll()
  }
}

/** All fields of each log as an object, changed and sent. */
export const objectsLoop = (client: SlsClient): Loop => {
  const packages = new Packages(client)
  const decoder = new LogDecoder()
  return async () => {
    const { groups } = await pull(client)
    for (const group of groups) {
      const { topic } = group
      const builder = packages.of(topic)
      decoder.decode(group, (contents, time, timeNs) => {
        contents['env'] = 'prod'
        contents['slow'] = contents['status'] === '502' ? '1' : '0'
        builder.add({ time, timeNs, contents })
      })
      packages.sendFull(topic, builder)
    }
    await packages.sendAll()
  }
}

let kept: PlainFields | undefined

/** All fields of each log as an object, and no more. */
export const pullLoop = (client: SlsClient): Loop => {
  const decoder = new LogDecoder()
  return async () => {
    const { groups } = await pull(client)
    for (const group of groups) {
      decoder.decode(group, (fields) => {
        kept = fields
      })
    }
    if (kept?.['status'] === undefined) throw new Error('a log has no status')
  }
}

export interface PlainLog {
  readonly time: number
  readonly contents: Readonly<Record<string, string>>
}

/** Objects encoded and sent, about a megabyte at a time. */
export const produceLoop =
  (client: SlsClient, logs: readonly PlainLog[]): Loop =>
  async () =>
    void (await client.put('target', { logs, topic: 'topic-0', source: '127.0.0.1' }))

/** The same through a producer, which knows nothing of packages beforehand. */
export const producerLoop = (port: number, logs: readonly PlainLog[]): Loop => {
  const producer = createProducer({ ...connectionTo(port), logstore: 'target', topic: 'topic-0', source: '127.0.0.1' })
  return async () => {
    const sent = producer.send(logs)
    await producer.flush()
    await sent
  }
}
