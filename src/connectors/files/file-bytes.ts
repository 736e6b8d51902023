import { asError, type Compression, type Inflater, type ReadableFile } from '../../core/index.ts'

/** The bytes are not what a gzip file consists of, or stop too early. */
export class GzipFailure extends Error {
  constructor(cause: unknown) {
    super(asError(cause).message, { cause })
    this.name = 'GzipFailure'
  }
}

/** The content of a file, decompressed when it is compressed. */
export interface FileBytes {
  /** Up to `length` bytes from `position`; fewer only at the end there is now. Buffers are fresh. */
  read(position: number, length: number, signal: AbortSignal): Promise<Uint8Array>
  /** @throws GzipFailure when the bytes read so far are not a whole gzip file. */
  finish(): void
  /** Leaves the file itself open. */
  close(): void
}

/** The first `limit` bytes of a file, or all of it as it grows. */
export class PlainBytes implements FileBytes {
  readonly #file: ReadableFile
  readonly #limit: number

  constructor(file: ReadableFile, limit: number | null) {
    this.#file = file
    this.#limit = limit ?? Number.POSITIVE_INFINITY
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.#file.readAt(position, Math.max(0, Math.min(length, this.#limit - position)))
  }

  finish(): void {}

  close(): void {}
}

const compressedBlockBytes = 128 * 1024

/**
 * The content of a gzip file. Reading on is cheap; going back means inflating from the start again. Keeps the bytes from
 * the last position asked for, so a line that was not complete is not inflated twice.
 */
export class GzipBytes implements FileBytes {
  readonly #file: ReadableFile
  readonly #compression: Pick<Compression, 'gunzip'>
  readonly #limit: number
  #inflater: Inflater
  #pieces: AsyncIterator<Uint8Array> | undefined
  /** Compressed bytes handed to the inflater. */
  #taken = 0
  /** Inflated bytes `#start` … `#end`, in order. */
  #window: Uint8Array[] = []
  #start = 0
  #end = 0

  /** @param limit compressed bytes to read; null: as the file grows */
  constructor(file: ReadableFile, limit: number | null, compression: Pick<Compression, 'gunzip'>) {
    this.#file = file
    this.#limit = limit ?? Number.POSITIVE_INFINITY
    this.#compression = compression
    this.#inflater = compression.gunzip()
  }

  /** Compressed bytes read so far. */
  get taken(): number {
    return this.#taken
  }

  async read(position: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
    if (position < this.#start) this.#restart()
    while (this.#end < position + length) {
      signal.throwIfAborted()
      const piece = await this.#next()
      if (piece === undefined) break
      this.#window.push(piece)
      this.#end += piece.length
      this.#forget(position)
    }
    this.#forget(position)
    return this.#copy(position, Math.max(0, Math.min(length, this.#end - position)))
  }

  finish(): void {
    try {
      this.#inflater.finish()
    } catch (thrown) {
      throw new GzipFailure(thrown)
    }
  }

  close(): void {
    this.#inflater.close()
    this.#pieces = undefined
    this.#window = []
  }

  #restart(): void {
    this.close()
    this.#inflater = this.#compression.gunzip()
    this.#taken = 0
    this.#start = 0
    this.#end = 0
  }

  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = await this.#nextPiece()
      if (piece !== undefined) return piece
      this.#pieces = undefined
      const compressed = await this.#file.readAt(this.#taken, Math.min(compressedBlockBytes, this.#limit - this.#taken))
      if (compressed.length === 0) return undefined
      this.#taken += compressed.length
      this.#pieces = this.#inflater.push(compressed)[Symbol.asyncIterator]()
    }
  }

  async #nextPiece(): Promise<Uint8Array | undefined> {
    try {
      const piece = await this.#pieces?.next()
      return piece === undefined || piece.done === true ? undefined : piece.value
    } catch (thrown) {
      throw new GzipFailure(thrown)
    }
  }

  /** Frees the pieces before `position`. */
  #forget(position: number): void {
    let count = 0
    for (const piece of this.#window) {
      if (this.#start + piece.length > position) break
      this.#start += piece.length
      count++
    }
    if (count > 0) this.#window.splice(0, count)
  }

  #copy(position: number, length: number): Uint8Array {
    const copied = new Uint8Array(length)
    let filled = 0
    let skip = position - this.#start
    for (const piece of this.#window) {
      if (filled === length) break
      const part = piece.subarray(skip, skip + length - filled)
      copied.set(part, filled)
      filled += part.length
      skip = 0
    }
    return copied
  }
}
