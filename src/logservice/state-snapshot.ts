import type { JsonObject, ShardRecord } from './facts.ts'
import {
  type Checkpoint,
  type ConsumerGroup,
  emptyState,
  type IndexDefinition,
  type Logstore,
  type Project,
  type ServiceState,
  type Shard,
  shardOf,
} from './service-state.ts'

export const snapshotVersion = 1

interface GroupImage {
  readonly name: string
  readonly timeoutSeconds: number
  readonly order: boolean
  readonly checkpoints: readonly (readonly [number, Checkpoint])[]
}

interface LogstoreImage {
  readonly name: string
  readonly config: JsonObject
  readonly createSeconds: number
  readonly modifySeconds: number
  readonly nextShardId: number
  readonly shards: readonly (ShardRecord & { readonly status: Shard['status'] })[]
  readonly groups: readonly GroupImage[]
  readonly index: IndexDefinition | null
}

interface ProjectImage {
  readonly name: string
  readonly config: JsonObject
  readonly createSeconds: number
  readonly modifySeconds: number
  readonly logstores: readonly LogstoreImage[]
}

/** The whole state as JSON. Version 1. */
export interface StateImage {
  readonly version: typeof snapshotVersion
  readonly nextStream: number
  readonly cursorFloor: string
  readonly doomedStreams: readonly number[]
  readonly projects: readonly ProjectImage[]
}

const logstoreImage = (logstore: Logstore): LogstoreImage => ({
  name: logstore.name,
  config: logstore.config,
  createSeconds: logstore.createSeconds,
  modifySeconds: logstore.modifySeconds,
  nextShardId: logstore.nextShardId,
  shards: [...logstore.shards.values()].map((shard) => ({
    id: shard.id,
    stream: shard.stream,
    begin: shard.range.begin,
    end: shard.range.end,
    createSeconds: shard.createSeconds,
    base: shard.base.toString(),
    status: shard.status,
  })),
  groups: [...logstore.groups.values()].map((group) => ({ ...group, checkpoints: [...group.checkpoints] })),
  index: logstore.index ?? null,
})

export const snapshotState = (state: ServiceState): StateImage => ({
  version: snapshotVersion,
  nextStream: state.nextStream,
  cursorFloor: state.cursorFloor.toString(),
  doomedStreams: [...state.doomedStreams],
  projects: [...state.projects.values()].map((project) => ({
    ...project,
    logstores: [...project.logstores.values()].map(logstoreImage),
  })),
})

const restoreGroup = (image: GroupImage): ConsumerGroup => ({ ...image, checkpoints: new Map(image.checkpoints) })

const restoreLogstore = (image: LogstoreImage): Logstore => ({
  ...image,
  shards: new Map(image.shards.map((shard) => [shard.id, shardOf(shard, shard.status)])),
  groups: new Map(image.groups.map((group) => [group.name, restoreGroup(group)])),
  index: image.index ?? undefined,
})

const restoreProject = (image: ProjectImage): Project => ({
  ...image,
  logstores: new Map(image.logstores.map((logstore) => [logstore.name, restoreLogstore(logstore)])),
})

export const restoreState = (image: StateImage): ServiceState => ({
  ...emptyState(),
  nextStream: image.nextStream,
  cursorFloor: BigInt(image.cursorFloor),
  doomedStreams: new Set(image.doomedStreams),
  projects: new Map(image.projects.map((project) => [project.name, restoreProject(project)])),
})
