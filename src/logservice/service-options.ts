import type { Clock, Compression, Digest, Logger, Random, Secret } from '../core/index.ts'
import type { Recovered } from './storage/log-storage.ts'

export interface ShardQuota {
  readonly writeBytesPerSecond?: number | undefined
  readonly writesPerSecond?: number | undefined
  readonly readBytesPerSecond?: number | undefined
  readonly readsPerSecond?: number | undefined
}

export interface LogServiceOptions {
  /** Access keys with their secrets, or `'off'`: every request is accepted, whatever its signature. */
  readonly auth: 'off' | ReadonlyMap<string, Secret>
  /** How far a caller's clock may be off. Default 15 minutes. */
  readonly skewMsMax?: number | undefined
  /**
   * Host names that are endpoints and no project, such as `sls.test`. The project is what stands before one of them; on
   * other hosts it is the text before the first point. `localhost` and IP addresses never name a project. Default none.
   */
  readonly endpoints?: readonly string[] | undefined
  /** Longest body of a put, and longest decoded size. Default 10 MiB. */
  readonly putBytesMax?: number | undefined
  /** Most decoded bytes of one pull's answer, unless its first group alone is longer. Default 10 MiB. */
  readonly pullBytesMax?: number | undefined
  /** What each shard takes per second. Default: no quota. */
  readonly shardQuota?: ShardQuota | undefined
  /** Overrides every logstore's `ttl`, which is in days. Milliseconds; default: the logstores' own. */
  readonly retentionMs?: number | undefined
  /** Stored bytes of a shard above which its oldest groups go. Default: no limit. */
  readonly shardBytesMax?: number | undefined
  /** How often space of expired groups is looked for. Milliseconds, default 60 000. */
  readonly sweepIntervalMs?: number | undefined
  /** Projects that exist when the service opens, so that a client need not create them. Default none. */
  readonly projects?: readonly string[] | undefined
  /** Serve `/_millrace/faults` to callers on this machine. Default true. */
  readonly faultRoute?: boolean | undefined
  readonly limits?: Partial<ServiceLimits> | undefined
}

/** How much of everything the service keeps. */
export interface ServiceLimits {
  readonly projects: number
  readonly logstoresPerProject: number
  /** All shards of all logstores, read-only ones too. */
  readonly shards: number
  /** A logstore is made with at most so many, and one split makes at most so many. */
  readonly shardsAtOnce: number
  readonly groupsPerLogstore: number
  readonly consumersPerGroup: number
  /** Body of a request that is no put. */
  readonly controlBytes: number
}

export const defaultLimits: ServiceLimits = {
  projects: 1000,
  logstoresPerProject: 1000,
  shards: 30_000,
  shardsAtOnce: 256,
  groupsPerLogstore: 30,
  consumersPerGroup: 1000,
  controlBytes: 256 * 1024,
}

export interface LogServicePorts {
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly compression: Compression
  readonly log?: Logger | undefined
  /** Opens the storage; `snapshot` gives the definitions as of the last durable fact whenever the storage wants them. */
  readonly openStorage: (snapshot: () => Uint8Array) => Promise<Recovered>
}

/** The options with their defaults. */
export interface ServiceSettings {
  readonly auth: 'off' | ReadonlyMap<string, Secret>
  readonly skewMsMax: number
  readonly endpoints: readonly string[]
  readonly putBytesMax: number
  readonly pullBytesMax: number
  readonly shardQuota: ShardQuota
  readonly retentionMs: number | undefined
  readonly shardBytesMax: number | undefined
  readonly sweepIntervalMs: number
  readonly faultRoute: boolean
  readonly limits: ServiceLimits
}

const mebibyte = 1024 * 1024

export const settingsOf = (options: LogServiceOptions): ServiceSettings => ({
  auth: options.auth,
  skewMsMax: options.skewMsMax ?? 15 * 60_000,
  endpoints: (options.endpoints ?? []).map((name) => name.toLowerCase()),
  putBytesMax: options.putBytesMax ?? 10 * mebibyte,
  pullBytesMax: options.pullBytesMax ?? 10 * mebibyte,
  shardQuota: options.shardQuota ?? {},
  retentionMs: options.retentionMs,
  shardBytesMax: options.shardBytesMax,
  sweepIntervalMs: options.sweepIntervalMs ?? 60_000,
  faultRoute: options.faultRoute ?? true,
  limits: { ...defaultLimits, ...options.limits },
})
