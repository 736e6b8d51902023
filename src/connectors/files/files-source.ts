import { RestoreError } from '../../core/index.ts'
import { FetchingSourceReader, openSource, type Source } from '../../source/index.ts'
import { filesEnumeratorSerializer } from './file-enumerator-state.ts'
import { type FilesSourceOptions, resolveFilesSourceOptions } from './file-source-options.ts'
import { fileSplitSerializer } from './file-split.ts'
import { FileSplitEnumerator } from './file-split-enumerator.ts'
import { FileSplitReader } from './file-split-reader.ts'
import type { Line } from './line.ts'

/** Files read at the same time by one reader in bounded mode: few, so that few are open; several, so that reads overlap. */
const boundedFilesAtOnce = 4

/**
 * The lines of files, each exactly once. Gzip files are recognised by their first bytes and decompressed.
 *
 * In tail mode a file is followed through renames by its id (device and inode), also across restarts, and a file that is
 * cut short and written anew is read from its start again. Lines written and cut away between two looks are lost, as with
 * any reader of files; so is a cut that leaves the file longer than before with the same first 1024 bytes.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const filesSource = (options: FilesSourceOptions): Source<Line, 'exactly-once'> => {
  const settings = resolveFilesSourceOptions(options)
  return {
    kind: 'files',
    guarantee: 'exactly-once',
    boundedness: settings.mode === 'bounded' ? 'bounded' : 'unbounded',
    open: (context) => {
      const log = context.log.child({ step: context.step })
      const { fs, clock, random, digest, compression } = context
      const ports = { fs, clock, random, digest, compression, log }
      return openSource({
        splitSerializer: fileSplitSerializer,
        enumeratorSerializer: filesEnumeratorSerializer,
        createEnumerator: (enumeratorContext, restored) => {
          if (restored !== undefined && restored.mode !== settings.mode) throw otherMode(context.step, restored.mode)
          return new FileSplitEnumerator(ports, settings, enumeratorContext, restored)
        },
        createReader: (readerContext) =>
          new FetchingSourceReader({
            splitReader: new FileSplitReader(ports, settings, (event) => readerContext.sendEventToEnumerator(event)),
            clock,
            random,
            log,
            batchRecordsMax: context.batchRecordsMax,
            batchBytesMax: context.batchBytesMax,
            activeSplitsMax: settings.mode === 'bounded' ? boundedFilesAtOnce : undefined,
          }),
      })
    },
  }
}

const otherMode = (step: string, mode: string): RestoreError =>
  new RestoreError('CHECKPOINT_MISMATCH', {
    message: `the checkpoint was taken with mode: '${mode}'`,
    place: { step, option: 'mode' },
    fix: `set mode: '${mode}', or start afresh with restore: 'none'`,
  })
