import {
  type Clock,
  type Digest,
  errnoOf,
  type FileSystem,
  type Generation,
  generation,
  joinPath,
  makeDirectories,
  type Random,
} from '../core/index.ts'
import { type DirectoryScan, listGenerations, scanDirectory } from './checkpoint-directory.ts'
import { manifestPath, verifyAndSync } from './checkpoint-files.ts'
import { generationName, sealedName } from './checkpoint-names.ts'
import type { CheckpointSession, CheckpointStore, OpenStoreRequest } from './checkpoint-store.ts'
import { DirectoryCheckpointSession } from './directory-checkpoint-session.ts'
import { GenerationDirectory } from './generation-directory.ts'
import { type GenerationOwner, writeOwner } from './generation-owner.ts'
import { type FoundCheckpoint, findRestoreTarget, refuseForeign } from './restore-target.ts'
import { lostRace, openFailure } from './storage-errors.ts'

export interface DirectoryCheckpointStoreOptions {
  /** The checkpoint directory. It is made, with its parents, when it does not exist. A local POSIX file system. */
  readonly directory: string
  /** Checkpoints to keep, counted over generations. At least 2. Default 3. */
  readonly retained?: number | undefined
  /** State up to this size stands in the manifest itself. Default 4096. */
  readonly inlineBytesMax?: number | undefined
}

export interface DirectoryCheckpointStorePorts {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly clock: Clock
  readonly random: Random
}

const peekAttemptsMax = 10

/**
 * Checkpoints in a directory, owned by one process at a time. This is the protocol of the reliability paper, section
 * 2.3, with state in files beside the manifest; the newest starter wins. Every step of `open` is there because leaving
 * it out lost or repeated data in simulation (section 3.10).
 */
export class DirectoryCheckpointStore implements CheckpointStore {
  readonly #root: string
  readonly #options: DirectoryCheckpointStoreOptions
  readonly #ports: DirectoryCheckpointStorePorts

  constructor(options: DirectoryCheckpointStoreOptions, ports: DirectoryCheckpointStorePorts) {
    this.#root = joinPath(options.directory).replace(/(?<=.)\/$/, '')
    this.#options = options
    this.#ports = ports
  }

  async open(request: OpenStoreRequest): Promise<CheckpointSession> {
    try {
      await makeDirectories(this.#ports.fs, this.#root)
      await this.#peek(request)
    } catch (error) {
      throw openFailure(error, this.#root)
    }
    try {
      return await this.#takeOver(request)
    } catch (error) {
      // Something this starter had seen was renamed or removed, and only a newer owner does that.
      if (errnoOf(error) === 'ENOENT') throw this.#lost(request, 'a file it had listed is gone')
      throw openFailure(error, this.#root)
    }
  }

  /** Refuses what can be refused without disturbing a process that may own the directory. Changes nothing. */
  async #peek(request: OpenStoreRequest): Promise<void> {
    const { fs, digest } = this.#ports
    for (let attempt = 1; ; attempt++) {
      try {
        const scan = await scanDirectory(fs, this.#root)
        await refuseForeign(fs, digest, this.#root, scan, request.job)
        await findRestoreTarget(fs, digest, scan, request)
        return
      } catch (error) {
        // The owner is alive and has just removed what this one was about to read.
        if (errnoOf(error) !== 'ENOENT' || attempt === peekAttemptsMax) throw error
      }
    }
  }

  async #takeOver(request: OpenStoreRequest): Promise<CheckpointSession> {
    const { fs, digest } = this.#ports
    const newest = await this.#sealNewest(request)
    const scan = await scanDirectory(fs, this.#root)
    if ((scan.generations[0]?.generation ?? 0) !== newest) throw this.#lost(request, 'there is a newer generation')
    const found = await findRestoreTarget(fs, digest, scan, request)
    if (found !== undefined) await this.#verify(request, found, newest)
    return this.#session(request, scan, found, await this.#claim(request, generation(newest + 1)))
  }

  /** Takes the directory from its owner, alive or not, and gives the number of its generation; 0 when there is none. */
  async #sealNewest(request: OpenStoreRequest): Promise<number> {
    const { fs } = this.#ports
    const newest = (await listGenerations(fs, this.#root))[0]
    if (newest === undefined) return 0
    if (!newest.sealed) {
      const path = joinPath(this.#root, newest.name)
      await this.#raceable(request, fs.rename(path, sealedName(path)))
      await fs.syncDirectory(this.#root)
    }
    return newest.generation
  }

  async #verify(request: OpenStoreRequest, found: FoundCheckpoint, newest: number): Promise<void> {
    const { fs, digest } = this.#ports
    try {
      await verifyAndSync(fs, digest, found.location, found.manifest)
    } catch (error) {
      // What looks like damage is the work of a newer owner, if there is one.
      const now = (await listGenerations(fs, this.#root))[0]?.generation ?? 0
      if (now !== newest) throw this.#lost(request, `generation ${now} was claimed meanwhile`)
      // Or of the old one, which was still removing what it did not retain: then the manifest is gone as well.
      await fs.stat(manifestPath(found.location))
      throw error
    }
  }

  /**
   * Makes the generation's directory. The owner is written before the second listing: when no other generation as new
   * as this one is found then, nobody can have touched the directory before, so the owner's token lies in it.
   */
  async #claim(request: OpenStoreRequest, mine: Generation): Promise<GenerationDirectory> {
    const { fs, random } = this.#ports
    const { job, owner } = request
    const claim: GenerationOwner = { job, generation: mine, owner, token: random.id() }
    const name = generationName(mine)
    const path = joinPath(this.#root, name)
    await this.#raceable(request, fs.mkdir(path))
    await this.#raceable(request, writeOwner(fs, path, claim))
    await fs.syncDirectory(this.#root)
    // Whoever came earlier is visible now, and whoever comes later will seal this one.
    const other = (await listGenerations(fs, this.#root)).find((one) => one.name !== name && one.generation >= mine)
    if (other !== undefined) throw this.#lost(request, `generation ${other.generation} exists already`)
    return new GenerationDirectory(fs, this.#root, claim)
  }

  #session(
    request: OpenStoreRequest,
    scan: DirectoryScan,
    found: FoundCheckpoint | undefined,
    directory: GenerationDirectory,
  ): CheckpointSession {
    const { fs, digest, clock } = this.#ports
    const used = [...scan.published, ...scan.savepoints].map(({ id }) => id)
    return new DirectoryCheckpointSession({
      fs,
      digest,
      clock,
      root: this.#root,
      generation: directory,
      job: request.job,
      maxParallelism: request.maxParallelism,
      inlineBytesMax: this.#options.inlineBytesMax ?? 4096,
      retained: this.#options.retained ?? 3,
      found,
      published: scan.published,
      lastId: Math.max(0, found?.location.id ?? 0, ...used),
    })
  }

  /** A step that fails when another starter did it first. */
  async #raceable(request: OpenStoreRequest, step: Promise<void>): Promise<void> {
    try {
      await step
    } catch (error) {
      const errno = errnoOf(error) ?? ''
      if (!['ENOENT', 'EEXIST', 'ENOTEMPTY'].includes(errno)) throw error
      throw this.#lost(request, 'it took the next generation first')
    }
  }

  #lost(request: OpenStoreRequest, what: string) {
    return lostRace(request.job, this.#root, what)
  }
}
