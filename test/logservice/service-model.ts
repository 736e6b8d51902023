import type { HttpResponse } from '../../src/core/index.ts'
import { syncCompression } from '../../src/testing/sync-compression.ts'
import { decodeCursor, encodeCursor, hashKeyMax, padHashKey, viewLogGroupList } from '../../src/wire/index.ts'
import type { ServiceMachine } from './service-machine.ts'

export const retentionMs = 100_000
const groupTimeoutMs = 60_000

interface Stored {
  readonly message: string
  readonly receivedMs: number
}

interface ModelShard {
  readonly id: number
  readonly begin: string
  readonly end: string
  readonly base: bigint
  status: string
  groups: Stored[]
}

interface ListedShard {
  readonly shardID: number
  readonly status: string
  readonly inclusiveBeginKey: string
  readonly exclusiveEndKey: string
}

/** A put whose fate is not known when the power goes. */
interface PendingPut {
  readonly key: string
  readonly message: string
  confirmed: boolean
}

const must = (holds: boolean, what: () => string): void => {
  if (!holds) throw new Error(what())
}

const same = (actual: unknown, expected: unknown, what: string): void => {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  must(a === b, () => `${what}: got ${a}, expected ${b}`)
}

/** What a plain log service would hold, and the checks that the real one holds the same. */
export class ServiceModel {
  readonly #machine: ServiceMachine
  #shards: ModelShard[] = []
  readonly #checkpoints = new Map<number, string>()
  /** Who works on which shard: consumers stop at once what they are not given. */
  readonly #working = new Map<string, { readonly shards: readonly number[]; readonly beatMs: number }>()
  /** Above every cursor that was ever handed out. */
  #cursorFloor = 0n
  #puts = 0

  constructor(machine: ServiceMachine) {
    this.#machine = machine
  }

  async create(shardCount: number): Promise<void> {
    await this.#machine.json('POST', '/logstores', { logstoreName: 'ls', ttl: 3650, shardCount })
    await this.#machine.json('POST', '/logstores/ls/consumergroups', { consumerGroup: 'g', timeout: 60, order: false })
    this.#shards = []
    this.#checkpoints.clear()
    this.#working.clear()
    await this.#learnShards()
  }

  async recreate(shardCount: number): Promise<void> {
    for (const shard of this.#shards) {
      const end = shard.base + BigInt(shard.groups.length)
      if (end > this.#cursorFloor) this.#cursorFloor = end
    }
    await this.#machine.json('DELETE', '/logstores/ls')
    await this.create(shardCount)
    for (const { base, id } of this.#shards)
      must(base > this.#cursorFloor, () => `shard ${id} gives out cursors that another shard gave out before`)
  }

  /** Of shards the model does not know yet nothing has expired: they begin with their first group, if they have one. */
  async #learnShards(): Promise<void> {
    for (const { shardID, status, inclusiveBeginKey, exclusiveEndKey } of await this.#listed()) {
      if (this.#shards.some(({ id }) => id === shardID)) continue
      const cursor = await this.#cursor(shardID, 'begin')
      const base = decodeCursor(cursor) ?? 0n
      this.#shards.push({ id: shardID, begin: inclusiveBeginKey, end: exclusiveEndKey, base, status, groups: [] })
    }
  }

  async #listed(): Promise<readonly ListedShard[]> {
    return (await this.#machine.json('GET', '/logstores/ls/shards')) as readonly ListedShard[]
  }

  async #cursor(shard: number, from: string | number): Promise<string> {
    const target = `/logstores/ls/shards/${shard}?type=cursor&from=${from}`
    return ((await this.#machine.json('GET', target)) as { readonly cursor: string }).cursor
  }

  #pick(pick: number): ModelShard {
    const shard = this.#shards[pick % this.#shards.length]
    if (shard === undefined) throw new Error('the model has no shard')
    return shard
  }

  #shardOfKey(key: string): ModelShard | undefined {
    const full = padHashKey(key) ?? ''
    return this.#shards.find(
      ({ begin, end, status }) =>
        status === 'readwrite' && begin <= full && (full < end || (end === hashKeyMax && full === end)),
    )
  }

  #beginIndex({ groups }: ModelShard): number {
    const oldestMs = this.#machine.clock.wallMs() - retentionMs
    const index = groups.findIndex(({ receivedMs }) => receivedMs >= oldestMs)
    return index === -1 ? groups.length : index
  }

  #cursorAt(shard: ModelShard, index: number): string {
    return encodeCursor(shard.base + BigInt(index))
  }

  async put(key: string): Promise<void> {
    const message = `m${this.#puts++}`
    const answer = await this.#machine.put(key, message)
    same(answer.status, 200, `put ${message}`)
    this.#shardOfKey(key)?.groups.push({ message, receivedMs: this.#machine.clock.wallMs() })
  }

  async pull(pick: number, from: number, count: number): Promise<void> {
    const shard = this.#pick(pick)
    const begin = this.#beginIndex(shard)
    const end = shard.groups.length
    // Before the first group, any group, or behind the end.
    const index = begin - 1 + (from % (end - begin + 3))
    const answer = await this.#machine.pull(shard.id, this.#cursorAt(shard, index), count)
    if (index < begin || index > end) {
      same(answer.status, 400, `a pull of shard ${shard.id} at ${index}, outside of ${begin} to ${end}`)
      return
    }
    const expected = shard.groups.slice(index, index + count).map(({ message }) => message)
    same(await messagesOf(answer), expected, `a pull of shard ${shard.id} at ${index}`)
    const next = index + expected.length
    same(answer.headers['x-log-cursor'], this.#cursorAt(shard, next), `the next cursor of shard ${shard.id}`)
    same(answer.headers['x-log-end-of-cursor'], next === end ? '1' : undefined, `the end of shard ${shard.id}`)
  }

  async cursorOfTime(pick: number, agoSeconds: number): Promise<void> {
    const shard = this.#pick(pick)
    const seconds = Math.floor(this.#machine.clock.wallMs() / 1000) - agoSeconds
    const index = shard.groups.findIndex(({ receivedMs }) => receivedMs >= seconds * 1000)
    const expected = Math.max(this.#beginIndex(shard), index === -1 ? shard.groups.length : index)
    const cursor = await this.#cursor(shard.id, seconds)
    same(cursor, this.#cursorAt(shard, expected), `the cursor of shard ${shard.id} ${agoSeconds} s ago`)
  }

  async reshard(pick: number, action: 'split' | 'merge'): Promise<void> {
    const shard = this.#pick(pick)
    const right = this.#shards.find(({ status, begin }) => status === 'readwrite' && begin === shard.end)
    const answer = await this.#machine.send('POST', `/logstores/ls/shards/${shard.id}?action=${action}`)
    if (shard.status === 'readonly' || (action === 'merge' && right === undefined)) {
      same(answer.status, 400, `${action} of shard ${shard.id}`)
      return
    }
    same(answer.status, 200, `${action} of shard ${shard.id}`)
    shard.status = 'readonly'
    if (action === 'merge' && right !== undefined) right.status = 'readonly'
    await this.#learnShards()
  }

  async checkpoint(pick: number): Promise<void> {
    const shard = this.#pick(pick)
    const checkpoint = this.#cursorAt(shard, shard.groups.length)
    const target = '/logstores/ls/consumergroups/g?type=checkpoint&consumer=&forceSuccess=true'
    await this.#machine.json('POST', target, { shard: shard.id, checkpoint })
    this.#checkpoints.set(shard.id, checkpoint)
  }

  async heartbeat(consumer: string): Promise<void> {
    const nowMs = this.#machine.clock.monoMs()
    for (const [name, { beatMs }] of this.#working) if (nowMs - beatMs > groupTimeoutMs) this.#working.delete(name)
    const listed = this.#working.get(consumer)?.shards ?? []
    const target = `/logstores/ls/consumergroups/g?type=heartbeat&consumer=${consumer}`
    const answer = await this.#machine.send('POST', target, listed)
    same(answer.status, 200, `a heartbeat of ${consumer} with ${JSON.stringify(listed)}`)
    const shards = JSON.parse(new TextDecoder().decode(answer.body)) as number[]
    for (const [name, other] of this.#working)
      if (name !== consumer)
        must(!other.shards.some((id) => shards.includes(id)), () => `${name} and ${consumer} both work on a shard`)
    this.#working.set(consumer, { shards, beatMs: nowMs })
  }

  async advance(ms: number): Promise<void> {
    await this.#machine.clock.advance(ms)
  }

  async restart(): Promise<void> {
    await this.#machine.restart()
    this.#working.clear()
    await this.verify()
  }

  /** The power goes after so many steps of what is under way: puts, and perhaps a split or a checkpoint among them. */
  async losePower(keys: readonly string[], splitPick: number | undefined, steps: number): Promise<void> {
    const pending: PendingPut[] = keys.map((key) => ({ key, message: `m${this.#puts++}`, confirmed: false }))
    const send = async (put: PendingPut): Promise<void> => {
      put.confirmed = (await this.#machine.put(put.key, put.message)).status === 200
    }
    const half = Math.ceil(pending.length / 2)
    const under = pending.slice(0, half).map(send)
    const split = splitPick === undefined ? undefined : this.#pick(splitPick)
    let splitConfirmed = false
    if (split !== undefined)
      under.push(
        this.#machine.send('POST', `/logstores/ls/shards/${split.id}?action=split`).then((answer) => {
          splitConfirmed = answer.status === 200
        }),
      )
    under.push(...pending.slice(half).map(send))
    for (const one of under) one.catch(() => {})
    for (let step = 0; step < steps; step++) await (step % 16 === 15 ? this.#machine.clock.yield() : undefined)
    const confirmed = pending.filter((put) => put.confirmed)
    const mustBeSplit = splitConfirmed
    await this.#machine.losePower()
    this.#working.clear()
    await this.#reconcile(pending, confirmed, split, mustBeSplit)
    await this.verify()
  }

  /** What was confirmed is there; what was not may be; nothing is there twice. */
  async #reconcile(
    pending: readonly PendingPut[],
    confirmed: readonly PendingPut[],
    split: ModelShard | undefined,
    mustBeSplit: boolean,
  ): Promise<void> {
    if (split !== undefined && split.status === 'readwrite') {
      const status = (await this.#listed()).find(({ shardID }) => shardID === split.id)?.status
      must(!mustBeSplit || status === 'readonly', () => `the split of shard ${split.id} was confirmed and is gone`)
      split.status = status ?? 'gone'
    }
    await this.#learnShards()
    const left = new Map(pending.map((put) => [put.message, put]))
    for (const shard of this.#shards) {
      const begin = this.#beginIndex(shard)
      const there = await this.#visible(shard)
      const expected = shard.groups.slice(begin).map(({ message }) => message)
      same(there.slice(0, expected.length), expected, `shard ${shard.id} after the power was gone`)
      for (const message of there.slice(expected.length)) {
        const put = left.get(message)
        must(put !== undefined, () => `shard ${shard.id} holds ${message}, which was not put, or is there twice`)
        left.delete(message)
        shard.groups.push({ message, receivedMs: this.#machine.clock.wallMs() })
      }
    }
    for (const { message } of confirmed) must(!left.has(message), () => `${message} was confirmed and is gone`)
  }

  async #visible(shard: ModelShard): Promise<string[]> {
    const answer = await this.#machine.pull(shard.id, await this.#cursor(shard.id, 'begin'), 1000)
    return messagesOf(answer)
  }

  /** Everything at once. */
  async verify(): Promise<void> {
    const listed = (await this.#listed()).map(({ shardID, status }) => [shardID, status])
    same(
      listed,
      this.#shards.map(({ id, status }) => [id, status]),
      'the list of shards',
    )
    for (const shard of this.#shards) {
      const begin = this.#beginIndex(shard)
      same(await this.#cursor(shard.id, 'begin'), this.#cursorAt(shard, begin), `the begin of shard ${shard.id}`)
      const end = this.#cursorAt(shard, shard.groups.length)
      same(await this.#cursor(shard.id, 'end'), end, `the end of shard ${shard.id}`)
      const expected = shard.groups.slice(begin).map(({ message }) => message)
      same(await this.#visible(shard), expected, `shard ${shard.id}`)
    }
    const checkpoints = (await this.#machine.json('GET', '/logstores/ls/consumergroups/g')) as {
      readonly shard: number
      readonly checkpoint: string
    }[]
    same(
      checkpoints.map(({ shard, checkpoint }) => [shard, checkpoint]),
      this.#shards.map(({ id }) => [id, this.#checkpoints.get(id) ?? '']),
      'the checkpoints',
    )
  }
}

const messagesOf = async (answer: HttpResponse): Promise<string[]> => {
  same(answer.status, 200, 'a pull')
  if (answer.body.length === 0) return []
  const lz4 = await syncCompression.blockCodec('lz4')
  const list = viewLogGroupList(lz4.decompress(answer.body, Number(answer.headers['x-log-bodyrawsize'])))
  same(list.length, Number(answer.headers['x-log-count']), 'the count of a pull')
  return list.map((group) => group.log(0)?.get('message') ?? '')
}
