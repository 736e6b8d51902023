import { fileURLToPath } from 'node:url'
import { Child, within } from '../child.ts'
import type { SlsJobEvent } from './job-main.ts'
import { project, type SlsJobSettings } from './sls-job.ts'

const node = [process.execPath, '--max-old-space-size=512']

/** The log service, as `millrace logservice`. */
export class ServiceProcess extends Child {
  readonly #ready: Promise<boolean>
  #say: (ready: true) => void = () => {}

  constructor(data: string, port: number, crashAt: string | undefined) {
    const program = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
    const flags = ['--port', String(port), '--data', data, '--project', project, '--auth', 'off', '--json']
    // Small segments, so that rolling them is part of what is killed.
    super([...node, program, 'logservice', ...flags, '--segment-size', '4MiB'], {
      env: { MILLRACE_CRASH_AT: crashAt ?? '' },
    })
    const said = new Promise<true>((resolve) => {
      this.#say = resolve
    })
    this.#ready = Promise.race([said, this.ended.then(() => false)])
  }

  override heard(line: string): void {
    if (line.includes('"event":"ready"')) this.#say(true)
  }

  /** False when it has ended before, or takes too long. */
  async ready(): Promise<boolean> {
    return (await within(30_000, this.#ready)) ?? false
  }
}

/** A process that runs the job. */
export class SlsJobProcess extends Child {
  /** All it said. */
  readonly events: SlsJobEvent[] = []
  /** Time from its beginning to its first checkpoint, when there was one. */
  healthyAfterMs: number | undefined
  #beganMs: number | undefined
  readonly #checkpointsMs: number[] = []

  constructor(settings: SlsJobSettings, crashAt: string | undefined) {
    const program = fileURLToPath(new URL('./job-main.js', import.meta.url))
    super([...node, program, JSON.stringify(settings)], { env: { MILLRACE_CRASH_AT: crashAt ?? '' } })
  }

  override heard(line: string): void {
    let event: SlsJobEvent
    try {
      event = JSON.parse(line) as SlsJobEvent
    } catch {
      // Cut off by a kill.
      return
    }
    this.events.push(event)
    if (event.event === 'begin') this.#beganMs = performance.now()
    if (event.event !== 'checkpoint') return
    this.#checkpointsMs.push(performance.now())
    this.healthyAfterMs ??= performance.now() - (this.#beganMs ?? this.spawnedMs)
  }

  /**
   * The longest time that passed from one of these moments to the next checkpoint, or to now where there is none; moments
   * before it began do not count.
   */
  slowestAfter(momentsMs: readonly number[]): number {
    const nowMs = performance.now()
    const waits = momentsMs.flatMap((momentMs) =>
      momentMs < this.spawnedMs ? [] : [(this.#checkpointsMs.find((ms) => ms >= momentMs) ?? nowMs) - momentMs],
    )
    return Math.max(0, ...waits)
  }

  all<Kind extends SlsJobEvent['event']>(kind: Kind): Extract<SlsJobEvent, { event: Kind }>[] {
    return this.events.filter((event): event is Extract<SlsJobEvent, { event: Kind }> => event.event === kind)
  }
}
