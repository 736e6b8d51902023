import { errnoOf, type FileSystem, ignoreMissing, joinPath } from '../../core/index.ts'

export const snapshotName = 'snapshot'
export const reserveName = 'reserve'
/** Stands in a directory while a salvage fills it. */
export const unfinishedName = 'salvage-unfinished'

const digits = (number: number): string => String(number).padStart(10, '0')

export const segmentName = (number: number): string => `segment-${digits(number)}.log`
export const sidecarName = (number: number): string => `segment-${digits(number)}.index`
export const temporaryName = (name: string): string => `${name}.tmp`

/** The number in the name of a segment or sidecar. */
export const numberOf = (name: string, kind: 'log' | 'index'): number | undefined => {
  const match = /^segment-(\d{10,15})\.(log|index)$/.exec(name)
  return match?.[2] === kind ? Number(match[1]) : undefined
}

/** Every name the storage gives while a file is being written. */
export const isTemporary = (name: string): boolean =>
  name.endsWith('.tmp') && (name === temporaryName(snapshotName) || name.startsWith('segment-'))

/**
 * Writes a file under a temporary name, makes its content durable, and gives it its name; the name is durable once the
 * directory is synced. Nothing is left behind when it fails, as far as that is possible.
 */
export const writeAside = async (fs: FileSystem, directory: string, name: string, bytes: Uint8Array): Promise<void> => {
  const temporary = joinPath(directory, temporaryName(name))
  await ignoreMissing(fs.unlink(temporary))
  try {
    const file = await fs.create(temporary)
    try {
      await file.append(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(temporary, joinPath(directory, name))
  } catch (error) {
    await fs.unlink(temporary).catch(() => {})
    throw error
  }
}

/** What `use` gives for a file; undefined when the name is not there. */
export const unlessMissing = async <T>(operation: Promise<T>): Promise<T | undefined> => {
  try {
    return await operation
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
