import { errnoOf, FencedError, type FileSystem, type Generation, joinPath, MillraceError } from '../core/index.ts'
import { listGenerations } from './checkpoint-directory.ts'
import { generationName } from './checkpoint-names.ts'
import { type GenerationOwner, readOwner } from './generation-owner.ts'
import { writeFailure } from './storage-errors.ts'

/**
 * The directory of the generation this process owns, until a newer process seals it by renaming it. From then on every
 * path inside it is gone: that is how the old owner learns that it has to stop (reliability paper, section 2.3).
 */
export class GenerationDirectory {
  readonly path: string
  readonly generation: Generation
  readonly #fs: FileSystem
  readonly #root: string
  readonly #owner: GenerationOwner
  #fenced: FencedError | undefined

  constructor(fs: FileSystem, root: string, owner: GenerationOwner) {
    this.#fs = fs
    this.#root = root
    this.#owner = owner
    this.generation = owner.generation
    this.path = joinPath(root, generationName(owner.generation))
  }

  /**
   * Runs file operations and gives their failures a meaning.
   * @throws FencedError `FENCED` once this generation is sealed; StorageError `STORAGE_FAILED` otherwise.
   */
  async run<T>(path: string, operation: () => Promise<T>): Promise<T> {
    if (this.#fenced !== undefined) throw this.#fenced
    try {
      return await operation()
    } catch (thrown) {
      throw await this.#explain(thrown, path)
    }
  }

  /**
   * Makes sure that the path of this generation still names the directory it made. The name alone does not tell: a
   * starter that slept since before this generation was claimed can make a directory of the same name after the seal,
   * and what is written there would look published (see the test 'a sealed name that was made again').
   * What holds: once this returns, everything created by path before it lies in the right directory.
   *
   * @throws FencedError `FENCED` when it does not.
   */
  async ensureOwned(): Promise<void> {
    await this.run(this.path, async () => {
      // Read again before giving up: one bad read must not stop the job for good.
      if ((await this.#isMine()) || (await this.#isMine())) return
      this.#fenced = await this.#fencedError()
      throw this.#fenced
    })
  }

  async #explain(thrown: unknown, path: string): Promise<MillraceError> {
    if (thrown instanceof MillraceError) return thrown
    if (errnoOf(thrown) !== 'ENOENT' || (await this.#exists())) return writeFailure(this.#fs, thrown, path)
    this.#fenced ??= await this.#fencedError()
    return this.#fenced
  }

  async #exists(): Promise<boolean> {
    try {
      return await this.#isMine()
    } catch (error) {
      return errnoOf(error) !== 'ENOENT'
    }
  }

  async #isMine(): Promise<boolean> {
    const found = await readOwner(this.#fs, this.path)
    return found?.token === this.#owner.token
  }

  async #fencedError(): Promise<FencedError> {
    const { generation, job } = this.#owner
    return new FencedError('FENCED', {
      message: `generation ${generation} of this process is over: ${await this.#successor()}`,
      place: { job, path: this.path },
    })
  }

  /** Who took over, as far as it can be read. */
  async #successor(): Promise<string> {
    try {
      const newest = (await listGenerations(this.#fs, this.#root))[0]
      if (newest === undefined) return 'its directory has been removed'
      if (newest.generation <= this.generation) return 'a newer process has sealed it'
      const owner = await readOwner(this.#fs, joinPath(this.#root, newest.name)).catch(() => undefined)
      const name = owner === undefined ? '' : `, owner ${owner.owner}`
      return `a newer process has taken over (generation ${newest.generation}${name})`
    } catch {
      return 'its directory is gone'
    }
  }
}
