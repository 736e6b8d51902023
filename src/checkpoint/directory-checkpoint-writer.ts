import {
  CheckpointError,
  type CheckpointId,
  type Clock,
  type Digest,
  errnoOf,
  type FileSystem,
  ignoreMissing,
  invariant,
  joinPath,
  makeDirectories,
  StorageError,
  type WritableFile,
} from '../core/index.ts'
import { encodeManifest, manifestVersion } from './checkpoint-manifest.ts'
import { manifestName, partName, temporaryName } from './checkpoint-names.ts'
import type {
  CheckpointKind,
  CheckpointManifest,
  CheckpointPart,
  CheckpointWriter,
  OperatorState,
  PartHeader,
  PartWriter,
} from './checkpoint-store.ts'
import { DirectoryPartWriter } from './directory-part-writer.ts'
import type { GenerationDirectory } from './generation-directory.ts'

/** What one checkpoint needs of the session that begins it. */
export interface CheckpointWriterOptions {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly clock: Clock
  readonly generation: GenerationDirectory
  readonly id: CheckpointId
  readonly kind: CheckpointKind
  readonly job: string
  readonly maxParallelism: number
  readonly inlineBytesMax: number
  /** Where a savepoint goes; everything else goes into the generation's directory. */
  readonly savepointDirectory: string | undefined
  readonly onPublished: (id: CheckpointId) => void
}

/**
 * One checkpoint being written: parts first, each synced, then their names, then the manifest under a temporary name,
 * synced, and renamed. The rename is the commit point; it is done when the directory is synced (reliability paper,
 * section 2.3).
 */
export class DirectoryCheckpointWriter implements CheckpointWriter {
  readonly id: CheckpointId
  readonly #options: CheckpointWriterOptions
  readonly #directory: string
  /** Names of part files made or being made, in lower case: two names must differ where case does not count, too. */
  readonly #taken = new Set<string>()
  /** Those that were made: only these are this checkpoint's to remove. */
  readonly #partFiles: string[] = []
  readonly #parts: DirectoryPartWriter[] = []
  readonly #running = new Set<Promise<unknown>>()
  #prepared: Promise<void> | undefined
  #madeDirectory = false
  #progress: 'parts' | 'temporary' | 'renaming' = 'parts'
  #state: 'writing' | 'publishing' | 'published' | 'discarded' = 'writing'
  /** The first failure: what was written before it is given up with it. */
  #failure: { readonly cause: unknown } | undefined

  constructor(options: CheckpointWriterOptions) {
    this.#options = options
    this.id = options.id
    this.#directory = options.savepointDirectory ?? options.generation.path
  }

  async writePart(header: PartHeader, bytes: Uint8Array): Promise<CheckpointPart> {
    const part = await this.openPart(header)
    await part.append(bytes)
    return part.finish()
  }

  async openPart(header: PartHeader): Promise<PartWriter> {
    return this.#run(async () => {
      invariant(this.#state === 'writing', 'parts are written before the checkpoint is published')
      const { digest, inlineBytesMax } = this.#options
      const create = (part: PartHeader) => this.#createPart(part)
      const run = <T>(operation: () => Promise<T>) => this.#run(operation)
      const part = new DirectoryPartWriter({ digest, inlineBytesMax, create, run }, header)
      this.#parts.push(part)
      return part
    })
  }

  /** Copies or links a part of another checkpoint into this one. */
  async adoptPart(uid: string, part: CheckpointPart, from: string): Promise<CheckpointPart> {
    if (part.file === undefined) return part
    const source = joinPath(from, part.file)
    return this.#run(async () => {
      await this.#prepare()
      const name = this.#nameFor({ ...part, uid })
      await this.#link(source, joinPath(this.#directory, name))
      this.#partFiles.push(name)
      return { ...part, file: name }
    })
  }

  async publish(operators: readonly OperatorState[]): Promise<CheckpointManifest> {
    return this.#run(async () => {
      invariant(this.#state === 'writing', 'a checkpoint is published once')
      invariant(
        this.#parts.every((part) => part.finished),
        'every part is finished before the checkpoint is published',
      )
      const files = operators.flatMap(({ parts }) => parts.flatMap(({ file }) => file ?? []))
      const foreign = files.find((file) => !this.#partFiles.includes(file))
      invariant(foreign === undefined, `every part of a checkpoint was written by it, also '${foreign}'`)
      this.#state = 'publishing'
      const manifest = this.#manifest(operators)
      await this.#publish(manifest)
      this.#state = 'published'
      this.#options.onPublished(this.id)
      return manifest
    })
  }

  async discard(): Promise<void> {
    if (this.#state === 'writing') this.#state = 'discarded'
    while (this.#running.size > 0) await Promise.allSettled([...this.#running])
    if (this.#state === 'published') return
    this.#state = 'discarded'
    try {
      await this.#remove()
    } catch {
      // Whatever is left is not referred to by anything; the next start removes it.
    }
  }

  async #publish(manifest: CheckpointManifest): Promise<void> {
    const { fs, digest, generation } = this.#options
    await this.#prepare()
    if (this.#partFiles.length > 0) await fs.syncDirectory(this.#directory)
    const temporary = joinPath(this.#directory, temporaryName(this.id))
    const file = await fs.create(temporary)
    this.#progress = 'temporary'
    try {
      await file.append(encodeManifest(manifest, digest))
      await file.sync()
    } finally {
      await file.close()
    }
    await generation.ensureOwned()
    this.#progress = 'renaming'
    await fs.rename(temporary, joinPath(this.#directory, manifestName(this.id)))
    await fs.syncDirectory(this.#directory)
    // Only now is it certain which directory was synced.
    await generation.ensureOwned()
  }

  #manifest(operators: readonly OperatorState[]): CheckpointManifest {
    const { clock, generation, job, kind, maxParallelism } = this.#options
    return {
      magic: 'millrace-checkpoint',
      formatVersion: manifestVersion,
      readerVersion: 1,
      job,
      checkpointId: this.id,
      generation: generation.generation,
      kind,
      completedAt: new Date(clock.wallMs()).toISOString(),
      maxParallelism,
      operators,
      channelState: null,
    }
  }

  async #run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#state === 'discarded') throw this.#givenUp()
    if (this.#failure !== undefined) throw this.#failure.cause
    const running = this.#options.generation.run(this.#directory, operation)
    this.#running.add(running)
    try {
      return await running
    } catch (cause) {
      this.#failure ??= { cause }
      throw cause
    } finally {
      this.#running.delete(running)
    }
  }

  #givenUp(): CheckpointError {
    return new CheckpointError('CHECKPOINT_DECLINED', {
      message: 'the checkpoint was given up while it was being written',
      place: { checkpointId: this.id },
    })
  }

  async #createPart(part: PartHeader): Promise<{ name: string; file: WritableFile }> {
    await this.#prepare()
    const name = this.#nameFor(part)
    const file = await this.#options.fs.create(joinPath(this.#directory, name))
    this.#partFiles.push(name)
    return { name, file }
  }

  #nameFor(part: PartHeader): string {
    const name = partName(this.id, part, this.#taken)
    this.#taken.add(name.toLowerCase())
    return name
  }

  async #link(source: string, target: string): Promise<void> {
    const { fs } = this.#options
    try {
      await fs.link(source, target)
    } catch (error) {
      const errno = errnoOf(error) ?? ''
      if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes(errno)) throw error
      await copyFile(fs, source, target)
    }
  }

  /** Makes the directory of a savepoint, once. */
  #prepare(): Promise<void> {
    this.#prepared ??= this.#options.savepointDirectory === undefined ? Promise.resolve() : this.#prepareSavepoint()
    return this.#prepared
  }

  async #prepareSavepoint(): Promise<void> {
    const { fs, generation } = this.#options
    await generation.ensureOwned()
    const names = await fs.list(this.#directory).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
      throw error
    })
    const inTheWay = names?.find((name) => /^(tmp-)?ck-/.test(name))
    if (inTheWay !== undefined)
      throw this.#refused(`a savepoint needs a directory of its own; in this one is ${inTheWay}`)
    this.#madeDirectory = names === undefined
    await makeDirectories(fs, this.#directory).catch((error: unknown) => {
      throw error instanceof StorageError ? this.#refused(error.message) : error
    })
  }

  /** A directory that somebody named wrongly must not end the job, as refusing the job's own directory does. */
  #refused(message: string): CheckpointError {
    return new CheckpointError('CHECKPOINT_DECLINED', {
      message,
      place: { checkpointId: this.id, path: this.#directory },
      fix: 'name a directory that is empty or does not exist',
    })
  }

  /** The manifest goes first, for good, so that no visible checkpoint ever lacks a part. */
  async #remove(): Promise<void> {
    const { fs } = this.#options
    const path = (name: string): string => joinPath(this.#directory, name)
    for (const part of this.#parts) await part.close().catch(() => {})
    if (this.#progress !== 'parts') await ignoreMissing(fs.unlink(path(temporaryName(this.id))))
    if (this.#progress === 'renaming') {
      await ignoreMissing(fs.unlink(path(manifestName(this.id))))
      await fs.syncDirectory(this.#directory)
    }
    for (const name of this.#partFiles) await ignoreMissing(fs.unlink(path(name)))
    if (this.#madeDirectory) await fs.rmdir(this.#directory)
  }
}

const copyBytes = 1 << 20

const copyFile = async (fs: FileSystem, source: string, target: string): Promise<void> => {
  const from = await fs.open(source)
  try {
    const to = await fs.create(target)
    try {
      for (
        let bytes = await from.readAt(0, copyBytes);
        bytes.length > 0;
        bytes = await from.readAt(to.size, copyBytes)
      ) {
        await to.append(bytes)
      }
      await to.sync()
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}
