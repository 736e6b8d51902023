import { relative } from 'node:path'
import type { JobEvent } from 'millrace'
import type { Settings } from './arguments.ts'
import type { Plan } from './plan.ts'
import type { Frame } from './progress.ts'
import type { Verdict } from './verify.ts'

/** How the run ended, and what a second look at input and output found. */
export interface Ending extends Verdict {
  readonly event: 'finished' | 'stopped'
  readonly seconds: number
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly fix?: string | undefined
  readonly exitCode: number
}

export interface Display {
  begin(plan: Plan, settings: Settings, resumed: boolean): void
  happened(event: JobEvent): void
  show(frame: Frame): void
  verifying(): void
  end(ending: Ending): void
  failed(failure: Failure): void
}

/** What of a stream a display uses. */
export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

/** True when nothing is wrong with the output. */
export const isRight = ({ in: read, lost, duplicate, counted }: Verdict): boolean =>
  lost === 0 && duplicate === 0 && counted === read

export const openDisplay = (stdout: Terminal, stderr: Terminal): Display =>
  stdout.isTTY === true ? new LiveDisplay(stdout) : new JsonDisplay(stdout, stderr)

/** One JSON object a line. */
class JsonDisplay implements Display {
  readonly #stdout: Terminal
  readonly #stderr: Terminal

  constructor(stdout: Terminal, stderr: Terminal) {
    this.#stdout = stdout
    this.#stderr = stderr
  }

  #line(value: object): void {
    this.#stdout.write(`${JSON.stringify(value)}\n`)
  }

  begin({ files, out, mode }: Plan, { state, rate, parallelism }: Settings, resumed: boolean): void {
    this.#line({ event: 'begin', pid: process.pid, mode, files: files.length, out, state, rate, parallelism, resumed })
  }

  happened(event: JobEvent): void {
    if (event.kind === 'started') {
      this.#line({ event: 'started', generation: event.generation, restored: event.restored ?? null })
    } else if (event.kind === 'restarting') {
      this.#line({ event: 'restarting', attempt: event.attempt, delayMs: event.delayMs, cause: event.cause.message })
    } else if (event.kind === 'checkpoint-failed') {
      this.#line({ event: 'checkpoint-failed', id: event.checkpointId, reason: event.reason, message: event.message })
    }
  }

  show({ levels, ...frame }: Frame): void {
    this.#line({ event: 'progress', ...frame, levels: Object.fromEntries(levels) })
  }

  verifying(): void {}

  end({ event, in: read, out, lost, duplicate, counted, gone, seconds }: Ending): void {
    const rest = gone.length === 0 ? {} : { gone }
    this.#line({ event, in: read, out, lost, duplicate, counted, seconds: Number(seconds.toFixed(1)), ...rest })
  }

  failed(failure: Failure): void {
    this.#stderr.write(`✗ ${failure.message}\n`)
    this.#line({ event: 'failed', ...failure })
  }
}

const bars = '▁▂▃▄▅▆▇█'
const barWidth = 32
const historyMax = 16

/** A few lines that are drawn again and again in place. */
class LiveDisplay implements Display {
  readonly #terminal: Terminal
  readonly #rates: number[] = []
  /** Lines on the screen that the next drawing replaces. */
  #drawn = 0
  #outDirectory = ''

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  begin(plan: Plan, { state, parallelism, rate }: Settings, resumed: boolean): void {
    const { files, mode } = plan
    const out = shortPath(plan.out)
    this.#outDirectory = out
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    const names = files.length === 1 ? shortPath(files[0]?.path ?? '') : `${files.length} files`
    const ending = mode === 'tail' ? 'followed until Ctrl-C' : 'as they are now'
    const limit = rate === undefined ? '' : ` · at most ${grouped(rate)} lines/s`
    this.#print(
      `  millrace count-and-archive · node ${process.version} · state ${shortPath(state)}`,
      '',
      `  ${resumed ? 'goes on with' : 'reads'} ${names}, ${size(bytes)}, ${ending}${limit}`,
      '',
      `  lines ──┬──▶ archive ──▶ ${out}/part-*.txt                  exactly-once · parallelism ${parallelism}`,
      `          └──▶ level ──▶ count ──▶ ${out}/counts-*.jsonl`,
      '',
    )
  }

  happened(event: JobEvent): void {
    if (event.kind === 'started' && event.restored !== undefined) {
      this.#print(`  ✓ goes on from checkpoint #${event.restored}`, '')
    } else if (event.kind === 'restarting') {
      const [what] = event.cause.message.split('\n')
      this.#print(`  ! restarts in ${Math.round(event.delayMs)} ms: ${what}`, '')
    } else if (event.kind === 'stopping') {
      this.#print('  stopping with a last checkpoint · a second time: at once', '')
    }
  }

  show(frame: Frame): void {
    const { in: read, out, inPerSecond, checkpoint, restarts, levels } = frame
    this.#rates.push(inPerSecond)
    if (this.#rates.length > historyMax) this.#rates.shift()
    const fastest = Math.max(1, ...this.#rates)
    const history = this.#rates.map((rate) => bars[Math.min(7, Math.floor((8 * rate) / fastest))]).join('')
    const taken =
      checkpoint === undefined
        ? 'no checkpoint yet'
        : `checkpoint #${checkpoint.id}, ${checkpoint.ms} ms, ${(checkpoint.ageMs / 1000).toFixed(1)} s ago`
    const restarted = restarts === 0 ? '' : ` · ${restarts} restarts`
    const top = levels.slice(0, 6).map(([level, lines]) => `${level} ${grouped(lines)}`)
    this.#draw([
      `  in ${grouped(read)} · ${grouped(inPerSecond)}/s ${history} · out ${grouped(out)}`,
      `  ${taken}${restarted}`,
      ...progressBar(frame),
      ...(top.length === 0 ? [] : [`  ${top.join(' · ')}`]),
    ])
  }

  verifying(): void {
    this.#draw(['  comparing the results with the input, line by line …'])
  }

  end(ending: Ending): void {
    const { event, in: read, out, lost, duplicate, counted, gone, seconds } = ending
    this.#draw([])
    const wrongCounts = counted === read ? '' : ` · ${grouped(counted)} counted`
    this.#print(
      `  ${isRight(ending) ? '✓' : '✗'} ${event}: ${grouped(read)} in · ${grouped(out)} out · ${grouped(lost)} lost · ` +
        `${grouped(duplicate)} duplicate${wrongCounts}   ${seconds.toFixed(1)} s`,
      ...gone.map((path) => `    ${shortPath(path)} is gone or was replaced: compared by number of lines only`),
      event === 'finished'
        ? `    results in ${this.#outDirectory} · read again from the start with --fresh`
        : '    the same command goes on from here',
    )
  }

  failed({ message }: Failure): void {
    this.#draw([])
    this.#print(...`  ✗ ${message}`.split('\n'))
  }

  /** Lines that stay. */
  #print(...lines: readonly string[]): void {
    this.#draw([])
    this.#terminal.write(lines.map((line) => `${line}\n`).join(''))
  }

  #draw(lines: readonly string[]): void {
    const width = (this.#terminal.columns ?? 80) - 1
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r\x1b[0J`
    this.#terminal.write(up + lines.map((line) => `${[...line].slice(0, width).join('')}\n`).join(''))
    this.#drawn = lines.length
  }
}

const progressBar = ({ bytes, bytesTotal, outPerSecond, out }: Frame): string[] => {
  if (bytesTotal === undefined || bytesTotal === 0) return []
  const done = Math.min(1, bytes / bytesTotal)
  const full = Math.round(done * barWidth)
  const bytesPerSecond = out === 0 ? 0 : outPerSecond * (bytes / out)
  const left = bytesPerSecond === 0 || done === 1 ? '' : ` · ${Math.ceil((bytesTotal - bytes) / bytesPerSecond)} s left`
  const percent = Math.floor(100 * done)
  return [`  ${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${percent} % of ${size(bytesTotal)}${left}`]
}

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ')
const size = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const shortPath = (path: string): string => {
  const fromHere = relative('.', path)
  return fromHere === '' ? '.' : fromHere.startsWith('..') ? path : `./${fromHere}`
}
