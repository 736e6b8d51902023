import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { job, run } from '../../src/entry/index.ts'
import { discardSink } from '../../src/entry/memory.ts'
import { slsSource } from '../../src/entry/sls.ts'
import { inChild } from '../harness/child.ts'
import { plainFigure } from '../harness/figure.ts'
import { collectGarbage, cpuMs, waitForQuiet } from '../harness/machine.ts'
import type { Benchmark } from '../harness/suite.ts'
import { BenchServer } from './bench-server.ts'
import { connectionTo } from './loops.ts'

interface Input {
  readonly shards: number
  readonly idleSeconds: number
}

interface Measured {
  readonly discoveryCpuMs: number
  /** The longest of a checkpoint, from its start to its publication. */
  readonly checkpointMs: number
  readonly stateBytes: number
  readonly heapBytes: number
  /** Of a core, in percent. */
  readonly idlePercent: number
  readonly idlePullsPerSecond: number
}

/** As the option `idlePullsPerSecond` has it by default, and what jitter may add. */
const idlePulls = 300 * 1.2

export const measure = async ({ shards, idleSeconds }: Input): Promise<Measured> => {
  const server = await BenchServer.start()
  const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  await server.plan({ shards, pulls: 0, held: true })
  collectGarbage()
  const heapBefore = process.memoryUsage().heapUsed
  const held = server.held()
  const startCpuMs = cpuMs()
  const source = slsSource({ ...connectionTo(server.facts.port), logstore: 'source' })
  const options = { guarantee: 'best-effort', checkpoint: { dir: join(dir, 'ck') }, parallelism: 4 } as const
  const handle = run(job('many-shards', options, (flow) => flow.from('in', source).to('out', discardSink())))
  const checkpoints: { durationMs: number; bytes: number }[] = []
  handle.events$.subscribe({
    next: (event) => void (event.kind === 'checkpoint-completed' && checkpoints.push(event)),
    error: () => {},
  })
  // A job that fails would never ask for anything.
  await Promise.race([held, handle.done])
  const discoveryCpuMs = cpuMs() - startCpuMs
  await server.plan({ shards, pulls: 0 })
  let pulls = Number.POSITIVE_INFINITY
  for (let waited = 0; waited < 300 && pulls > idlePulls; waited += 2) {
    const before = (await server.report()).pulls
    await sleep(2000)
    const now = (await server.report()).pulls
    pulls = now < shards ? pulls : (now - before) / 2
  }
  checkpoints.splice(0)
  const [pullsBefore, cpuBefore, startMs] = [(await server.report()).pulls, cpuMs(), performance.now()]
  await sleep(idleSeconds * 1000)
  const seconds = (performance.now() - startMs) / 1000
  const idleCpuMs = cpuMs() - cpuBefore
  const idlePullsPerSecond = ((await server.report()).pulls - pullsBefore) / seconds
  await handle.savepoint(join(dir, 'savepoint'))
  collectGarbage()
  const heapBytes = process.memoryUsage().heapUsed - heapBefore
  await handle.cancel()
  await server.stop()
  await rm(dir, { recursive: true })
  return {
    discoveryCpuMs,
    checkpointMs: Math.max(...checkpoints.map(({ durationMs }) => durationMs)),
    stateBytes: Math.max(...checkpoints.map(({ bytes }) => bytes)) / shards,
    heapBytes: heapBytes / shards,
    idlePercent: idleCpuMs / seconds / 10,
    idlePullsPerSecond,
  }
}

export const manyShards: Benchmark = {
  name: 'many-shards',
  title: 'a job over 30,000 shards that have nothing to read; parallelism 4, a checkpoint every 10 s',
  async run({ quick, say }) {
    const input = quick ? { shards: 3_000, idleSeconds: 21 } : { shards: 30_000, idleSeconds: 41 }
    const all: Measured[] = []
    for (let repetition = 0; repetition < (quick ? 1 : 3); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      all.push(await inChild<Input, Measured>(import.meta.url, input))
      say(`repetition ${repetition + 1} done`)
    }
    const named = { bench: 'many-shards', better: 'less' } as const
    const of = (pick: (measured: Measured) => number): number[] => all.map(pick)
    return [
      plainFigure(
        { ...named, figure: 'discovery, CPU', floor: 5, unit: 's' },
        of(({ discoveryCpuMs }) => discoveryCpuMs / 1000),
      ),
      plainFigure(
        { ...named, figure: 'a checkpoint', floor: 2, unit: 's' },
        of(({ checkpointMs }) => checkpointMs / 1000),
      ),
      plainFigure(
        { ...named, figure: 'state of a shard', floor: 1000, unit: 'bytes' },
        of(({ stateBytes }) => stateBytes),
      ),
      plainFigure(
        { ...named, figure: 'memory of a shard', unit: 'bytes' },
        of(({ heapBytes }) => heapBytes),
      ),
      plainFigure(
        { ...named, figure: 'idle, of a core', floor: 10, unit: '%' },
        of(({ idlePercent }) => idlePercent),
      ),
      plainFigure(
        { ...named, figure: 'pulls while idle', unit: '/s' },
        of(({ idlePullsPerSecond }) => idlePullsPerSecond),
      ),
    ]
  },
}
