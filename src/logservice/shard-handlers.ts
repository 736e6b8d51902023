import type { HttpResponse } from '../core/index.ts'
import { padHashKey, splitAt, splitEvenly } from '../wire/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, integerParameter } from './call.ts'
import type { JsonObject } from './facts.ts'
import { logstoreOf, shardOf } from './places.ts'
import { parameterInvalid, tooMany } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'
import { countShards, type Logstore, type Shard } from './service-state.ts'

const shardJson = (shard: Shard): JsonObject => ({
  shardID: shard.id,
  status: shard.status,
  inclusiveBeginKey: shard.range.begin,
  exclusiveEndKey: shard.range.end,
  createTime: shard.createSeconds,
  serverIp: '',
})

const shardsJson = (logstore: Logstore, ids: readonly number[]): JsonObject[] =>
  ids.flatMap((id) => {
    const shard = logstore.shards.get(id)
    return shard === undefined ? [] : [shardJson(shard)]
  })

export const listShards = (core: ServiceCore, call: Call, logstoreName: string): HttpResponse => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  return jsonAnswer(shardsJson(logstore, [...logstore.shards.keys()]))
}

const writableShardOf = (logstore: Logstore, shardText: string): Shard => {
  const shard = shardOf(logstore, shardText)
  if (shard.status !== 'readwrite') throw parameterInvalid(`invalid shard id: shard ${shard.id} is read-only`)
  return shard
}

/** Cuts a shard; the answer has the old one first (SLS protocol paper, §6.3). */
export const splitShard = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  shardText: string,
): Promise<HttpResponse> => {
  const { limits } = core.settings
  let ids: number[] = []
  await core.change(() => {
    const logstore = logstoreOf(core.state, call, logstoreName)
    const shard = writableShardOf(logstore, shardText)
    const key = call.query.get('key')
    const count = integerParameter(call, 'shardCount', 2)
    if (count < 2 || count > limits.shardsAtOnce)
      throw parameterInvalid(`the parameter shardCount must be from 2 to ${limits.shardsAtOnce}`)
    const middle = key === undefined ? undefined : padHashKey(key)
    const ranges =
      key === undefined
        ? splitEvenly(shard.range, count)
        : middle === undefined
          ? undefined
          : splitAt(shard.range, middle)
    if (ranges === undefined) throw parameterInvalid('invalid mid hash')
    if (countShards(core.state) + ranges.length > limits.shards) throw tooMany('shards', limits.shards)
    const created = core.newShards(logstore, ranges)
    ids = [shard.id, ...created.map(({ id }) => id)]
    return {
      fact: { kind: 'shards-replaced', ...placeOf(call, logstore), closed: [shard.id], created },
      closing: [shard],
    }
  })
  return jsonAnswer(shardsJson(logstoreOf(core.state, call, logstoreName), ids))
}

/** Joins a shard with its right neighbour; the answer has the new one first (SLS protocol paper, §6.4). */
export const mergeShards = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  shardText: string,
): Promise<HttpResponse> => {
  let ids: number[] = []
  await core.change(() => {
    const logstore = logstoreOf(core.state, call, logstoreName)
    const left = writableShardOf(logstore, shardText)
    const right = [...logstore.shards.values()].find(
      ({ status, range }) => status === 'readwrite' && range.begin === left.range.end,
    )
    if (right === undefined) throw parameterInvalid('can not merge the last shard')
    if (countShards(core.state) + 1 > core.settings.limits.shards) throw tooMany('shards', core.settings.limits.shards)
    const created = core.newShards(logstore, [{ begin: left.range.begin, end: right.range.end }])
    ids = [...created.map(({ id }) => id), left.id, right.id]
    return {
      fact: { kind: 'shards-replaced', ...placeOf(call, logstore), closed: [left.id, right.id], created },
      closing: [left, right],
    }
  })
  return jsonAnswer(shardsJson(logstoreOf(core.state, call, logstoreName), ids))
}

export const deleteShard = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  shardText: string,
): Promise<HttpResponse> => {
  await core.change(() => {
    const logstore = logstoreOf(core.state, call, logstoreName)
    const shard = shardOf(logstore, shardText)
    if (shard.status !== 'readonly') throw parameterInvalid(`shard ${shard.id} takes writes and cannot be deleted`)
    const fact = { kind: 'shard-deleted', ...placeOf(call, logstore), shard: shard.id } as const
    return { fact: { ...fact, cursorFloor: core.cursorFloorOf([shard]) } }
  })
  await core.dropDoomed()
  return emptyAnswer()
}

const placeOf = (call: Call, logstore: Logstore): { readonly project: string; readonly logstore: string } => ({
  project: call.project ?? '',
  logstore: logstore.name,
})
