import { jsonSerializer, type VersionedSerializer } from '../../../core/index.ts'
import type { Split } from '../../../source/index.ts'
import { readBigInt, readCount, readList, readNullable, readObject, readOneOf, readText } from './stored-json.ts'

/** One shard, and how far it is read. */
export interface ShardSplit extends Split {
  /** Key of the logstore among those of the source. */
  readonly logstore: string
  readonly shard: number
  /** Seconds since 1970. A shard of the same number and another time belongs to a logstore that was made anew. */
  readonly createTime: number
  /**
   * Position of the LogGroup to read next, or of the one that is given out at the moment. `begin`: the first one the shard
   * holds, whatever that is when the shard is first read.
   */
  readonly cursor: bigint | 'begin'
  /** Records already given out that the service gives again when it is asked for `cursor`. */
  readonly skip: number
  /**
   * Under a query, while `skip` counts something: the records counted lie before this position. Should the pull expire that
   * they came with, nobody can tell any more which of the later ones were among them.
   */
  readonly pullEnd?: bigint | undefined
  /** Position of the first LogGroup that is not read any more; null: there is none yet. */
  readonly stop: bigint | null
  /** What of a server-side query; null: there is none. Under a query `skip` counts the records it let through. */
  readonly queryHash: string | null
  /** How often data of this shard was gone and the loss accepted. */
  readonly losses: number
  /** LogGroups lost that way, as far as they could be counted. */
  readonly lostGroups: number
  /** Packages read lately, oldest first, to drop those that were sent twice. */
  readonly packages: readonly string[]
  readonly state: 'reading' | 'finished'
}

/** The id of a shard: the same for ever, and never that of another shard. */
export const shardSplitId = (logstore: string, shard: number, createTime: number): string =>
  `${logstore}/${shard}@${createTime}`

/** A shard that was just found. */
export const newShardSplit = (
  logstore: string,
  shard: number,
  createTime: number,
  at: Partial<Pick<ShardSplit, 'cursor' | 'stop' | 'queryHash'>>,
): ShardSplit => ({
  splitId: shardSplitId(logstore, shard, createTime),
  logstore,
  shard,
  createTime,
  cursor: 'begin',
  skip: 0,
  stop: null,
  queryHash: null,
  losses: 0,
  lostGroups: 0,
  packages: [],
  state: 'reading',
  ...at,
})

const encoder = new TextEncoder()
/** Splits never change, and of thousands most are the same in one checkpoint after the other (benchmark many-shards). */
const serialized = new WeakMap<ShardSplit, Uint8Array>()

/** Positions are decimal text: they are int64. */
export const shardSplitSerializer: VersionedSerializer<ShardSplit> = {
  ...jsonSerializer<unknown>('sls-shard', 1, (_, value) => value),
  serialize: (split) => {
    const known = serialized.get(split)
    if (known !== undefined) return known
    const bytes = encoder.encode(JSON.stringify(storedSplit(split)))
    serialized.set(split, bytes)
    return bytes
  },
  deserialize: (_, bytes) => readShardSplit(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))),
}

/** What a checkpoint holds of a split. What most splits do not have is left out. */
export const storedSplit = (split: ShardSplit): Readonly<Record<string, unknown>> => ({
  splitId: split.splitId,
  logstore: split.logstore,
  shard: split.shard,
  createTime: split.createTime,
  cursor: String(split.cursor),
  skip: split.skip,
  stop: split.stop === null ? null : String(split.stop),
  queryHash: split.queryHash,
  ...(split.pullEnd === undefined ? {} : { pullEnd: String(split.pullEnd) }),
  ...(split.losses === 0 ? {} : { losses: split.losses, lostGroups: split.lostGroups }),
  ...(split.packages.length === 0 ? {} : { packages: split.packages }),
  state: split.state,
})

/** @throws TypeError when the value is not a split. */
export const readShardSplit = (value: unknown): ShardSplit => {
  const fields = readObject(value, 'a split')
  return {
    splitId: readText(fields, 'splitId'),
    logstore: readText(fields, 'logstore'),
    shard: readCount(fields, 'shard'),
    createTime: readCount(fields, 'createTime'),
    cursor: fields['cursor'] === 'begin' ? 'begin' : readBigInt(fields, 'cursor'),
    skip: readCount(fields, 'skip'),
    ...(fields['pullEnd'] === undefined ? {} : { pullEnd: readBigInt(fields, 'pullEnd') }),
    stop: readNullable(fields, 'stop', readBigInt),
    queryHash: readNullable(fields, 'queryHash', readText),
    losses: fields['losses'] === undefined ? 0 : readCount(fields, 'losses'),
    lostGroups: fields['lostGroups'] === undefined ? 0 : readCount(fields, 'lostGroups'),
    packages:
      fields['packages'] === undefined
        ? []
        : readList(fields, 'packages').map((item) => readText({ package: item }, 'package')),
    state: readOneOf(fields, 'state', ['reading', 'finished']),
  }
}
