import { RestoreError } from '../../../core/index.ts'
import type { SlsClient } from '../client/sls-client.ts'
import { SlsError } from '../client/sls-error.ts'
import type { GroupProgress, LogServices, LogstoreCalls, Missing, Pulled, PullRequest } from './log-service.ts'
import type { ListedShard } from './shard-book.ts'

/** A logstore and the client that reaches it. */
export interface ConnectedLogstore {
  readonly client: SlsClient
  readonly logstore: string
}

export interface ClientServicesOptions {
  /** The logstores of the options, by key. */
  readonly logstores: ReadonlyMap<string, ConnectedLogstore>
  /** Where a pattern is looked for instead: all logstores of the client's project that match. */
  readonly pattern: { readonly client: SlsClient; readonly matches: (logstore: string) => boolean } | undefined
  /** For messages. */
  readonly step: string
}

const pageSize = 500
/** As the official connector asks for it; nobody sends heartbeats. */
const groupTimeoutSeconds = 100

const codeOf = (error: SlsError): string => (error.errorCode ?? '').toLowerCase()

/** The logstores of a source as clients see them. */
export class ClientServices implements LogServices {
  readonly #o: ClientServicesOptions
  readonly #calls = new Map<string, LogstoreCalls>()

  constructor(options: ClientServicesOptions) {
    this.#o = options
    for (const [key, connected] of options.logstores) this.#calls.set(key, callsOf(connected))
  }

  async keys(signal?: AbortSignal): Promise<readonly string[]> {
    const { pattern, logstores } = this.#o
    if (pattern === undefined) return [...logstores.keys()]
    const { client, matches } = pattern
    const keys: string[] = []
    for (let offset = 0, total = 1; offset < total; ) {
      const page = await client.logstores.list({ offset, size: pageSize }, { signal })
      for (const logstore of page.logstores) if (matches(logstore)) keys.push(`${client.project}/${logstore}`)
      total = page.total
      offset += page.logstores.length
      if (page.logstores.length === 0) break
    }
    return keys
  }

  of(key: string): LogstoreCalls {
    const known = this.#calls.get(key)
    if (known !== undefined) return known
    const { pattern, step } = this.#o
    const prefix = `${pattern?.client.project}/`
    if (pattern === undefined || !key.startsWith(prefix)) {
      throw new RestoreError('CHECKPOINT_MISMATCH', {
        message: `the checkpoint holds the progress in ${key}, which is not among the logstores of the source`,
        place: { step, option: 'logstores' },
        fix: "put it back among the logstores, or give up the progress of all of them with dropState: ['<step>']".replace(
          '<step>',
          step,
        ),
      })
    }
    const calls = callsOf({ client: pattern.client, logstore: key.slice(prefix.length) })
    this.#calls.set(key, calls)
    return calls
  }

  missingOf(error: unknown): Missing | undefined {
    if (!(error instanceof SlsError)) return undefined
    if (error.class === 'cursor-invalid') return 'cursor'
    if (error.class !== 'not-found') return undefined
    const code = codeOf(error)
    if (code.startsWith('shard') || code === 'logstorewithoutshard') return 'shard'
    if (code.startsWith('logstore')) return 'logstore'
    return code.startsWith('project') ? 'project' : undefined
  }

  isThrottled(error: unknown): boolean {
    return error instanceof SlsError && error.class === 'throttled'
  }

  brokenOf(error: unknown): 'perhaps' | 'surely' | undefined {
    if (!(error instanceof SlsError)) return undefined
    // A page of something between is no answer of the service: it has no request id, and passes.
    if (error.class === 'answer-invalid') return error.requestId === undefined ? undefined : 'perhaps'
    // Without a code it is not the service that says so.
    return error.class === 'too-large' && error.errorCode === undefined ? 'surely' : undefined
  }
}

/** One try: a shard that is throttled or fails is tried again by the reader, at the shard's own pace. */
const once = (signal: AbortSignal | undefined) => ({ signal, attempts: 1 })

const callsOf = ({ client, logstore }: ConnectedLogstore): LogstoreCalls => ({
  listShards: async (signal) =>
    (await client.shards.list(logstore, { signal })).map(
      ({ id, status, beginKey, endKey, createTime }): ListedShard => ({
        id,
        readOnly: status === 'readonly',
        range: { begin: beginKey, end: endKey },
        createTime,
      }),
    ),
  cursor: (shard, at, signal) => client.shards.cursor(logstore, shard, at, { signal }),
  pull: (request, signal) => pull(client, logstore, request, signal),
  async ensureGroup(group, signal) {
    try {
      await client.consumerGroups.create(logstore, group, { timeoutSeconds: groupTimeoutSeconds }, { signal })
    } catch (thrown) {
      if (!(thrown instanceof SlsError && thrown.class === 'conflict')) throw thrown
    }
  },
  async groupProgress(group, signal) {
    try {
      const checkpoints = await client.consumerGroups.checkpoints(logstore, group, {}, { signal })
      return checkpoints.flatMap(({ shard, position, consumer, updatedUs }): GroupProgress[] =>
        position === undefined ? [] : [{ shard, cursor: position, consumer, updatedUs }],
      )
    } catch (thrown) {
      const absent = thrown instanceof SlsError && codeOf(thrown).startsWith('consumergroup')
      if (absent && thrown.class === 'not-found') return undefined
      throw thrown
    }
  },
  commit: (group, consumer, shard, position, signal) =>
    client.consumerGroups.updateCheckpoint(
      logstore,
      group,
      { shard, position, consumer, force: true },
      { signal, attempts: 2 },
    ),
})

const pull = async (
  client: SlsClient,
  logstore: string,
  { shard, cursor, groupsMax, stop, query, onUnreadable }: PullRequest,
  signal: AbortSignal | undefined,
): Promise<Pulled> => {
  const request = {
    logstore,
    shard,
    position: cursor,
    count: groupsMax,
    endPosition: stop ?? undefined,
    query: query ?? undefined,
    onUnreadable,
  }
  const result = await client.pull(request, once(signal))
  const { groups } = result
  return {
    groups,
    next: result.nextPosition,
    bytes: result.rawBytes,
    receivedSeconds: result.receivedSeconds,
    atEnd: result.atEnd || (groups.length === 0 && result.nextPosition === cursor),
    release: () => {
      groups.length = 0
    },
  }
}
