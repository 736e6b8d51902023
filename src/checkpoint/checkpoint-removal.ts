import { errnoOf, type FileSystem, ignoreMissing, joinPath } from '../core/index.ts'
import { type CheckpointLocation, manifestPath } from './checkpoint-files.ts'
import { ownerName, parseManifestName, parsePartName } from './checkpoint-names.ts'

/**
 * Removes a published checkpoint: the manifest first and for good, then its parts, so that a crash at any point leaves
 * either a complete checkpoint or files that nothing refers to.
 */
export const removeCheckpoint = (fs: FileSystem, location: CheckpointLocation): Promise<void> =>
  ignoreMissing(removeManifestThenParts(fs, location))

const removeManifestThenParts = async (fs: FileSystem, location: CheckpointLocation): Promise<void> => {
  const { directory, id } = location
  await ignoreMissing(fs.unlink(manifestPath(location)))
  await fs.syncDirectory(directory)
  for (const name of await fs.list(directory)) {
    if (parsePartName(name) === id) await ignoreMissing(fs.unlink(joinPath(directory, name)))
  }
}

/**
 * Removes from the directory of an earlier generation what is part of no published checkpoint and, when none is left,
 * the directory. Files with other names are a person's: they stay, and the directory with them.
 */
export const cleanGeneration = (fs: FileSystem, directory: string): Promise<void> =>
  ignoreMissing(removeUnreferenced(fs, directory))

const removeUnreferenced = async (fs: FileSystem, directory: string): Promise<void> => {
  const names = await fs.list(directory)
  const published = new Set(names.flatMap((name) => parseManifestName(name) ?? []))
  const isLeftover = (name: string): boolean => {
    const id = parsePartName(name)
    if (id !== undefined) return !published.has(id)
    return name.startsWith('tmp-') || (name === ownerName && published.size === 0)
  }
  const leftovers = names.filter(isLeftover)
  for (const name of leftovers) await ignoreMissing(fs.unlink(joinPath(directory, name)))
  if (leftovers.length < names.length) return
  try {
    await fs.rmdir(directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error
  }
}
