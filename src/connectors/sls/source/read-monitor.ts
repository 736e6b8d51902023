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

interface ShardNote {
  readonly logstore: string
  readonly shard: number
  position: bigint
  atEnd: boolean
  end: bigint | undefined
  receivedMs: number | undefined
}

/** Gathers what the readers of a source in this process do. */
export class ReadMonitor {
  readonly #shards = new Map<string, ShardNote>()
  #counts: SlsReadCounts = {
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
  #wallMs: () => number = () => 0

  /** A job opens the source: what was known of its shards is not true any more. */
  begin(wallMs: () => number): void {
    this.#wallMs = wallMs
    this.#shards.clear()
  }

  count(name: keyof SlsReadCounts, amount = 1): void {
    this.#counts = { ...this.#counts, [name]: this.#counts[name] + amount }
  }

  pulled(
    { splitId, logstore, shard }: ShardSplit,
    position: bigint,
    pull: { readonly atEnd: boolean; readonly end: bigint | undefined; readonly receivedSeconds: number | undefined },
  ): void {
    const note = this.#shards.get(splitId) ?? {
      logstore,
      shard,
      position,
      atEnd: false,
      end: undefined,
      receivedMs: undefined,
    }
    note.position = position
    note.atEnd = pull.atEnd
    note.end = pull.end
    if (pull.receivedSeconds !== undefined) note.receivedMs = pull.receivedSeconds * 1000
    this.#shards.set(splitId, note)
  }

  finished(splitId: string): void {
    this.#shards.delete(splitId)
  }

  counts(): SlsReadCounts {
    return this.#counts
  }

  progress(): readonly SlsShardProgress[] {
    return Array.from(this.#shards.values(), ({ logstore, shard, position, atEnd, end, receivedMs }) => {
      const ageMs = receivedMs === undefined ? undefined : Math.max(0, this.#wallMs() - receivedMs)
      const groups = end === undefined || end < position ? undefined : Number(end - position)
      return {
        logstore,
        shard,
        cursor: encodeCursor(position),
        behindGroups: atEnd ? 0 : groups,
        behindMs: atEnd ? 0 : ageMs,
      }
    })
  }
}
