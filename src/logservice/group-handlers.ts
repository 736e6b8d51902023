import type { HttpResponse } from '../core/index.ts'
import { decodeCursor } from '../wire/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, jsonBody, objectBody } from './call.ts'
import type { GroupRules, GroupShard } from './consumer-members.ts'
import { isGroupName } from './names.ts'
import { groupOf, logstoreOf } from './places.ts'
import { groupNotExist, parameterInvalid, Refusal, shardNotExist } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'
import type { ConsumerGroup, Logstore, Shard } from './service-state.ts'

const timeoutSecondsMax = 86_400
const consumerNameMax = 256

const placeOf = (call: Call, logstore: string, group: string) =>
  ({ project: call.project ?? '', logstore, group }) as const

const definitionInvalid = (): Refusal =>
  new Refusal(400, 'JsonInfoInvalid', 'consumerGroup or timeout is of error format')

const timeoutOf = (value: unknown): number => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > timeoutSecondsMax)
    throw definitionInvalid()
  return value
}

const orderOf = (value: unknown): boolean => {
  if (typeof value !== 'boolean') throw definitionInvalid()
  return value
}

export const createGroup = async (core: ServiceCore, call: Call, logstoreName: string): Promise<HttpResponse> => {
  logstoreOf(core.state, call, logstoreName)
  const body = objectBody(call, 'JsonInfoInvalid')
  const { consumerGroup: name, order } = body
  if (typeof name !== 'string' || !isGroupName(name)) throw definitionInvalid()
  const fact = {
    kind: 'group-created',
    ...placeOf(call, logstoreName, name),
    timeoutSeconds: timeoutOf(body['timeout']),
    order: order === undefined ? false : orderOf(order),
  } as const
  await core.change(() => {
    const { groups } = logstoreOf(core.state, call, logstoreName)
    if (groups.has(name)) throw new Refusal(400, 'ConsumerGroupAlreadyExist', 'consumer group already exist')
    const most = core.settings.limits.groupsPerLogstore
    if (groups.size >= most)
      throw new Refusal(400, 'ConsumerGroupQuotaExceed', `a logstore has at most ${most} consumer groups`)
    return { fact }
  })
  return emptyAnswer()
}

/** Either of the two may be missing, and then stays as it is (SLS protocol paper, §7.1). */
export const updateGroup = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  groupName: string,
): Promise<HttpResponse> => {
  groupOf(logstoreOf(core.state, call, logstoreName), groupName)
  const body = objectBody(call, 'JsonInfoInvalid')
  await core.change(() => {
    const group = groupOf(logstoreOf(core.state, call, logstoreName), groupName)
    const timeoutSeconds = body['timeout'] === undefined ? group.timeoutSeconds : timeoutOf(body['timeout'])
    const order = body['order'] === undefined ? group.order : orderOf(body['order'])
    return { fact: { kind: 'group-updated', ...placeOf(call, logstoreName, groupName), timeoutSeconds, order } }
  })
  return emptyAnswer()
}

export const deleteGroup = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  groupName: string,
): Promise<HttpResponse> => {
  await core.change(() => {
    groupOf(logstoreOf(core.state, call, logstoreName), groupName)
    return { fact: { kind: 'group-deleted', ...placeOf(call, logstoreName, groupName) } }
  })
  return emptyAnswer()
}

export const listGroups = (core: ServiceCore, call: Call, logstoreName: string): HttpResponse =>
  jsonAnswer(
    [...logstoreOf(core.state, call, logstoreName).groups.values()].map(({ name, timeoutSeconds, order }) => ({
      name,
      timeout: timeoutSeconds,
      order,
    })),
  )

/** One entry for every shard, also before any commit: clients take the first blindly (SLS protocol paper, §7.6). */
export const listCheckpoints = (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  groupName: string,
): HttpResponse => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  const group = groupOf(logstore, groupName)
  const wanted = call.query.get('shard')
  const ids = [...logstore.shards.keys()].filter((id) => wanted === undefined || wanted === String(id))
  return jsonAnswer(
    ids.map((shard) => {
      const { checkpoint = '', updateMicros = 0, consumer = '' } = group.checkpoints.get(shard) ?? {}
      return { shard, checkpoint, updateTime: updateMicros, consumer }
    }),
  )
}

const rulesOf = (group: ConsumerGroup): GroupRules => ({
  timeoutMs: group.timeoutSeconds * 1000,
  order: group.order,
})

/** Nothing to read, or read to its end by the group: only a shard that takes no writes can be. */
const isOver = (core: ServiceCore, logstore: Logstore, group: ConsumerGroup, shard: Shard): boolean => {
  if (shard.status === 'readwrite') return false
  const end = core.endCursor(shard)
  if (core.beginCursor(shard, logstore) === end) return true
  const committed = decodeCursor(group.checkpoints.get(shard.id)?.checkpoint ?? '')
  return committed !== undefined && committed >= end
}

const overlap = (a: Shard, b: Shard): boolean => a.range.begin < b.range.end && b.range.begin < a.range.end

const groupShards = (core: ServiceCore, logstore: Logstore, group: ConsumerGroup): GroupShard[] => {
  const shards = [...logstore.shards.values()].map((shard) => ({ shard, over: isOver(core, logstore, group, shard) }))
  // What is over holds nobody up.
  const unfinished = group.order ? shards.filter(({ shard, over }) => shard.status === 'readonly' && !over) : []
  return shards.map(({ shard, over }) => ({
    id: shard.id,
    over,
    ancestors: unfinished
      .filter((one) => one.shard.id < shard.id && overlap(one.shard, shard))
      .map((one) => one.shard.id),
  }))
}

const consumerOf = (call: Call): string => {
  const consumer = call.query.get('consumer') ?? ''
  if (consumer.length > consumerNameMax)
    throw parameterInvalid(`the parameter consumer is longer than ${consumerNameMax} characters`)
  return consumer
}

export const heartbeat = (core: ServiceCore, call: Call, logstoreName: string, groupName: string): HttpResponse => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  const group = groupOf(logstore, groupName)
  const consumer = consumerOf(call)
  if (consumer === '') throw parameterInvalid('the parameter consumer is missing')
  const listed = jsonBody(call, 'JsonInfoInvalid')
  if (!Array.isArray(listed) || !listed.every((id): id is number => Number.isInteger(id) && id >= 0))
    throw new Refusal(400, 'JsonInfoInvalid', 'the body is not a list of shard ids')
  const shards = groupShards(core, logstore, group)
  const answer = core.members(group).heartbeat(consumer, listed, core.ports.clock.monoMs(), rulesOf(group), shards)
  if (answer.kind === 'expired')
    throw new Refusal(
      400,
      'NotExistConsumerWithBody',
      `consumer ${consumer} is not known any more and lists shards that others hold`,
    )
  if (answer.kind === 'full')
    throw new Refusal(
      400,
      'ConsumerGroupQuotaExceed',
      `a consumer group has at most ${core.settings.limits.consumersPerGroup} consumers`,
    )
  return jsonAnswer(answer.shards)
}

/** The text is kept as it came, also when it is older than the one before (SLS protocol paper, §7.5). */
export const updateCheckpoint = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  groupName: string,
): Promise<HttpResponse> => {
  const logstore = logstoreOf(core.state, call, logstoreName)
  const group = groupOf(logstore, groupName)
  const consumer = consumerOf(call)
  const { shard, checkpoint } = objectBody(call, 'JsonInfoInvalid')
  if (typeof shard !== 'number' || typeof checkpoint !== 'string')
    throw new Refusal(400, 'JsonInfoInvalid', 'shard or checkpoint is of error format')
  if (!logstore.shards.has(shard)) throw shardNotExist(shard)
  if (decodeCursor(checkpoint) === undefined) throw parameterInvalid('the checkpoint is not a cursor')
  const forced = call.query.get('forceSuccess')?.toLowerCase() === 'true'
  if (forced) tellForced(core, group, consumer, shard)
  else refuseStranger(core, group, consumer, shard)
  await core.record({
    kind: 'checkpoint-committed',
    ...placeOf(call, logstoreName, groupName),
    shard,
    checkpoint,
    consumer,
    updateMicros: Math.floor(core.ports.clock.wallMs() * 1000),
  })
  if (
    core.state.projects
      .get(call.project ?? '')
      ?.logstores.get(logstoreName)
      ?.groups.get(groupName) === undefined
  )
    throw groupNotExist(groupName)
  return emptyAnswer()
}

/** A forced checkpoint is taken from anybody. One that goes over the head of the owner is worth a line. */
const tellForced = (core: ServiceCore, group: ConsumerGroup, consumer: string, shard: number): void => {
  const owner = core.members(group).ownerOf(shard, core.ports.clock.monoMs(), rulesOf(group))
  if (owner === undefined || owner === consumer) return
  core.ports.log.info(
    { group: group.name, shard, owner, consumer },
    'a checkpoint was forced by one that is not the owner',
  )
}

const refuseStranger = (core: ServiceCore, group: ConsumerGroup, consumer: string, shard: number): void => {
  const members = core.members(group)
  const [nowMs, rules] = [core.ports.clock.monoMs(), rulesOf(group)]
  if (!members.isAlive(consumer, nowMs, rules))
    throw new Refusal(400, 'ConsumerNotExist', `consumer ${consumer} does not exist in the group ${group.name}`)
  if (members.ownerOf(shard, nowMs, rules) !== consumer)
    throw new Refusal(400, 'ConsumerNotMatch', `consumer ${consumer} does not own shard ${shard}`)
}
