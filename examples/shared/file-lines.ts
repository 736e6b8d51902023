import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isGzip } from './input.ts'

export interface FileLine {
  readonly bytes: Buffer
  /** Of the first byte; in the decompressed bytes of a compressed file. */
  readonly offset: number
}

/** How far a file was read: past the start of the last line, and where that line may stop at most. */
export interface End {
  readonly startsBefore: number
  readonly stopsAt: number
}

/** All of a file. */
export const everything: End = { startsBefore: Number.POSITIVE_INFINITY, stopsAt: Number.POSITIVE_INFINITY }

/**
 * The lines of a file without their terminator, decompressed, up to an end. In the input that is `\n` or `\r\n`; in the
 * archive it is always `\n`, and a `\r` before it belongs to the line.
 */
export async function* linesOf(
  path: string,
  { startsBefore, stopsAt }: End,
  terminator: 'lf' | 'also-crlf',
): AsyncGenerator<FileLine> {
  const compressed = await isGzip(path)
  const file = createReadStream(path)
  const bytes = compressed ? pipeline(file, createGunzip(), () => {}) : file
  let held: Buffer = Buffer.alloc(0)
  let start = 0
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let from = 0
    for (let at = held.indexOf(10); at >= 0; at = held.indexOf(10, from)) {
      if (start + from >= startsBefore) return
      const stop = terminator === 'also-crlf' && at > from && held[at - 1] === 13 ? at - 1 : at
      yield { bytes: held.subarray(from, Math.min(stop, Math.max(from, stopsAt - start))), offset: start + from }
      from = at + 1
    }
    start += from
    held = held.subarray(from)
  }
  if (held.length > 0 && start < startsBefore) {
    yield { bytes: held.subarray(0, Math.max(0, stopsAt - start)), offset: start }
  }
}
