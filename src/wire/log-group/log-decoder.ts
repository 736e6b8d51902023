import { defaultLogGroupLimits } from './limits.ts'
import type { LogGroupView } from './log-group-view.ts'
import { LogScan } from './log-scan.ts'
import { LogShapes } from './log-shapes.ts'
import type { PlainFields } from './plain-fields.ts'

/**
 * Receives one log: its fields in an object that inherits nothing and is the receiver's to keep, the seconds since 1970,
 * and the nanosecond part.
 */
export type LogReceiver = (fields: PlainFields, time: number, timeNs: number | undefined) => void

/**
 * Decodes whole groups into plain objects, for programs that want every field.
 *
 * Values longer than a dozen characters share the memory of their log's text; who keeps a few of many should copy them.
 */
export class LogDecoder {
  readonly #scan = new LogScan()
  readonly #shapes = new LogShapes()
  readonly #contentsMax: number

  /** @param contentsMax as in `LogGroupLimits` */
  constructor(contentsMax: number = defaultLogGroupLimits.contentsMax) {
    this.#contentsMax = contentsMax
  }

  /** Calls `each` for every log. @throws WireError at the first that is none; those before it have been given. */
  decode(group: LogGroupView, each: LogReceiver): void {
    const scan = this.#scan
    const shapes = this.#shapes
    group.eachLogRange((source, start, end) => {
      scan.scan(source.bytes, start, end, this.#contentsMax)
      const { time, timeNs } = scan
      each(shapes.fieldsOf(scan, source.text, start, end), time, timeNs < 0 ? undefined : timeNs)
    })
  }
}
