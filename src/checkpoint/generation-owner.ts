import { type FileSystem, type Generation, joinPath, readWhole } from '../core/index.ts'
import { ownerName } from './checkpoint-names.ts'

/** Who took a generation. Lies beside its checkpoints, for the process it fences and for people. */
export interface GenerationOwner {
  readonly job: string
  readonly generation: Generation
  /** The owner in words: host, pid. */
  readonly owner: string
  /** A random name of this claim: the directory of that name is the one it made only if this stands in it. */
  readonly token: string
}

const ownerBytesMax = 64 << 10

export const writeOwner = async (fs: FileSystem, directory: string, owner: GenerationOwner): Promise<void> => {
  const file = await fs.create(joinPath(directory, ownerName))
  try {
    await file.append(new TextEncoder().encode(`${JSON.stringify(owner, undefined, 2)}\n`))
  } finally {
    await file.close()
  }
}

/**
 * The owner named in a generation's directory; undefined when the file is damaged: it is not made durable, and nothing
 * but messages depends on it after a crash. Throws what the file system throws, `ENOENT` when it is not there.
 */
export const readOwner = async (fs: FileSystem, directory: string): Promise<GenerationOwner | undefined> => {
  const bytes = await readWhole(fs, joinPath(directory, ownerName), ownerBytesMax)
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return isOwner(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isOwner = (value: unknown): value is GenerationOwner =>
  typeof value === 'object' &&
  value !== null &&
  'job' in value &&
  typeof value.job === 'string' &&
  'generation' in value &&
  typeof value.generation === 'number' &&
  'owner' in value &&
  typeof value.owner === 'string' &&
  'token' in value &&
  typeof value.token === 'string'
