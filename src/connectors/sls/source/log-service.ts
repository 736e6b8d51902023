import type { LogGroupView } from '../../../wire/index.ts'
import type { ListedShard } from './shard-book.ts'

/** What to pull of a shard. */
export interface PullRequest {
  readonly shard: number
  readonly cursor: bigint
  /** Most LogGroups, 1 to 1000. */
  readonly groupsMax: number
  /** Position of the first LogGroup not to give. */
  readonly stop: bigint | null
  readonly query: string | null
  /** Sees the body of an answer that cannot be read, as it came, before the pull rejects. */
  readonly onUnreadable?: ((body: Uint8Array) => void) | undefined
}

/** The answer to a pull, checked: complete, and as many groups as it says. */
export interface Pulled {
  readonly groups: readonly LogGroupView[]
  /** Where the next pull goes on. */
  readonly next: bigint
  /** Bytes of the decoded answer: what the groups keep alive. */
  readonly bytes: number
  /** When the last group was received by the service, in seconds since 1970; undefined when it does not say. */
  readonly receivedSeconds: number | undefined
  /** Nothing more is there at the moment. */
  readonly atEnd: boolean
  /** Empties `groups`: nobody asks for them any more. */
  release(): void
}

/** The progress of one shard in a consumer group. */
export interface GroupProgress {
  readonly shard: number
  readonly cursor: bigint
  readonly consumer: string
  /** Microseconds since 1970, by the service's clock. */
  readonly updatedUs: number
}

/**
 * The calls a source makes for one logstore. Each rejects with a `MillraceError`; one of remedy `retry` may pass.
 * What the service says about things that are not there is a `MissingError`.
 */
export interface LogstoreCalls {
  listShards(signal?: AbortSignal): Promise<readonly ListedShard[]>
  /** Position of the first group retained, of the next one to be written, or of the first received at a time or later. */
  cursor(shard: number, at: 'begin' | 'end' | { readonly seconds: number }, signal?: AbortSignal): Promise<bigint>
  pull(request: PullRequest, signal?: AbortSignal): Promise<Pulled>
  /** Creates a consumer group unless it exists; an existing one is left as it is. */
  ensureGroup(group: string, signal?: AbortSignal): Promise<void>
  /** Progress of the shards that have any; undefined when there is no such group. */
  groupProgress(group: string, signal?: AbortSignal): Promise<readonly GroupProgress[] | undefined>
  /** Sets the progress of a shard, whoever holds it. */
  commit(group: string, consumer: string, shard: number, cursor: bigint, signal?: AbortSignal): Promise<void>
}

/** What is not there. `cursor`: outside of what the shard holds, usually because it expired. */
export type Missing = 'cursor' | 'shard' | 'logstore' | 'project'

/** The services that the logstores of a source are in, and what their errors mean. */
export interface LogServices {
  /** Keys of the logstores there are: those of the options, or those that match its pattern now. */
  keys(signal?: AbortSignal): Promise<readonly string[]>
  /** Calls for the logstore of a key. @throws RestoreError when the source does not have it. */
  of(logstore: string): LogstoreCalls
  /** What an error says is not there; undefined when it says something else. */
  missingOf(error: unknown): Missing | undefined
  /** The service asks to be asked less often. */
  isThrottled(error: unknown): boolean
  /**
   * An answer of the service came and cannot be read. `perhaps`: another one may be whole. `surely`: it holds more than may be read, and
   * will again. Undefined for any other error.
   */
  brokenOf(error: unknown): 'perhaps' | 'surely' | undefined
}
