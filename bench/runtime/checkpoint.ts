import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Duration, job, run } from '../../src/entry/index.ts'
import { discardSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { cpuMs, mainThreadWait, waitForQuiet } from '../harness/machine.ts'
import { compare } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { keyTexts, scattered } from './keys.ts'
import { type LoopReport, watchLoop } from './loop-probe.ts'

interface Input {
  readonly keys: number
  readonly every: Duration
  readonly seconds: number
  /** Whether a checkpoint has to complete before measuring begins. */
  readonly checkpointFirst: boolean
}

interface Report extends LoopReport {
  readonly records: number
  /** Time that passed, less the time the main thread stood in line for a core. */
  readonly ownMs: number
  readonly cpuMs: number
  readonly checkpoints: readonly { readonly durationMs: number; readonly bytes: number }[]
}

/** A count per key for some seconds, once every key has its entry. */
export const measure = async ({ keys, every, seconds, checkpointFirst }: Input): Promise<Report> => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const texts = keyTexts(keys)
  // First every key once, so that the state is whole; then any key at any time.
  const keyOf = (index: number): string => texts[index < keys ? index : scattered(index, keys)] as string
  const counting = job('checkpoint', { checkpoint: { dir, every } }, (flow) =>
    flow
      .from('keys', generatorSource({ generate: keyOf }))
      .keyBy((key) => key)
      .reduce('count', 0, (count) => count + 1)
      .to('out', discardSink()),
  )
  const handle = run(counting)
  const checkpoints: { durationMs: number; bytes: number }[] = []
  handle.events$.subscribe({
    next: (event) => {
      if (event.kind === 'checkpoint-completed') checkpoints.push({ durationMs: event.durationMs, bytes: event.bytes })
    },
    error: () => {},
  })
  const done = (): number => handle.metrics().sum('millrace_records_in_total', 'count') ?? 0
  // The first two checkpoints: of the empty job, and of one that still makes entries.
  while (done() < keys * 3 || (checkpointFirst && checkpoints.length < 3)) await sleep(100)

  checkpoints.length = 0
  const loop = watchLoop()
  const wait = mainThreadWait()
  const start = { records: done(), ms: performance.now(), waitMs: wait(), cpuMs: cpuMs() }
  await sleep(seconds * 1000)
  const ownMs = performance.now() - start.ms - (wait() - start.waitMs)
  const report = { ...loop(), records: done() - start.records, ownMs, cpuMs: cpuMs() - start.cpuMs, checkpoints }
  await handle.cancel()
  await rm(dir, { recursive: true })
  return report
}

/** Records in a second of the main thread's own time. */
const rateOf = ({ records, ownMs }: Report): number => (records * 1000) / ownMs

export const checkpoint: Benchmark = {
  name: 'checkpoint',
  title: 'a count per key with a checkpoint every 5 s, beside the same job without; and how long the event loop stands',
  async run({ quick, say }) {
    const keys = quick ? 100_000 : 1_000_000
    const seconds = quick ? 3 : 20
    const every = quick ? '1s' : '5s'
    const runs: { readonly value: Report; readonly baseline: Report }[] = []
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      await waitForQuiet(quick ? 0 : 30_000)
      const without = { keys, seconds, every: '1h' as const, checkpointFirst: false }
      const baseline = await inChild<Input, Report>(import.meta.url, without)
      await waitForQuiet(quick ? 0 : 30_000)
      const value = await inChild<Input, Report>(import.meta.url, { ...without, every, checkpointFirst: true })
      runs.push({ value, baseline })
      const ratio = (rateOf(value) / rateOf(baseline)).toFixed(3)
      say(`pair ${repetition + 1}: ratio ${ratio}, longest gap ${value.ownGapMs.toFixed(1)} ms`)
    }
    const named = { bench: 'checkpoint', unit: 'ms', better: 'less' } as const
    const rates = { ...named, unit: 'records/s', better: 'more' } as const
    const reports = runs.map(({ value }) => value)
    const written = reports.flatMap(({ checkpoints }) => checkpoints)
    const longest = (values: readonly number[]): number => Math.max(...values)
    const gaps = (figure: string, of: (report: Report) => number, floor: number | null = null) =>
      plainFigure({ ...named, figure, floor }, reports.map(of), longest)
    const pairsOf = (of: (report: Report) => number) =>
      compare(runs.map(({ value, baseline }) => ({ value: of(value), baseline: of(baseline) })))
    return [
      comparedFigure({ ...rates, figure: `rate, ${keys} keys`, floor: 0.9 }, pairsOf(rateOf)),
      comparedFigure(
        { ...rates, figure: 'records per second of CPU time, all threads' },
        pairsOf((report) => (report.records * 1000) / report.cpuMs),
      ),
      gaps('longest gap, without waiting for a core', (report) => report.ownGapMs, 50),
      gaps('longest gap', (report) => report.gapMs),
      gaps('longest delay of monitorEventLoopDelay', (report) => report.delayMs),
      gaps('longest pause of a minor collection', (report) => report.minorPauseMs),
      gaps('longest pause of a major collection', (report) => report.majorPauseMs),
      plainFigure(
        { ...named, figure: 'duration of a checkpoint' },
        written.map(({ durationMs }) => durationMs),
      ),
      plainFigure(
        { ...named, figure: 'size of a checkpoint', unit: 'bytes/key' },
        written.map(({ bytes }) => bytes / keys),
      ),
    ]
  },
}
