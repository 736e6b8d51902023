import { url as inspectorUrl } from 'node:inspector'
import { Worker } from 'node:worker_threads'
import { asError } from '../core/index.ts'
import type { WatchdogShare } from './watchdog-worker.ts'

export interface WatchdogOptions {
  /** How long the event loop may stand still before the process is killed, in milliseconds. */
  readonly stallMs: number
  /** Called when the watching thread cannot run, e.g. because a bundler left its file out; the job goes on unwatched. */
  readonly onFailure?: ((error: Error) => void) | undefined
}

export interface Watchdog {
  /** Names the step whose code runs now; the diagnostic line will blame it. Costs one map look-up and one store. */
  enter(step: string): void
  /** No step's code runs now. */
  leave(): void
  stop(): void
}

/** Nothing is watched: for tests, and while a debugger is attached, whose breakpoints are stalls too. */
const unwatched: Watchdog = { enter() {}, leave() {}, stop() {} }

/**
 * Starts a thread that kills this process with SIGKILL when the event loop stands still, after one JSON line on standard
 * error that names the step. A loop in user code cannot be interrupted in JavaScript; restarting from the last checkpoint
 * is better than a silent stall (F07, F49). It does not keep the process alive.
 */
export const startWatchdog = (options: WatchdogOptions): Watchdog => {
  if (inspectorUrl() !== undefined) return unwatched
  const cells = new Int32Array(new SharedArrayBuffer(8))
  const share: WatchdogShare = { cells, stallMs: options.stallMs, pid: process.pid }
  const ownExtension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./watchdog-worker.${ownExtension}`, import.meta.url), {
    workerData: share,
    name: 'millrace-watchdog',
  })
  worker.unref()
  const beat = setInterval(() => Atomics.add(cells, 0, 1), Math.max(1, Math.min(options.stallMs / 4, 1_000)))
  beat.unref()
  worker.on('error', (thrown) => {
    clearInterval(beat)
    options.onFailure?.(asError(thrown))
  })
  const slots = new Map<string, number>()
  const slotOf = (step: string): number => {
    const known = slots.get(step)
    if (known !== undefined) return known
    const slot = slots.size + 1
    slots.set(step, slot)
    // Posted before the step runs, so the thread knows the name even if the step never returns.
    worker.postMessage(step)
    return slot
  }
  return {
    enter(step) {
      Atomics.store(cells, 1, slotOf(step))
    },
    leave() {
      Atomics.store(cells, 1, 0)
    },
    stop() {
      clearInterval(beat)
      void worker.terminate()
    },
  }
}
