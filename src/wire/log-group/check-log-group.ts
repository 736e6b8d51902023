import { FieldCursor } from './field-cursor.ts'
import { type LogGroupLimits, logGroupLimits } from './limits.ts'
import { LogScan } from './log-scan.ts'
import { pairRange } from './pair-range.ts'
import { groupLogTag, groupTagTag } from './tags.ts'
import { tooMany } from './wire-problem.ts'

const scan = new LogScan()

export interface CheckedLogGroup {
  readonly logCount: number
}

/**
 * Reads every field of a group that nobody vouches for, once, and keeps nothing: whoever reads it later, with whatever
 * library, will find it whole. Text is not looked at: values need not be UTF-8 (SLS protocol paper, section 3.2).
 *
 * @throws WireError when the bytes are no LogGroup, or hold more than the limits allow.
 */
export const checkLogGroup = (bytes: Uint8Array, limits?: Partial<LogGroupLimits>): CheckedLogGroup => {
  const { logsMax, contentsMax, tagsMax } = logGroupLimits(limits)
  const cursor = new FieldCursor(bytes, 0, bytes.length)
  let [logCount, tagCount] = [0, 0]
  while (cursor.next()) {
    if (cursor.tag === groupLogTag) {
      if (++logCount > logsMax) throw tooMany('logs in a LogGroup', 'logsMax', logsMax)
      scan.scan(bytes, cursor.from, cursor.to, contentsMax)
    } else if (cursor.tag === groupTagTag) {
      if (++tagCount > tagsMax) throw tooMany('tags in a LogGroup', 'tagsMax', tagsMax)
      pairRange(bytes, cursor.from, cursor.to)
    }
  }
  return { logCount }
}
