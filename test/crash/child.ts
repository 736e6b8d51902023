import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CrashJobSettings } from './crash-job.ts'
import type { ChildEvent } from './job-main.ts'

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const alive = new Set<number>()

/** Kills what is left; every child leads a process group of its own. */
const killAll = (): void => {
  for (const pid of alive) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}
process.on('exit', killAll)
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code))
}

/** A process in a group of its own, whose lines are heard and whose end is awaited. */
export class Child {
  readonly pid: number
  readonly ended: Promise<ChildEnd>
  /** When it was spawned, on the monotonic clock. */
  readonly spawnedMs = performance.now()
  readonly #process: ChildProcess
  #end: ChildEnd | undefined
  #stderr = ''

  constructor(command: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }) {
    const [program = '', ...args] = command
    this.#process = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { pid, stdout, stderr } = this.#process
    if (pid === undefined || stdout === null || stderr === null) throw new Error(`${program} could not be started`)
    this.pid = pid
    alive.add(pid)
    stderr.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + String(bytes)).slice(-20_000)
    })
    createInterface({ input: stdout }).on('line', (line) => this.heard(line))
    this.ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        alive.delete(pid)
        this.#end = { code, signal }
        resolve(this.#end)
      })
    })
  }

  get isRunning(): boolean {
    return this.#end === undefined
  }

  get stderr(): string {
    return this.#stderr
  }

  heard(_line: string): void {}

  /** To the whole group; a process that has just ended is no error. */
  kill(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  /** The end, or undefined when it has not come within that time. */
  async endWithin(ms: number): Promise<ChildEnd | undefined> {
    return await within(ms, this.ended)
  }
}

/** The promise, or undefined after a time. */
export const within = async <T>(ms: number, promise: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A process that runs the crash job. */
export class JobChild extends Child {
  /** All it said. */
  readonly events: ChildEvent[] = []
  /** Time from its beginning to its first checkpoint, when there was one. */
  healthyAfterMs: number | undefined
  #beganMs: number | undefined
  readonly #waiters: { readonly kind: ChildEvent['event']; readonly resolve: () => void }[] = []

  constructor(settings: CrashJobSettings, crashAt: string | undefined) {
    const program = fileURLToPath(new URL('./job-main.js', import.meta.url))
    // A heap that is not left to grow for as long as there is memory: the residence has to stay sane.
    const node = [process.execPath, '--max-old-space-size=256']
    super([...node, program, JSON.stringify(settings)], { env: { MILLRACE_CRASH_AT: crashAt ?? '' } })
  }

  override heard(line: string): void {
    let event: ChildEvent
    try {
      event = JSON.parse(line) as ChildEvent
    } catch {
      // Cut off by a kill.
      return
    }
    this.events.push(event)
    if (event.event === 'begin') this.#beganMs = performance.now()
    if (event.event === 'checkpoint') this.healthyAfterMs ??= performance.now() - (this.#beganMs ?? this.spawnedMs)
    for (const waiter of this.#waiters) if (waiter.kind === event.event) waiter.resolve()
  }

  last<Kind extends ChildEvent['event']>(kind: Kind): Extract<ChildEvent, { event: Kind }> | undefined {
    const ofKind = this.events.filter((event): event is Extract<ChildEvent, { event: Kind }> => event.event === kind)
    return ofKind.at(-1)
  }

  /** True when it said so within that time; false when it did not, or ended before. */
  async says(kind: ChildEvent['event'], ms: number): Promise<boolean> {
    if (this.last(kind) !== undefined) return true
    const said = new Promise<true>((resolve) => this.#waiters.push({ kind, resolve: () => resolve(true) }))
    const ended = this.ended.then(() => this.last(kind) !== undefined)
    return (await within(ms, Promise.race([said, ended]))) ?? false
  }
}
