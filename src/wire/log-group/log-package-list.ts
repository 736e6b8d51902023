import type { BlockCodecName } from '../../core/index.ts'
import { FieldCursor } from './field-cursor.ts'
import { LogWriter } from './log-writer.ts'
import { malformed, tooMany } from './wire-problem.ts'

/** One LogGroup in the body of a batch put (SLS protocol paper, section 4.6). */
export interface LogPackage {
  /** A serialised LogGroup, usually compressed. */
  readonly data: Uint8Array
  /** Its size before compression; undefined when the sender does not say. */
  readonly rawSize?: number | undefined
  /** How `data` is compressed; undefined when the sender does not say. */
  readonly compression?: BlockCodecName | 'none' | undefined
}

/** By their numbers on the wire (SLS protocol paper, section 3.1). */
const compressions = ['none', 'deflate', 'lz4', 'zstd'] as const

const listPackageTag = 0x0a
const dataTag = 0x0a
const rawSizeTag = 0x10
const compressionTag = 0x18
const bodyBytesMax = 256 * 1024 * 1024

/**
 * The packages in the body of a batch put.
 * @param packagesMax default 4096
 * @throws WireError when the bytes are no such list, or hold more packages.
 */
export const decodeLogPackageList = (bytes: Uint8Array, packagesMax = 4096): readonly LogPackage[] => {
  const packages: LogPackage[] = []
  const cursor = new FieldCursor(bytes, 0, bytes.length)
  while (cursor.next()) {
    if (cursor.tag !== listPackageTag) continue
    if (packages.length >= packagesMax) throw tooMany('packages in a batch', 'packagesMax', packagesMax)
    packages.push(decodePackage(bytes, cursor.from, cursor.to))
  }
  return packages
}

const decodePackage = (bytes: Uint8Array, start: number, end: number): LogPackage => {
  const cursor = new FieldCursor(bytes, start, end)
  let data: Uint8Array | undefined
  let rawSize: number | undefined
  let compression: LogPackage['compression']
  while (cursor.next()) {
    if (cursor.tag === dataTag) data = bytes.subarray(cursor.from, cursor.to)
    else if (cursor.tag === rawSizeTag) {
      rawSize = cursor.varint() | 0
      if (rawSize < 0) throw malformed(`a package has the size ${rawSize}`, cursor.start)
    } else if (cursor.tag === compressionTag) {
      compression = compressions[cursor.varint()]
      if (compression === undefined) throw malformed(`a package has the compression ${cursor.varint()}`, cursor.start)
    }
  }
  if (data === undefined) throw malformed('a package has no data', start)
  return { data, rawSize, compression }
}

/** Packages as the body of a batch put. */
export const encodeLogPackageList = (packages: readonly LogPackage[]): Uint8Array => {
  const list = new LogWriter(bodyBytesMax)
  const writer = new LogWriter(bodyBytesMax)
  for (const { data, rawSize, compression } of packages) {
    writer.clear()
    writer.bytesField(dataTag, data)
    if (rawSize !== undefined) writer.varintField(rawSizeTag, rawSize)
    if (compression !== undefined) writer.varintField(compressionTag, compressions.indexOf(compression))
    list.bytesField(listPackageTag, writer.view())
  }
  return list.copy()
}
