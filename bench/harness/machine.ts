import { openSync, readFileSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** CPU time of this process so far, all threads, in milliseconds. */
export const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Busy time of all cores so far, in milliseconds; undefined where the system does not tell. */
const busyMs = (): number | undefined => {
  try {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(/\s+/).map(Number)
    return (user + nice + system + irq + softirq) * 10
  } catch {
    return undefined
  }
}

/** Measures how many cores others keep busy from now on; undefined where the system does not tell. */
export const watchOthers = (): (() => number | undefined) => {
  const [start, busy, own] = [performance.now(), busyMs(), cpuMs()]
  return () => {
    const now = busyMs()
    if (busy === undefined || now === undefined) return undefined
    return Math.max(0, (now - busy - (cpuMs() - own)) / (performance.now() - start))
  }
}

const quietCores = 0.2

/** Waits until others leave the machine alone, but no longer than that. */
export const waitForQuiet = async (longestMs: number): Promise<void> => {
  for (const end = performance.now() + longestMs; performance.now() < end; ) {
    const others = watchOthers()
    await sleep(500)
    if ((others() ?? 0) < quietCores) return
  }
}

/**
 * Gives the time the main thread has stood in line for a core so far, in milliseconds. Zero where the system does not
 * tell. On a machine that others use too, the time that passed less this time is what a program could answer for.
 */
export const mainThreadWait = (): (() => number) => {
  let file: number
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r')
  } catch {
    return () => 0
  }
  const bytes = Buffer.alloc(128)
  return () => Number(bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0)).split(' ')[1]) / 1e6
}

/** A full collection, so that a measurement does not pay for the garbage of the one before. Needs `--expose-gc`. */
export const collectGarbage = (): void => {
  if (globalThis.gc === undefined) throw new Error('benchmarks need node --expose-gc')
  globalThis.gc()
}
