import { collectGarbage, cpuMs } from '../harness/machine.ts'
import { median } from '../harness/statistics.ts'
import type { Loop } from './loops.ts'

/** Work to be measured: one pass moves `bytes` raw bytes. */
export interface Pass {
  readonly run: Loop
  readonly bytes: number
  /** Passes on their way at the same time. */
  readonly atOnce: number
  /** Called before each round. */
  readonly prepare?: () => Promise<unknown>
}

export interface RoundsInput {
  readonly rounds: number
  /** Shortest CPU time of a round, in milliseconds. */
  readonly roundMs: number
}

/** Megabytes of raw logs per second of CPU time of this process, for each pass: all warmed up, then in turns. */
export const rates = async (passes: readonly Pass[], { rounds, roundMs }: RoundsInput): Promise<number[]> => {
  for (const pass of passes) await rateOf(pass, 2 * roundMs)
  const measured = passes.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, pass] of passes.entries()) measured[index]?.push(await rateOf(pass, roundMs))
  }
  return measured.map(median)
}

const rateOf = async ({ run, bytes, atOnce, prepare }: Pass, roundMs: number): Promise<number> => {
  await prepare?.()
  collectGarbage()
  const start = cpuMs()
  let done = 0
  const worker = async (): Promise<void> => {
    do {
      await run()
      done++
    } while (cpuMs() - start < roundMs)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return (bytes * done) / 1000 / (cpuMs() - start)
}
