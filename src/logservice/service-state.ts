import type { HashRange } from '../wire/index.ts'
import type { JsonObject, ShardRecord } from './facts.ts'

export interface Shard {
  readonly id: number
  readonly stream: number
  readonly range: HashRange
  readonly createSeconds: number
  /** Cursor of group 0. */
  readonly base: bigint
  status: 'readwrite' | 'readonly'
}

export interface Checkpoint {
  /** As the client sent it. */
  readonly checkpoint: string
  readonly consumer: string
  readonly updateMicros: number
}

export interface ConsumerGroup {
  readonly name: string
  timeoutSeconds: number
  order: boolean
  readonly checkpoints: Map<number, Checkpoint>
}

export interface IndexDefinition {
  readonly config: JsonObject
  readonly modifySeconds: number
}

export interface Logstore {
  readonly name: string
  /** The creating or last updating request's body; unknown keys stay in it. */
  config: JsonObject
  readonly createSeconds: number
  modifySeconds: number
  /** By id, ascending. */
  readonly shards: Map<number, Shard>
  nextShardId: number
  readonly groups: Map<string, ConsumerGroup>
  index: IndexDefinition | undefined
}

export interface Project {
  readonly name: string
  config: JsonObject
  readonly createSeconds: number
  modifySeconds: number
  readonly logstores: Map<string, Logstore>
}

/** Every definition of the service. Changed by `applyFact` alone. */
export interface ServiceState {
  readonly projects: Map<string, Project>
  nextStream: number
  /** Every cursor that was ever handed out by a shard that is gone lies below. */
  cursorFloor: bigint
  /** Streams whose shards are gone while the storage may still have them. */
  readonly doomedStreams: Set<number>
}

export const emptyState = (): ServiceState => ({
  projects: new Map(),
  nextStream: 1,
  cursorFloor: 0n,
  doomedStreams: new Set(),
})

export const shardOf = (record: ShardRecord, status: Shard['status'] = 'readwrite'): Shard => ({
  id: record.id,
  stream: record.stream,
  range: { begin: record.begin, end: record.end },
  createSeconds: record.createSeconds,
  base: BigInt(record.base),
  status,
})

export const countShards = (state: ServiceState): number => {
  let count = 0
  for (const project of state.projects.values())
    for (const logstore of project.logstores.values()) count += logstore.shards.size
  return count
}
