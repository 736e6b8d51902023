import { collectGarbage, cpuMs } from '../harness/machine.ts'
import { median } from '../harness/statistics.ts'

/** One pass over the data. What it gives is kept, so that none of the work can be left out. */
export type Pass = () => unknown

export interface ThroughputInput {
  /** Bytes of raw logs in the data, about. */
  readonly bytes: number
  readonly rounds: number
  /** Shortest time of one round, in milliseconds. */
  readonly roundMs: number
}

let kept: unknown

/**
 * Megabytes of raw logs per second of CPU time of all threads, for each of the passes: all warmed up, then in turns.
 * CPU time, so that garbage costs whoever made it and a busy machine costs nobody.
 */
export const throughputs = (passes: readonly Pass[], bytes: number, { rounds, roundMs }: ThroughputInput): number[] => {
  for (const pass of passes) measure(pass, bytes, roundMs)
  const measured = passes.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, pass] of passes.entries()) measured[index]?.push(measure(pass, bytes, roundMs))
  }
  return measured.map(median)
}

const measure = (pass: Pass, bytes: number, roundMs: number): number => {
  collectGarbage()
  const start = cpuMs()
  let passes = 0
  do {
    kept = pass()
    passes++
  } while (cpuMs() - start < roundMs)
  const spent = cpuMs() - start
  if (kept === undefined) throw new Error('a pass gives what it made')
  return (bytes * passes) / 1000 / spent
}

/** As the `--quick` switch wants it. */
export const throughputInput = (quick: boolean): ThroughputInput => ({
  bytes: 3_000_000,
  rounds: quick ? 3 : 7,
  roundMs: quick ? 100 : 400,
})

/** Processes to take the median of. */
export const repetitionsOf = (quick: boolean): number => (quick ? 1 : 5)
