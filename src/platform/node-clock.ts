import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers'
import type { Cancel, Clock } from '../core/index.ts'
import { abortableSleep } from './abortable-sleep.ts'

/** Node fires a longer timer at once, so a long wait is cut into pieces of this length. */
const longestTimerMs = 2 ** 31 - 1

const timer = (ms: number, run: () => void): Cancel => {
  let handle: NodeJS.Timeout
  const wait = (leftMs: number): void => {
    const pieceMs = Math.min(leftMs, longestTimerMs)
    handle = setTimeout(() => (leftMs > pieceMs ? wait(leftMs - pieceMs) : run()), pieceMs)
  }
  wait(ms > 0 ? Math.ceil(ms) : 0)
  return () => clearTimeout(handle)
}

/** The machine's time. A timer keeps the process alive until it ran or was cancelled; one of `Infinity` never runs. */
export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  sleep: (ms, signal) => abortableSleep(timer, ms, signal),
  timer,
  yield: () => new Promise((resolve) => setImmediate(resolve)),
}
