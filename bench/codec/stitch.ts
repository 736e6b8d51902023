import { compressSync } from 'lz4-napi'
import { findTail, logGroupList, stitchLogGroupList } from '../../src/wire/index.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { nginxGroups } from './nginx-groups.ts'
import { repetitionsOf, type ThroughputInput, throughputInput, throughputs } from './throughput.ts'

interface Measured {
  readonly tail: number
  readonly stitch: number
  readonly compress: number
}

const compressed = (bytes: Uint8Array): Uint8Array =>
  compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).subarray(4)

export const measure = (input: ThroughputInput): Promise<Measured> => {
  const { encoded, list } = nginxGroups(input.bytes)
  const blocks = encoded.map(compressed)
  const groups = blocks.map((block, index) => ({
    block,
    tail: findTail(block).tail,
    rawBytes: encoded[index]?.length ?? 0,
  }))
  const findTails = (): number => blocks.reduce((sum, block) => sum + findTail(block).tail, 0)
  const stitch = (): number => stitchLogGroupList(groups).length
  const compress = (): number => compressed(logGroupList(encoded)).length
  const [tail = 0, stitched = 0, baseline = 0] = throughputs([findTails, stitch, compress], list.length, input)
  return Promise.resolve({ tail, stitch: stitched, compress: baseline })
}

export const stitch: Benchmark = {
  name: 'stitch',
  title: 'the LZ4 body of a pull out of LZ4 blocks: raw bytes per CPU second, beside compressing the list anew',
  async run({ quick, say }) {
    const all: Measured[] = []
    for (let repetition = 0; repetition < repetitionsOf(quick); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      all.push(await inChild<ThroughputInput, Measured>(import.meta.url, throughputInput(quick)))
      say(`repetition ${repetition + 1} done`)
    }
    const named = { bench: 'stitch', unit: 'MB/CPU s', better: 'more' } as const
    return [
      plainFigure(
        { ...named, figure: 'tails found' },
        all.map(({ tail }) => tail),
      ),
      comparedFigure(
        { ...named, figure: 'bodies stitched' },
        compare(all.map(({ stitch: value, compress: baseline }) => ({ value, baseline }))),
      ),
    ]
  },
}
