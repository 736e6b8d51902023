import { job, run } from '../../src/entry/index.ts'
import { discardSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { plainFigure } from '../harness/figure.ts'
import { collectGarbage } from '../harness/machine.ts'
import { type Point, slope } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'

interface Input {
  readonly records: number
  /** Records between two looks at the memory. */
  readonly step: number
}

/** Bytes after a full collection. `x` is the number of records. */
interface Samples {
  readonly resident: readonly Point[]
  readonly heap: readonly Point[]
}

const keys = Array.from({ length: 100 }, (_, index) => `/path/${index}`)

/** Many records through a keyed job; the memory is looked at in the middle of the work. */
export const measure = async ({ records, step }: Input): Promise<Samples> => {
  const samples = { resident: [] as Point[], heap: [] as Point[] }
  const look = (index: number): void => {
    collectGarbage()
    const { rss, heapUsed, external } = process.memoryUsage()
    samples.resident.push({ x: index, y: rss })
    samples.heap.push({ x: index, y: heapUsed + external })
  }
  const lineOf = (index: number): { path: string; bytes: number } => {
    if (index % step === 0) look(index)
    return { path: keys[index % keys.length] ?? '', bytes: index & 1023 }
  }
  const totals = job('memory', (flow) =>
    flow
      .from('lines', generatorSource({ generate: lineOf, count: records }))
      .map(({ path, bytes }) => ({ path, kilobytes: bytes / 1024 }))
      .keyBy(({ path }) => path)
      .reduce('total', 0, (total, { kilobytes }) => total + kilobytes)
      .to('out', discardSink()),
  )
  await run(totals).done
  return samples
}

/** A fifth of the run is warm-up: what is compiled and allocated once is there by then. */
const growth = (points: readonly Point[], per: number): number => slope(points.slice(points.length / 5)) * per

export const memory: Benchmark = {
  name: 'memory',
  title: '100 million records through a keyed job: how the memory grows after the warm-up',
  async run({ quick, say }) {
    const records = quick ? 10_000_000 : 100_000_000
    const runs: Samples[] = []
    for (let repetition = 0; repetition < (quick ? 1 : 3); repetition++) {
      runs.push(await inChild<Input, Samples>(import.meta.url, { records, step: records / 50 }))
      say(`run ${repetition + 1} done`)
    }
    const per = 10_000_000
    const named = { bench: 'memory', unit: 'bytes', better: 'less' } as const
    return [
      plainFigure(
        { ...named, figure: 'growth of the resident set in 10 million records', floor: quick ? null : 1 << 20 },
        runs.map(({ resident }) => growth(resident, per)),
      ),
      plainFigure(
        { ...named, figure: 'growth of heap and external memory in 10 million records' },
        runs.map(({ heap }) => growth(heap, per)),
      ),
      plainFigure(
        { ...named, figure: 'resident set at the end' },
        runs.map(({ resident }) => resident.at(-1)?.y ?? 0),
      ),
    ]
  },
}
