import { collectGarbage, cpuMs } from '../harness/machine.ts'
import { median, type Pair } from '../harness/statistics.ts'

/** Work on so many records; a promise when it does not end at once. */
export type Work = (records: number) => unknown

export interface CostInput {
  readonly records: number
  readonly rounds: number
}

/**
 * CPU time per record, in nanoseconds, of a job and of the loop it is compared with: both warmed up, then in turns, in this
 * one process. CPU time of all threads: garbage collection costs whoever made the garbage, and a busy machine costs nobody.
 */
export const costPair = async (job: Work, loop: Work, { records, rounds }: CostInput): Promise<Pair> => {
  await loop(records >> 1)
  await job(records >> 1)
  const costs = { job: [] as number[], loop: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    costs.loop.push(await costOf(loop, records))
    costs.job.push(await costOf(job, records))
  }
  return { value: median(costs.job), baseline: median(costs.loop) }
}

const costOf = async (work: Work, records: number): Promise<number> => {
  collectGarbage()
  const start = cpuMs()
  await work(records)
  return ((cpuMs() - start) * 1e6) / records
}
