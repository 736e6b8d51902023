import { constants, type Gunzip, gunzipSync, gzipSync } from 'node:zlib'
import type { Compression, Inflater } from '../core/index.ts'
import { syncBlockCodec } from './sync-block-codec.ts'

const pieceBytesMax = 64 * 1024

const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code })

/**
 * Inflates everything from the start at every push: the thread pool, which finishes in no fixed order, is not used. Only
 * for the small files of tests: the cost grows with the square of the number of pushes.
 */
class SyncInflater implements Inflater {
  #input: Uint8Array = new Uint8Array(0)
  #given = 0
  #closed = false

  async *push(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    if (this.#closed) throw new Error('the inflater is closed')
    if (bytes.length === 0) return
    const joined = new Uint8Array(this.#input.length + bytes.length)
    joined.set(this.#input)
    joined.set(bytes, this.#input.length)
    this.#input = joined
    // With `info` Node gives the engine too, which knows how much it took; its types do not say so.
    const { buffer, engine } = gunzipSync(joined, {
      finishFlush: constants.Z_SYNC_FLUSH,
      info: true,
    }) as unknown as { readonly buffer: Buffer; readonly engine: Gunzip }
    if (joined.subarray(engine.bytesWritten).some((byte) => byte !== 0)) {
      throw coded('Z_DATA_ERROR', 'rubbish follows the last gzip member')
    }
    const from = this.#given
    this.#given = buffer.length
    for (let start = from; start < buffer.length; start += pieceBytesMax) {
      yield new Uint8Array(buffer.subarray(start, start + pieceBytesMax))
    }
  }

  finish(): void {
    if (this.#input.length === 0) throw coded('Z_BUF_ERROR', 'gzip data stops before its end')
    gunzipSync(this.#input)
  }

  close(): void {
    this.#closed = true
    this.#input = new Uint8Array(0)
  }
}

/** Compression that does not wait: the same bytes at the same virtual time on every run. */
export const syncCompression: Compression = {
  gzip: (bytes) => gzipSync(bytes, { level: 6 }),
  gunzip: () => new SyncInflater(),
  blockCodec: syncBlockCodec,
}
