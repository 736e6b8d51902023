import type { Compression, Digest, FileStat, ReadableFile } from '../../core/index.ts'
import { type FileBytes, GzipBytes, PlainBytes } from './file-bytes.ts'
import type { FileSplit } from './file-split.ts'
import { type Fingerprint, fingerprintBytesMax, fingerprintOf } from './fingerprint.ts'

/** A file that was opened, with what it starts with. */
export interface OpenedFile {
  readonly path: string
  readonly file: ReadableFile
  readonly stat: FileStat
  /** As many of the first bytes as a fingerprint covers. */
  readonly prefix: Uint8Array
}

/** What a look at a file's size and time found, to tell whether it is worth another one. */
export interface Look {
  readonly size: number
  readonly modifiedMs: number
}

/** An open file that a split is read from, and what is remembered between two fetches. */
export class FileCursor {
  readonly file: ReadableFile
  readonly path: string
  readonly fileId: string
  /** The generation of the split this content belongs to. */
  readonly generation: number
  readonly #limit: number | null
  readonly #compression: Pick<Compression, 'gunzip'>
  #bytes: FileBytes | undefined
  #fingerprint: Fingerprint | undefined
  /** Grows with the file, up to what a fingerprint covers. */
  prefix: Uint8Array
  lastLook: Look | undefined
  /** When the file was last seen to change, on the monotonic clock. */
  changedMs: number
  /** From `position` on, no line ends before the file has more than `size` bytes; `partBytes` of one are there. */
  noLine: { readonly position: number; readonly size: number; readonly partBytes: number } | undefined

  constructor(opened: OpenedFile, split: FileSplit, compression: Pick<Compression, 'gunzip'>, nowMs: number) {
    this.file = opened.file
    this.path = opened.path
    this.fileId = opened.stat.fileId
    this.prefix = opened.prefix
    this.generation = split.generation
    this.changedMs = nowMs
    this.#limit = split.size
    this.#compression = compression
  }

  get isGzip(): boolean {
    return isGzip(this.prefix)
  }

  /** The content. Whether it is compressed is settled by the first bytes, so those must be there. */
  get bytes(): FileBytes {
    this.#bytes ??= this.isGzip
      ? new GzipBytes(this.file, this.#limit, this.#compression)
      : new PlainBytes(this.file, this.#limit)
    return this.#bytes
  }

  /** Bytes of the file itself that the position of `split` stands behind, as far as it is known. */
  consumed(split: FileSplit): number {
    return this.#bytes instanceof GzipBytes ? this.#bytes.taken : this.isGzip ? 0 : split.position
  }

  /** False when the file does not start any more with what it started with. Takes in what it has grown by. */
  async verifyPrefix(): Promise<boolean> {
    const prefix = await this.file.readAt(0, fingerprintBytesMax)
    if (prefix.length < this.prefix.length) return false
    if (!this.prefix.every((byte, index) => byte === prefix[index])) return false
    this.prefix = prefix
    return true
  }

  /** What the file starts with, hashed once for each length. */
  fingerprint(digest: Pick<Digest, 'sha256'>): Fingerprint {
    if (this.#fingerprint?.bytes !== this.prefix.length) this.#fingerprint = fingerprintOf(digest, this.prefix)
    return this.#fingerprint
  }

  /** Reads the same file from its start, as the next generation of the split. */
  async restart(split: FileSplit, nowMs: number): Promise<FileCursor> {
    this.#bytes?.close()
    const prefix = await this.file.readAt(0, fingerprintBytesMax)
    const opened = { path: this.path, file: this.file, stat: await this.file.stat(), prefix }
    return new FileCursor(opened, split, this.#compression, nowMs)
  }

  async close(): Promise<void> {
    this.#bytes?.close()
    await this.file.close()
  }
}

const gzipMagic = [0x1f, 0x8b, 8]

/** True when the bytes start like a gzip file. */
export const isGzip = (prefix: Uint8Array): boolean =>
  prefix.length >= gzipMagic.length && gzipMagic.every((byte, index) => prefix[index] === byte)

/** True when so few bytes are there that a gzip file may come of them. */
export const mayBecomeGzip = (prefix: Uint8Array): boolean =>
  prefix.length > 0 && prefix.length < gzipMagic.length && prefix.every((byte, index) => gzipMagic[index] === byte)
