import { job, run } from '../../src/entry/index.ts'
import { functionSink } from '../../src/entry/memory.ts'
import { slsSource } from '../../src/entry/sls.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure } from '../harness/figure.ts'
import { cpuMs, waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { BenchServer } from './bench-server.ts'
import { connectionTo } from './loops.ts'

type List = 'small' | 'large'

interface Input {
  readonly shards: number
  /** What each pull gives. */
  readonly list: List
  /** Pulls of all shards together. */
  readonly pulls: number
}

/** Logs in a pull, about. */
const pullRecords: Readonly<Record<List, number>> = { small: 460, large: 5_900 }

/**
 * CPU time per record in nanoseconds, without start and end: both cost more with more shards, and once. No collection is
 * forced in between: what is under way at that moment would count as old from then on.
 */
export const measure = async ({ shards, list, pulls }: Input): Promise<number> => {
  const server = await BenchServer.start()
  await server.plan({ shards, pulls: pulls / shards, list })
  const [from, to] = [0.3, 0.9].map((part) => Math.floor(pulls * pullRecords[list] * part)) as [number, number]
  let records = 0
  const marks: { records: number; cpuMs: number }[] = []
  const sink = functionSink('count', (batch) => {
    records += batch.length
    const wanted = [from, to][marks.length]
    if (wanted === undefined || records < wanted) return
    marks.push({ records, cpuMs: cpuMs() })
  })
  const source = slsSource({
    ...connectionTo(server.facts.port),
    logstore: 'source',
    end: 'now',
    pullsPerSecondMax: 1000,
  })
  await run(job('shard-cost', (flow) => flow.from('in', source).to('out', sink))).done
  await server.stop()
  const [first, last] = marks
  if (first === undefined || last === undefined) throw new Error(`${records} records came in`)
  return ((last.cpuMs - first.cpuMs) * 1e6) / (last.records - first.records)
}

interface Variant {
  readonly figure: string
  readonly shards: number
  readonly list: List
  /** A part of the pulls: those of the large list are ten times as long. */
  readonly part: number
}

const variants: readonly Variant[] = [
  { figure: '50 shards, pulls of 256 KiB', shards: 50, list: 'small', part: 1 },
  { figure: '1000 shards, pulls of 256 KiB', shards: 1000, list: 'small', part: 1 },
  { figure: '1000 shards, pulls of 3.4 MB', shards: 1000, list: 'large', part: 1 / 3 },
]

export const shardCost: Benchmark = {
  name: 'shard-cost',
  title: 'logs of a web server, read from many shards: CPU per record beside a single shard',
  async run({ quick, say }) {
    const pairs = new Map<Variant, Pair[]>(variants.map((variant) => [variant, []]))
    const most = quick ? 2_000 : 6_000
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      for (const variant of variants) {
        const { shards, list } = variant
        const pulls = Math.max(1_000, most * variant.part)
        await waitForQuiet(quick ? 0 : 10_000)
        const baseline = await inChild<Input, number>(import.meta.url, { shards: 1, list, pulls })
        const value = await inChild<Input, number>(import.meta.url, { shards, list, pulls })
        pairs.get(variant)?.push({ value, baseline })
      }
      say(`repetition ${repetition + 1} done`)
    }
    return variants.map((variant) =>
      comparedFigure(
        { bench: 'shard-cost', figure: variant.figure, floor: 1.25, unit: 'ns/record', better: 'less' },
        compare(pairs.get(variant) ?? []),
      ),
    )
  },
}
