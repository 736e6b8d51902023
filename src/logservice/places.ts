import type { Call } from './call.ts'
import {
  groupNotExist,
  logstoreNotExist,
  parameterInvalid,
  projectNotExist,
  Refusal,
  shardNotExist,
} from './refusal.ts'
import type { ConsumerGroup, Logstore, Project, ServiceState, Shard } from './service-state.ts'

/** The project a call is about. @throws Refusal when the host names none, or one that does not exist. */
export const projectOf = (state: ServiceState, call: Call): Project => {
  if (call.project === undefined)
    throw new Refusal(400, 'MissingHost', 'the host names no project; call it as {project}.{endpoint}')
  const project = state.projects.get(call.project)
  if (project === undefined) throw projectNotExist(call.project)
  return project
}

export const logstoreOf = (state: ServiceState, call: Call, name: string): Logstore => {
  const logstore = projectOf(state, call).logstores.get(name)
  if (logstore === undefined) throw logstoreNotExist(name)
  return logstore
}

export const shardOf = (logstore: Logstore, text: string): Shard => {
  if (!/^\d{1,9}$/.test(text)) throw parameterInvalid('invalid shard id')
  if (logstore.shards.size === 0)
    throw new Refusal(400, 'LogStoreWithoutShard', `logstore ${logstore.name} has no shard`)
  const shard = logstore.shards.get(Number(text))
  if (shard === undefined) throw shardNotExist(text)
  return shard
}

export const groupOf = (logstore: Logstore, name: string): ConsumerGroup => {
  const group = logstore.groups.get(name)
  if (group === undefined) throw groupNotExist(name)
  return group
}
