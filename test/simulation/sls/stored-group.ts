import { isMillraceError } from '../../../src/core/index.ts'
import { viewLogGroup } from '../../../src/wire/index.ts'

/** How a group can be broken: found by whoever looks into its log, or by whoever counts its logs. */
export type Poison = 'log' | 'group'

const poisons: Readonly<Record<Poison, Uint8Array>> = {
  log: Uint8Array.of(0x0a, 0x02, 0xff, 0xff),
  group: Uint8Array.of(0xff, 0xff, 0xff),
}

/** A group of this topic is broken when it is stored. */
export const topicOf = (poison: Poison): string => `poison ${poison}`

/** What the disk holds of a group instead; undefined for what it is. */
export const spoiled = (group: Uint8Array): Uint8Array | undefined => {
  const { topic } = viewLogGroup(group)
  if (topic === topicOf('log')) return poisons.log
  return topic === topicOf('group') ? poisons.group : undefined
}

/** A log as it lies in the storage. */
export interface StoredLog {
  readonly fields: Readonly<Record<string, string>>
  /** Number of the log in its LogGroup. */
  readonly index: number
}

/** A LogGroup as it lies in the storage. */
export interface StoredLogGroup {
  readonly packId: string | undefined
  readonly topic: string
  readonly tags: readonly (readonly [string, string])[]
  readonly logs: readonly StoredLog[]
  readonly receivedMs: number
  /** To tell whether it is the same after a restart, or in another logstore. */
  readonly text: string
  /** Its bytes are those of no LogGroup: nothing of it can be given. */
  readonly broken?: boolean | undefined
}

/** All that a group holds, as a text. */
export const textOf = (
  topic: string,
  tags: StoredLogGroup['tags'],
  logs: StoredLogGroup['logs'],
): StoredLogGroup['text'] => JSON.stringify([topic, tags, logs])

export const storedGroup = (bytes: Uint8Array, receivedMs: number): StoredLogGroup => {
  try {
    const view = viewLogGroup(bytes)
    const { topic, tags } = view
    const logs = [...view.logs()].map((log, index) => ({ fields: { ...log.toObject() }, index }))
    const packId = tags.find(([name]) => name === '__pack_id__')?.[1]
    return { packId, topic, tags, logs, receivedMs, text: textOf(topic, tags, logs) }
  } catch (error) {
    if (!isMillraceError(error)) throw error
    return { packId: undefined, topic: '', tags: [], logs: [], receivedMs, text: bytes.join(), broken: true }
  }
}
