import type { DeadLetter, Origin } from '../../../core/index.ts'
import type { Fetched, FetchedDeadLetter, RecordList } from '../../../source/index.ts'
import { encodeCursor } from '../../../wire/index.ts'
import { JoinedList, listOf } from './joined-list.ts'
import type { Pulled } from './log-service.ts'
import type { ShardSplit } from './shard-split.ts'

/** Records of one LogGroup of a pull. */
export interface GroupRecords<Item> {
  /** Empty when the pull was released. */
  records: RecordList<Item>
  timestamps: RecordList<number> | undefined
  /** Records of the group given out before. Those are not in `records`. */
  readonly skipped: number
  /** The tag by which a producer marks a package; undefined when it does not count. */
  readonly packageId: string | undefined
  /** The package was read before: the group is dropped. */
  readonly resent?: boolean | undefined
  /** Bytes of the serialised group. */
  readonly bytes: number
  /** Makes what the dead-letter sink gets of it; of a group without records. */
  readonly letter?: (() => DeadLetter) | undefined
}

/** What a record object costs beside its bytes, roughly. */
const recordOverheadBytes = 96

export interface FetchedGroupsOptions<Item> {
  /** The split before. */
  readonly split: ShardSplit
  readonly pulled: Pick<Pulled, 'next' | 'bytes' | 'release'>
  readonly groups: readonly GroupRecords<Item>[]
  /** The split after the last record. */
  readonly end: ShardSplit
  readonly waitMs: number
  /** How many packages a split remembers. */
  readonly packagesMax: number
}

/**
 * Records of one pull. A position is the LogGroup and the records of it that were given out, so that a barrier can fall
 * between any two; under a query it is the pull and the records of all of it.
 */
export class FetchedGroups<Item> implements Fetched<Item, ShardSplit> {
  readonly records: JoinedList<Item>
  readonly timestamps: JoinedList<number> | undefined
  readonly deadLetters: readonly FetchedDeadLetter[] | undefined
  readonly bytes: number
  readonly waitMs: number
  readonly #options: FetchedGroupsOptions<Item>
  /** Index of the first record after each group. */
  readonly #ends: readonly number[]
  readonly #recordBytes: number

  constructor(options: FetchedGroupsOptions<Item>) {
    const { groups, pulled, waitMs } = options
    this.#options = options
    this.records = new JoinedList(groups.map(({ records }) => records))
    const timestamps = groups.flatMap((group) => (group.timestamps === undefined ? [] : [group.timestamps]))
    this.timestamps = timestamps.length < groups.length ? undefined : new JoinedList(timestamps)
    this.waitMs = waitMs
    this.bytes = pulled.bytes + this.records.length * recordOverheadBytes
    this.#ends = this.records.ends
    this.deadLetters = lettersOf(groups, this.#ends)
    const payloadBytes = groups.reduce((total, group) => total + group.bytes, 0)
    this.#recordBytes = recordOverheadBytes + Math.ceil(payloadBytes / Math.max(1, this.records.length))
  }

  /** An average: what is limited is a sum of many. */
  recordBytes(): number {
    return this.#recordBytes
  }

  splitAfter(count: number): ShardSplit {
    if (count >= this.records.length) return this.#options.end
    let group = this.#groupOf(count)
    // What goes out with the record of that number lies behind the position.
    for (let at = group - 1; at >= 0 && (this.#ends[at - 1] ?? 0) === count; at--) {
      if (this.#options.groups[at]?.letter !== undefined) group = at
    }
    return this.#splitAt(count, group)
  }

  /** The split before record `count`, or before a group without records in front of it. */
  #splitAt(count: number, group: number): ShardSplit {
    const { split, pulled, groups, packagesMax } = this.#options
    if (split.queryHash !== null) {
      const { pullEnd = pulled.next } = split
      const skip = split.skip + count
      return { ...split, skip, pullEnd: skip === 0 ? undefined : pullEnd > pulled.next ? pullEnd : pulled.next }
    }
    const cursor = cursorOf(split)
    const given = count - (this.#ends[group - 1] ?? 0)
    return {
      ...split,
      cursor: cursor + BigInt(group),
      skip: given + (groups[group]?.skipped ?? 0),
      packages: rememberPackages(split.packages, groups.slice(0, group), packagesMax),
    }
  }

  originOf(index: number): Origin {
    const { cursor, skip, splitId } = this.#splitAt(index, this.#groupOf(index))
    const at = cursor === 'begin' ? cursor : encodeCursor(cursor)
    return { split: splitId, position: skip === 0 ? at : `${at}+${skip}` }
  }

  /**
   * Lets go of the answer; positions and origins can still be asked for. The promises of a pull are of the old generation
   * when the answer comes late, and what they lead to would stay until that is collected (benchmark shard-cost).
   */
  release(): void {
    const { groups, pulled } = this.#options
    for (const group of groups) {
      group.records = []
      group.timestamps = undefined
    }
    this.records.release()
    this.timestamps?.release()
    pulled.release()
  }

  /** The group that record `index` belongs to. */
  #groupOf(index: number): number {
    return listOf(this.#ends, index)
  }
}

/** Each before the first record of the groups behind it. A loop, as most pulls have none. */
const lettersOf = (
  groups: readonly GroupRecords<unknown>[],
  ends: readonly number[],
): readonly FetchedDeadLetter[] | undefined => {
  let letters: FetchedDeadLetter[] | undefined
  for (const [index, { letter }] of groups.entries()) {
    if (letter === undefined) continue
    letters ??= []
    letters.push({ before: ends[index] ?? 0, letter })
  }
  return letters
}

/** The position of a split that was pulled from. */
export const cursorOf = (split: ShardSplit): bigint => (split.cursor === 'begin' ? 0n : split.cursor)

/** The packages a split remembers after some more LogGroups. */
export const rememberPackages = (
  before: readonly string[],
  groups: readonly Pick<GroupRecords<unknown>, 'packageId'>[],
  max: number,
): readonly string[] => {
  if (max === 0) return before
  const added = groups.flatMap(({ packageId }) => (packageId === undefined ? [] : [packageId]))
  return added.length === 0 ? before : [...before, ...added].slice(-max)
}

const nothingPulled = { next: 0n, bytes: 0, release: (): void => {} }

/** No record; the split may have changed all the same. */
export const fetchedNothing = <Item>(split: ShardSplit, waitMs: number): FetchedGroups<Item> =>
  new FetchedGroups({ split, pulled: nothingPulled, groups: [], end: split, waitMs, packagesMax: 0 })
