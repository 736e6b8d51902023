import { type LogGroupLimits, logGroupLimits } from './limits.ts'
import type { LogInit } from './log-init.ts'
import { LogScan, rangesPerContent } from './log-scan.ts'
import { LogShapes } from './log-shapes.ts'
import type { LogWriter } from './log-writer.ts'
import type { PlainFields } from './plain-fields.ts'
import { isText, TextReader } from './text.ts'

/** Shared by all views: nothing runs between a scan and its use. The number tells a view whether the last one was its. */
const scan = new LogScan()
const shapes = new LogShapes()
let lastScan = 0

/** A buffer that logs are read from. */
export class LogSource {
  readonly bytes: Uint8Array
  /** Contents a log may have. */
  readonly contentsMax: number
  #text: TextReader | undefined

  constructor(bytes: Uint8Array, contentsMax: number) {
    this.bytes = bytes
    this.contentsMax = contentsMax
  }

  /** Made when the first text is read. */
  get text(): TextReader {
    this.#text ??= new TextReader(this.bytes)
    return this.#text
  }
}

/** A serialised log by itself, e.g. one that was kept with `LogView.bytes`. */
export const viewLog = (bytes: Uint8Array, limits?: Partial<LogGroupLimits>): LogView =>
  new LogView(new LogSource(bytes, logGroupLimits(limits).contentsMax), 0, bytes.length)

/**
 * One log of a buffer. Nothing is decoded before it is asked for, and nothing is kept; several questions in a row about
 * one log read it once. It keeps the whole buffer alive: take what is needed with `toObject`, or copy `bytes`.
 *
 * Every member but `bytes` throws a WireError when the bytes are no log.
 */
export class LogView {
  readonly #source: LogSource
  readonly #start: number
  readonly #end: number
  #ownScan = -1

  constructor(source: LogSource, start: number, end: number) {
    this.#source = source
    this.#start = start
    this.#end = end
  }

  /** The serialised log as it came, a slice of the buffer. */
  get bytes(): Uint8Array {
    return this.#source.bytes.subarray(this.#start, this.#end)
  }

  /** Copies the serialised log into a writer, with more contents behind its own: cheaper than through `bytes`. */
  copyTo(writer: LogWriter, tag: number, added: LogInit['contents'] | undefined): void {
    writer.copiedLog(tag, this.#source.bytes, this.#start, this.#end, added)
  }

  /** Seconds since 1970. */
  get time(): number {
    return this.#scan().time
  }

  /** The nanosecond part of the time; undefined when the log has none. */
  get timeNs(): number | undefined {
    const { timeNs } = this.#scan()
    return timeNs < 0 ? undefined : timeNs
  }

  get contentCount(): number {
    return this.#scan().count
  }

  /** The value of a field, of the last one of that name; undefined when there is none. */
  get(name: string): string | undefined {
    const at = this.#find(name)
    return at < 0 ? undefined : this.#text(at + 2)
  }

  /** As `get`, but the bytes: a slice of the buffer. */
  getBytes(name: string): Uint8Array | undefined {
    const at = this.#find(name)
    if (at < 0) return undefined
    return this.#source.bytes.subarray(scan.ranges[at + 2], scan.ranges[at + 3])
  }

  /** Names and values in the order of the wire, with repeated names. */
  entries(): (readonly [string, string])[] {
    const { count } = this.#scan()
    return Array.from({ length: count }, (_, index) => {
      const at = index * rangesPerContent
      return [this.#text(at), this.#text(at + 2)] as const
    })
  }

  /** Names and values as bytes, slices of the buffer. */
  entryBytes(): (readonly [Uint8Array, Uint8Array])[] {
    const { count, ranges } = this.#scan()
    return Array.from({ length: count }, (_, index) => {
      const at = index * rangesPerContent
      const [keyStart, keyEnd, valueStart, valueEnd] = ranges.subarray(at, at + rangesPerContent)
      return [this.#source.bytes.subarray(keyStart, keyEnd), this.#source.bytes.subarray(valueStart, valueEnd)] as const
    })
  }

  /** The fields as an object that inherits nothing; of repeated names the last counts. */
  toObject(): PlainFields {
    const source = this.#source
    return shapes.fieldsOf(this.#scan(), source.text, this.#start, this.#end)
  }

  #scan(): LogScan {
    if (this.#ownScan === lastScan) return scan
    lastScan++
    scan.scan(this.#source.bytes, this.#start, this.#end, this.#source.contentsMax)
    this.#ownScan = lastScan
    return scan
  }

  /** Where the ranges of a field are, or -1. */
  #find(name: string): number {
    const { count, ranges } = this.#scan()
    for (let at = (count - 1) * rangesPerContent; at >= 0; at -= rangesPerContent) {
      if (isText(this.#source.bytes, ranges[at] as number, ranges[at + 1] as number, name)) return at
    }
    return -1
  }

  #text(at: number): string {
    return this.#source.text.utf8(scan.ranges[at] as number, scan.ranges[at + 1] as number)
  }
}
