import {
  type CheckpointId,
  type Digest,
  errnoOf,
  type FileSystem,
  joinPath,
  parentPath,
  readWhole,
} from '../core/index.ts'
import { decodeManifest, manifestBytesMax } from './checkpoint-manifest.ts'
import { manifestName } from './checkpoint-names.ts'
import type { CheckpointManifest, CheckpointPart } from './checkpoint-store.ts'
import { bytesOfInline } from './inline-bytes.ts'
import { corruptFile } from './storage-errors.ts'

/** A published checkpoint: its manifest and its parts lie in `directory`. */
export interface CheckpointLocation {
  readonly id: CheckpointId
  readonly directory: string
}

const chunkBytes = 1 << 20

export const manifestPath = (location: CheckpointLocation): string =>
  joinPath(location.directory, manifestName(location.id))

/**
 * The manifest of a published checkpoint.
 * @throws RestoreError when it cannot be used; whatever the file system throws, `ENOENT` when it is gone.
 */
export const readManifest = async (
  fs: FileSystem,
  digest: Digest,
  location: CheckpointLocation,
): Promise<CheckpointManifest> => {
  const path = manifestPath(location)
  const manifest = decodeManifest(await readWhole(fs, path, manifestBytesMax), path, digest)
  if (manifest.checkpointId !== location.id) {
    throw corruptFile(path, `its name says checkpoint ${location.id}, its content checkpoint ${manifest.checkpointId}`)
  }
  return manifest
}

/**
 * Reads every part of a checkpoint against its length and hash, then makes the whole of it durable: it may be visible
 * without having reached the disk, and whoever acts on it relies on finding it again (reliability paper, section 3.10,
 * row 2).
 *
 * @throws RestoreError `CHECKPOINT_CORRUPT` when a part is missing or differs; whatever the file system throws.
 */
export const verifyAndSync = async (
  fs: FileSystem,
  digest: Digest,
  location: CheckpointLocation,
  manifest: CheckpointManifest,
): Promise<void> => {
  for (const { parts } of manifest.operators) {
    for (const part of parts) await checkPart(fs, digest, location.directory, part)
  }
  await syncFile(fs, manifestPath(location))
  await fs.syncDirectory(location.directory)
  await fs.syncDirectory(parentPath(location.directory))
}

/**
 * The bytes of a part of the checkpoint in `directory`.
 * @throws RestoreError `CHECKPOINT_CORRUPT` when it is missing or differs; whatever the file system throws.
 */
export const readPartBytes = async (
  fs: FileSystem,
  digest: Digest,
  directory: string,
  part: CheckpointPart,
): Promise<Uint8Array> => {
  const whole = new Uint8Array(part.bytes)
  let position = 0
  await scanPart(fs, digest, directory, part, false, (bytes) => {
    whole.set(bytes, position)
    position += bytes.length
  })
  return whole
}

const checkPart = (fs: FileSystem, digest: Digest, directory: string, part: CheckpointPart): Promise<void> =>
  scanPart(fs, digest, directory, part, true, () => {})

/** Gives the part piece by piece; that it is the right one is known at the end. */
const scanPart = async (
  fs: FileSystem,
  digest: Digest,
  directory: string,
  part: CheckpointPart,
  sync: boolean,
  take: (bytes: Uint8Array) => void,
): Promise<void> => {
  const hasher = digest.sha256()
  const inline = bytesOfInline(part)
  const path = joinPath(directory, part.file ?? '')
  if (inline !== undefined) {
    hasher.update(inline)
    take(inline)
  } else {
    await readPieces(fs, path, part.bytes, sync, (bytes) => {
      hasher.update(bytes)
      take(bytes)
    })
  }
  const sha256 = hasher.hex()
  if (sha256 === part.sha256) return
  throw corruptFile(path, `the ${part.bytes} bytes of a '${part.kind}' part have SHA-256 ${sha256}, not ${part.sha256}`)
}

const readPieces = async (
  fs: FileSystem,
  path: string,
  expected: number,
  sync: boolean,
  take: (bytes: Uint8Array) => void,
): Promise<void> => {
  const file = await openPart(fs, path, expected)
  try {
    const { size } = await file.stat()
    if (size !== expected) throw corruptFile(path, `the part has ${size} bytes; the manifest says ${expected}`)
    for (let position = 0; position < size; ) {
      const bytes = await file.readAt(position, Math.min(chunkBytes, size - position))
      if (bytes.length === 0) throw corruptFile(path, `the part ends after ${position} of ${expected} bytes`)
      take(bytes)
      position += bytes.length
    }
    if (sync) await file.sync()
  } finally {
    await file.close()
  }
}

const openPart = async (fs: FileSystem, path: string, expected: number) => {
  try {
    return await fs.open(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw corruptFile(path, `the part is missing; the manifest says it has ${expected} bytes`)
  }
}

const syncFile = async (fs: FileSystem, path: string): Promise<void> => {
  const file = await fs.open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
