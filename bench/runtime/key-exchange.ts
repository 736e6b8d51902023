import { job, run } from '../../src/entry/index.ts'
import { discardSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { type CostInput, costPair } from './cost.ts'
import { keyTexts, scattered } from './keys.ts'

const keyCount = 10_000

interface Input extends CostInput {
  readonly parallelism: number
}

/** Keeps the last results, so that none of the work can be left out. */
const results = new Array<number>(512).fill(0)

export const measure = ({ parallelism, ...input }: Input): Promise<Pair> => {
  const users = keyTexts(keyCount).map((user, id) => ({ id, user }))
  type User = (typeof users)[number]
  const recordOf = (index: number): User => users[scattered(index, keyCount)] as User
  const keyOf = ({ user }: User): string => user
  const count = (known: number): number => known + 1

  const loop = (records: number): number => {
    const counts = new Map<string, number>()
    for (let index = 0; index < records; index++) {
      const key = keyOf(recordOf(index))
      const next = count(counts.get(key) ?? 0)
      counts.set(key, next)
      results[index & 511] = next
    }
    return counts.size
  }
  const exchange = (records: number): Promise<unknown> =>
    run(
      job('key-exchange', { parallelism }, (flow) =>
        flow
          .from('users', generatorSource({ generate: recordOf, count: records, splits: parallelism }))
          .keyBy(keyOf)
          .reduce('count', 0, count)
          .to('out', discardSink()),
      ),
    ).done
  return costPair(exchange, loop, input)
}

export const keyExchange: Benchmark = {
  name: 'key-exchange',
  title: `generator, keyBy, count and a sink that forgets, ${keyCount} keys; CPU per record beside a loop with a Map`,
  async run({ quick, say }) {
    const named = { bench: 'key-exchange', unit: 'ns/record', better: 'less' } as const
    const parallelisms = [1, 4]
    const pairs = parallelisms.map((): Pair[] => [])
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      for (const [index, parallelism] of parallelisms.entries()) {
        await waitForQuiet(quick ? 0 : 10_000)
        const input: Input = { parallelism, records: quick ? 500_000 : 3_000_000, rounds: quick ? 3 : 5 }
        pairs[index]?.push(await inChild<Input, Pair>(import.meta.url, input))
      }
      say(`repetition ${repetition + 1} done`)
    }
    return parallelisms.map((parallelism, index) =>
      comparedFigure({ ...named, figure: `parallelism ${parallelism}` }, compare(pairs[index] ?? [])),
    )
  },
}
