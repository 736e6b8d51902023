/** Child processes that end with this one: each leads a process group of its own, and groups left over are killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Command } from './driver.ts'

const running = new Set<ChildProcess>()

const killGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It ended in the meantime.
  }
}

process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL')
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code))
}

export interface Ended {
  /** Exit code, the name of a signal, `time limit`, or why it did not start. */
  readonly how: number | string
  /** The last lines of its stderr, and of stdout when no `onLine` took them. */
  readonly tail: string
}

export interface Child {
  readonly ended: Promise<Ended>
  /** Asks it to end; kills its group when it has not done so in five seconds. */
  stop(): Promise<Ended>
}

const tailLines = 40
const graceMs = 5_000

/** Starts a command. `onLine` gets each line of its stdout. */
export const startChild = (
  { command, args, cwd, env }: Command,
  options: { readonly timeLimitMs?: number; readonly onLine?: (line: string) => void } = {},
): Child => {
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  running.add(child)
  const lines: string[] = []
  const keep = (line: string): void => {
    lines.push(line)
    if (lines.length > tailLines) lines.shift()
  }
  createInterface({ input: child.stdout }).on('line', options.onLine ?? keep)
  createInterface({ input: child.stderr }).on('line', keep)
  let late = false
  const timer =
    options.timeLimitMs === undefined
      ? undefined
      : setTimeout(() => {
          late = true
          killGroup(child, 'SIGKILL')
        }, options.timeLimitMs)
  const ended = new Promise<Ended>((resolve) => {
    const end = (how: number | string): void => {
      clearTimeout(timer)
      // What it started may outlive it, and must not.
      killGroup(child, 'SIGKILL')
      running.delete(child)
      resolve({ how: late ? 'time limit' : how, tail: lines.join('\n') })
    }
    child.once('error', (error) => end(error.message))
    child.once('close', (code, signal) => end(code ?? signal ?? 'unknown'))
  })
  return {
    ended,
    stop: async () => {
      killGroup(child, 'SIGTERM')
      const force = setTimeout(() => killGroup(child, 'SIGKILL'), graceMs)
      const result = await ended
      clearTimeout(force)
      return result
    },
  }
}
