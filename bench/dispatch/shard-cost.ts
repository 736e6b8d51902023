import { job, run } from '../../src/entry/index.ts'
import { functionSink } from '../../src/entry/memory.ts'
import { slsSource } from '../../src/entry/sls.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure } from '../harness/figure.ts'
import { collectGarbage, cpuMs, waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { BenchServer } from './bench-server.ts'
import { connectionTo } from './loops.ts'

interface Input {
  readonly shards: number
  /** Pulls of all shards together. */
  readonly pulls: number
}

/** Logs in a pull of the small list. */
const pullRecords = 460

/** CPU time per record in nanoseconds, without start and end: both cost more with more shards, and once. */
export const measure = async ({ shards, pulls }: Input): Promise<number> => {
  const server = await BenchServer.start()
  await server.plan({ shards, pulls: pulls / shards, list: 'small' })
  const [from, to] = [0.3, 0.9].map((part) => Math.floor(pulls * pullRecords * part)) as [number, number]
  let records = 0
  const marks: { records: number; cpuMs: number }[] = []
  const sink = functionSink('count', (batch) => {
    records += batch.length
    const wanted = [from, to][marks.length]
    if (wanted === undefined || records < wanted) return
    if (marks.length === 0) collectGarbage()
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

const counts = [50, 1000] as const

export const shardCost: Benchmark = {
  name: 'shard-cost',
  title: 'logs of a web server, read from many shards: CPU per record beside a single shard',
  async run({ quick, say }) {
    const pairs = new Map<number, Pair[]>(counts.map((count) => [count, []]))
    const pulls = quick ? 2_000 : 6_000
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      for (const shards of counts) {
        await waitForQuiet(quick ? 0 : 10_000)
        const baseline = await inChild<Input, number>(import.meta.url, { shards: 1, pulls })
        const value = await inChild<Input, number>(import.meta.url, { shards, pulls })
        pairs.get(shards)?.push({ value, baseline })
      }
      say(`repetition ${repetition + 1} done`)
    }
    return counts.map((shards) =>
      comparedFigure(
        { bench: 'shard-cost', figure: `${shards} shards`, floor: 1.25, unit: 'ns/record', better: 'less' },
        compare(pairs.get(shards) ?? []),
      ),
    )
  },
}
