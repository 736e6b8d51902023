import { type Digest, type Environment, RestoreError, type Transport } from '../../../core/index.ts'
import {
  type ByteBudget,
  FetchingSourceReader,
  type OpenSource,
  openSource,
  type Source,
  type SourceContext,
  SplitWatermarks,
} from '../../../source/index.ts'
import { SlsClient } from '../client/sls-client.ts'
import { ClientServices } from './client-services.ts'
import { type ShardEnumeratorState, shardEnumeratorSerializer } from './enumerator-state.ts'
import type { Log } from './log.ts'
import type { LogGroup } from './log-group.ts'
import { MirroringReader } from './mirroring-reader.ts'
import { ProgressMirror } from './progress-mirror.ts'
import { ReadMonitor, type SlsReadCounts, type SlsShardProgress } from './read-monitor.ts'
import { ShardEnumerator } from './shard-enumerator.ts'
import { type ShardSplit, shardSplitSerializer } from './shard-split.ts'
import { ShardSplitReader } from './shard-split-reader.ts'
import { keyOf, readSourceOptions, type SlsSourceOptions, type SourceOptionsRead } from './sls-source-options.ts'
import type { ShardReaderEvent } from './source-event.ts'
import type { SlsInvalidPolicy, SlsReadSettings } from './source-options.ts'
import { endText } from './source-position.ts'

/** What a source gets of the process it runs in. */
export interface SlsSourceResources {
  readonly transport: Transport
  /** Memory for what was pulled and not given out yet, shared by all sources of the process. */
  readonly budget: ByteBudget
}

/** Called when a job opens the source. */
export type ConnectSource = (environment: Environment) => SlsSourceResources

/** A source that tells what it does. */
export interface SlsSource<out T, out D extends boolean = false> extends Source<T, 'exactly-once', D> {
  /** How far the reading of each unfinished shard has got, for the job of this process that opened the source last. */
  progress(): readonly SlsShardProgress[]
  /** Counts of this process, since the source was made. */
  counts(): SlsReadCounts
}

/** What a record is, by the option `records`. */
export type SlsRecord<Records extends 'logs' | 'groups'> = Records extends 'groups' ? LogGroup : Log

/** Whether the source gives dead letters, by the option `onInvalid`. */
export type SlsDeadLetters<OnInvalid extends SlsInvalidPolicy> = OnInvalid extends 'dead-letter' ? true : false

/**
 * The logs of one or several logstores, each exactly once: shards are found as they split and merge, and every one is read
 * from a position that a checkpoint holds to the record.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const slsSourceOf = <
  const Records extends 'logs' | 'groups' = 'logs',
  const OnInvalid extends SlsInvalidPolicy = 'fail' | 'skip',
>(
  options: SlsSourceOptions<Records, OnInvalid>,
  connect: ConnectSource,
): SlsSource<SlsRecord<Records>, SlsDeadLetters<OnInvalid>> => {
  const given = readSourceOptions(options)
  const { settings } = given
  const monitor = new ReadMonitor()
  const source: SlsSource<Log | LogGroup, boolean> = {
    progress: () => monitor.progress(),
    counts: () => monitor.counts(),
    kind: 'sls',
    guarantee: 'exactly-once',
    boundedness: settings.end === null ? 'unbounded' : 'bounded',
    deadLetters: settings.onInvalid === 'dead-letter',
    open: (context) => {
      monitor.begin(context.clock)
      return openShards(given, context, connect(context), monitor)
    },
  }
  return source as SlsSource<SlsRecord<Records>, SlsDeadLetters<OnInvalid>>
}

const openShards = (
  { connection, settings }: SourceOptionsRead,
  context: SourceContext,
  { transport, budget }: SlsSourceResources,
  monitor: ReadMonitor,
): OpenSource<Log | LogGroup> => {
  const { clock, random, digest, compression, job, step, parallelism, generation } = context
  const { batchRecordsMax, batchBytesMax } = context
  const log = context.log.child({ step })
  const client = new SlsClient(connection, { transport, clock, random, digest, compression })
  const services = servicesOf(client, settings, step)
  const queryHash = settings.query === null ? null : hashOf(`${settings.records} ${settings.query}`, digest)
  const ports = { step, services, clock, random, log }
  return openSource<Log | LogGroup, ShardSplit, ShardEnumeratorState>({
    splitSerializer: shardSplitSerializer,
    enumeratorSerializer: shardEnumeratorSerializer,
    createEnumerator: (enumerator, restored) => {
      if (restored !== undefined) checkRestored(restored, settings, queryHash, step)
      monitor.expose(enumerator.metrics)
      const owner = `millrace-${job}-${step}`
      return new ShardEnumerator({ ...ports, owner, generation, queryHash }, settings, enumerator, restored)
    },
    createReader: ({ metrics, sendEventToEnumerator }) => {
      const watermarks = new SplitWatermarks(settings)
      const notes = monitor.notesOf(metrics, watermarks)
      const send = (event: ShardReaderEvent): void => {
        if (event.kind !== 'finished') return sendEventToEnumerator(event)
        const { watermarkMs } = watermarks.of(event.splitId, clock.monoMs()) ?? {}
        sendEventToEnumerator({ ...event, watermarkMs } satisfies ShardReaderEvent)
      }
      const reader = new FetchingSourceReader({
        splitReader: new ShardSplitReader({ ...ports, monitor: notes }, settings, parallelism, send),
        clock,
        random,
        log,
        batchRecordsMax,
        batchBytesMax,
        budget,
        retryMaxMs: settings.failAfterMs,
        watermarks,
        metrics,
      })
      const { consumerGroup: group, onMirrorFailure } = settings
      if (group === null) return reader
      const onFailure = (error: Error): void => {
        notes.count('mirrorFailures')
        if (onMirrorFailure === 'fail') send({ kind: 'mirror-failed', error })
      }
      return new MirroringReader(reader, new ProgressMirror({ services, clock, log, group, onFailure }))
    },
  })
}

const servicesOf = (client: SlsClient, settings: SlsReadSettings, step: string): ClientServices => {
  const logstores = new Map(
    settings.logstores.map((place) => {
      const { logstore, endpoint } = place
      const project = place.project ?? client.project ?? ''
      const own = place.project !== undefined || endpoint !== undefined
      return [keyOf(place, client.project), { client: own ? client.ofProject(project, endpoint) : client, logstore }]
    }),
  )
  const { logstorePattern } = settings
  const pattern = logstorePattern === null ? undefined : { client, matches: matcherOf(logstorePattern) }
  return new ClientServices({ logstores, pattern, step })
}

/** `*` stands for any text; the other characters of a pattern mean nothing to a regular expression. */
const matcherOf = (pattern: string): ((logstore: string) => boolean) => {
  const expression = new RegExp(`^${pattern.replace(/\*+/g, '.*')}$`)
  return (logstore) => expression.test(logstore)
}

/** A query may hold what nobody should see in a checkpoint. */
const hashOf = (query: string, digest: Pick<Digest, 'sha256'>): string => {
  const hasher = digest.sha256()
  hasher.update(new TextEncoder().encode(query))
  return hasher.hex().slice(0, 16)
}

/** What was read under other options is not what these would have read. @throws RestoreError */
const checkRestored = (
  restored: ShardEnumeratorState,
  settings: SlsReadSettings,
  queryHash: string | null,
  step: string,
): void => {
  if (restored.queryHash !== queryHash) throw otherQuery(step)
  // A run that had no end may get one; shards that were read to an end stay there.
  if (restored.end === null || restored.end === endText(settings.end)) return
  throw new RestoreError('CHECKPOINT_MISMATCH', {
    message: `the checkpoint belongs to a run that ends (${restored.end.slice(0, 100)}), and now it ends elsewhere or never`,
    place: { step, option: 'end' },
    fix: "put the old end back, or start afresh with restore: 'none' and a start where that run ended",
  })
}

const otherQuery = (step: string): RestoreError =>
  new RestoreError('CHECKPOINT_MISMATCH', {
    message: 'the checkpoint was taken with another query: its positions count the records that query let through',
    place: { step, option: 'query' },
    fix: "put the old query back, or start afresh with restore: 'none'",
  })
