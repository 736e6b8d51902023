import { LogGroupEncoder } from '../../src/wire/index.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { nginxGroups } from './nginx-groups.ts'
import { groupMessage, groupType } from './protobufjs-groups.ts'
import { repetitionsOf, type ThroughputInput, throughputInput, throughputs } from './throughput.ts'

export const measure = (input: ThroughputInput): Promise<Pair> => {
  const { groups, list } = nginxGroups(input.bytes)
  const messages = groups.map(groupMessage)
  const encoder = new LogGroupEncoder()
  const encode = (): number => groups.reduce((sum, group) => sum + encoder.encodeInPlace(group).length, 0)
  const protobufjs = (): number => messages.reduce((sum, message) => sum + groupType.encode(message).finish().length, 0)
  if (encode() !== protobufjs()) throw new Error('the two do not encode the same')
  const [value = 0, baseline = 0] = throughputs([encode, protobufjs], list.length, input)
  return Promise.resolve({ value, baseline })
}

export const encode: Benchmark = {
  name: 'encode',
  title: 'logs of a web server, written from objects: raw bytes per CPU second, beside the code protobufjs generates',
  async run({ quick, say }) {
    const pairs: Pair[] = []
    for (let repetition = 0; repetition < repetitionsOf(quick); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      pairs.push(await inChild<ThroughputInput, Pair>(import.meta.url, throughputInput(quick)))
      say(`repetition ${repetition + 1} done`)
    }
    const figure = { bench: 'encode', figure: 'from objects', unit: 'MB/CPU s', better: 'more', floor: 1.7 } as const
    return [comparedFigure(figure, compare(pairs))]
  },
}
