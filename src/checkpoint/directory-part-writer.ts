import { type Digest, type Hasher, invariant, type WritableFile } from '../core/index.ts'
import type { CheckpointPart, PartHeader, PartWriter } from './checkpoint-store.ts'
import { inlineBytes } from './inline-bytes.ts'

/** What a part needs of the checkpoint it belongs to. */
export interface PartOwner {
  readonly digest: Digest
  /** Parts up to this size stand in the manifest. */
  readonly inlineBytesMax: number
  /** Makes the part's file; its name comes back with it. */
  create(part: PartHeader): Promise<{ readonly name: string; readonly file: WritableFile }>
  /** Runs one step of writing; it fails when the checkpoint was given up, and a failure gives the checkpoint up. */
  run<T>(operation: () => Promise<T>): Promise<T>
}

/** A part written piece by piece. Until it is too large to stand in the manifest there is no file. */
export class DirectoryPartWriter implements PartWriter {
  readonly #owner: PartOwner
  readonly #header: PartHeader
  readonly #hasher: Hasher
  #head: Uint8Array
  #bytes = 0
  #open: { readonly name: string; readonly file: WritableFile } | undefined
  #finished = false

  constructor(owner: PartOwner, header: PartHeader) {
    this.#owner = owner
    this.#header = header
    this.#hasher = owner.digest.sha256()
    this.#head = new Uint8Array(Math.min(owner.inlineBytesMax, 4096))
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#owner.run(async () => {
      invariant(!this.#finished, 'a part is not written after it was finished')
      this.#hasher.update(bytes)
      const before = this.#bytes
      this.#bytes += bytes.length
      if (this.#bytes <= this.#owner.inlineBytesMax) return this.#keep(bytes, before)
      if (this.#open === undefined) {
        this.#open = await this.#owner.create(this.#header)
        if (before > 0) await this.#open.file.append(this.#head.subarray(0, before))
      }
      await this.#open.file.append(bytes)
    })
  }

  finish(): Promise<CheckpointPart> {
    return this.#owner.run(async () => {
      invariant(!this.#finished, 'a part is finished once')
      this.#finished = true
      const { uid: _, ...header } = this.#header
      const part = { ...header, bytes: this.#bytes, sha256: this.#hasher.hex() }
      if (this.#open === undefined) return { ...part, ...inlineBytes(this.#head.subarray(0, this.#bytes)) }
      await this.#open.file.sync()
      await this.close()
      return { ...part, file: this.#open.name }
    })
  }

  /** Closes the file, if there is one. */
  async close(): Promise<void> {
    await this.#open?.file.close()
  }

  get finished(): boolean {
    return this.#finished
  }

  #keep(bytes: Uint8Array, at: number): void {
    if (this.#bytes > this.#head.length) {
      const grown = new Uint8Array(Math.min(this.#owner.inlineBytesMax, Math.max(this.#bytes, this.#head.length * 2)))
      grown.set(this.#head)
      this.#head = grown
    }
    this.#head.set(bytes, at)
  }
}
