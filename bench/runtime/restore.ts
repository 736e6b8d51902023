import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { job, run } from '../../src/entry/index.ts'
import { functionSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { collectGarbage, mainThreadWait, waitForQuiet } from '../harness/machine.ts'
import { compare, type Pair } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { keyTexts } from './keys.ts'

interface Input {
  readonly what: 'write' | 'restore' | 'parse'
  readonly dir: string
  readonly keys: number
}

const jsonPath = (dir: string): string => join(dir, 'counts.json')

const counting = ({ dir, keys }: Input, onRecord: () => void) => {
  const texts = keyTexts(keys)
  const checkpoint = { dir: join(dir, 'checkpoints'), every: '1h' } as const
  return job('restore', { checkpoint, guarantee: 'at-least-once' }, (flow) =>
    flow
      .from('keys', generatorSource({ generate: (index) => texts[index % keys] as string }))
      .keyBy((key) => key)
      .reduce('count', 0, (count) => count + 1)
      .to('out', functionSink('first record', onRecord)),
  )
}

/** Leaves a checkpoint with every key, and the same counts as JSON. */
const write = async (input: Input): Promise<void> => {
  const handle = run(counting(input, () => {}))
  while ((handle.metrics().sum('millrace_records_in_total', 'count') ?? 0) < input.keys) await sleep(10)
  await handle.stop()
  const counts = keyTexts(input.keys).map((key) => [key, 1])
  await writeFile(jsonPath(input.dir), JSON.stringify(counts))
}

/** From `run` to the first record that has been through the restored step. */
const restored = (input: Input): Promise<void> =>
  new Promise((resolve, reject) => {
    const handle = run(counting(input, resolve))
    handle.done.catch(reject)
  })

const parsed = async ({ dir }: Input): Promise<void> => {
  const counts = new Map<string, number>(JSON.parse(await readFile(jsonPath(dir), 'utf8')))
  if (counts.size === 0) throw new Error('there are no counts')
}

/** Milliseconds of the main thread's own time. */
export const measure = async (input: Input): Promise<number> => {
  if (input.what === 'write') {
    await write(input)
    return 0
  }
  const work = input.what === 'restore' ? restored : parsed
  collectGarbage()
  const wait = mainThreadWait()
  const [start, startWait] = [performance.now(), wait()]
  await work(input)
  return performance.now() - start - (wait() - startWait)
}

export const restore: Benchmark = {
  name: 'restore',
  title: 'from the start of a job to its first record, with a count per key to restore; beside JSON.parse into a Map',
  async run({ quick, say }) {
    const keys = quick ? 100_000 : 1_000_000
    const repetitions = quick ? 1 : 5
    const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
    const inputOf = (what: Input['what']): Input => ({ what, dir, keys })
    await inChild<Input, number>(import.meta.url, inputOf('write'))
    const pairs: Pair[] = []
    for (let repetition = 0; repetition < repetitions; repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      const baseline = await inChild<Input, number>(import.meta.url, inputOf('parse'))
      const value = await inChild<Input, number>(import.meta.url, inputOf('restore'))
      pairs.push({ value, baseline })
      say(`repetition ${repetition + 1} done`)
    }
    await rm(dir, { recursive: true })
    const named = { bench: 'restore', better: 'less' } as const
    return [
      comparedFigure({ ...named, figure: `time to the first record, ${keys} keys`, unit: 'ms' }, compare(pairs)),
      plainFigure(
        { ...named, figure: 'restored', unit: 'keys/s', better: 'more' },
        pairs.map(({ value }) => (keys * 1000) / value),
      ),
    ]
  },
}
