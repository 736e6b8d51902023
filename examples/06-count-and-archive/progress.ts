import type { JobEvent, JobHandle } from 'millrace'
import { isGzip } from '../shared/input.ts'
import type { Results } from './output.ts'
import type { Plan } from './plan.ts'

/** How the run stands at one moment. */
export interface Frame {
  /** Lines read, and lines that can be seen in the archive, since the run first started. */
  readonly in: number
  readonly out: number
  readonly inPerSecond: number
  readonly outPerSecond: number
  /** Bytes read and archived, and those of the whole input when that is known. */
  readonly bytes: number
  readonly bytesTotal: number | undefined
  /** The last completed checkpoint of this process. */
  readonly checkpoint: { readonly id: number; readonly ms: number; readonly ageMs: number } | undefined
  readonly restarts: number
  readonly levels: readonly (readonly [level: string, lines: number])[]
}

/** Puts together what is shown from the metrics and events of the job and from its results. */
export class Progress {
  readonly #running: JobHandle
  readonly #results: Results
  readonly #bytesTotal: number | undefined
  #checkpoint: { readonly id: number; readonly ms: number; readonly atMs: number } | undefined
  #restarts = 0
  /** Lines read before the current attempt: those in the archive, since an attempt begins where the archive ends. */
  #before = 0
  #readAtStart = 0
  /** What the last frame showed; undefined until this process has begun to read, whose speed it is about. */
  #last: { readonly atMs: number; readonly in: number; readonly out: number } | undefined

  constructor(running: JobHandle, results: Results, bytesTotal: number | undefined) {
    this.#running = running
    this.#results = results
    this.#bytesTotal = bytesTotal
    running.events$.subscribe((event) => this.#hear(event))
  }

  #hear(event: JobEvent): void {
    if (event.kind === 'restarting') this.#restarts++
    if (event.kind === 'checkpoint-completed') {
      this.#checkpoint = { id: event.checkpointId, ms: event.durationMs, atMs: performance.now() }
    }
    if (event.kind === 'started') {
      this.#readAtStart = this.#linesRead()
      void this.#results.refresh().then(() => {
        this.#before = this.#results.lines
        this.#last ??= { atMs: performance.now(), in: this.#before, out: this.#before }
      })
    }
  }

  #linesRead(): number {
    return this.#running.metrics().sum('millrace_records_out_total', 'lines') ?? 0
  }

  async frame(): Promise<Frame> {
    await this.#results.refresh()
    const atMs = performance.now()
    const { lines: out } = this.#results
    const read = Math.max(out, this.#before + this.#linesRead() - this.#readAtStart)
    const last = this.#last ?? { atMs, in: read, out }
    const seconds = Math.max(0.001, (atMs - last.atMs) / 1000)
    const perSecond = (now: number, then: number): number => Math.max(0, Math.round((now - then) / seconds))
    const frame: Frame = {
      in: read,
      out,
      inPerSecond: perSecond(read, last.in),
      outPerSecond: perSecond(out, last.out),
      bytes: Math.min(this.#results.bytesRead(), this.#bytesTotal ?? Number.POSITIVE_INFINITY),
      bytesTotal: this.#bytesTotal,
      checkpoint: this.#checkpoint && {
        id: this.#checkpoint.id,
        ms: Math.round(this.#checkpoint.ms),
        ageMs: Math.round(atMs - this.#checkpoint.atMs),
      },
      restarts: this.#restarts,
      levels: this.#results.levels(),
    }
    if (this.#last !== undefined) this.#last = { atMs, in: read, out }
    return frame
  }
}

/** Bytes of the whole input; undefined when nobody can tell, because it grows or is compressed. */
export const bytesOf = async ({ mode, files }: Plan): Promise<number | undefined> => {
  if (mode === 'tail') return undefined
  for (const { path } of files) if (await isGzip(path)) return undefined
  return files.reduce((sum, { size }) => sum + size, 0)
}
