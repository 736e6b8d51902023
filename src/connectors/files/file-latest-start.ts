import type { Digest, FileSystem, ReadableFile } from '../../core/index.ts'
import { isGzip } from './file-cursor.ts'
import type { FoundFile } from './file-list.ts'
import { isAbsence } from './file-source-error.ts'
import { type Fingerprint, fingerprintBytesMax, fingerprintOf } from './fingerprint.ts'

/** Where reading begins in a file whose present content is not wanted. */
export type LatestStart =
  | { readonly kind: 'position'; readonly position: number; readonly fingerprint: Fingerprint }
  /** A compressed file is complete as it is. */
  | { readonly kind: 'pass-over' }
  /** It was gone before it could be opened. */
  | { readonly kind: 'gone' }

const blockBytes = 64 * 1024
const newline = 10

/**
 * The position after the last complete line of a file, so that the line being written now is given out whole.
 * @param lineBytesMax how far back a line may start; when no line ends within that, the end of the file is taken
 */
export const latestStart = async (
  fs: FileSystem,
  digest: Pick<Digest, 'sha256'>,
  { path }: FoundFile,
  lineBytesMax: number,
): Promise<LatestStart> => {
  let file: ReadableFile
  try {
    file = await fs.open(path)
  } catch (error) {
    if (isAbsence(error)) return { kind: 'gone' }
    throw error
  }
  try {
    const prefix = await file.readAt(0, fingerprintBytesMax)
    if (isGzip(prefix)) return { kind: 'pass-over' }
    const { size } = await file.stat()
    const position = await afterLastNewline(file, size, lineBytesMax)
    // Read again: the fingerprint has to cover what the position stands behind.
    const fingerprint = fingerprintOf(digest, await file.readAt(0, fingerprintBytesMax))
    return { kind: 'position', position, fingerprint }
  } finally {
    await file.close()
  }
}

const afterLastNewline = async (file: ReadableFile, size: number, lineBytesMax: number): Promise<number> => {
  const earliest = Math.max(0, size - lineBytesMax - 2)
  let end = size
  while (end > earliest) {
    const start = Math.max(earliest, end - blockBytes)
    const bytes = await file.readAt(start, end - start)
    const found = bytes.lastIndexOf(newline)
    if (found >= 0) return start + found + 1
    end = start
  }
  return earliest === 0 ? 0 : size
}
