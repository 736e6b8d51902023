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
import { median } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { BenchServer } from './bench-server.ts'
import { connectionTo } from './loops.ts'

interface Input {
  readonly shards: number
}

interface Measured {
  readonly discoveryCpuMs: number
  /** From its start to its publication. */
  readonly checkpointMs: number
  readonly stateBytes: number
  readonly heapBytes: number
  /** Of a core, in percent. */
  readonly idlePercent: number
  readonly idlePullsPerSecond: number
}

/** As the option `idlePullsPerSecond` has it by default: after so many seconds every quiet shard was asked once. */
const idlePulls = 300
const readSeconds = 120

export const measure = async ({ shards }: Input): Promise<Measured> => {
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
  // Every shard is asked once, and then ever more rarely, until it waits for a whole turn.
  const turnSeconds = Math.max(20, shards / idlePulls)
  for (let seconds = 0; seconds < readSeconds && (await server.report()).pulls < shards; seconds++) await sleep(1000)
  await sleep(2.2 * turnSeconds * 1000)
  checkpoints.splice(0)
  const [pullsBefore, cpuBefore, startMs] = [(await server.report()).pulls, cpuMs(), performance.now()]
  await sleep(turnSeconds * 1000)
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
    checkpointMs: median(checkpoints.map(({ durationMs }) => durationMs)),
    stateBytes: Math.max(...checkpoints.map(({ bytes }) => bytes)) / shards,
    heapBytes: heapBytes / shards,
    idlePercent: idleCpuMs / seconds / 10,
    idlePullsPerSecond,
  }
}

export const manyShards: Benchmark = {
  name: 'many-shards',
  title:
    'a job over 30,000 shards that have nothing to read; parallelism 4, a checkpoint every 10 s; takes six minutes',
  async run({ quick, say }) {
    const input = quick ? { shards: 3_000 } : { shards: 30_000 }
    await waitForQuiet(quick ? 0 : 10_000)
    const all = [await inChild<Input, Measured>(import.meta.url, input)]
    say('done')
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
