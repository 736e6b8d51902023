import { hostname } from 'node:os'
import type { Cancel } from '../core/index.ts'

/** The process itself, as the command line and the job runner need it. */
export interface Host {
  readonly pid: number
  readonly hostname: string
  /** Calls `run` at every such signal until cancelled; while one is registered, the signal does not end the process. */
  onSignal(signal: 'SIGTERM' | 'SIGINT', run: () => void): Cancel
  /** Resident memory in bytes. */
  rssBytes(): number
  exit(code: number): never
  /** Writes a line to standard output. Never throws: a line that cannot be written is counted as dropped. */
  out(line: string): void
  /** The same to standard error. */
  err(line: string): void
  droppedLines(): number
}

/** Lines beyond this many waiting bytes are dropped: a reader that stands still must not fill the memory. */
const waitingBytesMax = 1024 * 1024

interface LineStream {
  readonly writable: boolean
  readonly writableLength: number
  write(text: string): boolean
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** Writes lines to a stream whose reader may go away or stand still. */
export class LineWriter {
  readonly #stream: LineStream
  #dropped = 0
  #broken = false

  constructor(stream: LineStream) {
    this.#stream = stream
    // Without a listener, EPIPE from `| head` would end the process.
    stream.on('error', () => {
      this.#broken = true
      this.#dropped++
    })
  }

  get dropped(): number {
    return this.#dropped
  }

  write(line: string): void {
    if (this.#broken || !this.#stream.writable || this.#stream.writableLength > waitingBytesMax) {
      this.#dropped++
      return
    }
    this.#stream.write(`${line}\n`)
  }
}

let writers: { readonly out: LineWriter; readonly err: LineWriter } | undefined

/** The same two writers for every host of the process, made when first used: a listener each is enough. */
const lineWriters = (): { readonly out: LineWriter; readonly err: LineWriter } => {
  writers ??= { out: new LineWriter(process.stdout), err: new LineWriter(process.stderr) }
  return writers
}

export const nodeHost: Host = {
  pid: process.pid,
  hostname: hostname(),
  onSignal(signal, run) {
    process.on(signal, run)
    return () => process.off(signal, run)
  },
  rssBytes: () => process.memoryUsage.rss(),
  exit: (code) => process.exit(code),
  out: (line) => lineWriters().out.write(line),
  err: (line) => lineWriters().err.write(line),
  droppedLines: () => lineWriters().out.dropped + lineWriters().err.dropped,
}
