import type { RecordList } from '../../../source/index.ts'
import { checkLogGroup, type LogGroupView } from '../../../wire/index.ts'
import type { GroupRecords } from './fetched-groups.ts'
import { type Log, LogList } from './log.ts'
import { LogGroup } from './log-group.ts'
import { type GroupOrigin, PulledGroup } from './pulled-group.ts'
import type { SlsReadSettings } from './source-options.ts'

/** How the records of a LogGroup are made. */
export type RecordRules = Pick<SlsReadSettings, 'records' | 'eventTime' | 'metadataFields' | 'dropResentPackages'>

/**
 * A class, as V8 allocates literals, and what is made for them, in the old generation when those before were kept for long:
 * there they would hold the logs of answers that nobody needs any more (benchmark shard-cost).
 */
class ReadGroup<Item> implements GroupRecords<Item> {
  records: RecordList<Item>
  timestamps: RecordList<number> | undefined
  readonly skipped: number
  readonly packageId: string | undefined
  readonly bytes: number

  constructor(
    records: RecordList<Item>,
    timestamps: RecordList<number> | undefined,
    skipped: number,
    packageId: string | undefined,
    bytes: number,
  ) {
    this.records = records
    this.timestamps = timestamps
    this.skipped = skipped
    this.packageId = packageId
    this.bytes = bytes
  }
}

/** Marks a package of the official producers and of ours (SLS protocol paper, section 10.1). */
const packageTag = '__pack_id__'

/** The event times of logs, after every byte of them was looked at. */
const checkedTimestamps = (group: PulledGroup, rules: RecordRules): readonly number[] | undefined => {
  if (rules.eventTime === 'record') {
    // To read the time of a log is to check all of it: once is enough (a sixth of the time of reading it).
    checkTags(group)
    return group.view.logTimesMs()
  }
  checkLogGroup(group.view.bytes)
  const { receivedMs } = group
  return receivedMs === undefined ? undefined : new Array<number>(group.view.logCount).fill(receivedMs)
}

const checkTags = (group: PulledGroup): number => group.tags.length

/** The event time of a whole group is that of its first log. */
const groupTimestamps = (group: PulledGroup, rules: RecordRules): readonly number[] | undefined => {
  const first = rules.eventTime === 'record' ? group.view.logs().next().value : undefined
  const timeMs = first === undefined ? group.receivedMs : first.time * 1000
  return timeMs === undefined ? undefined : [timeMs]
}

/**
 * The records of one LogGroup, all that a reader could trip over checked.
 * @param skip records given out before
 * @param seen packages that are dropped
 * @throws WireError when the group cannot be decoded
 */
export const recordsOf = (
  view: LogGroupView,
  origin: Omit<GroupOrigin, 'metadataFields'>,
  rules: RecordRules,
  skip: number,
  seen: ReadonlySet<string>,
): GroupRecords<Log | LogGroup> => {
  const { metadataFields, records: kind } = rules
  const group = new PulledGroup(view, { ...origin, metadataFields })
  const bytes = view.bytes.length
  const packageId = rules.dropResentPackages === 0 ? undefined : group.tags.find(([key]) => key === packageTag)?.[1]
  if (packageId !== undefined && seen.has(packageId)) return { ...noRecords(bytes), resent: true }
  if (kind === 'groups') {
    const timestamps = groupTimestamps(group, rules)
    if (skip > 0) return { ...noRecords(bytes), skipped: skip, packageId }
    return new ReadGroup([new LogGroup(group)], timestamps, 0, packageId, bytes)
  }
  // Also of those that are left out: a group that cannot be decoded had no records to give out.
  const timestamps = checkedTimestamps(group, rules)
  const left = skip === 0 ? timestamps : timestamps?.slice(skip)
  return new ReadGroup(new LogList(group, skip), left, skip, packageId, bytes)
}

/** Of a group that is passed over. */
export const noRecords = (bytes: number): GroupRecords<never> => ({
  records: [],
  timestamps: [],
  skipped: 0,
  packageId: undefined,
  bytes,
})
