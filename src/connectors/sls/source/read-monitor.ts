import type { Clock, Metric, MetricName, SplitValue, StepMetrics } from '../../../core/index.ts'
import type { SplitWatermarks } from '../../../source/index.ts'
import { encodeCursor } from '../../../wire/index.ts'
import type { ShardSplit } from './shard-split.ts'

/** How far the reading of one shard has got, as of its last pull. What nobody knows is undefined, never zero. */
export interface SlsShardProgress {
  readonly logstore: string
  readonly shard: number
  /** The LogGroup to pull next. */
  readonly cursor: string
  /** LogGroups written and not pulled. Asked for about as often as shards are discovered. */
  readonly behindGroups: number | undefined
  /** How long ago the service received what was pulled last; 0 when nothing more is there. In milliseconds. */
  readonly behindMs: number | undefined
  /** Highest event time given out, in milliseconds since 1970. */
  readonly eventTimeMs: number | undefined
  /** It has had nothing for as long as `idleAfter` says, and holds no watermark back. */
  readonly idle: boolean
}

/** What a source has done in this process. */
export interface SlsReadCounts {
  readonly pulls: number
  /** Pulls that found nothing. */
  readonly emptyPulls: number
  /** Pulls that the quota of a shard refused. */
  readonly throttledPulls: number
  /** Decoded bytes of all answers. */
  readonly pulledBytes: number
  /** Times that data was gone and the loss accepted. */
  readonly losses: number
  /** LogGroups lost that way, as far as they could be counted. */
  readonly lostGroups: number
  /** LogGroups passed over because they cannot be decoded. */
  readonly invalidGroups: number
  /** LogGroups dropped because their package had been read. */
  readonly resentGroups: number
  /** Times that a consumer group could not be told. */
  readonly mirrorFailures: number
}

const metricNames: Readonly<Record<keyof SlsReadCounts, MetricName>> = {
  pulls: 'millrace_pulls_total',
  emptyPulls: 'millrace_empty_pulls_total',
  throttledPulls: 'millrace_throttled_pulls_total',
  pulledBytes: 'millrace_pulled_bytes_total',
  losses: 'millrace_losses_total',
  lostGroups: 'millrace_lost_groups_total',
  invalidGroups: 'millrace_invalid_groups_total',
  resentGroups: 'millrace_resent_groups_total',
  mirrorFailures: 'millrace_mirror_failures_total',
}

/** What came of a pull, as far as it tells how far behind the reading is. */
export interface PullNote {
  readonly atEnd: boolean
  readonly end: bigint | undefined
  readonly receivedSeconds: number | undefined
}

/** Where one reader notes what it does. */
export interface ReadNotes {
  count(name: keyof SlsReadCounts, amount?: number): void
  pulled(split: ShardSplit, position: bigint, pull: PullNote): void
  /** Event time in the shards that this one follows ended there. */
  follows(splitId: string, watermarkMs: number): void
  finished(splitId: string): void
}

interface ShardNote {
  readonly logstore: string
  readonly shard: number
  position: bigint
  atEnd: boolean
  end: bigint | undefined
  receivedMs: number | undefined
  readonly watermarks: SplitWatermarks
}

/** Gathers what the readers of a source in this process do. */
export class ReadMonitor {
  readonly #shards = new Map<string, ShardNote>()
  readonly #counts: { -readonly [Name in keyof SlsReadCounts]: number } = {
    pulls: 0,
    emptyPulls: 0,
    throttledPulls: 0,
    pulledBytes: 0,
    losses: 0,
    lostGroups: 0,
    invalidGroups: 0,
    resentGroups: 0,
    mirrorFailures: 0,
  }
  #clock: Pick<Clock, 'wallMs' | 'monoMs'> = { wallMs: () => 0, monoMs: () => 0 }

  /** A job opens the source: what was known of its shards is not true any more. */
  begin(clock: Pick<Clock, 'wallMs' | 'monoMs'>): void {
    this.#clock = clock
    this.#shards.clear()
  }

  /** The notes of one reader, which are also its metrics. */
  notesOf(metrics: StepMetrics, watermarks: SplitWatermarks): ReadNotes {
    const counters = Object.fromEntries(
      Object.entries(metricNames).map(([count, name]) => [count, metrics.metric(name)]),
    ) as Record<keyof SlsReadCounts, Metric>
    return {
      count: (name, amount = 1) => {
        this.#counts[name] += amount
        counters[name].add(amount)
      },
      pulled: (split, position, pull) => this.#pulled(split, position, pull, watermarks),
      follows: (splitId, watermarkMs) => watermarks.startAt(splitId, watermarkMs),
      finished: (splitId) => void this.#shards.delete(splitId),
    }
  }

  /** Tells how far behind the reading of all shards is as metrics of the step. */
  expose(metrics: StepMetrics): void {
    metrics.observe('millrace_pending_groups', () => this.#overShards(behindGroups, (a, b) => a + b))
    metrics.observe('millrace_source_lag_ms', () => this.#overShards(this.#behindMs, Math.max))
    metrics.observeSplits('millrace_split_pending_groups', () => this.#eachShard(behindGroups))
    metrics.observeSplits('millrace_split_lag_ms', () => this.#eachShard(this.#behindMs))
  }

  #overShards(of: (note: ShardNote) => number | undefined, join: (a: number, b: number) => number): number | undefined {
    let all: number | undefined
    for (const note of this.#shards.values()) {
      const value = of(note)
      if (value !== undefined) all = all === undefined ? value : join(all, value)
    }
    return all
  }

  *#eachShard(of: (note: ShardNote) => number | undefined): Generator<SplitValue> {
    for (const [splitId, note] of this.#shards) yield [splitId, of(note)]
  }

  readonly #behindMs = ({ atEnd, receivedMs }: ShardNote): number | undefined => {
    if (atEnd) return 0
    return receivedMs === undefined ? undefined : Math.max(0, this.#clock.wallMs() - receivedMs)
  }

  #pulled(
    { splitId, logstore, shard }: ShardSplit,
    position: bigint,
    pull: PullNote,
    watermarks: SplitWatermarks,
  ): void {
    const note = this.#shards.get(splitId) ?? {
      logstore,
      shard,
      position,
      atEnd: false,
      end: undefined,
      receivedMs: undefined,
      watermarks,
    }
    note.position = position
    note.atEnd = pull.atEnd
    note.end = pull.end
    if (pull.receivedSeconds !== undefined) note.receivedMs = pull.receivedSeconds * 1000
    this.#shards.set(splitId, note)
  }

  counts(): SlsReadCounts {
    return { ...this.#counts }
  }

  progress(): readonly SlsShardProgress[] {
    const nowMs = this.#clock.monoMs()
    return Array.from(this.#shards, ([splitId, note]) => {
      const eventTime = note.watermarks.of(splitId, nowMs)
      return {
        logstore: note.logstore,
        shard: note.shard,
        cursor: encodeCursor(note.position),
        behindGroups: behindGroups(note),
        behindMs: this.#behindMs(note),
        eventTimeMs: eventTime?.eventTimeMs,
        idle: eventTime?.idle ?? false,
      }
    })
  }
}

const behindGroups = ({ position, atEnd, end }: ShardNote): number | undefined => {
  if (atEnd) return 0
  return end === undefined || end < position ? undefined : Number(end - position)
}
