import type { HttpResponse } from '../core/index.ts'
import { decodeCursor, encodeCursor } from '../wire/index.ts'
import { jsonAnswer } from './answers.ts'
import type { Call } from './call.ts'
import { logstoreOf, shardOf } from './places.ts'
import { parameterInvalid, Refusal } from './refusal.ts'
import { type ServiceCore, streamOf } from './service-core.ts'
import type { Logstore, Shard } from './service-state.ts'

/** The index of the group a cursor stands before. @throws Refusal when it is no cursor, or none of this shard. */
export const indexOfCursor = (core: ServiceCore, logstore: Logstore, shard: Shard, text: string): number => {
  const cursor = positionOf(text, 'cursor')
  if (cursor < core.beginCursor(shard, logstore) || cursor > core.endCursor(shard))
    throw new Refusal(400, 'InvalidCursor', `the cursor is outside of what shard ${shard.id} holds`)
  return Number(cursor - shard.base)
}

/** @throws Refusal when the text is no cursor. */
export const positionOf = (text: string | undefined, parameter: string): bigint => {
  const cursor = text === undefined ? undefined : decodeCursor(text)
  if (cursor === undefined) throw parameterInvalid(`the parameter ${parameter} is not a cursor`)
  return cursor
}

/** `type=cursor` (SLS protocol paper, §5.2). The time of a cursor is when the service received the group. */
export const getCursor = (core: ServiceCore, call: Call, logstoreName: string, shardText: string): HttpResponse => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  const shard = shardOf(logstore, shardText)
  return jsonAnswer({ cursor: encodeCursor(startOf(core, logstore, shard, call.query.get('from'))) })
}

const startOf = (core: ServiceCore, logstore: Logstore, shard: Shard, from: string | undefined): bigint => {
  if (from === 'begin') return core.beginCursor(shard, logstore)
  if (from === 'end') return core.endCursor(shard)
  if (from === undefined || !/^\d{1,11}$/.test(from))
    throw parameterInvalid('the parameter from must be begin, end or a time in unix seconds')
  const begin = core.beginIndex(shard, logstore)
  const index = Math.max(begin, core.storage.firstReceivedFrom(streamOf(shard), Number(from) * 1000))
  return shard.base + BigInt(index)
}

/** `type=cursor_time` (SLS protocol paper, §5.3). */
export const getCursorTime = (core: ServiceCore, call: Call, logstoreName: string, shardText: string): HttpResponse => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  const shard = shardOf(logstore, shardText)
  const index = indexOfCursor(core, logstore, shard, call.query.get('cursor') ?? '')
  const receivedMs = core.storage.receivedMs(streamOf(shard), index)
  const seconds = receivedMs === undefined ? core.nowSeconds() : Math.floor(receivedMs / 1000)
  return jsonAnswer({ cursor_time: seconds })
}
