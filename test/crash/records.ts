import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** A file of the input: records `first` up to `first + count`, in order. */
export interface InputFile {
  readonly path: string
  readonly first: number
  readonly count: number
}

type Shape = 'lf' | 'crlf' | 'gzip' | 'no-last-newline'

const shapes: readonly Shape[] = ['lf', 'crlf', 'gzip', 'no-last-newline', 'lf', 'gzip', 'crlf', 'lf']
export const keyCount = 2_000

const mix = (id: number): number => {
  let hash = Math.imul(id ^ (id >>> 16), 0x45d9f3b)
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 16)) >>> 0
}

export const keyOf = (id: number): number => mix(id) % keyCount

const padding = Buffer.from('the quick brown fox jumps over the lazy dog; ξεσκεπάζω την ψυχοφθόρα βδελυγμία; ')
/** Not UTF-8, and a carriage return in the middle of a line. */
const rawBytes = Buffer.from([0xff, 0xfe, 0x80, 0x0d, 0x20, 0xc3, 0x28])

const padBytesOf = (id: number): number => {
  if (id % 9_973 === 17) return 200_000
  if (id % 997 === 5) return 9_000
  return mix(id + 1) % 60
}

/** The line of a record, without a terminator: always the same bytes for the same id. */
export const lineOf = (id: number): Buffer => {
  const head = Buffer.from(`{"id":${id},"key":${keyOf(id)},"pad":"`)
  const pad = Buffer.alloc(padBytesOf(id), padding)
  const raw = id % 53 === 7 ? rawBytes : Buffer.alloc(0)
  return Buffer.concat([head, pad, raw, Buffer.from('"}')])
}

/** The id in a line of the input or of an output; undefined when it does not begin as one. */
export const idOf = (line: Buffer): number | undefined => {
  const match = /^\{"id":(\d{1,9}),/.exec(line.toString('latin1', 0, 24))
  return match === null ? undefined : Number(match[1])
}

function* contentOf({ first, count }: InputFile, shape: Shape): Generator<Buffer> {
  const terminator = Buffer.from(shape === 'crlf' ? '\r\n' : '\n')
  for (let from = first; from < first + count; from += 500) {
    const to = Math.min(from + 500, first + count)
    const pieces: Buffer[] = []
    for (let id = from; id < to; id++) {
      pieces.push(lineOf(id))
      if (shape !== 'no-last-newline' || id < first + count - 1) pieces.push(terminator)
    }
    yield Buffer.concat(pieces)
  }
}

/** Writes the input: every record once, over files of all the shapes a log comes in. */
export const writeInput = async (directory: string, records: number): Promise<InputFile[]> => {
  const files: InputFile[] = []
  for (const [index, shape] of shapes.entries()) {
    const first = Math.floor((records * index) / shapes.length)
    const count = Math.floor((records * (index + 1)) / shapes.length) - first
    const path = join(directory, `input-${index}-${shape}.log${shape === 'gzip' ? '.gz' : ''}`)
    const file = { path, first, count }
    files.push(file)
    const out = createWriteStream(path)
    if (shape === 'gzip') await pipeline(contentOf(file, shape), createGzip({ level: 1 }), out)
    else await pipeline(contentOf(file, shape), out)
  }
  return files
}
