import { asError, type BlockCodecName, type Compression, type HttpResponse } from '../core/index.ts'
import { acceptedCompression, encodeCursor } from '../wire/index.ts'
import { type Call, integerParameter } from './call.ts'
import { indexOfCursor, positionOf } from './cursor-handler.ts'
import { filterGroups } from './filter-groups.ts'
import { logstoreOf, shardOf } from './places.ts'
import { PullBodies, type PulledGroups } from './pull-body.ts'
import { parseQueryText, type Query } from './query-syntax.ts'
import { parameterInvalid, Refusal } from './refusal.ts'
import { type ServiceCore, streamOf } from './service-core.ts'
import type { Shard } from './service-state.ts'
import type { ShardQuotas } from './shard-quotas.ts'
import type { StoredGroup } from './storage/log-storage.ts'

const countMax = 1000

/** Serves stored groups as they were put (SLS protocol paper, §5.4). */
export class PullHandler {
  readonly #core: ServiceCore
  readonly #quotas: ShardQuotas
  readonly #bodies: PullBodies

  constructor(core: ServiceCore, compression: Compression, quotas: ShardQuotas) {
    this.#core = core
    this.#quotas = quotas
    this.#bodies = new PullBodies(compression)
  }

  async pull(call: Call, logstoreName: string, shardText: string): Promise<HttpResponse> {
    const core = this.#core
    const logstore = logstoreOf(core.state, call, logstoreName)
    const shard = shardOf(logstore, shardText)
    const from = indexOfCursor(core, logstore, shard, call.query.get('cursor') ?? '')
    const query = queryOf(call)
    const before = this.#limitIndex(call, shard)
    const count = Math.min(countMax, integerParameter(call, 'count', countMax))
    if (count < 1) throw parameterInvalid('the parameter count must be from 1 to 1000')
    this.#quotas.takeRead(shard)
    const stored = before <= from ? [] : await this.#read(shard, from, count, before)
    const next = nextIndex(stored, from, before)
    const codec = acceptedCompression(call.request.headers['accept-encoding'])
    const pulled = await this.#body(stored, query, codec)
    this.#quotas.countRead(shard, pulled.rawBytes)
    // Java takes an answer that does not move for one at the end; with an end cursor it may not be.
    const caughtUp = next === core.endIndex(shard) || next === from
    return this.#answer(shard, next, stored, pulled, codec, query, caughtUp)
  }

  #limitIndex(call: Call, shard: Shard): number {
    const end = this.#core.endIndex(shard)
    const text = call.query.get('end_cursor')
    if (text === undefined) return end
    const index = positionOf(text, 'end_cursor') - shard.base
    return index >= BigInt(end) ? end : Number(index)
  }

  async #read(shard: Shard, from: number, count: number, before: number): Promise<readonly StoredGroup[]> {
    const { storage, settings, ports } = this.#core
    let stored: readonly StoredGroup[]
    try {
      stored = await storage.read(streamOf(shard), from, { count, rawBytesMax: settings.pullBytesMax, before })
    } catch (error) {
      ports.log.error({ err: asError(error), shard: shard.id }, 'the storage could not be read')
      throw new Refusal(500, 'InternalServerError', `the groups of shard ${shard.id} cannot be read`)
    }
    // Trimmed while it was read. What was lost and salvaged is passed over: the report of the salvage has told it.
    if (storage.begin(streamOf(shard)) > from)
      throw new Refusal(400, 'InvalidCursor', `the cursor is outside of what shard ${shard.id} holds`)
    return stored
  }

  #body(
    stored: readonly StoredGroup[],
    query: Query | undefined,
    codec: BlockCodecName | undefined,
  ): Promise<PulledGroups> {
    if (query === undefined || query.kind === 'all') return this.#bodies.whole(stored, codec)
    return this.#bodies.filtered(stored, codec, (groups) => filterGroups(groups, query))
  }

  #answer(
    shard: Shard,
    next: number,
    stored: readonly StoredGroup[],
    pulled: PulledGroups,
    codec: BlockCodecName | undefined,
    query: Query | undefined,
    caughtUp: boolean,
  ): HttpResponse {
    const headers: Record<string, string> = {
      'content-type': 'application/x-protobuf',
      'content-length': String(pulled.body.length),
      'x-log-cursor': encodeCursor(shard.base + BigInt(next)),
      'x-log-count': String(pulled.count),
      'x-log-bodyrawsize': String(pulled.rawBytes),
    }
    if (codec !== undefined) headers['x-log-compresstype'] = codec
    const last = stored.at(-1)
    if (last !== undefined && pulled.count > 0) {
      headers['x-log-read-last-cursor'] = String(shard.base + BigInt(last.index))
      headers['x-log-cursor-time'] = String(Math.floor(last.receivedMs / 1000))
    }
    if (caughtUp) headers['x-log-end-of-cursor'] = '1'
    if (query !== undefined) {
      headers['x-log-rawdatasize'] = String(stored.reduce((sum, { rawBytes }) => sum + rawBytes, 0))
      headers['x-log-rawdatacount'] = String(stored.length)
      headers['x-log-rawdatalines'] = String(pulled.linesBefore)
      headers['x-log-resultlines'] = String(pulled.linesAfter)
      headers['x-log-failedlines'] = '0'
    }
    return { status: 200, headers, body: pulled.body }
  }
}

/** Behind the last group that was read; a place without groups before the limit has none to offer, and is passed. */
const nextIndex = (stored: readonly StoredGroup[], from: number, before: number): number =>
  Math.max(from, (stored.at(-1)?.index ?? before - 1) + 1)

const queryOf = (call: Call): Query | undefined => {
  const text = call.query.get('query')
  if (text === undefined) return undefined
  const parsed = parseQueryText(text)
  if (!parsed.ok) throw parameterInvalid(parsed.problem)
  return parsed.query
}
