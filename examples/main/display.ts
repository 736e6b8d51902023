import type { JobEvent } from 'millrace'
import { byteSize, grouped, LiveArea, RateHistory, shortPath, type Terminal } from '../shared/terminal.ts'
import type { Settings } from './arguments.ts'
import type { Plan } from './plan.ts'
import type { Frame } from './progress.ts'
import { isRight, type Verdict } from './verify.ts'

/** How the run ended, and what a second look at everything found. */
export interface Ending extends Verdict {
  readonly event: 'finished' | 'stopped'
  /** Copies that the restarts of the run allow. */
  readonly bound: number
  readonly restarts: number
  readonly seconds: number
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly fix?: string | undefined
  readonly exitCode: number
}

export interface Beginning {
  readonly plan: Plan
  readonly settings: Settings
  readonly resumed: boolean
  readonly url: string
}

export interface Display {
  begin(beginning: Beginning): void
  happened(event: JobEvent): void
  mishap(text: string): void
  show(frame: Frame): void
  verifying(): void
  end(ending: Ending): void
  failed(failure: Failure): void
}

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

  begin({ plan: { mode, files }, settings: { state, rate, parallelism }, resumed, url }: Beginning): void {
    this.#line({ event: 'begin', pid: process.pid, url, mode, files: files.length, state, rate, parallelism, resumed })
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

  mishap(what: string): void {
    this.#line({ event: 'mishap', what })
  }

  show({ levels, ...frame }: Frame): void {
    this.#line({ event: 'progress', ...frame, levels: Object.fromEntries(levels) })
  }

  verifying(): void {}

  end({ event, in: read, out, lost, duplicate, rewritten, bound, gone, foreign, ...rest }: Ending): void {
    const { counted, restarts, seconds } = rest
    const more = { ...(foreign === 0 ? {} : { foreign }), ...(gone.length === 0 ? {} : { gone }) }
    const said = { event, in: read, out, lost, duplicate, rewritten, bound, counted, restarts }
    this.#line({ ...said, seconds: Number(seconds.toFixed(1)), ...more })
  }

  failed(failure: Failure): void {
    this.#stderr.write(`✗ ${failure.message}\n`)
    this.#line({ event: 'failed', ...failure })
  }
}

/** A picture of the job, drawn again and again in place. */
class LiveDisplay implements Display {
  readonly #area: LiveArea
  readonly #rates = new RateHistory()

  constructor(terminal: Terminal) {
    this.#area = new LiveArea(terminal)
  }

  begin({ plan: { mode, files }, settings: { state, parallelism, rate }, resumed, url }: Beginning): void {
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    const names = files.length === 1 ? shortPath(files[0]?.path ?? '') : `${files.length} files`
    const ending = mode === 'tail' ? 'followed until Ctrl-C' : 'as they are now'
    const limit = rate === undefined ? '' : ` · at most ${grouped(rate)} lines/s`
    this.#area.print(
      `  millrace · node ${process.version} · state ${shortPath(state)} · log service ${url}`,
      '',
      `  ${resumed ? 'goes on with' : 'reads'} ${names}, ${byteSize(bytes)}, ${ending}${limit}`,
      '',
      `  files ──▶ access ──┬──▶ dispatch ──▶ errors, warnings, routine    at-least-once · parallelism ${parallelism}`,
      '                     └──▶ count by level                            exactly-once state',
      '',
    )
  }

  happened(event: JobEvent): void {
    if (event.kind === 'started' && event.restored !== undefined) {
      this.#area.print(`  ✓ goes on from checkpoint #${event.restored}`)
    } else if (event.kind === 'restarting') {
      const [what] = event.cause.message.split('\n')
      this.#area.print(`  ! restarts in ${Math.round(event.delayMs)} ms: ${what}`)
    } else if (event.kind === 'stopping') {
      this.#area.print('  stopping with a last checkpoint · a second time: at once')
    }
  }

  mishap(text: string): void {
    this.#area.print(`  ! ${text}`)
  }

  show({ in: read, counted, inPerSecond, countedPerSecond, checkpoint, restarts, levels, lag, shards }: Frame): void {
    const taken =
      checkpoint === undefined
        ? 'no checkpoint yet'
        : `checkpoint #${checkpoint.id}, ${checkpoint.ms} ms, ${(checkpoint.ageMs / 1000).toFixed(1)} s ago`
    const top = levels.slice(0, 6).map(([level, logs]) => `${level} ${grouped(logs)}`)
    this.#area.draw([
      '',
      `  written ${grouped(read)} · ${grouped(inPerSecond)}/s ${this.#rates.add(inPerSecond)}`,
      `  counted ${grouped(counted)} · ${grouped(countedPerSecond)}/s · ${grouped(lag)} groups behind`,
      `  ${taken} · ${plural(restarts, 'restart')}`,
      `  shards ${shards.map(shardText).join(' · ')}`,
      ...(top.length === 0 ? [] : [`  ${top.join(' · ')}`]),
    ])
  }

  verifying(): void {
    this.#area.draw(['', '  reading files, logstores and counts again, and comparing them line by line …'])
  }

  end(ending: Ending): void {
    const { event, in: read, out, lost, duplicate, rewritten, bound, foreign, gone, seconds, restarts } = ending
    const mark = isRight(ending, bound) ? '✓' : '✗'
    const strange = foreign === 0 ? '' : ` · ${grouped(foreign)} from nowhere`
    this.#area.print(
      '',
      `  ${mark} ${event}: ${grouped(read)} in · ${grouped(out)} out · ${grouped(lost)} lost · ` +
        `${grouped(duplicate)} duplicate in state${strange}   ${seconds.toFixed(1)} s`,
      `    ${grouped(rewritten)} written again, at most ${grouped(bound)} after ${plural(restarts, 'restart')}`,
      ...gone.map((path) => `    ${shortPath(path)} is gone or was replaced: what was written of it stands for it`),
      event === 'finished' ? '    from the start again with --fresh' : '    the same command goes on from here',
    )
  }

  failed({ message }: Failure): void {
    this.#area.print(...`  ✗ ${message}`.split('\n'))
  }
}

const plural = (count: number, what: string): string => `${grouped(count)} ${what}${count === 1 ? '' : 's'}`

/** `5◀0` came out of shard 0; one in parentheses takes no more data. */
const shardText = ({ id, parents, status, behind }: Frame['shards'][number]): string => {
  const name = parents.length === 0 ? String(id) : `${id}◀${parents.join('+')}`
  const lag = behind === 0 ? '' : ` −${grouped(behind)}`
  return status === 'readonly' ? `(${name}${lag})` : `${name}${lag}`
}
