import type {
  CheckpointManifest,
  CheckpointPart,
  CheckpointSession,
  CheckpointWriter,
  PartHeader,
} from '../checkpoint/index.ts'
import { checkpointId, generation } from '../core/index.ts'

/**
 * A session that keeps nothing, for a job without a checkpoint directory: barriers still flow, so that sinks flush and make
 * their output visible, but no state survives the process.
 */
export const volatileSession = (job: string, maxParallelism: number): CheckpointSession => {
  let newest = 0
  const part = ({ kind, subtask, serializer, version }: PartHeader, bytes: number): CheckpointPart => ({
    kind,
    subtask,
    serializer,
    version,
    bytes,
    sha256: '',
  })
  const begin: CheckpointSession['begin'] = (id, kind): CheckpointWriter => ({
    id,
    writePart: async (header, bytes) => part(header, bytes.length),
    openPart: async (header) => {
      let size = 0
      return {
        append: async (bytes) => {
          size += bytes.length
        },
        finish: async () => part(header, size),
      }
    },
    publish: async (operators): Promise<CheckpointManifest> => ({
      magic: 'millrace-checkpoint',
      formatVersion: 1,
      readerVersion: 1,
      job,
      checkpointId: id,
      generation: generation(0),
      kind,
      completedAt: '',
      maxParallelism,
      operators,
      channelState: null,
    }),
    discard: async () => {},
  })
  return {
    generation: generation(0),
    restored: undefined,
    readPart: () => Promise.reject(new Error('a volatile session has nothing to read')),
    carryOver: async () => checkpointId(0),
    cleanUp: async () => {},
    begin,
    nextId: () => checkpointId(++newest),
    retire: async () => {},
  }
}
