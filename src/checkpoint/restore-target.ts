import { type Digest, errnoOf, type FileSystem, joinPath, parentPath, RestoreError } from '../core/index.ts'
import { type DirectoryScan, listPublished, scanDirectory } from './checkpoint-directory.ts'
import { type CheckpointLocation, manifestPath, readManifest } from './checkpoint-files.ts'
import { requireJob } from './checkpoint-manifest.ts'
import { parseManifestName } from './checkpoint-names.ts'
import type { CheckpointManifest, OpenStoreRequest } from './checkpoint-store.ts'
import { readOwner } from './generation-owner.ts'

/** The checkpoint to start from. */
export interface FoundCheckpoint {
  readonly location: CheckpointLocation
  readonly manifest: CheckpointManifest
}

/**
 * Refuses a directory that another job uses: by its newest checkpoint that can be read or, before there is one, by its
 * newest owner.
 */
export const refuseForeign = async (
  fs: FileSystem,
  digest: Digest,
  root: string,
  scan: DirectoryScan,
  job: string,
): Promise<void> => {
  for (const location of scan.published) {
    try {
      return requireJob(await readManifest(fs, digest, location), job, manifestPath(location))
    } catch (error) {
      // A damaged one is a matter for whoever wants to restore it.
      if (!(error instanceof RestoreError) || error.code === 'CHECKPOINT_FOREIGN') throw error
    }
  }
  const newest = scan.generations[0]
  if (newest === undefined) return
  const path = joinPath(root, newest.name)
  const owner = await readOwner(fs, path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (owner === undefined || owner.job === job) return
  throw new RestoreError('CHECKPOINT_FOREIGN', {
    message: `job '${owner.job}' uses this directory (${owner.owner}), and this is job '${job}'`,
    place: { job, path },
  })
}

/**
 * Finds what to start from; undefined for a start without state.
 *
 * @throws RestoreError when it is not there, damaged, too new, of another job, or older than output that is visible
 *   already; whatever the file system throws, `ENOENT` when a file went away meanwhile.
 */
export const findRestoreTarget = async (
  fs: FileSystem,
  digest: Digest,
  scan: DirectoryScan,
  request: OpenStoreRequest,
): Promise<FoundCheckpoint | undefined> => {
  const location = await locate(fs, scan, request)
  if (location === undefined) return undefined
  const manifest = await readManifest(fs, digest, location)
  requireJob(manifest, request.job, manifestPath(location))
  if (!request.allowRollback) refuseRollback(scan, manifest, manifestPath(location))
  return { location, manifest }
}

const locate = async (
  fs: FileSystem,
  scan: DirectoryScan,
  { job, restore }: OpenStoreRequest,
): Promise<CheckpointLocation | undefined> => {
  if (restore === 'none') return undefined
  if (restore === 'latest') return scan.published[0]
  if (typeof restore === 'string') return locatePath(fs, job, restore)
  const known = [...scan.published, ...scan.savepoints]
  const found = known.find(({ id }) => id === restore)
  if (found !== undefined) return found
  const ids = known.map(({ id }) => id)
  throw new RestoreError('CHECKPOINT_NOT_FOUND', {
    message: `there is no checkpoint ${restore}; ${ids.length === 0 ? 'there is none at all' : `there are ${ids.join(', ')}`}`,
    place: { job },
    fix: ids.length === 0 ? "restore 'latest' or 'none'" : `restore one of ${ids.join(', ')}, or 'latest'`,
  })
}

/** A manifest, a directory with manifests (a savepoint's), or one with generations (a copy of a checkpoint directory). */
const locatePath = async (fs: FileSystem, job: string, path: string): Promise<CheckpointLocation> => {
  const named = parseManifestName(path.slice(path.lastIndexOf('/') + 1))
  try {
    if (named !== undefined && (await fs.stat(path)).kind === 'file') return { id: named, directory: parentPath(path) }
    const directory = joinPath(path).replace(/(?<=.)\/$/, '')
    const id = (await listPublished(fs, directory))[0]
    const found = id === undefined ? (await scanDirectory(fs, directory)).published[0] : { id, directory }
    if (found !== undefined) return found
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    throw new RestoreError('CHECKPOINT_NOT_FOUND', { message: 'no such directory', place: { job, path } })
  }
  throw new RestoreError('CHECKPOINT_NOT_FOUND', {
    message: 'no checkpoint has been published in this directory',
    place: { job, path },
    fix: 'name a directory in which a file ck-<number> lies',
  })
}

const refuseRollback = (scan: DirectoryScan, manifest: CheckpointManifest, path: string): void => {
  const { checkpointId: id, generation } = manifest
  const newer = scan.published.filter((one) => one.id > id || (one.id === id && one.generation > generation))
  if (newer.length === 0) return
  const ids = newer.map((one) => one.id).join(', ')
  throw new RestoreError('ROLLBACK_REFUSED', {
    message: `checkpoint ${id} is older than ${ids}, whose output is visible already and would be written again`,
    place: { checkpointId: id, path },
    fix: `remove the output that came after checkpoint ${id}, then restore with allowRollback: true; or restore 'latest'`,
  })
}
