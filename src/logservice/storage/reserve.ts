import { type FileSystem, joinPath } from '../../core/index.ts'
import { reserveName, unlessMissing } from './segment-files.ts'

const pieceBytes = 1024 * 1024

/** Disk space that is given up when the disk is full, so that what frees space can still be recorded. */
export class Reserve {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #bytes: number
  #held = false

  constructor(fs: FileSystem, directory: string, bytes: number) {
    this.#fs = fs
    this.#path = joinPath(directory, reserveName)
    this.#bytes = bytes
  }

  /** True when there is nothing to give up; groups are refused then, or they would take the space that was given up. */
  get missing(): boolean {
    return this.#bytes > 0 && !this.#held
  }

  /**
   * Takes the space, unless it is held.
   * @throws what the file system throws, `ENOSPC` above all.
   */
  async hold(): Promise<void> {
    if (!this.missing) return
    const found = await unlessMissing(this.#fs.stat(this.#path))
    if (found?.size !== this.#bytes) {
      if (found !== undefined) await this.#fs.unlink(this.#path)
      await this.#fill()
    }
    this.#held = true
  }

  /** Gives the space up. False when there was none to give. */
  async release(): Promise<boolean> {
    if (!this.#held) return false
    this.#held = false
    return this.drop()
  }

  /** The same for what an earlier process took. */
  async drop(): Promise<boolean> {
    return (await unlessMissing(this.#fs.unlink(this.#path).then(() => true))) ?? false
  }

  async #fill(): Promise<void> {
    const file = await this.#fs.create(this.#path)
    try {
      const zeros = new Uint8Array(Math.min(pieceBytes, this.#bytes))
      for (let left = this.#bytes; left > 0; left -= zeros.length) await file.append(zeros.subarray(0, left))
    } catch (error) {
      await this.#fs.unlink(this.#path).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
  }
}
