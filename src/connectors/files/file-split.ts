import { jsonSerializer, type VersionedSerializer } from '../../core/index.ts'
import type { Split } from '../../source/index.ts'
import { type Fingerprint, noFingerprint } from './fingerprint.ts'

/**
 * One file, and how far it is read. The file is known by its id (device and inode) and by what it starts with, so it is
 * found again under another name; the id of the split is only a name for it.
 */
export interface FileSplit extends Split {
  /** Where the file was last seen. */
  readonly path: string
  readonly fileId: string
  /** Covers at least the first `position` bytes, or as many as a fingerprint can. */
  readonly fingerprint: Fingerprint
  /** How often the file was found cut short and started anew; positions count within a generation. */
  readonly generation: number
  /** Where the next line starts, in the decompressed bytes. */
  readonly position: number
  /** Bytes of the file itself to read in bounded mode; null: all it gets. */
  readonly size: number | null
  /** `skipped`: given up because the file is gone. */
  readonly state: 'reading' | 'finished' | 'skipped'
}

/** A split at the beginning of a file that was just found. */
export const newFileSplit = (
  splitId: string,
  file: { readonly path: string; readonly fileId: string },
  size: number | null,
): FileSplit => ({
  splitId,
  path: file.path,
  fileId: file.fileId,
  fingerprint: noFingerprint,
  generation: 0,
  position: 0,
  size,
  state: 'reading',
})

export const fileSplitSerializer: VersionedSerializer<FileSplit> = jsonSerializer('files-split', 1, (_, value) =>
  readFileSplit(value),
)

/** @throws TypeError when the value is not a split. */
export const readFileSplit = (value: unknown): FileSplit => {
  const fields = readObject(value, 'a split')
  const fingerprint = readObject(fields['fingerprint'], 'fingerprint')
  return {
    splitId: readText(fields, 'splitId'),
    path: readText(fields, 'path'),
    fileId: readText(fields, 'fileId'),
    fingerprint: { bytes: readCount(fingerprint, 'bytes'), sha256: readText(fingerprint, 'sha256') },
    generation: readCount(fields, 'generation'),
    position: readCount(fields, 'position'),
    size: fields['size'] === null ? null : readCount(fields, 'size'),
    state: readOneOf(fields, 'state', ['reading', 'finished', 'skipped']),
  }
}

export const readObject = (value: unknown, what: string): Record<string, unknown> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new TypeError(`${what} is not an object`)
}

export const readText = (fields: Record<string, unknown>, name: string): string => {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new TypeError(`${name} is not text`)
}

export const readCount = (fields: Record<string, unknown>, name: string): number => {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${name} is not a number from 0`)
}

export const readOneOf = <const Value extends string>(
  fields: Record<string, unknown>,
  name: string,
  values: readonly Value[],
): Value => {
  const found = values.find((value) => value === fields[name])
  if (found !== undefined) return found
  throw new TypeError(`${name} is not one of ${values.join(', ')}`)
}

export const readList = (fields: Record<string, unknown>, name: string): readonly unknown[] => {
  const value = fields[name]
  if (Array.isArray(value)) return value
  throw new TypeError(`${name} is not a list`)
}
