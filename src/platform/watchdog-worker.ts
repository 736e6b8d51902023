import { writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'

/** What the main thread shares with the watching one. */
export interface WatchdogShare {
  /** Cell 0 grows while the event loop turns; cell 1 is the number of the step that runs, 0 for none. */
  readonly cells: Int32Array
  readonly stallMs: number
  readonly pid: number
}

const { cells, stallMs, pid }: WatchdogShare = workerData
const steps: string[] = []
parentPort?.on('message', (step: string) => steps.push(step))

const tickMs = Math.max(1, Math.min(stallMs / 8, 500))
let lastBeat = Atomics.load(cells, 0)
let staleMs = 0
let lastTickMs = performance.now()

const die = (): void => {
  const line = {
    level: 'error',
    time: new Date().toISOString(),
    pid,
    step: steps[Atomics.load(cells, 1) - 1] ?? null,
    stalledMs: Math.round(staleMs),
    msg: 'the event loop stands still; the process is killed and resumes from its last checkpoint when started again',
  }
  try {
    writeSync(2, `${JSON.stringify(line)}\n`)
  } catch {
    // Nobody reads standard error. The kill must happen all the same.
  }
  process.kill(pid, 'SIGKILL')
}

setInterval(() => {
  const nowMs = performance.now()
  // A tick counts for two at most: after SIGSTOP or a suspended machine this thread may wake first, and the stop was not
  // the main thread's doing.
  const passedMs = Math.min(nowMs - lastTickMs, 2 * tickMs)
  lastTickMs = nowMs
  const beat = Atomics.load(cells, 0)
  staleMs = beat === lastBeat ? staleMs + passedMs : 0
  lastBeat = beat
  if (staleMs > stallMs) die()
}, tickMs)
