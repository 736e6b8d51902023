import { job, run } from '../../src/entry/index.ts'
import { discardSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { type CostInput, costPair } from './cost.ts'

interface Line {
  readonly id: number
  readonly path: string
  readonly status: number
  readonly bytes: number
}

const lines: readonly Line[] = Array.from({ length: 4096 }, (_, id) => ({
  id,
  path: `/p/${id % 50}`,
  status: id % 7 === 0 ? 500 : 200,
  bytes: (id * 977) % 5000,
}))
const lineOf = (index: number): Line => lines[index & 4095] as Line

/** The functions of a chain: map, filter, map. */
interface Steps<A, B> {
  readonly first: (line: Line) => A
  readonly keeps: (value: A) => boolean
  readonly second: (value: A) => B
}

/** What a job does with a record: picks fields into a new one, looks at one, makes another. */
const objects: Steps<object, object> = {
  first: ({ id, path, status, bytes }: Line) => ({ id, path, ok: status < 500, kilobytes: bytes >> 10 }),
  keeps: (value) => (value as { ok: boolean }).ok,
  second: (value) => ({
    path: (value as { path: string }).path,
    cost: (value as { kilobytes: number }).kilobytes * 3 + 1,
  }),
}

/** As little as a function can do: what is left is the cost of the chain itself. */
const numbers: Steps<number, number> = {
  first: ({ status, bytes }) => status + bytes,
  keeps: (value) => value % 7 !== 0,
  second: (value) => value * 2 + 1,
}

/**
 * `made`: the loop keeps what each map gives, as a chain does. `dropped`: it keeps only the end of the line, and V8 leaves
 * out the object in between, of which nobody sees more than two numbers and a text.
 */
const variants = {
  made: { steps: objects, figure: 'functions that make objects', floor: 4 },
  dropped: { steps: objects, figure: 'the same, beside a loop that makes every other one', floor: null },
  numbers: { steps: numbers, figure: 'functions that add numbers', floor: null },
} as const
type Variant = keyof typeof variants
const variantNames = Object.keys(variants) as Variant[]

interface Input extends CostInput {
  readonly variant: Variant
}

/** Keep the last results, so that none of the work can be left out. */
const betweens = new Array<unknown>(512).fill(undefined)
const results = new Array<unknown>(512).fill(undefined)

export const measure = ({ variant, ...input }: Input): Promise<Pair> => {
  const { first, keeps, second } = variants[variant].steps as Steps<unknown, unknown>
  const loopKeepingAll = (records: number): number => {
    let count = 0
    for (let index = 0; index < records; index++) {
      const value = first(lineOf(index))
      betweens[index & 511] = value
      if (keeps(value)) results[count++ & 511] = second(value)
    }
    return count
  }
  const loopKeepingTheEnd = (records: number): number => {
    let count = 0
    for (let index = 0; index < records; index++) {
      const value = first(lineOf(index))
      if (keeps(value)) results[count++ & 511] = second(value)
    }
    return count
  }
  const chain = (records: number): Promise<unknown> =>
    run(
      job('fused-chain', (flow) =>
        flow
          .from('lines', generatorSource({ generate: lineOf, count: records }))
          .map(first)
          .filter(keeps)
          .map(second)
          .to('out', discardSink()),
      ),
    ).done
  return costPair(chain, variant === 'made' ? loopKeepingAll : loopKeepingTheEnd, input)
}

export const fusedChain: Benchmark = {
  name: 'fused-chain',
  title:
    'generator, map, filter, map and a sink that forgets, in one chain; CPU per record beside a loop over the same',
  async run({ quick, say }) {
    const pairs: Record<Variant, Pair[]> = { made: [], dropped: [], numbers: [] }
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      for (const variant of variantNames) {
        await waitForQuiet(quick ? 0 : 10_000)
        const input: Input = { variant, records: quick ? 1_000_000 : 5_000_000, rounds: quick ? 3 : 5 }
        pairs[variant].push(await inChild<Input, Pair>(import.meta.url, input))
      }
      say(`repetition ${repetition + 1} done`)
    }
    return variantNames.map((variant) => {
      const { figure, floor } = variants[variant]
      const named = { bench: 'fused-chain', figure, floor, unit: 'ns/record', better: 'less' } as const
      return comparedFigure(named, compare(pairs[variant]))
    })
  },
}
