import { createInflateRaw, gzipSync, type InflateRaw } from 'node:zlib'
import type { Compression } from '../core/index.ts'
import { GzipInflater, inflatedPieceBytesMax, type RawInflate } from './gzip-inflater.ts'
import { nodeBlockCodec } from './node-block-codec.ts'

/** Fixed, so that the same bytes give the same member on every run. */
const gzipLevel = 6

/**
 * A raw deflate stream on Node's thread pool. Node stops inflating when two pieces wait to be read, so a small input that
 * inflates to gigabytes costs no more memory than any other.
 */
class NodeRawInflate implements RawInflate {
  readonly #stream: InflateRaw = createInflateRaw({ chunkSize: inflatedPieceBytesMax })
  #failure: Error | undefined
  #ended = false
  #wake: () => void = () => {}
  unused: number | undefined

  constructor() {
    const wake = (): void => this.#wake()
    this.#stream.on('readable', wake)
    this.#stream.on('end', () => {
      this.#ended = true
      wake()
    })
    this.#stream.on('error', (error) => {
      this.#failure = error
      wake()
    })
    this.#stream.on('close', wake)
  }

  async *push(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    const stream = this.#stream
    const before = stream.bytesWritten
    let taken = false
    stream.write(bytes, () => {
      taken = true
      this.#wake()
    })
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      const piece: Buffer | null = stream.read()
      if (piece !== null) {
        yield* cut(piece)
        continue
      }
      if (taken || this.#ended) {
        // The engine leaves what follows the end of the stream; a stream that goes on takes everything.
        const unused = bytes.length - (stream.bytesWritten - before)
        if (unused > 0) this.unused = unused
        return
      }
      if (stream.destroyed) throw new Error('the inflater was closed while it was read')
      await woken
    }
  }

  close(): void {
    this.#stream.destroy()
  }
}

/** `read()` may join what waited into one piece. */
function* cut(piece: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < piece.length; start += inflatedPieceBytesMax) {
    yield piece.subarray(start, start + inflatedPieceBytesMax)
  }
}

export const nodeCompression: Compression = {
  gzip: (bytes) => gzipSync(bytes, { level: gzipLevel }),
  gunzip: () => new GzipInflater(() => new NodeRawInflate()),
  blockCodec: nodeBlockCodec,
}
