import { comparedFigure, type Figure, plainFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { measureSteady } from './steady.ts'
import { measureVariant, type Variant, variantNames } from './variants.ts'

const named: Readonly<Record<Variant, Pick<Figure, 'figure' | 'floor'>>> = {
  pass: { figure: 'LogGroups by topic, as they are', floor: 8 },
  append: { figure: 'one field read, two appended', floor: 6 },
  objects: { figure: 'all fields as objects, and sent', floor: 4 },
  pull: { figure: 'pull to objects', floor: 5 },
  produce: { figure: 'objects sent', floor: 2.5 },
  producer: { figure: 'objects sent by createProducer', floor: 2.5 },
  objectsJob: { figure: 'job of objects, beside a loop over our codec and client', floor: 1.25 },
  passJob: { figure: 'job of LogGroups by topic, beside a loop over our client', floor: null },
}

const jobs: readonly Variant[] = ['objectsJob', 'passJob']

/** Of a job the cost counts: what it takes beside what the loop takes. */
const costOf = ({ value, baseline }: Pair): Pair => ({ value: 1000 / value, baseline: 1000 / baseline })

export const dispatch: Benchmark = {
  name: 'dispatch',
  title:
    'logs of a web server from logstore to logstore, LZ4 both ways, signed: raw bytes per CPU second of the client, beside the client one would write',
  async run({ quick, say }) {
    const pairs = new Map<Variant, Pair[]>(variantNames.map((variant) => [variant, []]))
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      for (const variant of variantNames) {
        await waitForQuiet(quick ? 0 : 10_000)
        const input = { rounds: quick ? 3 : 5, roundMs: quick ? 300 : 800 }
        pairs.get(variant)?.push(await measureVariant(variant, input))
        say(`${variant} ${repetition + 1} done`)
      }
    }
    const steady: number[] = []
    for (let repetition = 0; repetition < (quick ? 1 : 3); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      steady.push(await measureSteady(quick ? 5 : 20))
    }
    const figures = variantNames.map((variant) => {
      const figure = { bench: 'dispatch', ...named[variant] } as const
      const measured = pairs.get(variant) ?? []
      return jobs.includes(variant)
        ? comparedFigure({ ...figure, unit: 'CPU ms/MB', better: 'less' }, compare(measured.map(costOf)))
        : comparedFigure({ ...figure, unit: 'MB/CPU s', better: 'more' }, compare(measured))
    })
    const figure = 'job of LogGroups at 5 MB/s, of a core'
    return [...figures, plainFigure({ bench: 'dispatch', figure, floor: 2, unit: '%', better: 'less' }, steady)]
  },
}
