import type { LogGroupHeader, LogGroupInit, LogInit } from './log-init.ts'
import type { LogView } from './log-view.ts'
import { LogWriter } from './log-writer.ts'
import { groupLogTag, groupMachineUuidTag, groupSourceTag, groupTagTag, groupTopicTag, listGroupTag } from './tags.ts'
import { varintSize, writeVarint } from './varint.ts'
import { tooMany } from './wire-problem.ts'

/** Default limit of a LogGroup, in bytes; the service takes 10 MB (SLS protocol paper, section 4.4). */
const groupBytesMax = 64 * 1024 * 1024

export interface LogGroupEncoderOptions {
  /** Most bytes of an encoded LogGroup. Default 64 MiB. */
  readonly bytesMax?: number | undefined
}

const writeHeader = (writer: LogWriter, { topic, source, machineUuid, tags = [] }: LogGroupHeader): void => {
  if (topic !== undefined) writer.textField(groupTopicTag, topic)
  if (source !== undefined) writer.textField(groupSourceTag, source)
  if (machineUuid !== undefined) writer.textField(groupMachineUuidTag, machineUuid)
  for (const [key, value] of tags) writer.pairField(groupTagTag, key, value)
}

const headerBytes = (header: LogGroupHeader): Uint8Array => {
  const writer = new LogWriter(groupBytesMax)
  writeHeader(writer, header)
  return writer.copy()
}

/** Encodes LogGroups one after another into memory it keeps, with the fields in the order of their numbers. */
export class LogGroupEncoder {
  readonly #bytesMax: number
  readonly #writer: LogWriter

  constructor({ bytesMax = groupBytesMax }: LogGroupEncoderOptions = {}) {
    this.#bytesMax = bytesMax
    this.#writer = new LogWriter(bytesMax)
  }

  /** The encoded group, in memory of its own. @throws WireError for what the protocol cannot say, and for too much. */
  encode(init: LogGroupInit): Uint8Array {
    const encoded = this.encodeInPlace(init).slice()
    this.#writer.clear()
    return encoded
  }

  /** As `encode`, but good only until this encoder is used again. */
  encodeInPlace(init: LogGroupInit): Uint8Array {
    const writer = this.#writer
    writer.clear()
    for (const log of init.logs) writer.log(groupLogTag, log)
    writeHeader(writer, init)
    if (writer.length > this.#bytesMax) throw tooMany('bytes in a LogGroup', 'bytesMax', this.#bytesMax)
    return writer.view()
  }
}

const shared = new LogGroupEncoder()

/** One LogGroup as bytes. @throws WireError for what the protocol cannot say, and for more than 64 MiB. */
export const encodeLogGroup = (init: LogGroupInit): Uint8Array => shared.encode(init)

/** Builds a LogGroup log by log, knowing its exact size at each step; then the next one. */
export class LogGroupBuilder {
  readonly #bytesMax: number
  readonly #writer: LogWriter
  readonly #header: Uint8Array
  #logCount = 0

  /** @param header of every group this builder makes */
  constructor(header: LogGroupHeader = {}, { bytesMax = groupBytesMax }: LogGroupEncoderOptions = {}) {
    this.#bytesMax = bytesMax
    this.#writer = new LogWriter(bytesMax)
    this.#header = headerBytes(header)
  }

  /** Bytes of the encoded group if it were finished now. */
  get size(): number {
    return this.#writer.length + this.#header.length
  }

  get logCount(): number {
    return this.#logCount
  }

  /** Gives the size with the log. @throws WireError for what cannot be written or is too much; the group is as before. */
  add(log: LogInit): number {
    const before = this.#writer.length
    this.#writer.log(groupLogTag, log)
    return this.#added(before)
  }

  /** As `add`, with a log that is serialised already, e.g. `LogView.bytes`; it is not looked at. */
  addEncoded(log: Uint8Array): number {
    const before = this.#writer.length
    this.#writer.bytesField(groupLogTag, log)
    return this.#added(before)
  }

  /** As `add`, with a log that was read: its bytes as they are, and behind them the contents that are added. */
  addView(log: LogView, added?: LogInit['contents']): number {
    const before = this.#writer.length
    log.copyTo(this.#writer, groupLogTag, added)
    return this.#added(before)
  }

  /** The encoded group, in memory of its own; the builder is empty again. */
  finish(): Uint8Array {
    const logs = this.#writer.view()
    const group = new Uint8Array(logs.length + this.#header.length)
    group.set(logs)
    group.set(this.#header, logs.length)
    this.#writer.clear()
    this.#logCount = 0
    return group
  }

  /**
   * As `finish`, but, when there is no header to be written behind the logs, in the memory of the builder: good until the
   * next log is added.
   */
  finishInPlace(): Uint8Array {
    const logs = this.#writer.view()
    if (this.#header.length > 0) return this.finish()
    this.#writer.clear()
    this.#logCount = 0
    return logs
  }

  #added(before: number): number {
    if (this.size > this.#bytesMax) {
      this.#writer.truncate(before)
      throw tooMany('bytes in a LogGroup', 'bytesMax', this.#bytesMax)
    }
    this.#logCount++
    return this.size
  }
}

/** A serialised group with more tags behind those it has. Nothing else of it changes. */
export const appendTags = (group: Uint8Array, tags: readonly (readonly [string, string])[]): Uint8Array => {
  const added = headerBytes({ tags })
  const joined = new Uint8Array(group.length + added.length)
  joined.set(group)
  joined.set(added, group.length)
  return joined
}

/** Bytes that come before a group of so many bytes in a LogGroupList. */
export const listGroupPrefix = (groupBytes: number): Uint8Array => {
  const prefix = new Uint8Array(1 + varintSize(groupBytes))
  prefix[0] = listGroupTag
  writeVarint(prefix, 1, groupBytes)
  return prefix
}

/** Serialised groups as a LogGroupList, the body of a pull before compression. */
export const logGroupList = (groups: readonly Uint8Array[]): Uint8Array => {
  const length = groups.reduce((sum, group) => sum + 1 + varintSize(group.length) + group.length, 0)
  const list = new Uint8Array(length)
  let at = 0
  for (const group of groups) {
    list[at] = listGroupTag
    at = writeVarint(list, at + 1, group.length)
    list.set(group, at)
    at += group.length
  }
  return list
}
