import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { mainThreadWait } from '../harness/machine.ts'

export interface LoopReport {
  /** Longest time between two turns of a timer of 1 ms, in milliseconds. */
  readonly gapMs: number
  /** The same without the time the thread stood in line for a core. */
  readonly ownGapMs: number
  /** The longest delay `monitorEventLoopDelay` has seen. */
  readonly delayMs: number
  /** Longest pause of a garbage collection, by kind. */
  readonly minorPauseMs: number
  readonly majorPauseMs: number
}

/** Watches the event loop of this process from now until the report is asked for. */
export const watchLoop = (): (() => LoopReport) => {
  const wait = mainThreadWait()
  let [gapMs, ownGapMs, minorPauseMs, majorPauseMs] = [0, 0, 0, 0]
  let [last, lastWait] = [performance.now(), wait()]
  const tick = (): void => {
    const [now, nowWait] = [performance.now(), wait()]
    gapMs = Math.max(gapMs, now - last)
    ownGapMs = Math.max(ownGapMs, now - last - (nowWait - lastWait))
    last = now
    lastWait = nowWait
  }
  const timer = setInterval(tick, 1)
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const collections = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as (PerformanceEntry & { detail?: { kind?: number } })[]) {
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR) minorPauseMs = Math.max(minorPauseMs, duration)
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majorPauseMs = Math.max(majorPauseMs, duration)
    }
  })
  collections.observe({ entryTypes: ['gc'] })
  return () => {
    tick()
    clearInterval(timer)
    delays.disable()
    collections.disconnect()
    return { gapMs, ownGapMs, delayMs: delays.max / 1e6, minorPauseMs, majorPauseMs }
  }
}
