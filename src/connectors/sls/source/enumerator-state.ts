import type { VersionedSerializer } from '../../../core/index.ts'
import type { BookedShard, ListedShard } from './shard-book.ts'
import { readShardSplit, storedSplit } from './shard-split.ts'
import { readBoolean, readCount, readList, readNullable, readObject, readOneOf, readText } from './stored-json.ts'

/** A logstore that was listed: a shard of it that turns up later is read from its beginning. */
export interface KnownLogstore {
  readonly key: string
  readonly shards: readonly BookedShard[]
}

/** What an enumerator of shards leaves to a checkpoint. The progress of the shards is with the readers. */
export interface ShardEnumeratorState {
  readonly parallelism: number
  /** What of a server-side query; null: there is none. Positions under one mean nothing under another. */
  readonly queryHash: string | null
  /** Where the run ends, in words that are the same for the same end; null: it does not. */
  readonly end: string | null
  /** Every shard of a bounded run is known. */
  readonly complete: boolean
  readonly logstores: readonly KnownLogstore[]
  /** Which reader has an assigned split. */
  readonly owners: ReadonlyMap<string, number>
}

/** Shards are short lists: with thousands of them the names of fields would be most of the state. */
const storedShard = (shard: BookedShard): readonly unknown[] => [
  shard.id,
  shard.createTime,
  shard.range.begin,
  shard.range.end,
  shard.readOnly,
  shard.state === 'waiting' ? storedSplit(shard.split) : shard.state,
]

const readShard = (value: unknown): BookedShard => {
  const [id, createTime, begin, end, readOnly, state] = readList({ shard: value }, 'shard')
  const fields = { id, createTime, begin, end, readOnly, state }
  const place: ListedShard = {
    id: readCount(fields, 'id'),
    createTime: readCount(fields, 'createTime'),
    range: { begin: readText(fields, 'begin'), end: readText(fields, 'end') },
    readOnly: readBoolean(fields, 'readOnly'),
  }
  return typeof state === 'string'
    ? { ...place, state: readOneOf(fields, 'state', ['assigned', 'finished']) }
    : { ...place, state: 'waiting', split: readShardSplit(state) }
}

/** Version 1 also counted the starts of the source, which nobody needs: a generation says more. */
export const shardEnumeratorSerializer: VersionedSerializer<ShardEnumeratorState> = {
  name: 'sls-enumerator',
  version: 2,
  serialize: (state) => {
    const { parallelism, queryHash, end, complete, logstores, owners } = state
    const stored = {
      parallelism,
      queryHash,
      end,
      complete,
      logstores: logstores.map(({ key, shards }) => ({ key, shards: shards.map(storedShard) })),
      owners: [...owners],
    }
    return new TextEncoder().encode(JSON.stringify(stored))
  },
  deserialize: (_, bytes) => {
    const fields = readObject(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), 'the state')
    return {
      parallelism: readCount(fields, 'parallelism'),
      queryHash: readNullable(fields, 'queryHash', readText),
      end: readNullable(fields, 'end', readText),
      complete: readBoolean(fields, 'complete'),
      logstores: readList(fields, 'logstores').map((value) => {
        const logstore = readObject(value, 'a logstore')
        return { key: readText(logstore, 'key'), shards: readList(logstore, 'shards').map(readShard) }
      }),
      owners: new Map(
        readList(fields, 'owners').map((value) => {
          const [splitId, subtask] = readList({ owner: value }, 'owner')
          return [readText({ splitId }, 'splitId'), readCount({ subtask }, 'subtask')] as const
        }),
      ),
    }
  },
}
