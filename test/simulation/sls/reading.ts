import { type StoredLog, type StoredLogGroup, textOf } from './stored-group.ts'

/** A filter of the service, and what it has to let through. */
export interface SimQuery {
  readonly text: string
  readonly keeps: (fields: StoredLog['fields'], topic: string) => boolean
}

/** Values of the field `class`. */
export const classes = ['a', 'b', 'ab'] as const
export const topics = ['t0', 't1', 't2', 't3'] as const

export const queries: readonly SimQuery[] = [
  { text: 'class: a', keeps: (fields) => fields['class'] === 'a' },
  { text: 'not class: a', keeps: (fields) => fields['class'] !== 'a' },
  { text: 'class: a* and not __topic__: t1', keeps: (fields, topic) => fields['class'] !== 'b' && topic !== 't1' },
  { text: '(class: b or class: ab) and id: *', keeps: (fields) => fields['class'] !== 'a' },
  { text: '*', keeps: () => true },
]

/** A record of a source, as a job may say what it is. */
export interface ReadRecord {
  readonly line: string
  readonly key: string
  /** Of the log, or the package of the group. */
  readonly id: string
}

/** Where a LogGroup lies. */
export interface GroupPlace {
  readonly shard: number
  readonly cursor: string
}

/** What a source makes of a LogGroup. */
export interface Reading {
  /** Groups with a pack tag that their shard has had are not given. */
  readonly dropsCopies: boolean
  readonly recordsOf: (group: StoredLogGroup, place: GroupPlace) => readonly ReadRecord[]
}

/** The line a log is archived as: where it lies, and what it holds. */
export const lineOf = (place: GroupPlace & { readonly index: number }, id: string): string =>
  `${place.shard}/${place.cursor}/${place.index}|${id}`

/** Under a query the cursor is that of a pull, and a log has the number that the filter left it. */
export const lineInShard = ({ shard }: Pick<GroupPlace, 'shard'>, id: string): string => `${shard}|${id}`

export const lineOfGroup = ({ shard, cursor }: GroupPlace, id: string): string => `${shard}/${cursor}|${id}`

/** A group that cannot be read is where it lies. */
export const lineOfLetter = ({ shard, cursor }: GroupPlace): string => `${shard}/${cursor}`

const keyOf = ({ fields }: StoredLog): string => fields['key'] ?? ''
const idOf = ({ fields }: StoredLog): string => fields['id'] ?? ''

/** A group as the service gives it: without the logs that do not match; undefined when none does. */
export const filtered = (group: StoredLogGroup, query: SimQuery | undefined): StoredLogGroup | undefined => {
  if (query === undefined) return group
  const { topic, tags } = group
  const logs = group.logs.filter(({ fields }) => query.keeps(fields, topic)).map((log, index) => ({ ...log, index }))
  return logs.length === 0 ? undefined : { ...group, logs, text: textOf(topic, tags, logs) }
}

export const readingOf = (kind: 'logs' | 'groups', query: SimQuery | undefined, dropsCopies: boolean): Reading => ({
  dropsCopies,
  recordsOf: (stored, place) => {
    const group = filtered(stored, query)
    if (group === undefined || group.broken) return []
    if (kind === 'groups') {
      const { packId: id = '', topic: key } = group
      return [{ line: query === undefined ? lineOfGroup(place, id) : lineInShard(place, id), key, id }]
    }
    return group.logs.map((log) => {
      const id = idOf(log)
      const line = query === undefined ? lineOf({ ...place, index: log.index }, id) : lineInShard(place, id)
      return { line, key: keyOf(log), id }
    })
  },
})
