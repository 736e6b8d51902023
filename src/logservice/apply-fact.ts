import { invariant, StorageError } from '../core/index.ts'
import type { Fact, ShardRecord } from './facts.ts'
import { type ConsumerGroup, type Logstore, type Project, type ServiceState, shardOf } from './service-state.ts'

const projectOf = (state: ServiceState, name: string): Project => {
  const project = state.projects.get(name)
  invariant(project !== undefined, `a fact names the project ${name}, which exists`)
  return project
}

const logstoreOf = (state: ServiceState, fact: { readonly project: string; readonly logstore: string }): Logstore => {
  const logstore = projectOf(state, fact.project).logstores.get(fact.logstore)
  invariant(logstore !== undefined, `a fact names the logstore ${fact.logstore}, which exists`)
  return logstore
}

const groupOf = (
  state: ServiceState,
  fact: { readonly project: string; readonly logstore: string; readonly group: string },
): ConsumerGroup => {
  const group = logstoreOf(state, fact).groups.get(fact.group)
  invariant(group !== undefined, `a fact names the consumer group ${fact.group}, which exists`)
  return group
}

const addShards = (state: ServiceState, logstore: Logstore, records: readonly ShardRecord[]): void => {
  for (const record of records) {
    logstore.shards.set(record.id, shardOf(record))
    logstore.nextShardId = Math.max(logstore.nextShardId, record.id + 1)
    state.nextStream = Math.max(state.nextStream, record.stream + 1)
  }
}

const raiseFloor = (state: ServiceState, floor: string): void => {
  const value = BigInt(floor)
  if (value > state.cursorFloor) state.cursorFloor = value
}

const doom = (state: ServiceState, logstore: Logstore): void => {
  for (const shard of logstore.shards.values()) state.doomedStreams.add(shard.stream)
}

/** One change of the definitions. The fact was checked before it was journaled, so that it always fits. */
export const applyFact = (state: ServiceState, fact: Fact): void => {
  switch (fact.kind) {
    case 'project-created':
      state.projects.set(fact.project, {
        name: fact.project,
        config: fact.config,
        createSeconds: fact.seconds,
        modifySeconds: fact.seconds,
        logstores: new Map(),
      })
      return
    case 'project-updated': {
      const project = projectOf(state, fact.project)
      project.config = fact.config
      project.modifySeconds = fact.seconds
      return
    }
    case 'project-deleted': {
      for (const logstore of projectOf(state, fact.project).logstores.values()) doom(state, logstore)
      state.projects.delete(fact.project)
      raiseFloor(state, fact.cursorFloor)
      return
    }
    case 'logstore-created': {
      const logstore: Logstore = {
        name: fact.logstore,
        config: fact.config,
        createSeconds: fact.seconds,
        modifySeconds: fact.seconds,
        shards: new Map(),
        nextShardId: 0,
        groups: new Map(),
        index: undefined,
      }
      projectOf(state, fact.project).logstores.set(fact.logstore, logstore)
      addShards(state, logstore, fact.shards)
      return
    }
    case 'logstore-updated': {
      const logstore = logstoreOf(state, fact)
      logstore.config = fact.config
      logstore.modifySeconds = fact.seconds
      return
    }
    case 'logstore-deleted':
      doom(state, logstoreOf(state, fact))
      projectOf(state, fact.project).logstores.delete(fact.logstore)
      raiseFloor(state, fact.cursorFloor)
      return
    case 'shards-replaced': {
      const logstore = logstoreOf(state, fact)
      for (const id of fact.closed) {
        const shard = logstore.shards.get(id)
        invariant(shard !== undefined, `a fact names shard ${id}, which exists`)
        shard.status = 'readonly'
      }
      addShards(state, logstore, fact.created)
      return
    }
    case 'shard-deleted': {
      const logstore = logstoreOf(state, fact)
      const shard = logstore.shards.get(fact.shard)
      invariant(shard !== undefined, `a fact names shard ${fact.shard}, which exists`)
      state.doomedStreams.add(shard.stream)
      logstore.shards.delete(fact.shard)
      for (const group of logstore.groups.values()) group.checkpoints.delete(fact.shard)
      raiseFloor(state, fact.cursorFloor)
      return
    }
    case 'index-set':
      logstoreOf(state, fact).index = { config: fact.config, modifySeconds: fact.seconds }
      return
    case 'index-deleted':
      logstoreOf(state, fact).index = undefined
      return
    case 'group-created':
      logstoreOf(state, fact).groups.set(fact.group, {
        name: fact.group,
        timeoutSeconds: fact.timeoutSeconds,
        order: fact.order,
        checkpoints: new Map(),
      })
      return
    case 'group-updated': {
      const group = groupOf(state, fact)
      group.timeoutSeconds = fact.timeoutSeconds
      group.order = fact.order
      return
    }
    case 'group-deleted':
      logstoreOf(state, fact).groups.delete(fact.group)
      return
    case 'checkpoint-committed': {
      // It does not wait for changes, so a delete may have come first: then there is nothing to remember.
      const logstore = state.projects.get(fact.project)?.logstores.get(fact.logstore)
      if (logstore?.shards.has(fact.shard) !== true) return
      const { checkpoint, consumer, updateMicros } = fact
      logstore.groups.get(fact.group)?.checkpoints.set(fact.shard, { checkpoint, consumer, updateMicros })
      return
    }
    case 'streams-dropped':
      for (const stream of fact.streams) state.doomedStreams.delete(stream)
      return
    default: {
      const unknown: never = fact
      throw new StorageError('LOG_STORE_NEWER', {
        message: `this version does not know the change ${JSON.stringify(unknown).slice(0, 100)}`,
      })
    }
  }
}
