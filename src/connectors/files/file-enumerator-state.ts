import { jsonSerializer, type VersionedSerializer } from '../../core/index.ts'
import { type FileSplit, readCount, readFileSplit, readList, readObject, readOneOf, readText } from './file-split.ts'

/** A file the enumerator knows, so that it is not taken for a new one. */
export interface KnownFile {
  readonly fileId: string
  readonly path: string
  /** Null for a file that is passed over. */
  readonly splitId: string | null
  /** The reader that owns the split; null for none. */
  readonly subtask: number | null
}

/** What an enumerator of files leaves to a checkpoint. The progress of the files is with the readers. */
export interface FilesEnumeratorState {
  readonly mode: 'bounded' | 'tail'
  readonly parallelism: number
  /** Number of the next split; in every split id, so that none is used twice. */
  readonly nextNumber: number
  /** Files given up because they were gone. */
  readonly skippedFiles: number
  /** Unfinished and passed-over files. */
  readonly files: readonly KnownFile[]
  /** Splits that no reader has. */
  readonly unassigned: readonly FileSplit[]
}

export const filesEnumeratorSerializer: VersionedSerializer<FilesEnumeratorState> = jsonSerializer(
  'files-enumerator',
  1,
  (_, value) => {
    const fields = readObject(value, 'the state')
    return {
      mode: readOneOf(fields, 'mode', ['bounded', 'tail']),
      parallelism: readCount(fields, 'parallelism'),
      nextNumber: readCount(fields, 'nextNumber'),
      skippedFiles: readCount(fields, 'skippedFiles'),
      files: readList(fields, 'files').map(readKnownFile),
      unassigned: readList(fields, 'unassigned').map(readFileSplit),
    }
  },
)

const readKnownFile = (value: unknown): KnownFile => {
  const fields = readObject(value, 'a file')
  return {
    fileId: readText(fields, 'fileId'),
    path: readText(fields, 'path'),
    splitId: fields['splitId'] === null ? null : readText(fields, 'splitId'),
    subtask: fields['subtask'] === null ? null : readCount(fields, 'subtask'),
  }
}
