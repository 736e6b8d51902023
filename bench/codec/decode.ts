import { checkLogGroup, LogDecoder, viewLogGroupList } from '../../src/wire/index.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { nginxGroups } from './nginx-groups.ts'
import { listType } from './protobufjs-groups.ts'
import { repetitionsOf, type ThroughputInput, throughputInput, throughputs } from './throughput.ts'

interface Measured {
  readonly index: number
  readonly check: number
  readonly decode: number
  readonly protobufjs: number
}

export const measure = (input: ThroughputInput): Promise<Measured> => {
  const { list, encoded } = nginxGroups(input.bytes)
  const buffer = Buffer.from(list.buffer, list.byteOffset, list.length)
  const copied = new Uint8Array(list.length)
  const decoder = new LogDecoder()
  const passThrough = (): number => {
    let at = 0
    for (const group of viewLogGroupList(list)) {
      if (group.topic === '' || group.source === '' || group.logCount === 0) throw new Error('the index is wrong')
      copied.set(group.bytes, at)
      at += group.bytes.length
    }
    return at
  }
  const check = (): number => encoded.reduce((sum, group) => sum + checkLogGroup(group).logCount, 0)
  const decode = (): unknown => {
    let last: unknown
    for (const group of viewLogGroupList(list)) {
      decoder.decode(group, (fields) => {
        last = fields
      })
    }
    return last
  }
  const protobufjs = (): unknown => listType.decode(buffer)
  const [indexed = 0, checked = 0] = throughputs([passThrough, check], list.length, input)
  const [decoded = 0, baseline = 0] = throughputs([decode, protobufjs], list.length, input)
  return Promise.resolve({ index: indexed, check: checked, decode: decoded, protobufjs: baseline })
}

export const decode: Benchmark = {
  name: 'decode',
  title: 'logs of a web server, read: raw bytes per CPU second; all fields beside the code protobufjs generates',
  async run({ quick, say }) {
    const all: Measured[] = []
    for (let repetition = 0; repetition < repetitionsOf(quick); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      all.push(await inChild<ThroughputInput, Measured>(import.meta.url, throughputInput(quick)))
      say(`repetition ${repetition + 1} done`)
    }
    const named = { bench: 'decode', unit: 'MB/CPU s', better: 'more' } as const
    const decoded = compare(all.map(({ decode: value, protobufjs: baseline }) => ({ value, baseline })))
    return [
      plainFigure(
        { ...named, figure: 'groups indexed and copied' },
        all.map(({ index }) => index),
      ),
      plainFigure(
        { ...named, figure: 'groups checked' },
        all.map(({ check }) => check),
      ),
      comparedFigure({ ...named, figure: 'all fields to objects', floor: 4 }, decoded),
    ]
  },
}
