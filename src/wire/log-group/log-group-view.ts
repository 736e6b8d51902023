import { FieldCursor } from './field-cursor.ts'
import { type LogGroupLimits, logGroupLimits } from './limits.ts'
import { LogScan } from './log-scan.ts'
import { LogSource, LogView } from './log-view.ts'
import { pairRange } from './pair-range.ts'
import { groupLogTag, groupMachineUuidTag, groupSourceTag, groupTagTag, groupTopicTag, listGroupTag } from './tags.ts'
import { tooMany } from './wire-problem.ts'

/** Nothing runs between a scan and its use. */
const scan = new LogScan()

/** What the one pass over a group finds. Ranges of absent fields are empty. */
interface GroupIndex {
  readonly logCount: number
  readonly topic: Range
  readonly source: Range
  readonly machineUuid: Range
  readonly tags: readonly Range[]
}

interface Range {
  readonly start: number
  readonly end: number
}

const nowhere: Range = { start: 0, end: 0 }

const indexGroup = (bytes: Uint8Array, start: number, end: number, limits: LogGroupLimits): GroupIndex => {
  const cursor = new FieldCursor(bytes, start, end)
  const tags: Range[] = []
  let [logCount, topic, source, machineUuid] = [0, nowhere, nowhere, nowhere]
  while (cursor.next()) {
    switch (cursor.tag) {
      case groupLogTag:
        if (++logCount > limits.logsMax) throw tooMany('logs in a LogGroup', 'logsMax', limits.logsMax)
        break
      case groupTopicTag:
        topic = { start: cursor.from, end: cursor.to }
        break
      case groupSourceTag:
        source = { start: cursor.from, end: cursor.to }
        break
      case groupMachineUuidTag:
        machineUuid = { start: cursor.from, end: cursor.to }
        break
      case groupTagTag:
        if (tags.length >= limits.tagsMax) throw tooMany('tags in a LogGroup', 'tagsMax', limits.tagsMax)
        tags.push({ start: cursor.from, end: cursor.to })
        break
    }
  }
  return { logCount, topic, source, machineUuid, tags }
}

/**
 * One LogGroup of a buffer: an index, not a copy. What it says about its logs is decoded when it is asked for; to know
 * that all of it is legal, use `checkLogGroup`. It keeps the buffer alive.
 */
export class LogGroupView {
  readonly #source: LogSource
  readonly #start: number
  readonly #end: number
  readonly #index: GroupIndex
  /** Where the payload of each log begins and ends; made when one is asked for by number. */
  #logs: Uint32Array | undefined

  /** @throws WireError when the bytes are no sequence of fields, or hold more than the limits allow. */
  constructor(source: LogSource, start: number, end: number, limits: LogGroupLimits) {
    this.#start = start
    this.#end = end
    this.#source = source
    this.#index = indexGroup(source.bytes, start, end, limits)
  }

  /** The serialised group as it came, a slice of the buffer: to be passed on. */
  get bytes(): Uint8Array {
    return this.#source.bytes.subarray(this.#start, this.#end)
  }

  get logCount(): number {
    return this.#index.logCount
  }

  /** Empty when there is none. */
  get topic(): string {
    return this.#text(this.#index.topic)
  }

  /** Empty when there is none. */
  get source(): string {
    return this.#text(this.#index.source)
  }

  /** Empty when there is none. */
  get machineUuid(): string {
    return this.#text(this.#index.machineUuid)
  }

  /** In the order of the wire. */
  get tags(): readonly (readonly [string, string])[] {
    return this.#index.tags.map(({ start, end }) => {
      const { keyStart, keyEnd, valueStart, valueEnd } = pairRange(this.#source.bytes, start, end)
      return [this.#source.text.utf8(keyStart, keyEnd), this.#source.text.utf8(valueStart, valueEnd)] as const
    })
  }

  /** The log of a number from 0; undefined when there are not so many. */
  log(index: number): LogView | undefined {
    if (!(index >= 0 && index < this.logCount)) return undefined
    const ranges = this.#logRanges()
    return this.#view(ranges[index * 2] as number, ranges[index * 2 + 1] as number)
  }

  /** All logs, one after another. */
  *logs(): Generator<LogView, void, undefined> {
    const cursor = new FieldCursor(this.#source.bytes, this.#start, this.#end)
    while (cursor.next()) if (cursor.tag === groupLogTag) yield this.#view(cursor.from, cursor.to)
  }

  /** Calls `each` with the buffer and where each log lies in it: the cheapest way through a group. */
  eachLogRange(each: (source: LogSource, start: number, end: number) => void): void {
    const cursor = new FieldCursor(this.#source.bytes, this.#start, this.#end)
    while (cursor.next()) if (cursor.tag === groupLogTag) each(this.#source, cursor.from, cursor.to)
  }

  /**
   * The times of all logs, in milliseconds since 1970, whole ones. Every byte of every log is looked at.
   * @throws WireError when one of them is no log
   */
  logTimesMs(): number[] {
    const times: number[] = []
    this.eachLogRange(({ bytes, contentsMax }, start, end) => {
      scan.scan(bytes, start, end, contentsMax)
      times.push(scan.time * 1000 + Math.floor(Math.max(0, scan.timeNs) / 1_000_000))
    })
    return times
  }

  #view(start: number, end: number): LogView {
    return new LogView(this.#source, start, end)
  }

  #logRanges(): Uint32Array {
    if (this.#logs !== undefined) return this.#logs
    const logs = new Uint32Array(this.logCount * 2)
    let used = 0
    this.eachLogRange((_, start, end) => {
      logs[used++] = start
      logs[used++] = end
    })
    this.#logs = logs
    return logs
  }

  #text({ start, end }: Range): string {
    return this.#source.text.utf8(start, end)
  }
}

/**
 * A LogGroup as an index over its bytes.
 * @throws WireError when the bytes are no sequence of fields, or hold more than the limits allow.
 */
export const viewLogGroup = (bytes: Uint8Array, limits?: Partial<LogGroupLimits>): LogGroupView =>
  viewWhole(bytes, logGroupLimits(limits))

const viewWhole = (bytes: Uint8Array, limits: LogGroupLimits): LogGroupView =>
  new LogGroupView(new LogSource(bytes, limits.contentsMax), 0, bytes.length, limits)

/**
 * The LogGroups of a LogGroupList, the decoded body of a pull (SLS protocol paper, section 5.4).
 * @throws WireError as `viewLogGroup`.
 */
export const viewLogGroupList = (bytes: Uint8Array, limits?: Partial<LogGroupLimits>): LogGroupView[] => {
  const all = logGroupLimits(limits)
  const source = new LogSource(bytes, all.contentsMax)
  const groups: LogGroupView[] = []
  const cursor = new FieldCursor(bytes, 0, bytes.length)
  while (cursor.next()) {
    if (cursor.tag !== listGroupTag) continue
    if (groups.length >= all.groupsMax) throw tooMany('LogGroups in a list', 'groupsMax', all.groupsMax)
    groups.push(new LogGroupView(source, cursor.from, cursor.to, all))
  }
  return groups
}
